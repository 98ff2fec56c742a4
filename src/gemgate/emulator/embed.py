"""embedContent and batchEmbedContents: check, and answer with vectors."""

from collections import Counter
from typing import Any

import orjson
from starlette.requests import Request

from gemgate.emulator import usage, vectors
from gemgate.emulator.attachments import attach_content
from gemgate.emulator.course import begin, whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import bad_request, invalid
from gemgate.emulator.families import ModelFamily, Vector
from gemgate.emulator.incoming import RequestIdentity, caller
from gemgate.emulator.prompt import parts_of, scenario_in, text_of
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.validation import decode_base64, parse

MAX_REQUESTS = 100
_BYTES_A_TOKEN = 4
_MEDIA = ("inlineData", "fileData")
_UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"


def embed_content(state: EmulatorState, request: Request, model: ModelFamily, body: object) -> Delivery:
    """POST /v1beta/models/{model}:embedContent: `{"embedding": {"values"}}`.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    if isinstance(body, dict):
        body = {"model": f"models/{model.name}"} | body
    canonical, found = parse("EmbedContentRequest", body)
    if found:
        raise bad_request(found)
    return _answer(state, request, model, [canonical], "* EmbedContentRequest.")


def batch_embed_contents(state: EmulatorState, request: Request, model: ModelFamily, body: Any) -> Delivery:
    """POST /v1beta/models/{model}:batchEmbedContents: `{"embeddings": [{"values"}, …]}` in the order of the requests.

    Raises:
        ApiError: As `embed_content`, and 400 for none or more than 100 requests.
    """
    canonical, found = parse("BatchEmbedContentsRequest", body)
    if found:
        raise bad_request(found)
    requests = canonical.get("requests") or []
    if not requests:
        raise invalid("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    if len(requests) > MAX_REQUESTS:
        raise invalid(f"* BatchEmbedContentsRequest.requests: at most {MAX_REQUESTS} requests can be in one batch\n")
    return _answer(state, request, model, requests, "* BatchEmbedContentsRequest.requests[{}].")


def _answer(
    state: EmulatorState, request: Request, model: ModelFamily, requests: list[dict[str, object]], root: str
) -> Delivery:
    scenario, made, counts = _embed(state, caller(request), model, requests, root)
    single = not root.startswith("* Batch")
    answer: dict[str, object] = {"embedding": made[0]} if single else {"embeddings": made}
    if (model.family.vector or Vector()).rich:
        answer["usageMetadata"] = {"promptTokenCount": counts.total(), "promptTokenDetails": usage.details(counts)}
    raw = orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return whole(state, scenario, raw)


def respond(state: EmulatorState, by: RequestIdentity, model: ModelFamily, body: object) -> dict[str, object]:
    """The answer to one line of a batch job: the vector that the same request gets live, and its tokens.

    Raises:
        ApiError: As `embed_content`.
    """
    canonical, found = parse("EmbedContentRequest", body)
    if found:
        raise bad_request(found)
    _, made, counts = _embed(state, by, model, [canonical], "* EmbedContentRequest.")
    return {"tokenCount": str(counts.total()), "embedding": made[0]}


def _embed(
    state: EmulatorState, by: RequestIdentity, model: ModelFamily, requests: list[dict[str, Any]], root: str
) -> tuple[Scenario, list[dict[str, Any]], Counter[str]]:
    kind = model.family.vector or Vector()
    for number, each in enumerate(requests):
        check_request(model, kind, each, root.format(number))
    requests = [{**each, "content": attach_content(state.files, by.owner, each["content"])} for each in requests]
    contents = [each["content"] for each in requests]
    asked = next(filter(None, (scenario_in(text_of(parts_of(content))) for content in contents)), "")
    scenario = begin(state, by, model, "embedContent", asked=asked, content=contents)
    maximum = model.family.limits[0]
    return scenario, [{"values": vector_of(kind, each, maximum)} for each in requests], _tokens(contents, maximum)


def settings(each: dict[str, Any]) -> dict[str, Any]:
    """`taskType`, `title`, `outputDimensionality` and so on, from either of the two places they may be in."""
    return {**each, **(each.get("embedContentConfig") or {})}


def check_request(model: ModelFamily, kind: Vector, each: dict[str, Any], root: str) -> None:
    """Refuse a canonical `EmbedContentRequest` as Google would; `root` begins the messages.

    Raises:
        ApiError: 400, the first rule that it breaks.
    """
    name = each.get("model", "")
    if not name:
        raise invalid(f"{root}model: model is not specified\n")
    if not name.startswith("models/"):
        raise invalid(f"{root}model: unexpected model name format\n")
    if name != f"models/{model.name}":
        raise invalid(f"{root}model: model must be the model of the URL, models/{model.name}\n")
    _check_content(model, kind, each.get("content") or {}, root)
    given = settings(each)
    size = given.get("outputDimensionality")
    if size is not None and not kind.minimum <= size <= kind.maximum:
        raise invalid(
            f"{root}output_dimensionality: output_dimensionality must be in the range "
            f"[{kind.minimum}, {kind.maximum}].\n"
        )
    if given.get("title") and given.get("taskType") != "RETRIEVAL_DOCUMENT" and not kind.rich:
        raise invalid(f"{root}title: title can only be set with task_type RETRIEVAL_DOCUMENT.\n")
    tokens, maximum = _count(each["content"]).total(), model.family.limits[0]
    if given.get("autoTruncate") is False and tokens > maximum:
        raise invalid(f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({maximum}).")


def _check_content(model: ModelFamily, kind: Vector, content: dict[str, Any], root: str) -> None:
    if not parts_of(content):
        raise invalid(f"{root}content: content is not specified\n")
    for number, part in enumerate(parts_of(content)):
        place = f"{root}content.parts[{number}]."
        if not part:
            raise invalid(f"{place}data: required oneof field 'data' must have one initialized field\n")
        if part.get("text") == "":
            raise invalid("EmbedContentRequest.content contains an empty Part.")
        if "text" not in part and not (kind.rich and any(name in part for name in _MEDIA)):
            raise invalid(f"models/{model.name} embeds {'text and media' if kind.rich else 'text'} only.")
        if "inlineData" in part and not (part["inlineData"].get("mimeType") and part["inlineData"].get("data")):
            raise invalid(f"{place}inline_data: mime_type and data must be specified.\n")


def vector_of(kind: Vector, each: dict[str, Any], maximum: int) -> list[float]:
    """One vector for all parts together; texts are cut off after `most` tokens."""
    given = settings(each)
    features: Counter[int] = Counter()
    for part in parts_of(each["content"]):
        if "inlineData" in part:
            blob = part["inlineData"]
            features += vectors.media_features(blob["mimeType"], decode_base64(blob["data"]))
        elif "fileData" in part:
            features += vectors.media_features("file", part["fileData"]["fileUri"].encode())
        else:
            beginning = part["text"].encode(errors="replace")[: maximum * _BYTES_A_TOKEN]
            features += vectors.text_features(beginning.decode(errors="ignore"))
    if not kind.rich:
        for name in ("taskType", "title"):
            if given.get(name, _UNSPECIFIED) not in {"", _UNSPECIFIED}:
                features += vectors.setting_features(f"{name} {given[name]}")
    return vectors.vector(features, given.get("outputDimensionality") or kind.maximum, unit=kind.unit)


def _count(content: dict[str, object]) -> Counter[str]:
    return usage.prompt_tokens({"contents": [content]})


def _tokens(contents: list[dict[str, object]], maximum: int) -> Counter[str]:
    """Tokens by modality; of each content at most `most` count, since the rest of it is cut off."""
    counts: Counter[str] = Counter()
    for content in contents:
        found = _count(content)
        found["TEXT"] = min(found["TEXT"], maximum)
        counts += found
    return counts
