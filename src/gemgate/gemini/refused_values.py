"""Values of a request that one model has refused: thought signatures and schemas, known by their digests."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson


def digest_of_value(value: Any) -> str:
    """32 hexadecimal digits that stand for `value`."""
    raw = value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def signed_parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a request that have a thought signature."""
    for content in body.get("contents") or ():
        for part in content.get("parts") or ():
            if part.get("thoughtSignature"):
                yield part


def signature_digests(body: Mapping[str, Any]) -> Collection[str]:
    """The digests of its thought signatures."""
    return list(dict.fromkeys(digest_of_value(part["thoughtSignature"]) for part in signed_parts(body)))


def conversation_digest(body: Mapping[str, Any]) -> str | None:
    """A digest that all requests of one conversation have in common: that of its first turn."""
    contents = body.get("contents")
    return digest_of_value([contents[0]]) if contents else None


def schema_digest(body: Mapping[str, Any]) -> str | None:
    """The digest of its `responseJsonSchema`, if it has one."""
    schema = (body.get("generationConfig") or {}).get("responseJsonSchema")
    return digest_of_value(schema) if schema is not None else None
