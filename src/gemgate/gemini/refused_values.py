"""Values of a request that one model has refused: thought signatures and schemas, known by their digests."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson


def digest_of_value(value: object) -> str:
    """32 hexadecimal digits that stand for `value`."""
    raw = value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def signed_parts(body: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """The parts of a request that have a thought signature."""
    for content in body.get("contents") or ():
        for part in content.get("parts") or ():
            if part.get("thoughtSignature"):
                yield part


def signature_digests(body: Mapping[str, object]) -> Collection[str]:
    """The digests of its thought signatures."""
    return list(dict.fromkeys(digest_of_value(part["thoughtSignature"]) for part in signed_parts(body)))


def is_displaced(contents: Sequence[Mapping[str, Any]], index: int) -> bool:
    """Whether the turn holds calls of the model, and no text of the user comes immediately before it."""
    turn = contents[index]
    if turn.get("role") != "model" or not any("functionCall" in part for part in turn.get("parts") or ()):
        return False
    before = contents[index - 1] if index else {}
    return before.get("role") != "user" or not any("text" in part for part in before.get("parts") or ())


def displaced_digest(body: Mapping[str, Any]) -> str | None:
    """A digest of all turns up to the first displaced one: what a conversation and nothing else begins with."""
    contents = body.get("contents") or ()
    first = next((index for index in range(len(contents)) if is_displaced(contents, index)), None)
    return None if first is None else digest_of_value(contents[: first + 1])


def parameter_schemas(body: Mapping[str, Any]) -> list[object]:
    """The schemas of the parameters of its functions."""
    return [
        declaration["parametersJsonSchema"]
        for tool in body.get("tools") or ()
        for declaration in tool.get("functionDeclarations") or ()
        if "parametersJsonSchema" in declaration
    ]


def parameters_digest(body: Mapping[str, object]) -> str | None:
    """The digest of the schemas of its functions, if it has some."""
    schemas = parameter_schemas(body)
    return digest_of_value(schemas) if schemas else None


def schema_digest(body: Mapping[str, Any]) -> str | None:
    """The digest of its `responseJsonSchema`, if it has one."""
    schema = (body.get("generationConfig") or {}).get("responseJsonSchema")
    return digest_of_value(schema) if schema is not None else None
