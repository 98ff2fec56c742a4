"""What batches cost: lines a second, memory, and what a live request feels meanwhile. `python -m benchmarks.batches`.

Translation is measured in CPU seconds of one process, which a busy machine does not change much. The delay of a live
request is wall time, over sockets, and does depend on the machine.
"""

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import httpx
import orjson

from gemgate.api.batches.claimed import BlobNames
from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.result_session import ResultSession
from gemgate.api.batches.transfer import Transfer
from gemgate.api.batches.worker_process import Setup, WorkerProcess
from gemgate.auth.caller import Caller
from gemgate.store import Store

FEW, MANY = 5_000, 50_000
CHAT = "/v1/chat/completions"
PROBES = 400
_PIECE = 65_536
_KEY = {"authorization": "Bearer AIza-benchmark"}
_PATIENCE = 600.0


def _line(number: int) -> bytes:
    messages = [{"role": "system", "content": "s" * 200}, {"role": "user", "content": f"{number} " + "u" * 200}]
    body = {"model": "gemini-2.5-flash", "messages": messages, "temperature": 0.5, "max_tokens": 500}
    line = {"custom_id": f"request-{number}", "method": "POST", "url": CHAT, "body": body}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _result(number: int) -> bytes:
    usage = {"promptTokenCount": 60, "candidatesTokenCount": 80, "thoughtsTokenCount": 40, "totalTokenCount": 180}
    content = {"role": "model", "parts": [{"text": "An answer of some length. " * 16}]}
    response = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": f"response-{number}",
    }
    result = {"key": f"{number}-{number}-0-1", "response": response}
    return orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)


def _written(directory: Path, name: str, make: Callable[[int], bytes], lines: int) -> Path:
    path = directory / name
    with path.open("wb") as file:
        file.writelines(make(number) for number in range(lines))
    return path


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _inward(job: LineJob, translators: Any, requests: Path) -> int:
    session = TranslateSession(job, translators)
    for piece in _pieces(requests):
        session.feed(piece)
    session.finish()
    done = session.summary().requests
    session.close()
    return done


def _outward(job: LineJob, translators: Any, requests: Path, results: Path, lines: int) -> int:
    session = ResultSession(job, translators, requests=lines)
    for piece in _pieces(requests):
        session.feed_input(piece)
    for piece in _pieces(results):
        session.feed_results(piece)
    session.end_of_input()
    while not session.write().is_done:
        pass
    done = session.summary().completed
    session.close()
    return done


def measure_translation(lines: int) -> None:
    """Print CPU seconds in, CPU seconds out, and the growth of the resident set at its peak in MB, as JSON."""
    job, translators = LineJob("batch_benchmark", CHAT, 1_800_000_000), Setup({}).translators()
    with tempfile.TemporaryDirectory() as name:
        requests = _written(Path(name), "requests", _line, lines)
        results = _written(Path(name), "results", _result, lines)
        few = _written(Path(name), "few", _line, 100)
        _inward(job, translators, few)
        before, begun = peak(os.getpid()), time.process_time()
        done = _inward(job, translators, requests)
        middle = time.process_time()
        done += _outward(job, translators, requests, results, lines)
        ended = time.process_time()
    if done != 2 * lines:
        raise RuntimeError(f"{done} of {2 * lines} lines")
    print(orjson.dumps([middle - begun, ended - middle, peak(os.getpid()) - before]).decode())


def peak(process_id: int) -> float:
    """The largest resident set of a process so far, in MB."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _in_fresh_process(lines: int) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "benchmarks.batches", str(lines)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_PATIENCE).stdout
    inward, outward, growth = orjson.loads(answer)
    return inward, outward, growth


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _started(stack: ExitStack, url: str, *command: str, **environment: str) -> int:
    """Start a process that answers at `url`; its id."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return process.pid
    raise TimeoutError(f"nothing answers at {url}")


@contextmanager
def _gateway() -> Iterator[tuple[httpx.Client, int]]:
    """A gateway before an emulator, each in a process of its own: a client of it, and its process id."""
    google, gateway = _free_port(), _free_port()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        upstream, origin = f"http://127.0.0.1:{google}", f"http://127.0.0.1:{gateway}"
        _started(stack, upstream, "-m", "gemgate", "emulate", "--port", str(google))
        process_id = _started(
            stack,
            f"{origin}/healthz",
            *("-m", "gemgate", "serve", "--port", str(gateway)),
            GEMGATE_UPSTREAM=upstream,
            GEMGATE_DATA_DIR=directory,
            GEMINI_API_KEY="",
        )
        yield stack.enter_context(httpx.Client(base_url=origin, headers=_KEY, timeout=_PATIENCE)), process_id


def _probe(client: httpx.Client) -> float:
    """Milliseconds of a live request."""
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
    begun = time.perf_counter()
    client.post(CHAT, json=body).raise_for_status()
    elapsed = time.perf_counter() - begun
    time.sleep(0.005)
    return elapsed * 1e3


def measure_live() -> tuple[list[float], list[float], float]:
    """Milliseconds of live requests with nothing else to do, and while an input of `MANY` lines is translated.

    The third figure is by how many MB the peak of the gateway's resident set grows from the upload to the translation.
    """
    with _gateway() as (client, process_id), tempfile.TemporaryDirectory() as name:
        for _ in range(50):
            _probe(client)
        idle = [_probe(client) for _ in range(PROBES)]
        before = peak(process_id)
        requests = _written(Path(name), "requests", _line, MANY)
        with requests.open("rb") as file:
            made = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", file)}).json()
        body = {"input_file_id": made["id"], "endpoint": CHAT, "completion_window": "24h"}
        batch = client.post("/v1/batches", json=body).json()
        busy: list[float] = []
        while batch["status"] == "validating":
            busy.extend(_probe(client) for _ in range(10))
            batch = client.get(f"/v1/batches/{batch['id']}").json()
        if batch["status"] == "failed":
            raise RuntimeError(batch["errors"])
        return idle, busy, peak(process_id) - before


def measure_hold(lines: int) -> list[float]:
    """CPU milliseconds of each callback of the event loop while an input of so many lines is translated beside it."""
    with tempfile.TemporaryDirectory() as name:
        requests = _written(Path(name), "requests", _line, lines)
        return sorted(asyncio.run(_translate_beside(Path(name), requests, lines)))


async def _translate_beside(directory: Path, requests: Path, lines: int) -> list[float]:
    job = LineJob("batch_benchmark", CHAT, 1_800_000_000)

    async def resolve(*_: object) -> NoReturn:
        raise NotImplementedError

    async def pieces() -> AsyncIterator[bytes]:
        for piece in _pieces(requests):
            yield piece

    async with (
        Store.open(data_dir=directory / "data") as store,
        aclosing(WorkerProcess(Setup({}, directory=directory))) as workshop,
    ):
        await store.blobs.put(BlobNames(job.batch_id).input, pieces())
        transfer = Transfer(store.blobs, store.files, workshop, resolve)
        with _held() as held:
            intake = await transfer.translate(job, Caller("key", "caller"))
    if intake.summary.requests != lines:
        raise RuntimeError(intake.summary)
    return held


@contextmanager
def _held() -> Iterator[list[float]]:
    """CPU milliseconds of each callback of asyncio's event loop in the block."""
    held: list[float] = []
    real = asyncio.Handle._run  # noqa: SLF001  where asyncio's own loop calls everything

    def run(self: asyncio.Handle) -> None:
        begun = time.thread_time()
        real(self)
        held.append((time.thread_time() - begun) * 1e3)

    with mock.patch.object(asyncio.Handle, "_run", run):
        yield held


def rows(*, quick: bool = False) -> list[tuple[str, str]]:
    """What is measured, and the figure; `quick` takes a tenth of the lines and no live requests."""
    few, many = (FEW // 10, MANY // 10) if quick else (FEW, MANY)
    small, large, held = _in_fresh_process(few), _in_fresh_process(many), measure_hold(many)
    found = [
        ("chat lines translated for Google", f"{many / large[0]:,.0f} a CPU second"),
        ("Google's answers translated back", f"{many / large[1]:,.0f} a CPU second"),
        (f"memory of the translator, {few:,} lines in and out", f"{small[2]:.0f} MB more at the peak"),
        (f"memory of the translator, {many:,} lines in and out", f"{large[2]:.0f} MB more at the peak"),
        (
            f"{many:,} lines translated beside the event loop hold it",
            f"p99 {held[len(held) * 99 // 100]:.1f} ms, at most {held[-1]:.1f} ms (CPU)",
        ),
    ]
    return found if quick else found + _live_rows()


def _live_rows() -> list[tuple[str, str]]:
    idle, busy, growth = measure_live()
    return [
        (f"memory of the gateway, {MANY:,} lines uploaded and translated", f"{growth:.0f} MB more at the peak"),
        ("live request, nothing else to do", _spread(idle)),
        (f"live request while {MANY:,} lines are translated", _spread(busy)),
    ]


def table(*, quick: bool = False) -> str:
    """The rows as Markdown."""
    return "\n".join(
        ["\n| batches | |", "|---|---|", *(f"| {name} | {figure} |" for name, figure in rows(quick=quick))]
    )


def _spread(milliseconds: list[float]) -> str:
    cuts = statistics.quantiles(milliseconds, n=100)
    return f"median {statistics.median(milliseconds):.1f} ms, p99 {cuts[98]:.1f} ms ({len(milliseconds)} requests)"


def main() -> None:
    """Print the table; with a number of lines, the raw figures of a translation."""
    if len(sys.argv) == 2 and re.fullmatch(r"\d+", sys.argv[1]):
        measure_translation(int(sys.argv[1]))
        return
    print(table())


if __name__ == "__main__":
    main()
