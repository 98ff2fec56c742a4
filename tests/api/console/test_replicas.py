"""Two replicas with one real Redis: the console of each shows the requests of both, and what all have in common."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from tests.auth.support import GEMINI_KEY, bearer, key_of, write_keys
from tests.support.redis import RedisServer, redis_running
from tests.support.stack import gateway

from gemgate.api.console import replicas as replicas_module
from gemgate.emulator.server import serve_in_thread
from gemgate.shared_state import connection as link_module

pytestmark = pytest.mark.integration

PATIENCE = 60.0
STREAM = "gemgate:{console}:requests"
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "A secret prompt"}]}


@dataclass(frozen=True, slots=True)
class Replicas:
    """Two gateways, as clients that present the key of `web`, and their Redis."""

    one: httpx.Client
    other: httpx.Client
    redis: RedisServer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    limits = {"web": {"limits": {"requests_per_minute": 600}}, "few": {"limits": {"requests_per_minute": 1}}}
    keys = write_keys(tmp_path_factory.mktemp("keys") / "keys.yaml", **limits)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(link_module, "TIMEOUT", 3.0)  # a machine that is busy with other tests is no outage
        patch.setattr(link_module, "PROBE_SECONDS", 0.05)
        patch.setattr(replicas_module, "IDLE_SECONDS", 0.05)
        patch.setattr(replicas_module, "BUSY_SECONDS", 0.05)
        redis = stack.enter_context(redis_running())
        emulator = stack.enter_context(serve_in_thread())
        chosen: dict[str, Any] = {"gemini_api_key": GEMINI_KEY, "client_keys_file": keys, "redis_url": redis.url}
        clients = []
        for bodies in (False, True):
            origin = stack.enter_context(gateway(emulator, log_bodies=bodies, **chosen))
            client = httpx.Client(base_url=origin, headers=bearer("web"), timeout=PATIENCE)
            clients.append(stack.enter_context(client))
        yield Replicas(clients[0], clients[1], redis)


def asked(client: httpx.Client, name: str) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT, headers={"x-request-id": name})
    assert answer.status_code == 200, answer.text


@contextmanager
def watched(client: httpx.Client) -> Iterator[Generator[dict[str, Any]]]:
    """The events of the feed, until the block ends."""
    with client.stream("GET", "/console/api/requests") as answer:

        def events() -> Generator[dict[str, Any]]:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield orjson.loads(line.removeprefix("data: "))

        yield events()


def until(events: Iterator[dict[str, Any]], is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The first event of which it is so."""
    deadline = time.monotonic() + PATIENCE
    for event in events:
        if is_so(event):
            return event
        assert time.monotonic() < deadline, event
    raise AssertionError("the feed has ended")


def row_of(name: str, event: dict[str, Any]) -> dict[str, Any] | None:
    return next((row for row in event["rows"] if row["request_id"] == name), None)


def is_complete(event: dict[str, Any]) -> bool:
    return event["redis"] == "up" and len(event["replicas"]) == 2


def test_nothing_is_published_while_nobody_watches(pair: Replicas) -> None:
    asked(pair.other, "unwatched")

    def looks() -> int:
        lines = pair.redis.command("INFO", "commandstats").splitlines()
        return next(int(line.split("calls=")[1].split(",")[0]) for line in lines if line.startswith("cmdstat_get:"))

    before, deadline = looks(), time.monotonic() + PATIENCE
    while looks() < before + 40:  # each of the two has looked several times
        assert time.monotonic() < deadline
    assert pair.redis.command("EXISTS", STREAM) == "0"


def test_a_console_shows_the_requests_of_each_replica_and_names_them(pair: Replicas) -> None:
    asked(pair.other, "before")
    with watched(pair.one) as events:
        seen = until(events, lambda event: row_of("before", event))
        before = row_of("before", seen)
        assert before is not None
        assert len(seen["replicas"]) == 2
        asked(pair.one, "here")
        here = row_of("here", until(events, lambda event: row_of("here", event)))
        asked(pair.other, "there")
        there = row_of("there", until(events, lambda event: row_of("there", event)))
        assert here is not None
        assert there is not None
        assert (there["caller"], there["model"], there["status"]) == ("web", "gemini-2.5-flash", 200)
        assert there["replica"] == before["replica"] != here["replica"]
        assert "bodies" not in there
        published = pair.redis.command("XRANGE", STREAM, "-", "+")
    assert "there" in published
    for secret in ("A secret prompt", GEMINI_KEY, key_of("web"), "messages"):
        assert secret not in published


def test_the_limits_that_are_shown_are_those_of_all_replicas(pair: Replicas) -> None:
    def remaining(client: httpx.Client) -> int:
        shown = client.get("/console/api/keys").json()
        assert shown["redis"] == "up"
        (clients,) = shown["clients"].values()
        found: int = next(each["requests"]["remaining"] for each in clients if each["name"] == "few")
        return found

    assert [remaining(client) for client in (pair.one, pair.other)] == [1, 1]
    assert pair.other.post("/v1/chat/completions", json=CHAT, headers=bearer("few")).status_code == 200
    assert [remaining(client) for client in (pair.one, pair.other)] == [0, 0]


def test_a_redis_that_is_slow_or_gone_harms_no_request_and_is_named(pair: Replicas) -> None:
    with watched(pair.one) as events:
        until(events, is_complete)
        pair.redis.hold()
        down = until(events, lambda event: event["redis"] == "down")
        assert list(down["replicas"].values()) == [down["processes"]]
        asked(pair.one, "while-held")
        assert row_of("while-held", until(events, lambda event: row_of("while-held", event)))
        asked(pair.other, "while-held-there")
        assert pair.one.get("/console/api/keys").json()["redis"] == "down"
        pair.redis.go_on()
        until(events, is_complete)
        pair.redis.stop()
        until(events, lambda event: event["redis"] == "down")
        asked(pair.one, "while-gone")
        asked(pair.other, "while-gone-there")
        pair.redis.start()
        until(events, is_complete)
        asked(pair.other, "back")
        assert row_of("back", until(events, lambda event: row_of("back", event)))
