"""An input is looked at while it is uploaded."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import orjson
import pytest
from tests.api.batches.support import InProcessSessions, Json, chat

from gemgate.api.batches.input_check import PIECE, Inspector
from gemgate.api.batches.input_lines import MAX_LINES
from gemgate.api.batches.worker_process import SessionLostError, Setup, WorkerProcess

pytestmark = pytest.mark.slow


async def pieces(raw: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


async def inspected(raw: bytes, size: int = 7) -> list[Json]:
    errors: list[Json] = []
    passed = Inspector(cast("WorkerProcess", InProcessSessions()))(pieces(raw, size), errors.extend)
    assert b"".join([chunk async for chunk in passed]) == raw
    return errors


def jsonl(*lines: Json | bytes) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)


async def test_every_bad_line_is_told_by_its_number_and_code() -> None:
    errors = await inspected(
        jsonl(
            chat("a"),
            b"{",
            chat("a"),
            b"",
            {**chat("b"), "url": "/v1/responses"},
            {**chat("c"), "method": "GET"},
            chat("d", model="gemini-2.5-pro"),
            {"custom_id": "e"},
            chat("f"),
        )
    )
    assert [(error["line"], error["code"], error["param"]) for error in errors] == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (5, "invalid_url", "url"),
        (6, "invalid_method", "method"),
        (7, "mismatched_model", "body.model"),
        (8, "missing_required_parameter", "method"),
    ]


async def test_a_good_input_of_either_endpoint_has_no_errors() -> None:
    assert await inspected(jsonl(chat("a"), chat("b"))) == []


async def test_an_input_without_lines_is_told() -> None:
    assert [error["code"] for error in await inspected(b"")] == ["empty_file"]


async def test_too_many_lines_are_told_with_the_limits_of_both_sides() -> None:
    raw = b"".join(b"%d\n" % number for number in range(MAX_LINES + 1))
    errors = await inspected(raw, PIECE * 2)
    (told,) = [error for error in errors if error["code"] == "too_many_errors"]
    assert "49,001 more" in told["message"].replace("49001", "49,001")
    lines = jsonl(*(orjson.dumps({**chat(str(number)), "body": {"model": "m"}}) for number in range(MAX_LINES + 1)))
    (error,) = await inspected(lines, PIECE * 2)
    assert error["code"] == "max_requests_exceeded"
    assert "OpenAI" in error["message"]
    assert "Google" in error["message"]


@pytest.mark.integration
async def test_when_the_process_dies_the_bytes_go_on_and_nothing_is_told() -> None:
    told: list[Any] = []
    raw = jsonl(chat("a"), b"{")
    async with aclosing(WorkerProcess(Setup({}))) as process:
        passed = Inspector(process)(pieces(raw, 20), told.append)
        first = await anext(passed)
        async with process.check() as call:
            os.kill(await call.run(os.getpid), signal.SIGKILL)
        assert first + b"".join([chunk async for chunk in passed]) == raw
    assert told == []


@pytest.mark.parametrize("method", ["open", "finish"])
async def test_a_process_that_cannot_be_used_does_not_stop_an_upload(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    here = InProcessSessions()
    real = here.sessions.call

    def lost(*args: Any, **_more: Any) -> Any:
        if method in ("open", getattr(args[1], "__name__", "")):
            raise SessionLostError
        return real(*args)

    monkeypatch.setattr(here.sessions, "open" if method == "open" else "call", lost)
    told: list[Any] = []
    passed = Inspector(cast("WorkerProcess", here))(pieces(b"{", 1), told.append)
    assert [chunk async for chunk in passed] == [b"{"]
    assert told == []


async def test_an_upload_that_breaks_off_ends_the_session() -> None:
    here = InProcessSessions()
    async with aclosing(Inspector(cast("WorkerProcess", here))(pieces(b"{", 1), print)) as passed:
        await anext(passed)
    assert here.sessions._sessions == {}
