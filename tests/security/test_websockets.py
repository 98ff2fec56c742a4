"""Attacks over the WebSocket of responses: what others have, and messages without end."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.security.tenants import BOB, MODEL, SHARED, Tenants, tenants
from tests.support.gateway import gateway_app
from tests.support.server import serve
from tests.support.websocket import Socket, websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

RESPONSES = "/v1/responses"
ALICES_KEY, BOBS_KEY = SHARED["client_keys"]
PATIENCE = 20.0
HELLO: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]
}


def asked(both: Tenants, key: str, **body: Any) -> Any:
    """The last event of the answer to one message."""
    address = both.there.origin.replace("http://", "ws://") + RESPONSES
    with connect(address, additional_headers={"x-goog-api-key": key}, proxy=None) as connection:
        return Socket(connection).create(model=MODEL, **body)[-1]


def test_nobody_goes_on_from_anothers_response_over_a_websocket(tmp_path: Path) -> None:
    with tenants(tmp_path) as both:
        both.google.events = [HELLO]
        address = both.there.origin.replace("http://", "ws://") + RESPONSES
        with connect(address, additional_headers={"x-goog-api-key": ALICES_KEY}, proxy=None) as connection:
            hers = Socket(connection)
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
