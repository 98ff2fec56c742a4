"""The emulator takes the native requests of the golden exchanges, and refuses what Google refuses in them."""

from typing import Any

import orjson
import pytest
from tests.emulator.support import Emulator, events
from tests.exchanges.exchange import Exchange, Json, load

EXCHANGES = load()
KEYS = {"errors-bad-key": "invalid"}
SCENARIOS = {
    "chat-blocked-prompt": "blocked-prompt",
    "chat-filtered-answer": "safety",
    "errors-overloaded": "503",
    "errors-overloaded-once": "flaky",
    "errors-quota-of-a-day": "429-daily",
    "errors-quota-of-a-minute": "429",
    "stream-breaks-off": "eof",
}
"""What the emulator is asked for where the request alone does not show how it goes."""


async def _asked(emulator: Emulator, exchange: Exchange, request: Json) -> tuple[int, list[Json]]:
    """The status, and the body or the events, that the emulator answers."""
    if "line" in request:
        body = request["line"]["request"]
        model = exchange.data["openai_request"]["line"]["body"]["model"]
        method = "embedContent" if "content" in body else "generateContent"
        request = {"method": "POST", "path": f"/v1beta/models/{model}:{method}", "body": body}
    headers = {"content-type": "application/json", "x-goog-api-key": KEYS.get(exchange.name, "k")}
    if scenario := SCENARIOS.get(exchange.name):
        headers["x-emulator-scenario"] = scenario
    content = orjson.dumps(request["body"]) if "body" in request else b""
    answer = await emulator.client.request(request["method"], request["path"], content=content, headers=headers)
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    return answer.status_code, events(answer.content) if is_stream else [orjson.loads(answer.content)]


def _outcome(status: int, bodies: list[Json]) -> Any:
    """What must be the same at Google and in the emulator: of an error its kind, of an answer how it ended."""
    if status != 200:
        error = bodies[0]["error"]
        return status, error["status"], {detail["@type"] for detail in error.get("details", [])}
    reasons = {candidate.get("finishReason") for body in bodies for candidate in body.get("candidates", [])}
    return 200, reasons - {None}, any("promptFeedback" in body for body in bodies)


def _golden(call: Json) -> Any:
    response = call["response"]
    if "line" in response:
        return _outcome(200, [response["line"].get("response", {"candidates": [{"finishReason": "STOP"}]})])
    return _outcome(response["status"], response.get("events") or [response["body"]])


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
async def test_the_native_requests_of_an_exchange_fare_in_the_emulator_as_at_google(
    exchange: Exchange, emulator: Emulator
) -> None:
    # A token for the next page is known only to who gave it.
    calls = [call for call in exchange.native if "pageToken=" not in call["request"].get("path", "")]
    fared = [_outcome(*await _asked(emulator, exchange, call["request"])) for call in calls]
    assert fared == [_golden(call) for call in calls]


def test_scenarios_are_asked_for_in_exchanges_that_exist() -> None:
    assert {*SCENARIOS, *KEYS} <= {exchange.name for exchange in EXCHANGES}
