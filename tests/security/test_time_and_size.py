"""No request, and no answer of Google's, stops a gateway for more than a moment, or makes it send far more than it got.

What is measured is CPU time, which a busy machine does not change much.
"""

import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from tests.security.bodies import ROWS, calls, chat
from tests.security.timing import Gateway, is_within, running
from tests.support.raw_upstream import answer, once

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MAX_SECONDS = 1.5
"""Of CPU time of all threads; as many times as much on a machine that is slower."""

MAX_STALL = 1.0
"""Of CPU time between two turns of the event loop."""

MAX_GROWTH = 20


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running() as it:
        yield it


@pytest.mark.parametrize("row", ROWS)
def test_a_request_costs_little_and_makes_little_of_itself(gateway: Gateway, row: str) -> None:
    made = ROWS[row]()
    body = made if isinstance(made, bytes) else orjson.dumps(made)
    gateway.loop.reset()
    answered, seconds = gateway.post(body)
    assert answered.status_code in (200, 400), answered.text[:300]
    assert is_within(seconds, MAX_SECONDS + 0.1 * len(body) / 1e6)
    gateway.settle()
    assert is_within(gateway.loop.stall, MAX_STALL)
    assert len(answered.content) < MAX_GROWTH * len(body)
    assert gateway.is_well()


def test_parts_beyond_the_limit_are_refused_with_the_parameter_the_number_and_the_limit(gateway: Gateway) -> None:
    part = {"type": "text", "text": "a"}
    answered, _ = gateway.post(chat({"role": "user", "content": "a"}, {"role": "user", "content": [part] * 30_000}))
    error = answered.json()["error"]
    assert (answered.status_code, error["code"]) == (400, "array_above_max_length")
    assert error["param"] == "messages[1].content"
    assert "30,000" in error["message"]
    assert "30,002" in error["message"]
    answered, _ = gateway.post(chat({"role": "user", "content": [part] * 29_000}))
    assert answered.status_code == 200


def test_values_beyond_the_limit_are_refused_before_anything_is_made_of_them(gateway: Gateway) -> None:
    answered, _ = gateway.post(ROWS["parts"]())
    error = answered.json()["error"]
    assert (answered.status_code, error["code"]) == (400, "too_many_values")
    assert "1,400,003 values of JSON" in error["message"]
    assert "500,000" in error["message"]
    answered, _ = gateway.post(chat(metadata={"a": [{}] * 100_001}))
    assert "100,004 objects of JSON or more, and at most 100,000" in answered.json()["error"]["message"]


def test_text_full_of_brackets_and_commas_counts_as_the_one_value_that_it_is(gateway: Gateway) -> None:
    text = '{"a": [1, 2, {}]},\\"' * 200_000
    answered, seconds = gateway.post(chat({"role": "user", "content": text}))
    assert answered.status_code == 200
    assert is_within(seconds, MAX_SECONDS)


ANSWER = {"modelVersion": "m", "responseId": "r", "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 2}}


def answered_with(parts: str) -> bytes:
    head = orjson.dumps(ANSWER)[:-1]
    return head + b',"candidates":[{"content":{"parts":[' + parts.encode() + b']},"finishReason":"STOP"}]}'


def error_of(status: int, message: str, *details: Any) -> bytes:
    return orjson.dumps({"error": {"code": status, "message": message, "status": "X", "details": list(details)}})


def retry_info(delay: str) -> dict[str, str]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def function_call(arguments: str = "{}") -> str:
    return f'{{"functionCall":{{"name":"f","args":{arguments}}}}}'


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


ANSWERS: dict[str, tuple[int, bytes, int]] = {
    "a refusal with a long word": (403, error_of(403, "a" * 900_000), 403),
    "a refusal with slashes": (403, error_of(403, "a/" * 450_000), 403),
    "a delay of digits": (429, error_of(429, "x", retry_info("9" * 40_000)), 429),
    "a delay of digits and dots": (429, error_of(429, "x", retry_info("1." * 20_000)), 429),
    "a delay of digits in the text": (429, error_of(429, "retry in " + "9" * 40_000), 429),
    "a name of brackets": (400, error_of(400, 'Unknown name "' + "[" * 200_000 + '"'), 400),
    "a field of brackets": (
        400,
        error_of(
            400,
            "x",
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "[" * 200_000}]},
        ),
        400,
    ),
    "a model without an end": (404, error_of(404, "models/" * 100_000), 404),
    "titles": (500, b"<title" * 170_000, 500),
    "three million parts": (200, answered_with(",".join(['{"text":"a"}'] * 3_000_000)), 502),
    "parts up to the limit": (200, answered_with(",".join(['{"text":"a"}'] * 20_000)), 200),
    "calls beyond the limit": (200, answered_with(",".join([function_call()] * 200_000)), 502),
    "calls": (200, answered_with(",".join([function_call()] * 15_000)), 200),
    "arguments that are deep": (200, answered_with(function_call(deep(400))), 502),
    "arguments as deep as can be written": (200, answered_with(function_call(deep(200))), 200),
    "an unknown part that is deep": (200, answered_with(f'{{"newKind":{deep(260)}}}'), 502),
}


@pytest.mark.parametrize("row", ANSWERS)
def test_an_answer_of_googles_costs_little(gateway: Gateway, row: str) -> None:
    status, body, told = ANSWERS[row]
    gateway.upstream.script = once(answer(status, body, {"connection": "close"}))
    answered, seconds = gateway.post(chat(), dry=False)
    assert answered.status_code == told, answered.text[:300]
    assert is_within(seconds, MAX_SECONDS + 0.1 * len(body) / 1e6)
    if told >= 400:
        assert len(answered.json()["error"]["message"]) < 5_000
    assert gateway.is_well()


ARGUMENTS: dict[str, Any] = {
    "deep text": deep(300),
    "a deep object": orjson.loads(deep(190)),
    "deeper text than orjson reads": deep(2_000),
}


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("row", ["deep text", "deeper text than orjson reads"])
def test_arguments_that_cannot_be_sent_are_a_400(gateway: Gateway, row: str, dry: bool) -> None:
    body = calls(1, lambda _: "f")
    call = body["messages"][1]["tool_calls"][0]["function"]
    call["arguments"] = ARGUMENTS[row]
    answered, _ = gateway.post(body, dry=dry)
    error = answered.json()["error"]
    assert (answered.status_code, error["param"]) == (400, "messages[1].tool_calls[0].function.arguments"), error


def test_an_integer_that_google_cannot_hold_is_sent_as_its_digits(gateway: Gateway) -> None:
    body = calls(1, lambda _: "f")
    body["messages"][1]["tool_calls"][0]["function"]["arguments"] = {"a": 7}
    raw = orjson.dumps(body).replace(b'{"a":7}', b'{"a":1%s}' % (b"0" * 30))
    answered, _ = gateway.post(raw)
    assert answered.status_code == 200, answered.text
    assert '"a":"1' + "0" * 30 + '"' in answered.text


@pytest.mark.parametrize("content", ["[" * 900 + "]" * 900, deep(300), '{"$ref":' * 230 + "1" + "}" * 230])
def test_a_result_that_is_deep_is_sent_as_the_text_that_it_is(gateway: Gateway, content: str) -> None:
    body = calls(1, lambda _: "f")
    body["messages"][2]["content"] = content
    answered, _ = gateway.post(body)
    assert answered.status_code == 200, answered.text
    assert content in str(answered.json()["body"]["contents"])


DIALOGUES = {
    "a long style of many turns": ("a: b\n" * 20_000, "style " * 20_000),
    "more turns than parts are read": ("a: b\n" * 100_000, ""),
    "more text than is looked at": ("\n" * 20_000_000, ""),
}


@pytest.mark.parametrize("row", DIALOGUES)
def test_a_text_of_several_speakers_costs_little_and_makes_little_of_itself(gateway: Gateway, row: str) -> None:
    text, style = DIALOGUES[row]
    speakers = [{"speaker": name, "voice_config": {}} for name in "ab"]
    google = {"speech_config": {"multi_speaker_voice_config": {"speaker_voice_configs": speakers}}}
    body = {"model": "gemini-3.8-flash-tts", "input": text, "voice": "Kore", "instructions": style, "google": google}
    gateway.loop.reset()
    answered, seconds = gateway.post(body, "/v1/audio/speech")
    assert answered.status_code == 400
    assert answered.json()["error"]["code"] in ("string_above_max_length", "array_above_max_length")
    assert len(answered.content) < 1_000
    assert is_within(seconds, MAX_SECONDS + 2.0)
    gateway.settle()
    assert is_within(gateway.loop.stall, MAX_STALL)


def test_others_are_served_while_a_long_request_is_translated(gateway: Gateway) -> None:
    """The longest that is allowed: what it takes is spread, so that a probe in the middle is answered."""
    from concurrent.futures import ThreadPoolExecutor

    body = orjson.dumps(calls(14_000, lambda index: "a" * 64 + str(index)))
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(gateway.post, body)
        probes = 0
        while not long.done():
            assert gateway.is_well()
            probes += 1
        answered, _ = long.result()
    assert answered.status_code == 200
    assert probes >= 3
