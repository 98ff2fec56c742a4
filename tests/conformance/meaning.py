"""What a native request means, so that two translations of one program can be compared."""

import re
from typing import Any

import orjson

IGNORED = (
    "the order of members, and snake_case beside camelCase",
    "ids of calls, which Gemini 2.5 does not have",
    "the bytes of thought signatures, and whether a text carries one; a call must have one in both or in neither",
    "which of the two alphabets of base64 media are written in",
    "`role` of the system instruction, which means nothing",
    "`responseModalities: [TEXT]` and `store: false`, which are what Gemini does when nothing is said",
    "`default` of a schema, which Gemini does not know: it may be told in the description",
    "`additionalProperties: false` and `title` of a schema, which take nothing away from what a model may answer",
)
"""What `meaning` ignores."""

_DEFAULT = re.compile(r" ?Default: .*?\.$")


def meaning(method: str, body: dict[str, Any]) -> dict[str, Any]:
    """The request without what `IGNORED` lists."""
    plain: Any = _camel(body)
    plain["method"] = method
    plain.pop("store", None)
    plain.get("systemInstruction", {}).pop("role", None)
    config = plain.setdefault("generationConfig", {})
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    for content in plain["contents"]:
        content["parts"] = [_part(part) for part in content["parts"]]
    for tool in plain.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            function["parametersJsonSchema"] = _schema(function["parametersJsonSchema"])
    parsed: dict[str, Any] = orjson.loads(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))
    return parsed


def _part(part: dict[str, Any]) -> dict[str, Any]:
    signature = part.pop("thoughtSignature", None)
    for name in ("functionCall", "functionResponse"):
        if name in part:
            part[name].pop("id", None)
    if "inlineData" in part:
        part["inlineData"]["data"] = part["inlineData"]["data"].replace("-", "+").replace("_", "/")
    if "functionCall" in part:
        part["is_signed"] = signature is not None
    return part


def _schema(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    plain = {name: value for name, value in schema.items() if name not in ("default", "title")}
    if plain.get("additionalProperties") is False:
        del plain["additionalProperties"]
    if (description := _DEFAULT.sub("", plain.pop("description", ""))) != "":
        plain["description"] = description
    if "properties" in plain:
        plain["properties"] = {name: _schema(value) for name, value in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _schema(plain["items"])
    return plain


def _camel(value: Any) -> Any:
    """Members of Google's own objects in camelCase; what callers name (schemas, arguments) stays."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    free = ("parametersJsonSchema", "args", "response")
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): item for name, item in value.items()}
    return {name: item if name in free else _camel(item) for name, item in named.items()}
