"""Items that come whole, with their events: what Google's own tools did (searches, code, images), and compactions."""

from collections.abc import Callable, Iterator, Sequence

from gemgate.api.responses.mcp_items import mcp_call_events, mcp_call_items
from gemgate.api.responses.wire import Json
from gemgate.gemini.types import GroundingMetadata, Part

WEB_SOURCES = "web_search_call.action.sources"
FILE_RESULTS = "file_search_call.results"
CODE_OUTPUTS = "code_interpreter_call.outputs"

_OK = "OUTCOME_OK"
_IMAGE_DETAILS = ("background", "quality", "size")


def is_server_side(part: Part) -> bool:
    """Whether a part is of a tool that Google runs itself, apart from the calls of functions."""
    return bool(part.keys() & {"toolCall", "toolResponse", "executableCode", "codeExecutionResult", "functionResponse"})


def begins_call(part: Part) -> bool:
    """Whether a part is the call of such a tool, and not its result."""
    return "toolCall" in part or "executableCode" in part or "functionCall" in part


def tool_items(parts: Sequence[Part], include: frozenset[str], label_of: Callable[[str], str]) -> Iterator[Json]:
    """The items, without their ids, of the tools in `parts`, whose results may be missing.

    `label_of` gives the label of the MCP server that has a tool.
    """
    yield from mcp_call_items(parts, label_of)
    results = (part["codeExecutionResult"] for part in parts if "codeExecutionResult" in part)
    responses = {str(_get(part, "toolResponse", "id")): part for part in parts if "toolResponse" in part}
    for part in parts:
        if "executableCode" in part:
            yield _code(part, next(results, None), include)
        elif "toolCall" in part:
            kind, args = str(_get(part, "toolCall", "toolType")), _get(part, "toolCall", "args")
            response = responses.get(str(_get(part, "toolCall", "id")))
            found = _tool_call(kind, args if isinstance(args, dict) else {}, response, include)
            if found is not None:
                yield found


def late_items(
    grounding: GroundingMetadata, pages: object, include: frozenset[str], seen: frozenset[str]
) -> Iterator[Json]:
    """The items of searches that are only known when the answer has ended; `seen` are kinds of items that came."""
    queries = _strings(grounding.get("webSearchQueries"))
    if queries and "web_search_call" not in seen:
        sources = [url for chunk in grounding.get("groundingChunks") or () if (url := _get(chunk, "web", "uri"))]
        yield _web_search(queries, [str(url) for url in sources], include)
    documents = [found for chunk in grounding.get("groundingChunks") or () if (found := _document(chunk))]
    if documents and "file_search_call" not in seen:
        yield _file_search([], documents, include)
    for page in _dicts(_get({"pages": pages}, "pages", "urlMetadata")):
        url = page.get("retrievedUrl")
        if isinstance(url, str) and url:
            yield {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": url}}


def image_item(mime_type: str, data: str) -> Json:
    """An image that the model made, without its id."""
    kind = mime_type.partition("/")[2] or "png"
    details = dict.fromkeys(_IMAGE_DETAILS, "auto")
    return {
        "type": "image_generation_call",
        "status": "completed",
        "output_format": kind,
        **details,
        "result": data,
    }


PREFIXES = {
    "web_search_call": "ws_",
    "file_search_call": "fs_",
    "code_interpreter_call": "ci_",
    "image_generation_call": "ig_",
    "mcp_call": "mcp_",
    "compaction": "cmp_",
}

_UNTIL_DONE = {
    "web_search_call": ("action",),
    "file_search_call": ("results",),
    "code_interpreter_call": (),
    "image_generation_call": ("result", "output_format", *_IMAGE_DETAILS),
}
_STAGES = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
}


def events_of(item: Json, index: int, *, shows_partial_images: bool) -> Iterator[Json]:
    """The events of an item whose end is known, in the order in which OpenAI sends them.

    `shows_partial_images`: an image is shown as a partial one as well, for clients that wait for those.
    """
    kind = item["type"]
    if kind == "mcp_call":
        yield from mcp_call_events(item, index)
        return
    if kind == "compaction":
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
        return
    place = {"item_id": item["id"], "output_index": index}
    begun = {name: value for name, value in item.items() if name not in _UNTIL_DONE[kind]}
    begun["status"] = "in_progress"
    if kind == "code_interpreter_call":
        begun |= {"code": "", "outputs": []}
    if kind == "image_generation_call":
        begun["result"] = None
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    first, second, last = _STAGES[kind]
    yield {"type": f"response.{kind}.{first}", **place}
    if kind == "code_interpreter_call":
        yield {"type": f"response.{kind}_code.delta", **place, "delta": item["code"]}
        yield {"type": f"response.{kind}_code.done", **place, "code": item["code"]}
    yield {"type": f"response.{kind}.{second}", **place}
    if kind == "image_generation_call" and shows_partial_images:
        yield _partial_image(item, place)
    yield {"type": f"response.{kind}.{last}", **place}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _partial_image(item: Json, place: Json) -> Json:
    details = {name: item[name] for name in ("output_format", *_IMAGE_DETAILS)}
    image = {"partial_image_index": 0, "partial_image_b64": item["result"], **details}
    return {"type": "response.image_generation_call.partial_image", **place, **image}


def _tool_call(kind: str, args: Json, response: Part | None, include: frozenset[str]) -> Json | None:
    queries = _strings(args.get("queries")) or _strings([args.get("query")])
    if kind.startswith("GOOGLE_SEARCH"):
        return _web_search(queries, [], include)
    if kind == "FILE_SEARCH":
        inner = _get(response, "toolResponse", "response") if response else None
        found = inner.get("result") if isinstance(inner, dict) else None
        return _file_search(queries, [_result(each) for each in _dicts(found)], include)
    if kind == "URL_CONTEXT":
        return None  # the pages that were read are named when the answer ends
    return None


def _web_search(queries: list[str], sources: list[str], include: frozenset[str]) -> Json:
    action: Json = {"type": "search", "query": queries[0] if queries else "", "queries": queries}
    if WEB_SOURCES in include:
        action["sources"] = [{"type": "url", "url": url} for url in dict.fromkeys(sources)]
    return {"type": "web_search_call", "status": "completed", "action": action}


def _file_search(queries: list[str], results: list[Json], include: frozenset[str]) -> Json:
    shown = results if FILE_RESULTS in include else None
    return {"type": "file_search_call", "status": "completed", "queries": queries, "results": shown}


def _document(chunk: Json) -> Json | None:
    context = chunk.get("retrievedContext")
    return _result(context) if isinstance(context, dict) else None


def _result(found: Json) -> Json:
    store = found.get("fileSearchStore") or found.get("file_search_store") or found.get("uri") or ""
    title = found.get("title") or store
    return {
        "attributes": {},
        "file_id": str(store),
        "filename": str(title),
        "score": 1.0,
        "text": str(found.get("text") or ""),
    }


def _code(part: Part, result: object, include: frozenset[str]) -> Json:
    code = _get(part, "executableCode", "code")
    outcome = result.get("outcome") if isinstance(result, dict) else None
    output = result.get("output") if isinstance(result, dict) else None
    logs = [{"type": "logs", "logs": output}] if isinstance(output, str) else []
    return {
        "type": "code_interpreter_call",
        "status": "completed" if outcome == _OK else "failed",
        "code": code if isinstance(code, str) else "",
        "container_id": "",
        "outputs": logs if CODE_OUTPUTS in include else None,
    }


def _get(value: object, outer: str, inner: str) -> object:
    found = value.get(outer) if isinstance(value, dict) else None
    return found.get(inner) if isinstance(found, dict) else None


def _strings(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


def _dicts(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
