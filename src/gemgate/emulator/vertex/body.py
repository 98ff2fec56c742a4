"""Requests of Vertex AI as the Developer API has them; what Vertex AI does not know is refused as it refuses it."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gemgate.emulator import signatures
from gemgate.emulator.content import RequestContent
from gemgate.emulator.errors import GoogleApiError, bad_request
from gemgate.emulator.validation import Json, Violation, snake
from gemgate.emulator.vertex.caches import with_kept_cache
from gemgate.emulator.vertex.words import foreign_signature

# Where the Developer API has a name that Vertex AI does not: the path of the object, and the names.
_UNKNOWN: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset({"store", "model"}),
    ("contents", "parts"): frozenset({"toolCall", "toolResponse", "partMetadata"}),
    ("contents", "parts", "functionCall"): frozenset({"id"}),
    ("contents", "parts", "functionResponse"): frozenset({"id"}),
    ("systemInstruction", "parts"): frozenset({"toolCall", "toolResponse", "partMetadata"}),
    ("toolConfig",): frozenset({"includeServerSideToolInvocations"}),
    ("tools",): frozenset({"fileSearch", "mcpServers"}),
}

# The same the other way round: what only Vertex AI takes, and the answer machinery does not know.
_ONLY_HERE: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset({"labels", "modelArmorConfig"}),
    ("safetySettings",): frozenset({"method"}),
    ("generationConfig",): frozenset({"audioTimestamp", "routingConfig", "modelConfig", "outputConfig"}),
    ("generationConfig", "imageConfig"): frozenset({"personGeneration", "prominentPeople", "imageOutputOptions"}),
    ("toolConfig", "functionCallingConfig"): frozenset({"streamFunctionCallArguments"}),
    ("tools",): frozenset({"retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch"}),
    ("tools", "googleSearch"): frozenset({"excludeDomains", "blockingConfidence"}),
}

_OF_IMAGEN: dict[tuple[str, ...], frozenset[str]] = {
    ("parameters",): frozenset({"addWatermark", "enhancePrompt", "negativePrompt", "seed", "storageUri"})
}

_ROOTS = {"generateContent", "streamGenerateContent", "countTokens"}


def as_developer(method: str, model: str, body: object) -> object:
    """The body that the Developer API would have got; another kind of body is left to its checks.

    Raises:
        GoogleApiError: 400 with Vertex AI's words for a name or a signature that it does not take.
    """
    if not isinstance(body, dict):
        return body
    if method == "batchEmbedContents":
        requests = body.get("requests")
        listed = requests if isinstance(requests, list) else []
        return {
            **body,
            "requests": [{**one, "model": f"models/{model}"} if isinstance(one, dict) else one for one in listed],
        }
    if method == "predict":
        return _without(body, _OF_IMAGEN)
    if method not in _ROOTS:
        return body
    _refuse(
        _found(body, _UNKNOWN | ({(): _UNKNOWN[()] | {"generateContentRequest"}} if method == "countTokens" else {}))
    )
    plain = with_kept_cache(_without(body, _ONLY_HERE))
    if isinstance(plain.get("tools"), list):
        plain["tools"] = [tool for tool in plain["tools"] if tool != {}]
    _resign(plain)
    if method == "countTokens":
        return {"generateContentRequest": {"model": f"models/{model}", **plain}}
    return _with_invocations(plain)


def with_objects(body: object, objects: Mapping[str, tuple[RequestContent, float]]) -> object:
    """The body with the bytes of objects whose `gs://…` it names, as far as they are here."""
    if not isinstance(body, dict):
        return body
    whole: Json = _copied(body)
    for _, part in _objects(whole, ("contents", "parts")):
        given = part.get("fileData")
        found = objects.get(str(given.get("fileUri")).removeprefix("gs://")) if isinstance(given, dict) else None
        if found is not None and isinstance(given, dict):
            del part["fileData"]
            data = base64.b64encode(found[0].read()).decode()
            part["inlineData"] = {"mimeType": given.get("mimeType", ""), "data": data}
    return whole


def _refuse(found: list[tuple[str, str]]) -> None:
    if not found:
        return
    listed = []
    for name, path in found:
        place = f" at '{path}'" if path else ""
        listed.append(
            Violation(path, f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')
        )
    raise bad_request(listed)


def _named(holder: Json, name: str) -> object:
    """A field under either of its two spellings."""
    return holder.get(name, holder.get(snake(name)))


def _objects(body: Json, path: tuple[str, ...], shown: str = "") -> Iterator[tuple[str, Json]]:
    """The objects at a path, each with its place as Google writes it; every list on the way is gone through."""
    if not path:
        yield shown, body
        return
    value, place = _named(body, path[0]), snake(path[0])
    place = f"{shown}.{place}" if shown else place
    items = [(f"{place}[{n}]", item) for n, item in enumerate(value)] if isinstance(value, list) else [(place, value)]
    for where, item in items:
        if isinstance(item, dict):
            yield from _objects(item, path[1:], where)


def _found(body: Json, names: Mapping[tuple[str, ...], frozenset[str]]) -> list[tuple[str, str]]:
    return [
        (key, place)
        for path, unknown in names.items()
        for place, holder in _objects(body, path)
        for key in holder
        if key in unknown or key in {snake(name) for name in unknown}
    ]


def _without(body: Json, names: Mapping[tuple[str, ...], frozenset[str]]) -> Json:
    copy: Json = _copied(body)
    for path, here in names.items():
        for _, holder in _objects(copy, path):
            for name in here:
                holder.pop(name, None)
                holder.pop(snake(name), None)
    return copy


def _copied(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _resign(body: Json) -> None:
    """Put signatures made here into the form that the answer machinery checks.

    Raises:
        GoogleApiError: 400, one was made by the Developer API, or was changed.
    """
    for _, part in _objects(body, ("contents", "parts")):
        for name in ("thoughtSignature", "thought_signature"):
            if isinstance(signature := part.get(name), str):
                part[name] = _checked(signature, signatures.from_vertex)


def _checked(signature: str, convert: Callable[[str], str | None]) -> str:
    try:
        converted = convert(signature)
    except ValueError:
        raise GoogleApiError(400, "Invalid value at 'thought_signature' (TYPE_BYTES), Base64 decoding failed") from None
    if converted is None:
        raise foreign_signature()
    return converted


def _with_invocations(body: Json) -> Json:
    """Built-in tools go with functions here unasked, which the Developer API has to be asked for."""
    tools = [tool for _, tool in _objects(body, ("tools",))]
    names = {name for tool in tools for name in tool}
    declares = names & {"functionDeclarations", "function_declarations"}
    if not declares or not names - declares:
        return body
    config = _named(body, "toolConfig")
    given = config if isinstance(config, dict) else {}
    rest = {name: value for name, value in body.items() if name != "tool_config"}
    return {**rest, "toolConfig": {**given, "includeServerSideToolInvocations": True}}
