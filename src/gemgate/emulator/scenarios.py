"""Failures on demand.

A test of an application asks for one by name, in one of four ways:

- the header `x-emulator-scenario: slow-stream:0.5`
- the key `emulator-slow-stream-0.5`, for every request with it
- the model name `emulator-slow-stream-0.5` (served with the ways of Gemini 2.5 Flash)
- `[[emulator: slow-stream 0.5]]` anywhere in the last user text

The first that is there, in this order, counts.
"""

import re
from dataclasses import dataclass

from gemgate.emulator import errors
from gemgate.emulator.answers import Draft, ScriptedAnswer, said
from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.families import SCENARIO_PREFIX

HEADER = "x-emulator-scenario"
JOB_PREFIX = "batch-"
_FORM = re.compile(r"([a-z0-9]++(?:-[a-z]++)*+)(?:[-:=\s]++(\d++(?:\.\d++)?)s?)?", re.IGNORECASE)

# name: (what happens, what the number after the name means, its value when it is left out)
SCENARIOS: dict[str, tuple[str, str, float]] = {
    "400": ("a 400 INVALID_ARGUMENT without details", "", 0),
    "401": ("a 401 UNAUTHENTICATED", "", 0),
    "403": ("a 403 PERMISSION_DENIED: the API is not enabled", "", 0),
    "403-iam": ("a 403 PERMISSION_DENIED: the caller's roles do not let it call the model", "", 0),
    "404": ("a 404 NOT_FOUND for the model", "", 0),
    "429": ("a 429 of a per-minute quota, with QuotaFailure and RetryInfo", "seconds to retry after", 48.939935699),
    "429-daily": ("a 429 of a per-day quota", "seconds to retry after", 48.939935699),
    "500": ("a 500 INTERNAL", "", 0),
    "503": ("a 503 UNAVAILABLE: the model is overloaded", "", 0),
    "504": ("a 504 DEADLINE_EXCEEDED", "", 0),
    "html-502": ("a 502 with a page of HTML", "", 0),
    "flaky": ("a 503 for the first requests of this content, then the answer", "how many fail", 1),
    "slow-start": ("a pause before the headers", "seconds", 1),
    "slow-stream": ("a pause before each event but the first", "seconds", 0.2),
    "reset-before-headers": ("the connection is reset before any answer", "", 0),
    "reset-mid-stream": ("the connection is reset in mid-answer", "events before it", 1),
    "error-mid-stream": ("after good events a bare error object, pretty-printed", "events before it", 1),
    "error-mid-stream-data": ("after good events an error object in a `data:` line", "events before it", 1),
    "eof": ("the answer ends without finishReason", "", 0),
    "garbage": ("the answer holds broken JSON", "events before it", 1),
    "blocked-prompt": ("the prompt is blocked: promptFeedback and no candidates", "", 0),
    "safety": ("the answer stops in mid-text for SAFETY", "", 0),
    "empty": ("an empty text with STOP", "", 0),
    "no-content": ("a candidate without content, for RECITATION", "", 0),
    "image-safety": ("no picture, for IMAGE_SAFETY", "", 0),
    "no-image": ("no picture, for NO_IMAGE", "", 0),
    "text-only": ("an image model answers in words, with STOP", "", 0),
    "rai-filtered": ("Imagen filters pictures out, and Veo videos", "how many", 4),
    "malformed-function-call": ("MALFORMED_FUNCTION_CALL without parts", "", 0),
    "unknown-finish-reason": ("a finishReason that no client knows", "", 0),
    "refuses-thinking-level": ("a 400 for the thinking level MEDIUM", "", 0),
    "refuses-sampling": ("a 400 for temperature, topP and topK", "", 0),
    "answers-as-another-model": ("modelVersion names gemini-3.8-flash", "", 0),
    "two-stops": ("a finishReason in the first event already, and more after it", "", 0),
    "lf": ("events end in LF instead of CRLF", "", 0),
    "crlf": ("events end in CRLF, as always", "", 0),
    "byte-by-byte": ("the body is written one byte at a time", "", 0),
    "reset-upload": ("the connection is reset once in mid-upload", "bytes of the file that are kept", 1000),
    "slow-file": ("a file is PROCESSING", "seconds", 60),
    "file-failed": ("a file is FAILED", "", 0),
    "batch-slow": ("a job runs", "seconds", 60),
    "batch-fail": ("a job ends in FAILED", "", 0),
    "batch-expire": ("a job ends in EXPIRED", "seconds after it was made", 172800),
    "batch-cancel": ("a job is cancelled by someone else, with some results", "how many results", 1),
    "batch-shuffle": ("inline results come in reverse order", "", 0),
    "batch-refused": ("creating a job is rejected with a 503", "how many times", 1),
    "batch-lost": ("a job is created, and the connection is reset before the answer", "how many times", 1),
    "batch-flaky": ("getting a job is rejected with a 503", "how many times", 1),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named failure and its number; the empty name is the normal course."""

    name: str = ""
    number: float = 0


def parse(text: str) -> Scenario:
    """The scenario that `text` names, such as `slow-start`, `slow-start:3` or `slow-start 3s`.

    Raises:
        ApiError: 400 that lists the names, for an unknown name.
    """
    text = text.strip().lower()
    text = text.replace(" ", "-") if text.replace(" ", "-") in SCENARIOS else text
    if text in SCENARIOS:
        return Scenario(text, SCENARIOS[text][2])
    found = _FORM.fullmatch(text)
    if found and found[2] and found[1] in SCENARIOS:
        return Scenario(found[1], float(found[2]))
    raise invalid(f"The emulator has no scenario {text!r}. It has: {', '.join(SCENARIOS)}.")


def find(header: str, model: str, said: str) -> Scenario:
    """The scenario of a request, by header, then model name, then text.

    Raises:
        ApiError: 400, an unknown one.
    """
    if header:
        return parse(header)
    if model.startswith(SCENARIO_PREFIX):
        return parse(model.removeprefix(SCENARIO_PREFIX))
    return parse(said) if said else Scenario()


def refuse(scenario: Scenario, model: str, version: str, method: str, attempt: int) -> None:
    """Raise the error that the scenario asks for; `attempt` counts requests of this content from 1.

    Raises:
        ApiError: With the scenario's status.
    """
    refusals = {
        "400": GoogleApiError(400, "Request contains an invalid argument."),
        "401": errors.keys_not_supported("GenerativeService.GenerateContent"),
        "403": errors.permission_denied(),
        "403-iam": GoogleApiError(403, "The caller does not have permission"),
        "404": errors.model_not_found(model, version, method) if model else errors.not_found(),
        "429": errors.quota_exceeded(model, retry_seconds=scenario.number),
        "429-daily": errors.quota_exceeded(model, daily=True, retry_seconds=scenario.number),
        "500": errors.internal(),
        "503": errors.overloaded(),
        "504": GoogleApiError(504, "Deadline expired before operation could complete."),
    }
    if scenario.name in refusals:
        raise refusals[scenario.name]
    if scenario.name == "flaky" and attempt <= scenario.number:
        raise errors.overloaded()


_SAFETY = [
    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"},
    {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True},
]


def alter(scenario: Scenario, answer: ScriptedAnswer) -> None:
    """Change what is answered, for the scenarios that are about that."""
    if scenario.name == "blocked-prompt":
        answer.blocked = "PROHIBITED_CONTENT"
    for draft in answer.candidates:
        _alter_draft(scenario.name, draft)


_IMAGE_FILTERED = (
    "Unable to show the generated image. The image was filtered out because it violated Google's Generative AI "
    "Prohibited Use policy. You will not be charged for blocked images. Try rephrasing the prompt. If you think this "
    "was an error, send feedback."
)
# Why an image model gave no picture: finishReason, finishMessage and what it says instead. The shape is from reports.
_UNPAINTED: dict[str, tuple[str, str, list[dict[str, object]]]] = {
    "image-safety": ("IMAGE_SAFETY", _IMAGE_FILTERED, []),
    "no-image": ("NO_IMAGE", "Unable to show the generated image. The model could not generate the image.", []),
    "text-only": ("STOP", "", [{"text": "I can describe that for you, but I cannot draw it."}]),
}


def _alter_draft(name: str, draft: Draft) -> None:
    if name == "safety":
        text = said(draft)
        _replace(draft, "SAFETY", parts=[{"text": text[: len(text) // 2]}])
        draft.extras = {"safetyRatings": _SAFETY}
    elif name == "empty":
        _replace(draft, "STOP", parts=[{"text": ""}])
    elif name == "no-content":
        _replace(draft, "RECITATION", parts=[])
        draft.content = "absent"
    elif name in _UNPAINTED:
        reason, message, parts = _UNPAINTED[name]
        _replace(draft, reason, parts=parts)
        draft.content = "role" if parts else "empty"
        draft.finish_message = message
    elif name == "malformed-function-call":
        _replace(draft, "MALFORMED_FUNCTION_CALL", parts=[])
        draft.content = "empty"
        draft.finish_message = "Malformed function call: print(default_api.example(city='Paris'))"
    elif name == "unknown-finish-reason":
        draft.finish = "NEW_REASON_OF_THE_EMULATOR"


def _replace(draft: Draft, finish: str, *, parts: list[dict[str, object]]) -> None:
    draft.parts, draft.extras, draft.thoughts, draft.sketches, draft.logprobs = parts, {}, [], [], {}
    draft.finish, draft.finish_message = finish, ""
