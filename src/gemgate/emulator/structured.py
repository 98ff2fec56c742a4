"""Answers with a form: JSON by a schema, one value of an enum, log probabilities."""

import re
import zlib
from typing import Any

import orjson

from gemgate.emulator.examples import from_openapi, satisfying
from gemgate.emulator.hints import read
from gemgate.emulator.prompt import Prompt

_TOKEN = re.compile(r"\s++\S*+|\S++")
_VOCABULARY = 256_000


def is_asked(prompt: Prompt) -> bool:
    """Whether the request wants something other than prose."""
    return prompt.config.get("responseMimeType") in {"application/json", "text/x.enum"} or bool(_format(prompt))


def _format(prompt: Prompt) -> dict[str, Any]:
    """`responseFormat.text` where it asks for JSON."""
    text = (prompt.config.get("responseFormat") or {}).get("text") or {}
    return text if text.get("mimeType") == "APPLICATION_JSON" or "schema" in text else {}


def _schema(prompt: Prompt) -> object:
    config = prompt.config
    if "responseSchema" in config:
        return from_openapi(config["responseSchema"])
    for name in ("responseJsonSchema", "_responseJsonSchema"):
        if config.get(name) is not None:
            return config[name]
    return _format(prompt).get("schema")


def text_of(prompt: Prompt) -> str:
    """The answer as text: JSON, or the bare value for `text/x.enum`.

    Raises:
        ApiError: 400, an invalid schema.
    """
    schema = _schema(prompt)
    if schema is None:
        value: Any = {"answer": f"You said: {prompt.text}", "source": "the gemgate emulator"}
        if prompt.results:
            value["results"] = [result.get("response") or {} for result in prompt.results]
    else:
        value = satisfying(schema, read(prompt.text))
    if prompt.config.get("responseMimeType") == "text/x.enum" and isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def logprobs(text: str, alternatives: int) -> dict[str, Any]:
    """`avgLogprobs` and `logprobsResult` for a text; `topCandidates` only if alternatives were asked for."""
    chosen = [_candidate(token, place % 7) for place, token in enumerate(_TOKEN.findall(text))]
    result: dict[str, Any] = {"chosenCandidates": chosen}
    if alternatives:
        others = ["\u00a0", " the", " a", " of", "…", " and", " to", ".", ",", " in", " is", " it", " on", "!", "?"]
        result["topCandidates"] = [
            {"candidates": [first, *(_candidate(other, 20 + n) for n, other in enumerate(others[: alternatives - 1]))]}
            for first in chosen
        ]
    average = sum(each["logProbability"] for each in chosen) / max(1, len(chosen))
    return {"avgLogprobs": round(average, 6), "logprobsResult": result}


def _candidate(token: str, rank: int) -> dict[str, Any]:
    identity = zlib.crc32(token.encode()) % _VOCABULARY
    return {"token": token, "tokenId": identity, "logProbability": round(-0.01 - rank * 0.15, 4)}
