"""What is remembered of requests that have ended, and what the workers say to each other."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gemgate.api.console.activity import BUCKET_SECONDS, HOURS, KEPT, Activity
from gemgate.api.console.workers import WorkerPeers
from gemgate.observability.record import EndedRequest

NOW = 1_800_000_000.0
SECRET = "AIzaSyGatewaysOwnGeminiKey0123456789abc"


def ended(
    number: int = 0, at: float = NOW, bodies: Mapping[str, object] | None = None, **fields: object
) -> EndedRequest:
    known = {"method": "POST", "path": "/v1/chat/completions", "status": 200, "outcome": "completed", "ms": 1.0}
    return EndedRequest(at, f"req_{number}", False, known | fields, bodies)


def answered(model: str, caller: str, cost: float = 0.5, **others: Any) -> dict[str, Any]:
    return {"model": model, "served": model, "caller": caller, "prompt_tokens": 3, "completion_tokens": 4} | {
        "cost_usd": cost,
        **others,
    }


def test_a_watcher_gets_each_request_once_in_order() -> None:
    activity = Activity()
    for number in range(3):
        activity.keep(ended(number))
    assert [row["request_id"] for row in activity.after(0)] == ["req_0", "req_1", "req_2"]
    activity.keep(ended(3))
    assert [row["request_id"] for row in activity.after(3)] == ["req_3"]
    assert activity.after(4) == []
    assert [row["request_id"] for row in activity.after(0, 2)] == ["req_2", "req_3"]


def test_memory_has_an_end() -> None:
    activity = Activity()
    for number in range(KEPT + 500):
        activity.keep(ended(number, bodies={"request_body": "x"}))
    rows = activity.after(0)
    assert len(rows) == KEPT
    assert len([row for row in rows if "bodies" in row]) == 50
    assert "bodies" in rows[-1]


def test_secrets_are_hidden_as_in_the_log_and_the_console_itself_is_left_out() -> None:
    activity = Activity()
    activity.keep(ended(1, model=SECRET, served="x", error=f"Bearer {SECRET}", bodies={"request_body": {"a": SECRET}}))
    activity.keep(ended(2, path="/console/api/send"))
    (row,) = activity.after(0)
    assert SECRET not in repr(row)
    assert row["request_id"] == "req_1"


def test_usage_is_added_up_by_time_model_and_caller() -> None:
    activity = Activity(lambda: NOW)
    for at, caller, cost in ((NOW, "a", 0.5), (NOW, "a", 0.25), (NOW, "b", 1.0), (NOW - BUCKET_SECONDS, "a", 2.0)):
        activity.keep(ended(at=at, **answered("gemini-2.5-flash", caller, cost)))
    activity.keep(ended(status=404, model="made-up", served="made-up", caller="a"))
    activity.keep(ended(path="/v1/files"))
    usage = {(row["at"], row["model"], row["caller"]): row for row in activity.usage()}
    at = int(NOW) // BUCKET_SECONDS * BUCKET_SECONDS
    model = "gemini-2.5-flash"
    assert set(usage) == {
        (at, model, "a"), (at, model, "b"), (at - BUCKET_SECONDS, model, "a"), (at, "other", "a"),
    }  # fmt: skip
    both = usage[at, model, "a"]
    assert (both["requests"], both["prompt"], both["completion"], both["cost"]) == (2, 6, 8, 0.75)
    assert (usage[at, "other", "a"]["failed"], usage[at, "other", "a"]["cost"]) == (1, 0.0)


def test_usage_is_bounded_in_time_and_in_callers() -> None:
    now = NOW
    activity = Activity(lambda: now)
    for number in range(1000):
        activity.keep(ended(**answered("gemini-2.5-flash", f"caller {number}")))
    rows = activity.usage()
    assert len(rows) == 201
    assert sum(row["requests"] for row in rows if isinstance(row["requests"], int)) == 1000
    now += HOURS * 3600 + BUCKET_SECONDS
    assert activity.usage() == []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.integration
async def test_workers_answer_each_other_and_one_that_is_gone_is_left_out(tmp_path: Path, anyio_backend: str) -> None:
    def worker(name: str, process: int) -> WorkerPeers:
        async def answer(number: int) -> object:
            return [name, number]

        return WorkerPeers({"requests": answer}, tmp_path, process)

    first, second, third = worker("first", 1), worker("second", 2), worker("third", 3)
    (tmp_path / "console-9.sock").touch()  # of a process that was killed
    (tmp_path / "counter_9.db").touch()
    async with first.listening(), second.listening():
        async with third.listening():
            assert await first.ask("requests", {2: 5}) == {1: ["first", 0], 2: ["second", 5], 3: ["third", 0]}
        assert await second.ask("requests") == {1: ["first", 0], 2: ["second", 0]}
        reader, writer = await asyncio.open_unix_connection(tmp_path / "console-1.sock")
        writer.write(b"environment 0\n")
        assert await reader.read() == b""
        writer.close()


async def test_a_process_on_its_own_asks_nobody(anyio_backend: str) -> None:
    async def answer(number: int) -> object:
        return number

    alone = WorkerPeers({"usage": answer}, None, 7)
    async with alone.listening():
        assert await alone.ask("usage", {7: 3}) == {7: 3}


@pytest.mark.integration
async def test_a_directory_that_is_too_long_for_a_socket_stops_no_worker(tmp_path: Path, anyio_backend: str) -> None:
    async def answer(number: int) -> object:
        return number

    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    first, second = (WorkerPeers({"usage": answer}, directory, process) for process in (1, 2))
    async with first.listening(), second.listening():
        assert await first.ask("usage", {1: 3}) == {1: 3}
