"""Responses and conversations at gateways that are killed, and at two that share a PostgreSQL: real processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Receive, Scope, Send
from tests.api.batches.killed_gateways import Replica
from tests.api.responses.test_background import parsed
from tests.support.answers import native
from tests.support.responses import FLASH_25, kinds
from tests.support.servers import Postgres, postgres

from gemgate.emulator.server import serve_in_thread

__all__ = ["postgres"]

pytestmark = pytest.mark.integration

COMMAND = ("-m", "tests.api.responses.replica")
CALLER = {"authorization": "Bearer AIza-made-up"}
PATIENCE = 90.0
END = native({"text": "Hello"}, finishReason="STOP")


async def google(scope: Scope, receive: Receive, send: Send) -> None:
    """Says "Hello"; to whoever asks it to wait it says "One" and no more, until the caller goes."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    waits = b"wait" in body + message.get("body", b"")
    streams = b"alt=sse" in scope["query_string"]
    kind = b"text/event-stream" if streams else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    answer = orjson.dumps(native({"text": "One"}) if waits else END)
    data = b"data: " + answer + b"\r\n\r\n" if streams else answer
    await send({"type": "http.response.body", "body": data if streams or not waits else b"", "more_body": waits})
    while waits and message["type"] != "http.disconnect":
        message = await receive()


class Gateway:
    """One gateway, and a caller of it."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = httpx.request(method, self.replica.url + path, headers=CALLER, timeout=PATIENCE, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def create(self, text: str = "Hi", **body: Any) -> Any:
        return self.ask("POST", "/responses", json={"model": FLASH_25, "input": text, **body})

    @contextmanager
    def waiting_stream(self) -> Iterator[str]:
        """A stream in the background whose answer has begun; its response's id."""
        body = {"model": FLASH_25, "input": "wait", "background": True, "stream": True}
        url = f"{self.replica.url}/responses"
        with httpx.stream("POST", url, json=body, headers=CALLER, timeout=PATIENCE) as stream:
            lines = stream.iter_lines()
            response_id = orjson.loads(_line_with("data: ", lines)[6:])["response"]["id"]
            _line_with("One", lines)
            yield response_id

    def events(self, response_id: str) -> list[Any]:
        url = f"{self.replica.url}/responses/{response_id}?stream=true"
        return parsed(httpx.get(url, headers=CALLER, timeout=PATIENCE).content)

    def ended(self, response_id: str) -> Any:
        end = time.monotonic() + PATIENCE
        while (found := self.ask("GET", f"/responses/{response_id}"))["status"] in ("queued", "in_progress"):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found


def _line_with(text: str, lines: Iterator[str]) -> str:
    return next(line for line in lines if text in line)


@contextmanager
def gateways(directory: Path, *places: str, **environment: str) -> Iterator[list[Gateway]]:
    with serve_in_thread(app=google) as upstream:
        replicas = []
        try:
            for name in places:
                (directory / name).mkdir(exist_ok=True)
                replicas.append(Replica(directory / name, upstream, environment, command=COMMAND))
            yield [Gateway(replica) for replica in replicas]
        finally:
            for replica in replicas:
                replica.close()


def test_a_killed_gateways_response_ends_as_failed_after_the_next_start(tmp_path: Path) -> None:
    with gateways(tmp_path, "one") as (first,), first.waiting_stream() as response_id:
        first.replica.kill()
    with gateways(tmp_path, "one") as (second,):
        ended = second.ended(response_id)
        assert (ended["status"], ended["error"]["code"]) == ("failed", "server_error")
        assert "stopped" in ended["error"]["message"]
        events = second.events(response_id)
        assert kinds(events)[:3] == ["created", "queued", "in_progress"]
        assert kinds(events)[-2:] == ["error", "failed"]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert second.ask("POST", f"/responses/{response_id}/cancel") == ended


@pytest.fixture
def pair(tmp_path: Path, postgres: Postgres) -> Iterator[list[Gateway]]:
    shared = {"GEMGATE_DATABASE_URL": postgres.new_database(), "GEMGATE_SECRET": "the same for both of them"}
    with gateways(tmp_path, "one", "two", **shared) as made:
        yield made


def test_what_one_gateway_keeps_the_other_goes_on_from(pair: list[Gateway]) -> None:
    one, two = pair
    first = one.create("One")
    second = two.create("Two", previous_response_id=first["id"])
    assert one.ask("GET", f"/responses/{second['id']}") == second
    talk = two.ask("POST", "/conversations", json={"items": [{"role": "user", "content": "Zero"}]})["id"]
    one.create("One", conversation=talk)
    two.create("Two", conversation=talk)
    items = one.ask("GET", f"/conversations/{talk}/items", params={"order": "asc"})["data"]
    assert [item["role"] for item in items] == ["user", "user", "assistant", "user", "assistant"]
    assert two.ask("DELETE", f"/responses/{first['id']}")["deleted"] is True
    refused = one.ask("POST", "/responses", 400, json={
        "model": FLASH_25, "input": "Three", "previous_response_id": second["id"],
    })  # fmt: skip
    assert refused["error"]["code"] == "previous_response_not_found"


def test_a_response_in_the_background_is_polled_followed_and_cancelled_at_the_other_gateway(
    pair: list[Gateway],
) -> None:
    one, two = pair
    done = two.ended(one.create(background=True)["id"])
    assert (done["status"], done["output"][0]["content"][0]["text"]) == ("completed", "Hello")
    with one.waiting_stream() as response_id:
        assert two.ask("GET", f"/responses/{response_id}")["status"] == "in_progress"
        url = f"{two.replica.url}/responses/{response_id}?stream=true"
        with httpx.stream("GET", url, headers=CALLER, timeout=PATIENCE) as stream:
            lines = stream.iter_lines()
            assert "One" in _line_with("One", lines)
            cancelled = two.ask("POST", f"/responses/{response_id}/cancel")
            assert cancelled["status"] == "cancelled"
            ending = [line for line in lines if '"type":"response.incomplete"' in line]
            assert '"status":"cancelled"' in ending[0]
    assert one.ended(response_id) == two.ended(response_id) == cancelled


def test_the_other_gateway_ends_what_a_killed_one_has_begun(pair: list[Gateway]) -> None:
    one, two = pair
    with one.waiting_stream() as response_id:
        one.replica.kill()
    ended = two.ended(response_id)
    assert ended["status"] == "failed"
    assert two.events(response_id)[-1]["response"] == ended
