"""What Google's built-in tools leave in an answer: sources, fetched pages, code and its output."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gemgate.emulator.hints import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gemgate.emulator.answers import Draft
    from gemgate.emulator.families import ModelFamily
    from gemgate.emulator.prompt import Prompt

SEARCH_TOKENS = 60
URL_TOKENS = 120
CODE_TOKENS = 75
MCP_TOKENS = 40
_REDIRECT = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
_URL = re.compile("https?://[^\\s\"'<>”\u2019)\\]]+")
_BEGIN = re.compile(r"\S")
_END = re.compile(r"[.!?][\u201d\"')]*+(?!\S)")
_GEMINI_3 = 3.0


def use(name: str, draft: Draft, model: ModelFamily, prompt: Prompt, seed: str) -> None:
    """Add what the tool `name` leaves; tools without a trace of their own add nothing."""
    if name in {"googleSearch", "googleSearchRetrieval"}:
        _search(draft, model, prompt, seed)
    elif name == "googleMaps":
        _maps(draft)
    elif name == "fileSearch":
        _files(draft, prompt)
    elif name == "urlContext":
        _pages(draft, prompt)
    elif name == "codeExecution":
        _code(draft, model, prompt, seed)
    elif name == "mcpServers":
        _servers(draft, model, prompt, seed)


def supports(text: str, sources: int) -> list[dict[str, Any]]:
    """`groundingSupports` for each sentence: indexes count UTF-8 bytes, and a 0 is left out."""
    found = []
    previous = counted = 0
    for number, (start, end) in enumerate(_sentences(text)):
        counted += len(text[previous:start].encode())
        segment: dict[str, Any] = {"startIndex": counted} if counted else {}
        counted += len(text[start:end].encode())
        segment |= {"endIndex": counted, "text": text[start:end]}
        found.append({"segment": segment, "groundingChunkIndices": [number % sources]})
        previous = end
    return found


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where sentences begin and end; the last one ends before a line break."""
    last = len(text) - text.endswith("\n")
    position = 0
    while begin := _BEGIN.search(text, position):
        end = _END.search(text, begin.end())
        position = end.end() if end else last
        yield begin.start(), position
        if not end:
            return


def _search(draft: Draft, model: ModelFamily, prompt: Prompt, seed: str) -> None:
    query = " ".join(prompt.text.split())[:80] or "news"
    titles = ["example.com", "example.org"]
    draft.parts[-1]["text"] = "Café sources say: “" + draft.parts[-1]["text"].strip() + "”"
    draft.extras["groundingMetadata"] = {
        "searchEntryPoint": {"renderedContent": f'<div class="container"><a class="chip">{query}</a></div>'},
        "groundingChunks": [
            {"web": {"uri": f"{_REDIRECT}{seed}{number}", "title": title}} for number, title in enumerate(titles)
        ],
        "groundingSupports": supports(draft.parts[-1]["text"], len(titles)),
        "webSearchQueries": [query],
    }
    draft.tool_tokens += SEARCH_TOKENS
    if model.family.generation >= _GEMINI_3 and (prompt.body.get("toolConfig") or {}).get(
        "includeServerSideToolInvocations"
    ):
        call = {"toolType": "GOOGLE_SEARCH_WEB", "id": seed[:8].lower()}
        draft.parts[:0] = [
            {"toolCall": {**call, "args": {"queries": [query]}}},
            {"toolResponse": {**call, "response": {"search_suggestions": query}}},
        ]


def _maps(draft: Draft) -> None:
    place = {"uri": "https://maps.google.com/?cid=1", "title": "Example Square", "placeId": "places/example"}
    draft.extras["groundingMetadata"] = {
        "groundingChunks": [{"maps": place}],
        "groundingSupports": supports(draft.parts[-1]["text"], 1),
    }
    draft.tool_tokens += SEARCH_TOKENS


def _files(draft: Draft, prompt: Prompt) -> None:
    """A piece of a document in the first store; what Gemini 3 says of its search besides was never recorded."""
    search = next(tool["fileSearch"] for tool in prompt.body["tools"] if tool.get("fileSearch"))
    store = search["fileSearchStoreNames"][0]
    found = {"title": "example.pdf", "text": "An example of a document.", "fileSearchStore": store}
    draft.extras["groundingMetadata"] = {
        "groundingChunks": [{"retrievedContext": found}],
        "groundingSupports": supports(draft.parts[-1]["text"], 1),
    }
    draft.tool_tokens += SEARCH_TOKENS


def _pages(draft: Draft, prompt: Prompt) -> None:
    urls = [url.rstrip(".,;:!?") for url in _URL.findall(prompt.text)]
    if urls:
        draft.extras["urlContextMetadata"] = {
            "urlMetadata": [{"retrievedUrl": url, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"} for url in urls]
        }
        draft.tool_tokens += URL_TOKENS * len(urls)


def _code(draft: Draft, model: ModelFamily, prompt: Prompt, seed: str) -> None:
    numbers = [int(number) if number.is_integer() else number for number in read(prompt.text).numbers] or [1, 1]
    code: dict[str, object] = {"language": "PYTHON", "code": f"print(sum({numbers}))\n"}
    result: dict[str, object] = {"outcome": "OUTCOME_OK", "output": f"{sum(numbers)}\n"}
    if model.family.generation >= _GEMINI_3:
        code["id"] = result["id"] = f"call_{int.from_bytes(seed.encode()[:4]) % 10**6}"
    draft.parts[:0] = [{"executableCode": code}, {"codeExecutionResult": result}]
    draft.tool_tokens += CODE_TOKENS


def _servers(draft: Draft, model: ModelFamily, prompt: Prompt, seed: str) -> None:
    """One call at the first MCP server, which is not connected to, and its output: both are the model's (recorded)."""
    server = next(server for tool in prompt.body["tools"] for server in tool.get("mcpServers") or ())
    query = " ".join(prompt.text.split())[:80]
    call: dict[str, object] = {"name": "search", "args": {"query": query}}
    result: dict[str, object] = {"name": "search", "response": {"result": f"{server.get('name')} found “{query}”."}}
    if model.family.call_ids != "none":
        call["id"] = result["id"] = f"mcp{seed[:8].lower()}"
    draft.parts[:0] = [{"functionCall": call}, {"functionResponse": result}]
    draft.tool_tokens += MCP_TOKENS
