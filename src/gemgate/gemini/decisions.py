"""Google's Decisions API: closed questions about one input, each answered by probabilities.

`POST /v1beta/decisions` with `{"model", "input", "questions": {id: question}}` answers `{"answers": {id: answer},
"prompt_feedback", "usage"}`. Source: google-genai 3.6.1, `_gaos/types/decisions`; the form of ids: pydantic-ai 2.68.
"""

from collections.abc import Iterable
from typing import Literal

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.gemini.types import Part, UsageMetadata

PATH = "/v1beta/decisions"
MODEL = "gemini-decision-1"
"""The model that there is."""

DECISIONS = "decisions"
"""The fact that is learned of a model: how the API takes its name (`bare`, `resource`), or that it is not there."""

MAX_QUESTIONS = 1_000
MAX_OPTIONS = 255

Spelling = Literal["bare", "resource", "missing"]


class DecisionAnswer(TypedDict, total=False):
    """The answer to one question: `noul` (yes or no), `choice` or `score`."""

    type: str
    noul: float
    choice: str
    score: float
    confidence: float
    probabilities: dict[str, float]
    legend: dict[str, str]


class DecisionFeedback(TypedDict, total=False):
    """Why the input was blocked, in which case there are no answers."""

    block_reason: str
    block_reason_message: str


class TokensByModality(TypedDict, total=False):
    """Tokens of one modality, such as `text`."""

    modality: str
    tokens: int


class DecisionUsage(TypedDict, total=False):
    """Tokens."""

    total_input_tokens: int
    total_output_tokens: int
    total_cached_tokens: int
    total_thought_tokens: int
    total_tokens: int
    input_tokens_by_modality: list[TokensByModality]


class DecisionResponse(TypedDict, total=False):
    """The answers, by the ids of the questions."""

    answers: dict[str, DecisionAnswer]
    prompt_feedback: DecisionFeedback
    usage: DecisionUsage


def input_of(parts: Iterable[Part]) -> str | list[dict[str, object]]:
    """Native parts as the input of a decision: a text, or blocks."""
    blocks = [_block(part) for part in parts]
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return str(blocks[0]["text"])
    return blocks


def usage_of(response: DecisionResponse) -> UsageMetadata:
    """The tokens of an answer, in the words of `usageMetadata`."""
    found = response.get("usage") or {}
    names = {
        "promptTokenCount": found.get("total_input_tokens"),
        "candidatesTokenCount": found.get("total_output_tokens") or 0 if found else None,
        "thoughtsTokenCount": found.get("total_thought_tokens"),
        "cachedContentTokenCount": found.get("total_cached_tokens"),
        "totalTokenCount": found.get("total_tokens"),
    }
    usage: dict[str, object] = {name: count for name, count in names.items() if count is not None}
    if details := found.get("input_tokens_by_modality"):
        usage["promptTokensDetails"] = [
            {"modality": (each.get("modality") or "").upper(), "tokenCount": each.get("tokens") or 0}
            for each in details
        ]
    return usage  # type: ignore[return-value]  # the names of that type


def block_of(response: DecisionResponse) -> DecisionFeedback | None:
    """The feedback on an input that was blocked."""
    feedback = response.get("prompt_feedback") or {}
    return feedback if feedback.get("block_reason") or feedback.get("block_reason_message") else None


_KINDS = ("image", "audio", "video")


def _block(part: Part) -> dict[str, object]:
    if (data := part.get("inlineData")) is not None:
        mime = data.get("mimeType", "")
        return {"type": _kind(mime), "data": data.get("data", ""), "mime_type": mime}
    if (file := part.get("fileData")) is not None:
        mime = file.get("mimeType", "")
        named = {"mime_type": mime} if mime else {}
        return {"type": _kind(mime), "uri": file.get("fileUri", ""), **named}
    return {"type": "text", "text": part.get("text", "")}


def _kind(mime: str) -> str:
    """The kind of block for media of a type; an image where it is not known."""
    head = mime.partition("/")[0]
    return head if head in _KINDS else "document" if mime else "image"
