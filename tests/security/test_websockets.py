"""Attacks over the WebSocket of responses: what others have, and messages without end."""

import asyncio
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.security.tenants import BOB, MODEL, SHARED, Tenants, tenants
from tests.support.gateway import gateway_app
from tests.support.server import serve
from tests.support.websocket import Socket, websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gemgate.api.responses import connection
from gemgate.api.responses.websocket import read_message

RESPONSES = "/v1/responses"
ALICES_KEY, BOBS_KEY = SHARED["client_keys"]
AS_ALICE, AS_BOB = ({"authorization": f"Bearer {key}"} for key in SHARED["client_keys"])
PATIENCE = 20.0
HELLO: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]
}


def asked(both: Tenants, key: str, **body: Any) -> Any:
    """The last event of the answer to one message."""
    address = both.there.origin.replace("http://", "ws://") + RESPONSES
    with connect(address, additional_headers={"x-goog-api-key": key}, proxy=None) as opened:
        return Socket(opened).create(model=MODEL, **body)[-1]


def test_nobody_goes_on_from_anothers_response_over_a_websocket(tmp_path: Path) -> None:
    with tenants(tmp_path) as both:
        both.google.events = [HELLO]
        address = both.there.origin.replace("http://", "ws://") + RESPONSES
        with connect(address, additional_headers={"x-goog-api-key": ALICES_KEY}, proxy=None) as opened:
            hers = Socket(opened)
            stored = hers.create("Alice's secret", store=True)[-1]["response"]
            remembered = hers.create("Alice's secret")[-1]["response"]
            before = both.asked
            for fields in (
                {"previous_response_id": stored["id"]},
                {"previous_response_id": remembered["id"]},
                {"input": [{"type": "item_reference", "id": stored["output"][-1]["id"]}]},
                {"previous_response_id": "resp_\0"},
            ):
                event = asked(both, BOBS_KEY, **({"given": fields.pop("input")} if "input" in fields else {}), **fields)
                assert event["type"] == "error", event
                assert event["status"] in (400, 404)
                assert "secret" not in str(event)
            assert both.asked == before
            assert hers.create("and?", previous_response_id=remembered["id"])[-1]["type"] == "response.completed"
        for path in (f"{RESPONSES}/{stored['id']}", f"{RESPONSES}/{remembered['id']}"):
            assert both.there.client.get(path, headers=BOB).status_code == 404


def test_many_large_responses_of_one_caller_push_none_of_another_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What WebSockets remember has a bound for all: whoever has the most there makes room."""
    monkeypatch.setattr(connection, "MAX_REMEMBERED", 20_000)
    with tenants(tmp_path) as both, websocket(both.there.origin, **AS_ALICE) as hers:
        both.google.events = [HELLO]
        first = hers.create("Alice's", model=MODEL)[-1]["response"]["id"]
        with ExitStack() as stack:
            his = [stack.enter_context(websocket(both.there.origin, **AS_BOB)) for _ in range(4)]
            ids = [one.create("x" * 9_000, model=MODEL)[-1]["response"]["id"] for one in his]
            answers = [
                one.create("and?", model=MODEL, previous_response_id=name)[-1]
                for one, name in zip(his, ids, strict=True)
            ]
        assert "error" in [event["type"] for event in answers]
        assert hers.create("and?", model=MODEL, previous_response_id=first)[-1]["type"] == "response.completed"


def test_a_message_of_many_values_is_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, bool] = {}

    def read(message: bytes) -> Any:
        try:
            asyncio.get_running_loop()
            seen[len(message)] = True
        except RuntimeError:
            seen[len(message)] = False
        return read_message(message)

    monkeypatch.setattr("gemgate.api.responses.websocket.read_message", read)
    with tenants(tmp_path) as both, websocket(both.there.origin, **AS_BOB) as socket:
        both.google.events = [HELLO]
        for number in (0, 50_000):
            assert socket.create("Hi", model=MODEL, zz=[{}] * number)[-1]["type"] == "response.completed"
    assert [seen[size] for size in sorted(seen)] == [True, False]


def test_a_message_names_nothing_that_is_anothers(tmp_path: Path) -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/files/alices-file"
    item = {"role": "user", "content": [{"type": "input_file", "file_url": uri}]}
    with tenants(tmp_path) as both:
        both.google.events = [HELLO]
        before = both.asked
        assert asked(both, BOBS_KEY, given=[item])["error"]["code"] == "not_your_resource"
        assert both.asked == before
        assert asked(both, ALICES_KEY, given=[item])["type"] == "response.completed"


def test_messages_without_end_are_not_read_while_one_is_answered(tmp_path: Path) -> None:
    """What is not read stays in the sockets' buffers, and the sender waits."""
    may_answer = threading.Event()

    async def google(_: httpx.Request) -> httpx.Response:
        await asyncio.to_thread(may_answer.wait, PATIENCE)
        return httpx.Response(200, json={"candidates": []})

    message = orjson.dumps({"type": "response.create", "model": MODEL, "input": "x" * 1_000_000})
    with serve(gateway_app(google, data_dir=tmp_path)) as origin, websocket(origin) as attacker:
        attacker.send("held")
        attacker.connection.socket.settimeout(2)
        sent = 0
        with suppress(TimeoutError, ConnectionClosed):
            while sent < 100_000_000:
                attacker.connection.send(message, text=True)
                sent += len(message)
        assert sent < 50_000_000
        assert httpx.get(f"{origin}/healthz", timeout=PATIENCE).status_code == 200
        may_answer.set()
