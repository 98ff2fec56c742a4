import asyncio
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.batches.support import CHAT, Batches, chat

from gemgate.api.batches import worker_process
from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.result_session import ResultSession
from gemgate.api.batches.startup import BatchOptions, batches_at_work
from gemgate.api.batches.worker_process import (
    CallTooLongError,
    SessionLostError,
    SessionTable,
    Setup,
    WorkerProcess,
)
from gemgate.upstream.client import Upstream

pytestmark = pytest.mark.integration
JOB = LineJob("batch_1", CHAT, 1)
LINE = orjson.dumps(chat("a")) + b"\n"


@pytest.fixture
async def process() -> AsyncIterator[WorkerProcess]:
    async with aclosing(WorkerProcess(Setup({}))) as opened:
        yield opened


async def test_sessions_live_in_a_process_of_their_own(process: WorkerProcess) -> None:
    async with process.input(JOB) as one, process.input(JOB) as two:
        assert (await one(TranslateSession.feed, LINE)).native == (await two(TranslateSession.feed, LINE)).native
        assert (await one(TranslateSession.summary)).total == 1
        assert await one.run(os.getpid) != os.getpid()
    async with process.results(JOB, requests=1, not_run="batch_expired") as call:
        await call(ResultSession.feed_input, LINE)
        await call(ResultSession.end_of_input)
        assert (await call(ResultSession.write)).is_done
        assert b"batch_expired" in await call(ResultSession.errors)


async def test_a_process_that_is_killed_is_told_and_started_anew(process: WorkerProcess) -> None:
    async with process.input(JOB) as call:
        pid = await call.run(os.getpid)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SessionLostError):
            await call(TranslateSession.feed, LINE)
    async with process.input(JOB) as call:
        assert await call.run(os.getpid) != pid


async def test_a_call_that_takes_too_long_is_killed_and_the_process_started_anew() -> None:
    async with aclosing(WorkerProcess(Setup({}))) as workshop:
        async with workshop.input(JOB) as call, workshop.input(JOB) as other:
            pid = await call.run(os.getpid)
            workshop.deadline = 0.2
            with pytest.raises(CallTooLongError):
                await call.run(time.sleep, 60)
            with pytest.raises(SessionLostError):
                await other(TranslateSession.feed, LINE)
        workshop.deadline = 60
        async with workshop.input(JOB) as call:
            assert await call.run(os.getpid) != pid


async def test_an_upload_is_looked_at_while_a_batch_computes(batches: Batches) -> None:
    """`batches_at_work` gives uploads a process apart: what holds up the one does not hold up the other."""
    options = BatchOptions(Setup({}), secrets=("s",))
    made: list[WorkerProcess] = []
    with pytest.MonkeyPatch.context() as patch:

        def make(*options: Any) -> WorkerProcess:
            made.append(WorkerProcess(*options))
            return made[-1]

        patch.setattr("gemgate.api.batches.startup.WorkerProcess", make)
        async with batches_at_work(batches.store, Upstream(batches.gemini), batches.web, options) as service:
            translating, checks = made
            async with translating.input(JOB) as call:
                busy = asyncio.create_task(call.run(time.sleep, 20))
                errors: list[object] = []

                async def pieces() -> AsyncIterator[bytes]:
                    yield b"{"

                async with asyncio.timeout(15), aclosing(service.inspect(pieces(), errors.extend)) as passing:
                    assert [piece async for piece in passing] == [b"{"]
                assert errors
                assert not busy.done()
                busy.cancel()
            assert checks is not translating


async def test_an_idle_process_ends() -> None:
    async with aclosing(WorkerProcess(Setup({}), idle=0.01)) as process:
        async with process.input(JOB) as call:
            pid = await call.run(os.getpid)
            (child,) = [child for child in multiprocessing.active_children() if child.pid == pid]
        # Its sentinel, not its exit code: the pool's own thread waits for that too, and one of them gets it.
        assert await asyncio.to_thread(multiprocessing.connection.wait, [child.sentinel], 60)
        async with process.input(JOB) as call:
            assert await call.run(os.getpid) != pid


async def test_work_that_begins_in_time_keeps_the_process(process: WorkerProcess) -> None:
    async with process.input(JOB) as call:
        pid = await call.run(os.getpid)
    async with process.input(JOB) as call:
        assert await call.run(os.getpid) == pid


def test_a_session_that_was_closed_is_lost() -> None:
    sessions = SessionTable()
    sessions.open(1, partial(Setup({}).translate_session, JOB))
    sessions.open(2, partial(Setup({}).result_session, JOB, 1))
    assert sessions.call(1, TranslateSession.feed, LINE).native
    for number in (1, 2, 2):
        sessions.close(number)
    with pytest.raises(SessionLostError):
        sessions.call(1, TranslateSession.feed, LINE)


def test_what_runs_in_the_process_is_the_bench() -> None:
    worker_process._open(7, partial(Setup({}).translate_session, JOB))
    assert worker_process._call(7, TranslateSession.summary).total == 0
    worker_process._close(7)


def test_the_process_leaves_live_requests_and_ctrl_c_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda *given: done.append(given))
    monkeypatch.setattr(os, "nice", done.append)
    monkeypatch.setattr(os, "_exit", done.append)
    worker_process._prepare()
    worker_process._end_with(lambda: None)
    assert done == [(signal.SIGINT, signal.SIG_IGN), 10, 1]


_PARENT = """
import asyncio, os, sys
from gemgate.api.batches.worker_process import Setup, WorkerProcess
from gemgate.api.batches.line_translation import LineJob

async def main():
    async with WorkerProcess(Setup({})).input(LineJob("b", "/v1/embeddings", 1)) as call:
        print(await call.run(os.getpid), flush=True)
        sys.stdin.read()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_the_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        # The other end of the pipe is open for as long as the process that inherited it lives.
        assert parent.communicate(timeout=30)[0] == b""
