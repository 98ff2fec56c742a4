"""Who may read `/metrics`, and that several workers are read as one."""

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, values
from sqlalchemy.exc import OperationalError
from tests.support.command import command
from tests.support.scrape import Scrape, scrape
from tests.support.stack import KEY, stack

from gemgate.observability.multiprocess import VARIABLE, of_all_workers, shared_by_workers
from gemgate.store.batches import BatchRows

PATIENCE = 60.0
TOKEN = "a-made-up-metrics-token"
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}


def test_whoever_reaches_the_port_reads_the_metrics_unless_there_is_a_token() -> None:
    with stack() as running:
        answer = httpx.get(f"{running.gateway}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("headers", [{}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": TOKEN}])
def test_with_a_token_nobody_reads_the_metrics_without_it(headers: dict[str, str]) -> None:
    with stack(metrics_token=TOKEN) as running:
        answer = httpx.get(f"{running.gateway}/metrics", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "gemgate_" not in answer.text
        assert TOKEN not in answer.text
        assert "gemgate_requests_in_progress" in scrape(running.gateway, authorization=f"Bearer {TOKEN}").text


def test_a_scraper_can_have_openmetrics() -> None:
    with stack() as running:
        answer = httpx.get(
            f"{running.gateway}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}
        )
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_store_that_does_not_answer_leaves_the_other_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(BatchRows, "count_by_status", broken)
    with stack() as running:
        text = scrape(running.gateway).text
    assert 'gemgate_batches{status="completed"} NaN' in text
    assert "gemgate_requests_in_progress" in text


def test_no_key_is_in_the_metrics() -> None:
    secret = "AIzaSyA-planted-planted-planted-planted-0"
    with stack(gemini_api_key=(secret,), client_keys=("client-key-planted-0123456789",)) as running:
        headers = {"authorization": "Bearer client-key-planted-0123456789"}
        httpx.post(f"{running.base()}/chat/completions", json=CHAT, headers=headers)
        httpx.post(f"{running.base()}/chat/completions", json=CHAT, headers={"authorization": "Bearer wrong-planted"})
        httpx.get(f"{running.gateway}/{secret}?key={secret}")
        text = scrape(running.gateway).text
    assert "planted" not in text


def workers(number: int, temporary: Path) -> AbstractContextManager[tuple[subprocess.Popen[str], str]]:
    """The command with so many workers, and its address."""
    arguments = ("serve", "--emulator", "--port", "0", "--workers", str(number))
    return command(*arguments, GEMGATE_LOG_LEVEL="error", TMPDIR=str(temporary))


def until(origin: str, is_right: Callable[[Scrape], bool]) -> Scrape:
    """The metrics, once they are right; each scrape may be answered by another worker."""
    found = None
    for _ in range(200):
        found = scrape(origin)
        if is_right(found):
            return found
        threading.Event().wait(0.05)
    raise AssertionError(found.text if found else "")


def chat(origin: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", "connection": "close"}
    return httpx.post(f"{origin}/v1/chat/completions", json=CHAT | body, headers=headers, timeout=PATIENCE)


def test_the_metrics_of_two_workers_are_one_and_their_directory_goes_with_them(tmp_path: Path) -> None:
    with workers(2, tmp_path) as (process, origin):
        total = {"prompt": 0, "completion": 0}
        for _ in range(8):
            usage = chat(origin).json()["usage"]
            total["prompt"] += usage["prompt_tokens"]
            total["completion"] += usage["completion_tokens"]
        for _ in range(6):
            found = until(origin, lambda scraped: scraped.value("gemgate_requests_total") >= 8)
            assert found.value("gemgate_requests_total", status="200") == 8
            assert found.value("gemgate_request_duration_seconds_count") == 8
            kinds = {
                kind: found.value("gemgate_tokens_total", kind=kind)
                for kind in found.labels("gemgate_tokens_total", "kind")
            }
            assert kinds["prompt"] + kinds["cached"] == total["prompt"]
            assert kinds["completion"] + kinds["thoughts"] == total["completion"]
            assert found.value("gemgate_requests_in_progress") == 0
            assert found.value("gemgate_build_info") == 1
            assert math.isnan(found.value("gemgate_redis_up"))  # there is none
        (directory,) = directories_of(process.pid)
        assert directory.is_dir()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert not directory.exists()


def directories_of(pid: int) -> set[Path]:
    """Where the workers of this process keep their values."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = set()
    for child in children:
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {
            Path(os.fsdecode(item.partition(b"=")[2])) for item in environment if item.startswith(VARIABLE.encode())
        }
    return found


def test_the_open_streams_of_a_worker_that_died_are_forgotten_but_not_its_counts(tmp_path: Path) -> None:
    with workers(2, tmp_path) as (process, origin):
        chat(origin)
        until(origin, lambda scraped: scraped.value("gemgate_requests_total", status="200") == 1)
        body = CHAT | {"model": "emulator-slow-stream-30", "stream": True}
        headers = {"authorization": f"Bearer {KEY}"}
        with (
            suppress(httpx.HTTPError),
            httpx.stream(
                "POST", f"{origin}/v1/chat/completions", json=body, headers=headers, timeout=PATIENCE
            ) as answer,
        ):
            pieces = answer.iter_bytes()
            next(pieces)
            until(origin, lambda scraped: scraped.value("gemgate_open_streams") == 1)
            for child in worker_processes(process.pid):
                os.kill(child, signal.SIGKILL)
            list(pieces)
        found = until(origin, lambda scraped: scraped.value("gemgate_open_streams") == 0)
        assert found.value("gemgate_requests_total", status="200") == 1
        assert found.value("gemgate_requests_in_progress") == 0


def worker_processes(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_one_worker_takes_no_directory_even_if_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere")
    with shared_by_workers(1):
        assert VARIABLE not in os.environ


def test_several_workers_have_a_directory_for_as_long_as_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with shared_by_workers(2):
        directory = Path(os.environ[VARIABLE])
        assert directory.is_dir()
        assert directory.stat().st_mode & 0o077 == 0
    assert not directory.exists()
    assert VARIABLE not in os.environ


SHARED = """
import os, sys
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from gemgate.observability.multiprocess import of_all_workers
registry = CollectorRegistry()
gauge = Gauge("open", "-", multiprocess_mode="livesum", registry=registry)
gauge.set(int(sys.argv[1]))
print(generate_latest(of_all_workers(registry)).decode())
"""


def test_a_process_that_has_ended_is_no_longer_counted(tmp_path: Path) -> None:
    def run(value: str) -> str:
        environment = os.environ | {VARIABLE: str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", SHARED, value], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    run("5")
    assert "open 7.0" in run("7")


def test_a_single_process_shows_its_own_registry() -> None:
    registry = CollectorRegistry()
    assert of_all_workers(registry) is registry


def test_whoever_is_asked_reads_the_files_of_all_and_removes_those_of_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = os.environ | {VARIABLE: str(tmp_path)}
    subprocess.run([sys.executable, "-c", SHARED, "5"], env=environment, capture_output=True, check=True)
    (dead,) = tmp_path.glob("gauge_livesum_*.db")
    alive = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    first = tmp_path / "gauge_livesum_1.db"  # a process that belongs to somebody else, or to us
    for copy in (alive, first):
        copy.write_bytes(dead.read_bytes())
    monkeypatch.setattr(values, "ValueClass", object)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    shared = of_all_workers(CollectorRegistry())
    assert not dead.exists()
    assert shared.get_sample_value("open") == 10
