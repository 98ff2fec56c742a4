"""What a process publishes of its requests, and what a console believes of others: bounded, and without surprises."""

from typing import Any, cast

import orjson
import pytest
from tests.api.console.test_activity import SECRET, ended

from gemgate.api.console.activity import Activity
from gemgate.api.console.published_rows import AT_FIRST, AT_ONCE, Published, published, read
from gemgate.api.console.replicas import ReplicaPublisher, ReplicaWatch
from gemgate.shared_state.connection import RedisDownError
from gemgate.shared_state.request_feed import ENTRIES_AT_ONCE, MAX_ENTRY, START, RequestFeed

ROW: dict[str, Any] = {"number": 1, "at": 1.5, "request_id": "req_1", "path": "/v1/models", "status": 200}


def entry(replica: object = "host-a", process: object = 7, rows: object = (ROW,)) -> bytes:
    return orjson.dumps({"replica": replica, "process": process, "rows": rows})


def numbers(found: Published | None) -> list[int]:
    assert found is not None
    return [number for number, _ in found.rows]


def test_a_process_publishes_what_is_new_and_to_a_new_watcher_the_last() -> None:
    activity = Activity()
    for number in range(AT_FIRST + 20):
        activity.keep(ended(number))
    first, last = published(activity, "host-a", 7, 0)
    assert last == AT_FIRST + 20
    assert numbers(read(first)) == list(range(21, AT_FIRST + 21))
    activity.keep(ended(99))
    second, last = published(activity, "host-a", 7, last)
    assert numbers(read(second)) == [AT_FIRST + 21]
    for number in range(AT_ONCE * 2):
        activity.keep(ended(number))
    third, newest = published(activity, "host-a", 7, last)
    assert numbers(read(third)) == list(range(newest - AT_ONCE + 1, newest + 1))
    assert published(activity, "host-a", 7, newest)[1] == newest


def test_neither_a_body_nor_a_secret_is_published_and_texts_have_an_end() -> None:
    activity = Activity()
    for number in range(AT_FIRST):
        words = [f"parameter {each} " + "x" * 1000 for each in range(100)]
        bodies = {"request_body": {"messages": "A secret prompt"}}
        activity.keep(ended(number, bodies=bodies, model="m" * 100_000, dropped=words, error=f"Bearer {SECRET}"))
    text, last = published(activity, "host-a", 7, 0)
    assert len(text) <= MAX_ENTRY
    assert last == AT_FIRST
    assert not [word for word in (b"A secret prompt", b"bodies", SECRET.encode()) if word in text]
    assert numbers(read(text))[-1] == AT_FIRST


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"\xff", b"[]", b"{}", entry(""), entry("x" * 1000), entry(process="7"), entry(rows={})],
    ids=repr,
)
def test_an_entry_of_another_form_is_passed_over(rubbish: bytes) -> None:
    assert read(rubbish) is None


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {},
        ROW | {"number": "1"},
        ROW | {"number": True},
        ROW | {"at": None},
        ROW | {"path": ["/"]},
        ROW | {"request_id": "x" * 1000},
        ROW | {f"field_{number}": 1 for number in range(100)},
        {name: value for name, value in ROW.items() if name != "status"},
    ],
    ids=lambda row: str(row)[:40],
)
def test_a_row_that_lacks_what_each_row_has_is_passed_over(row: object) -> None:
    assert numbers(read(entry(rows=[row, ROW | {"number": 2}]))) == [2]


def test_fields_that_a_page_does_not_expect_are_left_out() -> None:
    wrong = {
        "dropped": "user",
        "cost_usd": "1",
        "bodies": {"request_body": "x"},
        "replica": "host-b",
        "error": {"a": 1},
    }
    found = read(entry(rows=[ROW | wrong | {"adjusted": ["a=b"], "caller": "team-a", "stream": True}]))
    assert found is not None
    assert found.rows == [(1, ROW | {"adjusted": ["a=b"], "caller": "team-a", "stream": True})]


class Feed:
    """A Redis of two lists: who watches, and the entries."""

    def __init__(self) -> None:
        self.state = "up"
        self.entries: list[bytes] = []
        self.name: bytes | None = None

    async def watcher(self) -> bytes | None:
        self._check()
        return self.name

    async def begin(self, name: str) -> None:
        self._check()
        self.name = name.encode()

    async def go_on(self, _name: str) -> None:
        self._check()

    async def publish(self, text: bytes) -> None:
        self._check()
        self.entries.append(text)

    async def after(self, place: bytes) -> tuple[bytes, list[bytes]]:
        self._check()
        start = 0 if place == START else int(place)
        found = self.entries[start : start + ENTRIES_AT_ONCE]
        return b"%d" % (start + len(found)), found

    def _check(self) -> None:
        if self.state != "up":
            raise RedisDownError


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_nothing_is_published_while_nobody_watches_and_each_watcher_gets_the_last(anyio_backend: str) -> None:
    feed, activity = Feed(), Activity()
    publisher = ReplicaPublisher(cast("RequestFeed", feed), activity, "host-b", 8)
    activity.keep(ended(1))
    for _ in range(9):
        await publisher.step()
    assert feed.entries == []
    watch = ReplicaWatch(cast("RequestFeed", feed))
    assert (await watch.look("host-a", {7: None})).rows == []
    await publisher.step()
    (row,) = (await watch.look("host-a", {7: None})).rows
    assert (row["replica"], row["process"], row["request_id"]) == ("host-b", 8, "req_1")
    await publisher.step()
    assert len(feed.entries) == 1  # nothing new has ended
    for _ in range(3):
        await publisher.step()
    assert len(feed.entries) == 2  # it says that it is there
    assert (await watch.look("host-a", {7: None})).rows == []
    other = ReplicaWatch(cast("RequestFeed", feed))
    await other.look("host-a", {7: None})
    await publisher.step()
    assert (await watch.look("host-a", {7: None})).rows == []
    assert len(feed.entries) == 3
    feed.name = None
    activity.keep(ended(2))
    await publisher.step()
    assert len(feed.entries) == 3


async def test_replicas_are_seen_while_they_are_heard_of_and_never_too_many(anyio_backend: str) -> None:
    now = 0.0
    feed = Feed()
    watch = ReplicaWatch(cast("RequestFeed", feed), lambda: now)
    feed.entries = [entry("host-a", 7), entry("host-a", 8), entry("host-b", 7)]
    seen = await watch.look("host-a", {7: None})
    assert (seen.redis, seen.replicas) == ("up", {"host-a": [8], "host-b": [7]})
    assert [(row["replica"], row["process"]) for row in seen.rows] == [("host-a", 8), ("host-b", 7)]
    now = 7.0
    feed.entries.append(entry("host-b", 7, [ROW, ROW | {"number": 2}]))
    seen = await watch.look("host-a", {7: None})
    assert seen.replicas == {"host-b": [7]}
    assert [row["number"] for row in seen.rows] == [2]
    feed.state = "down"
    seen = await watch.look("host-a", {7: None})
    assert (seen.redis, seen.replicas, seen.rows) == ("down", {}, [])
    feed.state, feed.entries = "up", [entry(f"host-{number}") for number in range(2000)]
    for _ in range(40):
        seen = await watch.look("host-a", {7: None})
    assert len(seen.replicas) <= 500


async def test_without_a_redis_it_says_so(anyio_backend: str) -> None:
    seen = await ReplicaWatch(None).look("host-a", {7: None})
    assert (seen.redis, seen.replicas, seen.rows) == ("none", {}, [])
