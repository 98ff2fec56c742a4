from typing import Any

import httpx
import orjson
import pytest
from tests.emulator.support import WEATHER, Emulator, functions, said

from gemgate.emulator.stream import pieces

SERVED = {"functionResponse": "fr"}


def pattern(found: list[dict[str, Any]], candidate: int = 0) -> str:
    """Events in short: th thought, tx text, et empty text, fc call, * signature, ! finish; joined by /."""
    events = []
    for event in found:
        each = event["candidates"][candidate]
        marks = []
        for part in each["content"].get("parts", []):
            kind = "th" if part.get("thought") else "et" if part.get("text") == "" else "tx" if "text" in part else ""
            kind = kind or {"functionCall": "fc", "executableCode": "code", "codeExecutionResult": "res", **SERVED}.get(
                next(key for key in part if key != "thoughtSignature"), "img"
            )
            marks.append(kind + ("*" if "thoughtSignature" in part else ""))
        events.append(("+".join(marks) or "noparts") + (f"!{each['finishReason']}" if "finishReason" in each else ""))
    return " / ".join(events)


THINK = {"thinkingConfig": {"includeThoughts": True}}
SHORT = {"thinkingConfig": {"includeThoughts": True}, "maxOutputTokens": 10}
TWO = said("weather in Oslo and Rome", tools=functions(WEATHER))
ONE = said("weather in Oslo", tools=functions(WEATHER))
CODE = said("Add 1 and 2", tools=[{"codeExecution": {}}])
SEARCH = said("News", tools=[{"googleSearch": {}}])
SERVER = said("News", tools=[{"mcpServers": [{"name": "s", "streamableHttpTransport": {"url": "https://s.example"}}]}])


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("gemini-2.0-flash", said("Hi"), "tx / tx!STOP"),
        ("gemini-2.5-flash", said("Hi"), "tx / tx!STOP"),
        ("gemini-3-flash-preview", said("Hi"), "tx / tx / et*!STOP"),
        ("gemini-2.5-flash", said("Hi", generationConfig=THINK), "th / th / tx / tx!STOP"),
        ("gemini-3-flash-preview", said("Hi", generationConfig=THINK), "th / th / tx / tx / et*!STOP"),
        ("gemini-2.5-flash", said("Hi", generationConfig=SHORT), "th / th / noparts!MAX_TOKENS"),
        ("gemini-3-flash-preview", said("Hi", generationConfig=SHORT), "th / th / et*!MAX_TOKENS"),
        ("gemini-2.0-flash", TWO, "fc+fc!STOP"),
        ("gemini-2.5-flash-lite", TWO, "fc+fc!STOP"),
        ("gemini-2.5-flash", TWO, "fc*+fc!STOP"),
        ("gemini-2.5-pro", TWO, "fc* / fc!STOP"),
        ("gemini-3-flash-preview", TWO, "fc* / fc / et!STOP"),
        ("gemini-3.7-flash", ONE, "fc*+et!STOP"),
        ("gemini-2.5-flash", CODE, "code / res / tx / tx!STOP"),
        ("gemini-3-flash-preview", CODE, "code* / res / tx / tx / et*!STOP"),
        ("gemini-3-flash-preview", SEARCH, "et / tx / tx / tx / et*!STOP"),
        ("gemini-2.5-flash", SERVER, "fc!STOP / fr / tx / tx!STOP"),
        ("gemini-3.7-flash", SERVER, "fc*!STOP / fr* / tx / tx / et*!STOP"),
        ("gemini-2.5-flash-image", said("A cat"), "tx / tx / img!STOP"),
        ("gemini-3-pro-image", said("A cat"), "tx / tx / img* / et*!STOP"),
        (
            "gemini-3-pro-image",
            said("A cat", generationConfig={"responseModalities": ["IMAGE"]}),
            "img* / et!STOP",
        ),
    ],
)
async def test_streams_have_the_patterns_of_their_family(
    emulator: Emulator, model: str, body: dict[str, Any], expected: str
) -> None:
    assert pattern(await emulator.stream(model, body)) == expected


async def test_text_after_results_is_signed_on_its_first_event_on_gemini_25(emulator: Emulator) -> None:
    body = TWO | {
        "contents": [
            {"role": "user", "parts": [{"text": "weather"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {}}}]},
        ]
    }
    assert pattern(await emulator.stream("gemini-2.5-flash", body)).startswith("tx* / tx")


async def test_only_gemini_25_says_in_a_stream_that_it_called(emulator: Emulator) -> None:
    old = await emulator.stream("gemini-2.5-flash", ONE)
    new = await emulator.stream("gemini-3-flash-preview", ONE)
    assert old[-1]["candidates"][0]["finishMessage"] == "Model generated function call(s)."
    assert all("finishMessage" not in event["candidates"][0] for event in new)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.0-flash", ["full", "full", "full"]),
        ("gemini-2.5-flash", ["empty", "empty", "full"]),
        ("gemini-3-flash-preview", ["", "", "", "", "full"]),
    ],
)
async def test_grounding_stands_where_the_family_puts_it(emulator: Emulator, model: str, expected: list[str]) -> None:
    found = await emulator.stream(model, SEARCH)
    stands = [event["candidates"][0].get("groundingMetadata") for event in found]
    assert ["" if each is None else "full" if each else "empty" for each in stands] == expected


async def test_several_candidates_stream_side_by_side(emulator: Emulator) -> None:
    found = await emulator.stream("gemini-2.5-flash", said("Hi", generationConfig={"candidateCount": 2}))
    texts = {0: "", 1: ""}
    for event in found:
        for each in event["candidates"]:
            texts[each["index"]] += "".join(part["text"] for part in each["content"]["parts"])
    assert texts[0].startswith("You said")
    assert texts[1].startswith("Answer 2. You said")


async def test_usage_grows_and_thought_events_come_before_the_counts(emulator: Emulator) -> None:
    found = await emulator.stream("gemini-2.5-flash", said("Hi", generationConfig=THINK))
    first, *_, last = (event["usageMetadata"] for event in found)
    assert set(first) == {"promptTokenCount", "totalTokenCount", "promptTokensDetails", "serviceTier"}
    assert last["thoughtsTokenCount"] == 48
    assert last["candidatesTokenCount"] > 10


async def test_every_event_names_response_and_model(emulator: Emulator) -> None:
    found = await emulator.stream("gemini-flash-latest", said("Hi"))
    assert len({event["responseId"] for event in found}) == 1
    assert {event["modelVersion"] for event in found} == {"gemini-3.8-flash"}


def test_events_are_framed_as_google_frames_them(served: httpx.Client) -> None:
    response = served.post("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", json=said("Hi: é"))
    assert response.headers["content-type"] == "text/event-stream"
    frames = response.content.split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b'data: {"candidates": [{"content": {"parts": [{"text": "') for frame in frames)
    assert b"\n" not in b"".join(frames)
    assert "“Hi: é”".encode() in frames[0]


def test_without_sse_the_stream_is_one_array(served: httpx.Client) -> None:
    response = served.post("/v1beta/models/gemini-2.5-flash:streamGenerateContent", json=said("Hi"))
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert b"}\n,\r\n{" not in response.content
    assert b"},\r\n{" in response.content
    assert len(orjson.loads(response.content)) == 2


async def test_a_refused_stream_is_plain_json(emulator: Emulator) -> None:
    events = await emulator.post("gemini-2.5-flash", {}, "streamGenerateContent?alt=sse")
    listed = await emulator.post("gemini-2.5-flash", {}, "streamGenerateContent")
    assert events.headers["content-type"] == "text/event-stream"
    assert events.json()["error"]["code"] == 400
    assert listed.json()[0]["error"]["code"] == 400


@pytest.mark.parametrize("text", ["", "short", "a" * 500, "word " * 100, "no-space-at-the-start-of-this one"])
def test_pieces_join_to_the_text(text: str) -> None:
    found = pieces(text)
    assert "".join(found) == text
    assert all(found)
    assert all(len(piece) <= 90 for piece in found)
