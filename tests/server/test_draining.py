"""From SIGTERM on: first not ready and still serving, then no longer listening, then gone."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from types import FrameType

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.command import PATIENCE, command, refuses

from gemgate.server.draining import Drain

CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
LONG = "600"


def until(is_so: Callable[[], bool]) -> None:
    """Asks again and again: nobody tells when a signal has arrived in another process."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/chat/completions", json=CHAT)


def told_to_stop(process: subprocess.Popen[str], url: str) -> None:
    """SIGTERM has arrived in every worker."""
    process.send_signal(signal.SIGTERM)

    def is_ready() -> bool:  # the kernel gives each of these connections to one of the workers
        return any(httpx.get(f"{url}/readyz", timeout=PATIENCE).status_code == 200 for _ in range(20))

    until(lambda: not is_ready())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_for_the_delay_it_is_not_ready_and_serves_on(workers: str) -> None:
    arguments = ("serve", "--emulator", "--port", "0", "--workers", workers)
    key = {"authorization": "Bearer demo"}
    with (
        command(*arguments, GEMGATE_SHUTDOWN_DELAY=LONG) as (process, url),
        httpx.Client(base_url=url, headers=key, timeout=PATIENCE) as kept,
        httpx.Client(base_url=url, headers=key, timeout=PATIENCE) as fresh,
    ):
        before = ask(kept)
        assert (before.status_code, before.headers.get("connection")) == (200, None)
        assert kept.get("/readyz").status_code == 200
        told_to_stop(process, url)

        probed = kept.get("/readyz")  # on the connection that there was before
        assert probed.status_code == 503
        assert probed.json() == {"status": "unavailable", "reason": "the gateway is shutting down"}
        assert probed.headers["connection"] == "close"
        for client in (kept, fresh, fresh):
            answer = ask(client)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert fresh.get("/healthz").status_code == 200

        process.send_signal(signal.SIGTERM)  # enough of it
        assert process.wait(PATIENCE) == 0
        assert refuses(url)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_after_the_delay_it_listens_no_more_and_streams_end_as_ever(workers: str) -> None:
    arguments = ("serve", "--emulator", "--port", "0", "--workers", workers)
    settings = {"GEMGATE_SHUTDOWN_DELAY": "0.2", "GEMGATE_SHUTDOWN_TIMEOUT": "1"}
    body = {**CHAT, "model": "emulator-slow-stream-60", "stream": True}
    with command(*arguments, **settings) as (process, url):
        headers = {"authorization": "Bearer demo"}
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers, timeout=PATIENCE) as answer:
            pieces = answer.iter_text()
            received = next(pieces)
            process.send_signal(signal.SIGTERM)
            until(lambda: refuses(url))
            received += "".join(pieces)
        assert process.wait(PATIENCE) == 0
    assert '"code":"server_shutting_down"' in received


def test_ctrl_c_knows_no_delay() -> None:
    with command("serve", "--emulator", "--port", "0", GEMGATE_SHUTDOWN_DELAY=LONG) as (process, url):
        assert httpx.get(f"{url}/readyz", timeout=PATIENCE).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


@pytest.fixture
def server() -> Iterator[asyncio.Event]:
    """Set when SIGTERM has reached the one who handles it without us."""
    reached = asyncio.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        reached.set()

    before = signal.signal(signal.SIGTERM, handle)
    yield reached
    assert signal.getsignal(signal.SIGTERM) is handle
    signal.signal(signal.SIGTERM, before)


async def test_without_a_delay_the_server_hears_at_once(server: asyncio.Event) -> None:
    drain = Drain(0)
    with drain.handle_sigterm():
        assert not drain.begun
        signal.raise_signal(signal.SIGTERM)
        assert (drain.begun, server.is_set()) == (True, True)


async def test_with_a_delay_the_server_hears_later(server: asyncio.Event) -> None:
    drain = Drain(0.02)
    with drain.handle_sigterm(), capture_logs() as logs:
        signal.raise_signal(signal.SIGTERM)
        assert (drain.begun, server.is_set()) == (True, False)
        async with asyncio.timeout(PATIENCE):
            while not server.is_set():  # noqa: ASYNC110  a handler of signals may run outside of the loop
                await asyncio.sleep(0.001)
    assert [line["seconds"] for line in logs] == [0.02]


async def test_a_second_signal_ends_the_delay(server: asyncio.Event) -> None:
    with Drain(600).handle_sigterm():
        signal.raise_signal(signal.SIGTERM)
        assert not server.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert server.is_set()


async def test_outside_of_the_main_thread_there_is_nothing_to_hear(server: asyncio.Event) -> None:
    handler = signal.getsignal(signal.SIGTERM)

    async def elsewhere() -> None:
        with Drain(600).handle_sigterm():
            assert signal.getsignal(signal.SIGTERM) is handler

    await asyncio.to_thread(lambda: asyncio.run(elsewhere()))


async def test_nothing_stays_behind_when_it_is_over(server: asyncio.Event) -> None:
    with Drain(600).handle_sigterm():
        pass
    signal.raise_signal(signal.SIGTERM)
    assert server.is_set()
