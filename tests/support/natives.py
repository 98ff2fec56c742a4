"""Hypothesis strategies for native answers and streams, in every shape that Gemini was seen to send, and some more."""

import base64
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

TEXT = st.text(max_size=8) | st.sampled_from(["", "ok", "größer", "日本", "👍🏽", "</thought>", '{"a": 1}'])
SIGNATURE = st.text("ABCdef+/=", min_size=1, max_size=6)
NAME = st.sampled_from(["look_up", "weather", "final_answer", "a.b:c-d"])
BYTES = st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
SCALAR = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
ARGS = st.dictionaries(st.text(max_size=4), VALUE, max_size=3)

FINISH = st.sampled_from(
    ["STOP"] * 4
    + ["MAX_TOKENS", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "OTHER", "NO_IMAGE"]
    + ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "FINISH_REASON_UNSPECIFIED", "A_REASON_OF_TOMORROW"]
)


def _signed(part: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    signatures: st.SearchStrategy[Json] = st.fixed_dictionaries({}, optional={"thoughtSignature": SIGNATURE})
    return st.builds(lambda one, more: {**one, **more}, part, signatures)


def _object(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(required, optional=optional)


def _part(name: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.builds(lambda held: {name: held}, value)


TEXT_PART = _signed(_part("text", TEXT))
THOUGHT_PART = st.builds(lambda text: {"text": text, "thought": True}, TEXT)
CALL_PART = _signed(_part("functionCall", _object({"name": NAME}, {"args": ARGS, "id": st.uuids().map(str)})))
BLOB = st.builds(
    lambda kind, data: {"mimeType": kind, "data": data},
    st.sampled_from(["image/png", "image/jpeg", "audio/L16;codec=pcm;rate=24000", "audio/wav", "video/mp4", ""]),
    BYTES,
)
MEDIA_PART = _signed(_part("inlineData", BLOB))
OTHER_PART = _signed(
    _part("executableCode", _object({}, {"language": TEXT, "code": TEXT, "id": TEXT}))
    | _part("codeExecutionResult", _object({}, {"outcome": TEXT, "output": TEXT}))
    | _part("functionResponse", _object({"name": NAME}, {"response": ARGS}))
    | _part("toolCall", ARGS)
    | _part("fileData", _object({}, {"fileUri": TEXT}))
    | _part("aPartOfTomorrow", VALUE)
    | st.builds(lambda blob: {"inlineData": blob, "thought": True}, BLOB)
)
PART = TEXT_PART | TEXT_PART | THOUGHT_PART | CALL_PART | MEDIA_PART | OTHER_PART | _signed(st.just({}))

COUNT = st.integers(0, 10_000)
DETAILS = st.lists(
    _object(
        {}, {"modality": st.sampled_from(["TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT", "SMELL"]), "tokenCount": COUNT}
    ),
    max_size=3,
)
USAGE = _object(
    {},
    {
        **dict.fromkeys(
            [
                "promptTokenCount",
                "candidatesTokenCount",
                "totalTokenCount",
                "thoughtsTokenCount",
                "cachedContentTokenCount",
                "toolUsePromptTokenCount",
            ],
            COUNT | st.none(),
        ),
        "promptTokensDetails": DETAILS,
        "candidatesTokensDetails": DETAILS,
        "aCountOfTomorrow": VALUE,
    },
)
TOKEN = _object({}, {"token": TEXT, "tokenId": COUNT, "logProbability": st.floats(-50, 0)})
LOGPROBS = _object(
    {},
    {
        "chosenCandidates": st.lists(TOKEN, max_size=3),
        "topCandidates": st.lists(_object({}, {"candidates": st.lists(TOKEN, max_size=2)}), max_size=3),
    },
)
SOURCE = _object(
    {},
    dict.fromkeys(
        ["web", "retrievedContext", "maps", "image", "new"],
        _object({}, {"uri": TEXT, "title": TEXT, "sourceUri": TEXT}),
    ),
)
OFFSET = st.integers(-3, 60)
SUPPORT = _object(
    {},
    {
        "segment": _object({}, {"startIndex": OFFSET, "endIndex": OFFSET, "partIndex": OFFSET, "text": TEXT}),
        "groundingChunkIndices": st.lists(st.integers(-2, 3), max_size=3),
    },
)
GROUNDING = _object(
    {}, {"groundingChunks": st.lists(SOURCE, max_size=3), "groundingSupports": st.lists(SUPPORT, max_size=3)}
)
BESIDE = {
    "finishMessage": TEXT,
    "avgLogprobs": st.floats(-50, 0),
    "safetyRatings": st.lists(_object({}, {"category": TEXT, "blocked": st.booleans()}), max_size=2),
    "citationMetadata": _object({}, {"citationSources": st.lists(ARGS, max_size=2)}),
    "urlContextMetadata": ARGS,
    "aFieldOfTomorrow": VALUE,
}
CONTENT = _object({}, {"parts": st.lists(PART, max_size=5), "role": st.just("model")})
FEEDBACK = _object(
    {},
    {
        "blockReason": st.sampled_from(["SAFETY", "OTHER", "TOMORROW"]),
        "blockReasonMessage": TEXT,
        "safetyRatings": st.just([]),
    },
)
CANDIDATE = _object(
    {},
    {
        "content": CONTENT,
        "finishReason": FINISH,
        "index": st.integers(0, 3),
        "logprobsResult": LOGPROBS,
        "groundingMetadata": GROUNDING,
        **BESIDE,
    },
)
HEAD = {
    "responseId": st.just("resp"),
    "modelVersion": st.just("gemini-0"),
    "createTime": st.just("2026-01-01T00:00:00Z"),
}

# Anything that has the types of an answer, sensible or not.
ANSWER = _object(
    {}, {"candidates": st.lists(CANDIDATE, max_size=3), "usageMetadata": USAGE, "promptFeedback": FEEDBACK, **HEAD}
)


@st.composite
def streams(draw: st.DrawFn) -> list[Json]:
    """A stream as Gemini sends it: every candidate ends, in its last event at the latest; usage counts up."""
    count, length = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    head = draw(_object({}, HEAD))
    tier = draw(_object({}, {"serviceTier": st.sampled_from(["standard", "flex", "priority"])}))
    usage = draw(st.lists(USAGE, min_size=length, max_size=length))
    events = []
    for at in range(length):
        candidates = []
        for index in range(count):
            candidate = draw(_object({}, {"content": CONTENT}))
            if at == length - 1:
                candidate |= draw(_object({"finishReason": FINISH}, {"logprobsResult": LOGPROBS, **BESIDE}))
            elif draw(st.integers(0, 9)) == 0:
                candidate["finishReason"] = "STOP"
            place = {"index": index} if count > 1 or draw(st.booleans()) else {}
            candidates.append({**candidate, **place})
        order = draw(st.permutations(candidates))
        # Vertex's first events tell no counts; the last one's are what counts.
        counted = {**usage[at], **tier, **({"totalTokenCount": at} if at == length - 1 else {})}
        events.append({"candidates": order, "usageMetadata": counted, **head})
    return events


def _framed(event: bytes, end: bytes) -> bytes:
    return b"data: " + event + end + end


FRAMES = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def pieces(draw: st.DrawFn, events: list[bytes]) -> list[bytes]:
    """The bytes of a stream, cut anywhere."""
    end = draw(FRAMES)
    raw = b"".join(_framed(event, end) for event in events)
    places = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    ends = [0, *places, len(raw)]
    return [raw[start:stop] for start, stop in pairwise(ends)]
