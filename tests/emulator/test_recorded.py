"""The emulator agrees with Google on every recorded generate request that kept its body."""

import base64
import re
from collections import Counter
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, Exchange, needs_recordings, png, recorded

from gemgate.emulator.answers import compose
from gemgate.emulator.families import find
from gemgate.emulator.stream import events, unary
from gemgate.emulator.validation import parse

pytestmark = pytest.mark.slow

# Files that recorded requests name: they have to be there.
FILES = re.compile(r"googleapis\.com/v1beta/(files/[a-z0-9]+)")

# What was refused for a reason that the request does not show.
EXCEPTIONS = {
    "crmne+ruby_llm/chat_real_error_scenarios_gemini_gemini-2_5-flash_handles_context_length_exceeded_errors.00": (
        "429: the quota of the key was used up"
    ),
}


async def _answer(emulator: Emulator, exchange: Exchange) -> tuple[int, str]:
    refused_key = "API key not valid" in str(exchange.answer)
    response = await emulator.client.post(
        f"/v1beta/models/{exchange.model}:{'streamGenerateContent' if exchange.streaming else 'generateContent'}",
        content=orjson.dumps(exchange.body),
        params={"alt": "sse"} if exchange.streaming else {},
        headers={"x-goog-api-key": "invalid" if refused_key else "k"},
    )
    if response.status_code == 200:
        return 200, ""
    return response.status_code, orjson.loads(response.content)["error"]["status"]


@needs_recordings
async def test_recorded_requests_are_accepted_and_refused_as_google_did(emulator: Emulator, app: Starlette) -> None:
    for exchange in recorded():
        if name := exchange.body.get("cachedContent"):
            text = "Words that were cached. " * 300
            contents = [{"role": "user", "parts": [{"text": text}]}]
            app.state.emulator.caches.put(name, {"model": f"models/{exchange.model}", "contents": contents})
        for name in FILES.findall(orjson.dumps(exchange.body).decode()):
            app.state.emulator.files.put(name, "", png(), key="k")
    wrong = {}
    for exchange in recorded():
        got = await _answer(emulator, exchange)
        if got != (exchange.status, exchange.reason):
            wrong[exchange.name] = (got, (exchange.status, exchange.reason))
    assert wrong.keys() == EXCEPTIONS.keys(), wrong
    assert len(recorded()) > 900


def _joined(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What a stream says: kinds of parts in order with texts joined, signatures, the last finish and usage."""
    pieces: list[tuple[str, Any]] = []
    signatures = []
    for event in found:
        for part in event["candidates"][0]["content"].get("parts", []):
            kind = "thought" if part.get("thought") else next(key for key in part if key != "thoughtSignature")
            if "thoughtSignature" in part:
                signatures.append(part["thoughtSignature"])
            value = part["text"] if "text" in part else part[kind]
            if kind == "inlineData":  # speech comes piece by piece
                kind, value = f"inlineData {value['mimeType']}", base64.b64decode(value["data"])
            if pieces and pieces[-1][0] == kind and isinstance(value, str | bytes):
                pieces[-1] = (kind, pieces[-1][1] + value)
            elif value != "":
                pieces.append((kind, value))
    last = found[-1]
    return {
        "pieces": pieces,
        "signatures": sorted(signatures),
        "finish": last["candidates"][0].get("finishReason"),
        "usage": last["usageMetadata"],
        "id": {event["responseId"] for event in found},
    }


@needs_recordings
def test_a_stream_says_what_the_one_answer_says() -> None:
    compared = Counter[str]()
    for exchange in recorded():
        model = find(exchange.model)
        if model is None:
            continue
        body, _ = parse("GenerateContentRequest", exchange.body)
        answer = compose(model, body)
        if len(answer.candidates) == 1:
            assert _joined(events(answer)) == _joined([unary(answer)]), exchange.name
            compared[model.name] += 1
    assert compared.total() > 900


@needs_recordings
def test_usage_sums_up_and_grows() -> None:
    for exchange in recorded():
        model = find(exchange.model)
        if model is None:
            continue
        body, _ = parse("GenerateContentRequest", exchange.body)
        totals = []
        for event in events(compose(model, body)):
            usage = event["usageMetadata"]
            summed = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
            assert usage["totalTokenCount"] == sum(usage.get(name, 0) for name in summed)
            totals.append(usage["totalTokenCount"])
        assert totals == sorted(totals)


def _shape(answer: dict[str, Any]) -> set[str]:
    """The keys that tell families apart."""
    candidate = answer["candidates"][0]
    found = {f"candidate.{key}" for key in candidate if key in {"index", "avgLogprobs"}}
    call = next((part for part in candidate.get("content", {}).get("parts", []) if "functionCall" in part), None)
    if call:
        found |= {f"call.{key}" for key in ("id",) if key in call["functionCall"]}
    return found


@needs_recordings
def test_answers_have_a_shape_that_recorded_answers_of_the_model_have() -> None:
    """One of several shapes: the same model answered differently over the years."""
    seen: dict[tuple[str, bool], Counter[frozenset[str]]] = {}
    ours: dict[tuple[str, bool], frozenset[str]] = {}
    for exchange in recorded():
        model = find(exchange.model)
        if model is None or exchange.streaming or exchange.status != 200 or not exchange.answer.get("candidates"):
            continue
        answer = unary(compose(model, parse("GenerateContentRequest", exchange.body)[0]))
        calling = "functionCall" in str(exchange.answer)
        if calling == ("functionCall" in str(answer)):
            key = (model.name, calling)
            seen.setdefault(key, Counter())[frozenset(_shape(exchange.answer))] += 1
            ours[key] = frozenset(_shape(answer))
    for key, counts in seen.items():
        if counts.total() > 1:
            assert ours[key] in counts, key
