from typing import Any

import httpx
import orjson
import pytest
from tests.emulator.support import Emulator, events, said

from gemgate.emulator import scenarios
from gemgate.emulator.errors import GoogleApiError
from gemgate.emulator.scenarios import SCENARIOS, Scenario

MODEL = "gemini-2.5-flash"
URL = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("text", "scenario"),
    [
        ("503", Scenario("503", 0)),
        ("429-daily", Scenario("429-daily", 48.939935699)),
        ("429:7", Scenario("429", 7)),
        ("slow-start", Scenario("slow-start", 1)),
        ("slow-start-0.5", Scenario("slow-start", 0.5)),
        ("Slow-Start = 2s", Scenario("slow-start", 2)),
        (" slow-stream 0.25 ", Scenario("slow-stream", 0.25)),
        ("html-502", Scenario("html-502", 0)),
    ],
)
def test_scenarios_are_named_with_or_without_a_number(text: str, scenario: Scenario) -> None:
    assert scenarios.parse(text) == scenario


@pytest.mark.parametrize("text", ["", "nothing", "slow-start:x", "429-weekly"])
def test_an_unknown_scenario_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(GoogleApiError, match="It has: 400, 401"):
        scenarios.parse(text)


def test_the_header_comes_before_the_model_and_the_model_before_the_text() -> None:
    assert scenarios.find("500", "emulator-503", "429").name == "500"
    assert scenarios.find("", "emulator-503", "429").name == "503"
    assert scenarios.find("", MODEL, "429").name == "429"
    assert scenarios.find("", MODEL, "").name == ""


async def test_one_key_can_fail_with_every_request(emulator: Emulator) -> None:
    for text in ("Hi", "Hello [[emulator: 503]]"):
        answer = await emulator.post(MODEL, said(text), **{"x-goog-api-key": "emulator-429-7"})
        assert answer.status_code == 429
        assert "Please retry in 7.0s" in answer.json()["error"]["message"]
    asked = await emulator.post(MODEL, said("Hi"), **{"x-goog-api-key": "emulator-429", scenarios.HEADER: "500"})
    assert asked.status_code == 500
    assert (await emulator.post(MODEL, said("Hi"), **{"x-goog-api-key": "emulator-nonsense"})).status_code == 400
    assert (await emulator.post(MODEL, said("Hi"), **{"x-goog-api-key": "another"})).status_code == 200


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("400", 400, "INVALID_ARGUMENT"),
        ("401", 401, "UNAUTHENTICATED"),
        ("403", 403, "PERMISSION_DENIED"),
        ("404", 404, "NOT_FOUND"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("429-daily", 429, "RESOURCE_EXHAUSTED"),
        ("500", 500, "INTERNAL"),
        ("503", 503, "UNAVAILABLE"),
        ("504", 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_errors_are_asked_for_in_three_ways(emulator: Emulator, name: str, status: int, reason: str) -> None:
    answers = [
        await emulator.post(MODEL, said("Hi"), **{scenarios.HEADER: name}),
        await emulator.post(f"emulator-{name}", said("Hi")),
        await emulator.post(MODEL, said(f"Hi [[emulator: {name}]]")),
        await emulator.post(MODEL, said(f"Hi [[emulator: {name}]]"), "streamGenerateContent?alt=sse"),
    ]
    for answer in answers:
        assert answer.status_code == status
        assert answer.json()["error"]["status"] == reason
        assert answer.json()["error"]["code"] == status


def details(answer: httpx.Response) -> dict[str, Any]:
    return {each["@type"].rsplit(".", 1)[1]: each for each in answer.json()["error"]["details"]}


async def test_quota_errors_say_which_quota_and_when_to_retry(emulator: Emulator) -> None:
    minute = details(await emulator.post("emulator-429-12", said("Hi")))
    day = details(await emulator.post("emulator-429-daily", said("Hi")))
    assert "PerMinute" in minute["QuotaFailure"]["violations"][0]["quotaId"]
    assert minute["RetryInfo"]["retryDelay"] == "12s"
    assert minute["Help"]["links"]
    assert "PerDay" in day["QuotaFailure"]["violations"][0]["quotaId"]


async def test_the_instruction_itself_is_not_answered(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, said("Hi [[emulator: crlf]]"))
    assert "[[" not in answer["candidates"][0]["content"]["parts"][0]["text"]


async def test_a_wrong_request_is_refused_before_the_scenario(emulator: Emulator) -> None:
    assert "contents is not specified" in await emulator.refused("emulator-503", {})


async def test_flaky_fails_the_first_times_only(emulator: Emulator) -> None:
    statuses = [(await emulator.post("emulator-flaky-2", said("Hi"))).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
    assert (await emulator.post("emulator-flaky-2", said("Other"))).status_code == 503


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_a_page_of_html_is_no_json(emulator: Emulator, method: str) -> None:
    answer = await emulator.post("emulator-html-502", said("Hi"), method)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert b"502" in answer.content


async def test_a_blocked_prompt_has_feedback_and_no_candidates(emulator: Emulator) -> None:
    whole = await emulator.generate("emulator-blocked-prompt", said("Hi"))
    (event,) = await emulator.stream("emulator-blocked-prompt", said("Hi"))
    assert whole == event | {"responseId": whole["responseId"]}
    assert whole["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in whole
    assert whole["usageMetadata"]["promptTokenCount"] == whole["usageMetadata"]["totalTokenCount"]


@pytest.mark.parametrize(
    ("name", "reason", "content"),
    [
        ("no-content", "RECITATION", None),
        ("malformed-function-call", "MALFORMED_FUNCTION_CALL", {}),
        ("empty", "STOP", {"parts": [{"text": ""}], "role": "model"}),
    ],
)
async def test_answers_without_text(emulator: Emulator, name: str, reason: str, content: Any) -> None:
    (whole,) = (await emulator.generate(f"emulator-{name}", said("Hi")))["candidates"]
    events_ = await emulator.stream(f"emulator-{name}", said("Hi"))
    assert whole["finishReason"] == reason == events_[-1]["candidates"][0]["finishReason"]
    assert whole.get("content") == content
    assert len(events_) == 1
    assert ("Malformed" in whole.get("finishMessage", "")) == (name == "malformed-function-call")


async def test_safety_stops_in_mid_text(emulator: Emulator) -> None:
    (whole,) = (await emulator.generate("emulator-safety", said("Hi")))["candidates"]
    assert whole["finishReason"] == "SAFETY"
    assert any(rating.get("blocked") for rating in whole["safetyRatings"])
    assert not whole["content"]["parts"][0]["text"].endswith(".")


async def test_a_new_finish_reason_is_one_nobody_knows(emulator: Emulator) -> None:
    (whole,) = (await emulator.generate("emulator-unknown-finish-reason", said("Hi")))["candidates"]
    assert whole["finishReason"] == "NEW_REASON_OF_THE_EMULATOR"


async def test_an_answer_can_end_without_reason(emulator: Emulator) -> None:
    whole = await emulator.generate("emulator-eof", said("Hi"))
    found = await emulator.stream("emulator-eof", said("Hi"))
    assert "finishReason" not in whole["candidates"][0]
    assert all("finishReason" not in event["candidates"][0] for event in found)


async def test_two_stops_come_in_one_stream(emulator: Emulator) -> None:
    found = await emulator.stream("emulator-two-stops", said("Hi"))
    reasons = [event["candidates"][0].get("finishReason") for event in found]
    assert reasons[0] == reasons[-1] == "STOP"
    assert len(found) > 1


def post(served: httpx.Client, name: str, url: str = STREAM) -> bytes:
    return served.post(url, json=said("Hi"), headers={scenarios.HEADER: name}).content


def test_an_error_can_follow_good_events_bare(served: httpx.Client) -> None:
    raw = post(served, "error-mid-stream")
    good, _, bad = raw.partition(b"\r\n\r\n")
    assert good.startswith(b"data: ")
    assert orjson.loads(bad)["error"]["code"] == 499
    assert bad.startswith(b'{\n  "error"')


def test_an_error_can_follow_good_events_as_data(served: httpx.Client) -> None:
    *_, last = events(post(served, "error-mid-stream-data:2"))
    assert last["error"]["status"] == "UNAVAILABLE"


def test_garbage_stands_among_good_events(served: httpx.Client) -> None:
    frames = post(served, "garbage").split(b"\r\n\r\n")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(frames[1].removeprefix(b"data: "))
    assert b"STOP" in frames[2]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(post(served, "garbage", URL))


def test_events_can_end_in_lf(served: httpx.Client) -> None:
    raw = post(served, "lf")
    assert b"\r" not in raw
    assert raw.count(b"\n\n") == 2


@pytest.mark.parametrize("url", [URL, STREAM])
def test_a_body_can_come_byte_by_byte(served: httpx.Client, url: str) -> None:
    assert post(served, "byte-by-byte", url) == post(served, "crlf", url)


@pytest.mark.parametrize("name", ["slow-start:0.01", "slow-stream:0.01"])
def test_slow_answers_are_the_same_answers(served: httpx.Client, name: str) -> None:
    for url in (URL, STREAM):
        assert post(served, name, url) == post(served, "crlf", url)


@pytest.mark.parametrize("url", [URL, STREAM])
@pytest.mark.parametrize("name", ["reset-before-headers", "reset-mid-stream"])
def test_connections_are_reset(served: httpx.Client, name: str, url: str) -> None:
    with pytest.raises(httpx.ReadError):
        post(served, name, url)


def test_good_events_arrive_before_a_reset(served: httpx.Client) -> None:
    with served.stream("POST", STREAM, json=said("Hi"), headers={scenarios.HEADER: "reset-mid-stream"}) as response:
        assert response.status_code == 200
        pieces = response.iter_raw()
        seen = next(pieces)
        with pytest.raises(httpx.ReadError):
            b"".join(pieces)
    assert seen.startswith(b"data: ")


async def test_a_server_without_a_way_to_reset_breaks_off(emulator: Emulator) -> None:
    with pytest.raises(ConnectionError, match="asked to break the connection"):
        await emulator.post("emulator-reset-mid-stream", said("Hi"), "streamGenerateContent?alt=sse")


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_is_described(name: str) -> None:
    what, number, default = SCENARIOS[name]
    assert what
    assert bool(number) == bool(default)
