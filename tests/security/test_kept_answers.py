"""Attacks on answers that are kept: in the background, replayed, cancelled, gone on from, and under a key's limits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from tests.auth.support import bearer, settings_with, write_keys
from tests.support.gateway import gateway_app
from tests.support.google import sse
from tests.support.server import serve
from tests.support.websocket import websocket

from gemgate.api.responses import event_log
from gemgate.api.responses.event_log import EventLog
from gemgate.store.responses import MAX_EVENT_ROWS
from gemgate.web.sse import DONE

PATH = "/v1/responses"
MODEL = "gemini-2.5-flash"
PATIENCE = 20.0
USAGE = {"promptTokenCount": 400, "candidatesTokenCount": 600, "totalTokenCount": 1000}
ANSWER: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": USAGE,
}
KEYS: dict[str, dict[str, Any]] = {
    "alice": {},
    "bob": {},
    "racer": {},
    "single": {"limits": {"concurrent_requests": 1}},
    "double": {"limits": {"concurrent_requests": 2}},
    "thrifty": {"limits": {"tokens_per_minute": 2_000}},
    "seldom": {"limits": {"requests_per_minute": 2}},
    "chosen": {"models": [MODEL]},
}


class Google:
    """Answers at once, or, to what holds the word `held`, when it may or when its caller goes."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if b"held" in request.content:
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Held(self.may_answer))
        if request.url.path.endswith(":streamGenerateContent"):
            return sse(ANSWER)
        return httpx.Response(200, json=ANSWER)


class _Held(httpx.AsyncByteStream):
    def __init__(self, may_answer: threading.Event) -> None:
        self._may_answer = may_answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"data: " + orjson.dumps({"candidates": [{"content": {"parts": [{"text": "One"}]}}]}) + b"\r\n\r\n"
        await asyncio.to_thread(self._may_answer.wait, PATIENCE)
        yield b"data: " + orjson.dumps(ANSWER) + b"\r\n\r\n"


@dataclass(frozen=True)
class There:
    """A gateway and its callers."""

    origin: str
    client: httpx.Client
    google: Google

    def ask(self, method: str, path: str, who: str = "alice", body: Any = None) -> httpx.Response:
        return self.client.request(method, path, json=body, headers=bearer(who))

    def create(self, text: str = "Hi", who: str = "alice", **body: Any) -> Any:
        answer = self.ask("POST", PATH, who, {"model": MODEL, "input": text, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def in_background(self, text: str, who: str) -> str:
        """The id of a response in the background, with events, whose caller has gone at once."""
        body = {"model": MODEL, "input": text, "background": True, "stream": True}
        with self.client.stream("POST", PATH, json=body, headers=bearer(who)) as answer:
            assert answer.status_code == 200
            first = next(line for line in answer.iter_lines() if line.startswith("data: "))
        name: str = orjson.loads(first.removeprefix("data: "))["response"]["id"]
        return name

    def status(self, name: str, who: str) -> str:
        return str(self.ask("GET", f"{PATH}/{name}", who).json()["status"])

    def ended(self, name: str, who: str) -> str:
        """The status of a response once it has one for good."""
        with self.client.stream("GET", f"{PATH}/{name}?stream=true", headers=bearer(who)) as answer:
            assert answer.read().endswith(DONE)
        return self.status(name, who)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    directory = tmp_path_factory.mktemp("kept")
    keys = write_keys(directory / "keys.yaml", **KEYS)
    google = Google()
    chosen = {"data_dir": directory, "retries": 0, "max_background_responses_per_caller": 1, **settings_with(keys)}
    with serve(gateway_app(google, **chosen)) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        yield There(origin, client, google)
        google.may_answer.set()


@pytest.fixture
def held(there: There) -> Iterator[There]:
    """The same, where Google answers what it holds at the end of the test."""
    there.google.may_answer.clear()
    yield there
    there.google.may_answer.set()


@pytest.mark.parametrize("number", [10_000, 2**31, 2**63, 10**30])
def test_a_number_beyond_all_events_is_the_end_of_a_replay(there: There, number: int) -> None:
    name = there.in_background("Hi", "alice")
    assert there.ended(name, "alice") == "completed"
    answer = there.ask("GET", f"{PATH}/{name}?stream=true&starting_after={number}")
    assert (answer.status_code, answer.content) == (200, DONE)


@pytest.mark.parametrize("number", ["-1", "9" * 5_000, "1e3", "x", "%00"])
def test_what_is_no_number_of_an_event_is_refused_by_name(there: There, number: str) -> None:
    answer = there.ask("GET", f"{PATH}/resp_x?stream=true&starting_after={number}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "starting_after")
    assert len(answer.content) < 1_000


async def test_a_slow_reader_of_a_long_replay_holds_little_of_it() -> None:
    log = EventLog()
    piece = b"data: " + b"x" * 10_000 + b"\n\n"
    for number in range(500):
        log.add(piece, number + 1)
    log.end()
    given = [data async for data in log.follow()]
    assert b"".join(given) == piece * 500 + DONE
    assert max(map(len, given)) < event_log._AT_ONCE + len(piece)
    assert b"".join([data async for data in log.follow(498)]) == piece + DONE


def test_a_replay_of_more_pieces_than_are_read_at_once_is_whole(there: There) -> None:
    assert MAX_EVENT_ROWS < 50
    name = there.in_background("Hi", "alice")
    assert there.ended(name, "alice") == "completed"
    whole = there.ask("GET", f"{PATH}/{name}?stream=true").content
    numbers = [orjson.loads(line[6:])["sequence_number"] for line in whole.split(b"\n") if line.startswith(b"data: {")]
    assert numbers == list(range(len(numbers)))
    for after in numbers:
        rest = there.ask("GET", f"{PATH}/{name}?stream=true&starting_after={after}").content
        assert whole.endswith(rest)
        assert rest.count(b"\n\n") == len(numbers) - after


def test_cancelling_and_deleting_at_once_leaves_no_error_and_no_place_taken(held: There) -> None:
    name = held.in_background("held", "racer")
    calls = [("POST", f"{PATH}/{name}/cancel")] * 6 + [("DELETE", f"{PATH}/{name}"), ("GET", f"{PATH}/{name}")] * 2
    with ThreadPoolExecutor(10) as threads:
        statuses = [
            answer.status_code for answer in threads.map(lambda call: held.ask(call[0], call[1], "racer"), calls)
        ]
    assert set(statuses) <= {200, 404}, statuses
    assert statuses[6:9:2].count(200) == 1  # deleted once
    held.google.may_answer.set()
    assert held.ended(held.in_background("Hi", "racer"), "racer") == "completed"


def test_a_response_in_the_background_has_its_place_until_it_has_ended_and_its_caller_can_still_end_it(
    held: There,
) -> None:
    name = held.in_background("held", "single")
    refused = held.ask("POST", PATH, "single", {"model": MODEL, "input": "Hi"})
    assert refused.status_code == 429
    assert held.ask("POST", PATH, "bob", {"model": MODEL, "input": "Hi"}).status_code == 200
    assert held.status(name, "single") == "in_progress"
    assert held.ask("POST", f"{PATH}/{name}/cancel", "single").json()["status"] == "cancelled"
    assert held.ask("POST", PATH, "single", {"model": MODEL, "input": "Hi"}).status_code == 200


def test_who_follows_a_response_has_its_other_places_for_requests(held: There) -> None:
    name = held.in_background("held", "double")
    with held.client.stream("GET", f"{PATH}/{name}?stream=true", headers=bearer("double")) as following:
        assert next(following.iter_lines()).startswith("event: ")
        assert held.ask("POST", PATH, "double", {"model": MODEL, "input": "Hi"}).status_code == 200
    assert held.ask("POST", f"{PATH}/{name}/cancel", "double").status_code == 200


def test_tokens_of_responses_in_the_background_and_over_a_websocket_count(there: There) -> None:
    assert there.ended(there.in_background("Hi", "thrifty"), "thrifty") == "completed"
    with websocket(there.origin, **bearer("thrifty")) as socket:
        assert socket.create(model=MODEL)[-1]["type"] == "response.completed"
        refused = socket.create(model=MODEL)[-1]
        assert (refused["type"], refused["status"]) == ("error", 429)
    body = {"model": MODEL, "input": "Hi", "background": True}
    assert there.ask("POST", PATH, "thrifty", body).status_code == 429


def test_each_message_over_a_websocket_counts_as_a_request(there: There) -> None:
    with websocket(there.origin, **bearer("seldom")) as socket:
        statuses = [event.get("status") for event in (socket.create(model=MODEL)[-1] for _ in range(4))]
    assert statuses.count(429) >= 2


@pytest.mark.parametrize("way", ["background", "websocket", "dry run", "previous"])
def test_the_models_of_a_key_hold_for_every_way_to_ask(there: There, way: str) -> None:
    other = "gemini-2.5-pro"
    if way == "websocket":
        with websocket(there.origin, **bearer("chosen")) as socket:
            assert socket.create(model=other)[-1]["status"] in (403, 404)
            assert socket.create(model=MODEL)[-1]["type"] == "response.completed"
        return
    body: dict[str, Any] = {"model": other, "input": "Hi"}
    if way == "previous":
        body["previous_response_id"] = there.create(who="chosen")["id"]
    headers = {"x-gemgate-dry-run": "true"} if way == "dry run" else {}
    answer = there.client.post(
        PATH, json={**body, "background": way == "background"}, headers=bearer("chosen") | headers
    )
    assert answer.status_code in (403, 404)
    assert there.ask("POST", PATH, "chosen", {**body, "model": MODEL}).status_code == 200


def test_nobody_else_cancels_follows_or_goes_on_from_what_is_generated(held: There) -> None:
    name = held.in_background("held", "alice")
    for method, path in (("POST", f"{PATH}/{name}/cancel"), ("DELETE", f"{PATH}/{name}"), ("GET", f"{PATH}/{name}")):
        assert held.ask(method, path, "bob").status_code == 404
    for after in ("", "&starting_after=0"):
        assert held.ask("GET", f"{PATH}/{name}?stream=true{after}", "bob").status_code == 404
    for who, code in (("bob", "previous_response_not_found"), ("alice", "invalid_value")):
        body = {"model": MODEL, "input": "Hi", "previous_response_id": name}
        answer = held.ask("POST", PATH, who, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert held.status(name, "alice") == "in_progress"
    held.google.may_answer.set()
    assert held.ended(name, "alice") == "completed"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=" + "9" * 5_000, "order=up", "after=item_x"])
@pytest.mark.parametrize("path", [f"{PATH}/{{}}/input_items", "/v1/files"])
def test_pages_are_bounded_and_their_cursors_are_the_callers(there: There, path: str, query: str) -> None:
    name = there.create()["id"]
    found = path.format(name)
    answer = there.ask("GET", f"{found}?{query}")
    if path == "/v1/files" and query == "limit=101":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 400, answer.text
        assert len(answer.content) < 1_000
