"""generateContent, streamGenerateContent and countTokens: check, answer, and send it as the scenario wants it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from gemgate.emulator import rules, scenarios, usage
from gemgate.emulator.answers import ScriptedAnswer, compose
from gemgate.emulator.attachments import attach
from gemgate.emulator.course import begin, paced, whole
from gemgate.emulator.delivery import Delivery, Piece, Reset
from gemgate.emulator.errors import bad_request, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import RequestIdentity, caller
from gemgate.emulator.prompt import read
from gemgate.emulator.replies import (
    EVENTS,
    JSON,
    headers,
    html_reply,
    json_reply,
)
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.sound import as_asked
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import (
    compact,
    events,
    pretty,
    unary,
)
from gemgate.emulator.validation import Json, parse

OTHER_MODEL = "gemini-3.8-flash"
"""The model that answers in the scenario `answers-as-another-model`."""

_CANCELLED: dict[str, dict[str, object]] = {
    "error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}
}


Dress = Callable[[Json], Json]
"""Gives a response, or an event of a stream, the form of another service."""


def _as_it_is(response: Json) -> Json:
    return response


def generate_content(
    state: EmulatorState, request: Request, model: ModelFamily, body: object, dress: Dress = _as_it_is
) -> Delivery:
    """POST /v1beta/models/{model}:generateContent.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    scenario, answer = _prepare(state, caller(request), model, body, streaming=False)
    return whole(state, scenario, pretty(dress(_unary(scenario, answer))), answer.tier)


def respond(state: EmulatorState, by: RequestIdentity, model: ModelFamily, body: object) -> dict[str, object]:
    """The `GenerateContentResponse` to one line of a batch job: what the same request gets live.

    Raises:
        ApiError: As `generate_content`.
    """
    return _unary(*_prepare(state, by, model, body, streaming=False))


def _unary(scenario: Scenario, answer: ScriptedAnswer) -> Json:
    response = unary(answer)
    as_asked([response], answer.sound_format, is_whole=True, is_wav=answer.model.family.wav)
    if scenario.name == "eof":
        for candidate in response.get("candidates", ()):
            candidate.pop("finishReason", None)
    return response


def stream_generate_content(
    state: EmulatorState, request: Request, model: ModelFamily, body: object, dress: Dress = _as_it_is
) -> Delivery:
    """POST /v1beta/models/{model}:streamGenerateContent, as events with `?alt=sse`, else as one JSON array.

    Raises:
        ApiError: As `generate_content`.
    """
    scenario, answer = _prepare(state, caller(request), model, body, streaming=True)
    if scenario.name == "html-502":
        return html_reply(state, 502)
    found = _broken(scenario, events(answer))
    as_asked(found, answer.sound_format, is_whole=False, is_wav=answer.model.family.wav)
    found = [dress(event) for event in found]
    tier = answer.tier
    if request.query_params.get("alt") == "sse":
        end = b"\n\n" if scenario.name == "lf" else b"\r\n\r\n"
        pieces: list[Piece] = [b"data: " + compact(event) + end for event in found]
        return Delivery(state, 200, headers(EVENTS, tier), paced(scenario, _cut(scenario, pieces, end)))
    listed: list[Piece] = [
        (b",\r\n" if number else b"[") + pretty(event).rstrip() for number, event in enumerate(found)
    ]
    return Delivery(state, 200, headers(JSON, tier), paced(scenario, [*_cut(scenario, listed, b"\r\n"), b"]\n"]))


def count_tokens(state: EmulatorState, request: Request, model: ModelFamily, body: Any) -> Delivery:
    """POST /v1beta/models/{model}:countTokens, of `contents` or of a whole `generateContentRequest`.

    Raises:
        ApiError: 400 for both or none, and what does not fit the schema.
    """
    canonical, found = parse("CountTokensRequest", body)
    if found:
        raise bad_request(found)
    whole = canonical.get("generateContentRequest")
    if whole is not None and "contents" in canonical:
        raise invalid("* CountTokensRequest: only one of contents and generate_content_request can be set.\n")
    if whole is not None and whole.get("model") != f"models/{model.name}":
        raise invalid("* CountTokensRequest.generate_content_request.model: unexpected model name format\n")
    counts = usage.prompt_tokens(attach(state.files, caller(request).owner, whole or canonical))
    cache = state.caches.get(whole["cachedContent"]) if whole and whole.get("cachedContent") else None
    cached = usage.prompt_tokens(cache.body) if cache else None
    total = counts + cached if cached else counts
    if not (whole or canonical).get("contents"):
        raise invalid("* CountTokensRequest.contents: contents is not specified\n")
    result: Json = {"totalTokens": total.total(), "promptTokensDetails": usage.details(total)}
    if cached:
        result |= {"cachedContentTokenCount": cached.total(), "cacheTokensDetails": usage.details(cached)}
    return json_reply(state, result)


def _prepare(
    state: EmulatorState, by: RequestIdentity, model: ModelFamily, body: Any, *, streaming: bool
) -> tuple[Scenario, ScriptedAnswer]:
    """Check a request and compose its answer; scenarios that refuse do so once the request itself is right."""
    canonical, found = parse("GenerateContentRequest", body)
    if found:
        raise bad_request(found)
    rules.check_request(model, canonical, streaming=streaming)
    canonical = attach(state.files, by.owner, canonical)
    asked = read(canonical).scenario
    scenario = begin(state, by, model, "generateContent", asked=asked, content=canonical["contents"])
    model = _as_the_scenario_says(scenario, model, canonical)
    name = canonical.get("cachedContent")
    cache = state.caches.for_request(name, model.name, canonical) if name else None
    answer = compose(model, canonical, cache.body if cache else None)
    scenarios.alter(scenario, answer)
    return scenario, answer


def _as_the_scenario_says(scenario: Scenario, model: ModelFamily, body: Json) -> ModelFamily:
    """The model that answers, where the scenario is about what models take and who they are.

    Raises:
        ApiError: What the scenario refuses.
    """
    level = ((body.get("generationConfig") or {}).get("thinkingConfig") or {}).get("thinkingLevel")
    if scenario.name == "refuses-thinking-level" and level == "MEDIUM":
        raise rules.unsupported_level(level)
    if scenario.name == "refuses-sampling":
        rules.refuse_sampling(model, body)
    return replace(model, version=OTHER_MODEL) if scenario.name == "answers-as-another-model" else model


def _broken(scenario: Scenario, found: list[Json]) -> list[Json]:
    """The events, changed where the scenario is about their content."""
    if scenario.name == "eof":
        for candidate in found[-1].get("candidates", ()):
            candidate.pop("finishReason", None)
    if scenario.name == "two-stops":
        for candidate in found[0].get("candidates", ()):
            candidate["finishReason"] = "STOP"
    return found


def _cut(scenario: Scenario, pieces: list[Piece], end: bytes) -> list[Piece]:
    """The events, cut off or followed by what the scenario puts there."""
    good = pieces[: max(0, int(scenario.number))]
    error = {**_CANCELLED["error"], "code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."}
    if scenario.name == "reset-mid-stream":
        return [*good, Reset()]
    if scenario.name == "error-mid-stream":
        return [*good, pretty(_CANCELLED)]
    if scenario.name == "error-mid-stream-data":
        return [*good, b"data: " + compact({"error": error}) + end]
    if scenario.name == "garbage":
        return [*good, b'data: {"candidates": [{"content": {"parts": [{"te' + end, *pieces[len(good) :]]
    return pieces
