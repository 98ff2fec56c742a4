"""Batches through gateways that are killed: real processes, a real store, and an emulator that outlives them."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.api.batches.support import Json
from tests.support.vertex_stack import PROJECT, service_account

from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.emulator.timing import Timing

ROOT = Path(__file__).parents[3]
REPLICA = ("-m", "tests.api.batches.replica")
KEY = "AIza-made-up"
LOCATION = "us-central1"
VERTEX_JOBS = f"/v1/projects/{PROJECT}/locations/{LOCATION}/batchPredictionJobs"
PATIENCE = 90.0
FINAL = {"completed", "failed", "expired", "cancelled"}
BUSY = "SELECT 1 FROM batches WHERE next_poll_at IS NOT NULL"


@dataclass(frozen=True)
class Kill:
    """When a gateway dies: at a touch of its own, or of Google's, which is told by its text."""

    by: Literal["gateway", "google"]
    at: str


class Gate:
    """Google's door: the requests of gateways, each of which may be the last thing that a gateway does.

    Attributes:
        kill_at: Texts of touches: `before …` it is looked at, `after …` it is done and not answered, `during …` its
            answer.
        kill: Called at the first of them.
        killed_at: That one; empty before.
        tell: Called with each touch.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.kill_at: set[str] = set()
        self.killed_at = ""
        self.kill: Callable[[], None] = lambda: None
        self.tell: Callable[[str], object] = lambda _what: None
        self._is_armed = False

    def arm(
        self, kill_at: Iterable[str], kill: Callable[[], None], tell: Callable[[str], object] = lambda _what: None
    ) -> None:
        """Watch from here on."""
        self.kill_at, self.kill, self.tell = set(kill_at), kill, tell
        self.killed_at, self._is_armed = "", True

    def disarm(self) -> None:
        """Let everything pass."""
        self._is_armed = False

    def _touch(self, what: str) -> bool:
        if not self._is_armed:
            return False
        is_reached = what in self.kill_at
        self.tell(what)
        if is_reached:
            self._is_armed, self.killed_at = False, what
            self.kill()
        return is_reached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        what = f"{scope['method']} {_generic(scope['path'])}"
        if self._touch(f"before {what}"):
            return
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                self._touch(f"after {what}")
            body: bytes = message.get("body", b"")
            if len(body) > 1 and not has_begun:
                has_begun = True
                # One byte of it: of a whole piece, a gateway might have read all, and be done, before it is killed.
                await send({"type": "http.response.body", "body": body[:1], "more_body": True})
                self._touch(f"during {what}")
                message = {**message, "body": body[1:]}
            await send(message)

        await self._app(scope, receive, watched)


def _generic(path: str) -> str:
    """A path without ids."""
    head, colon, method = path.partition(":")
    parts = head.split("/")
    if parts[1] == "storage":
        return f"/storage/{path.rpartition('/')[2]}"
    if parts[-2] in ("files", "batches", "batchPredictionJobs"):
        parts[-1] = "id"
    return "/".join(parts) + colon + method


@dataclass
class Replica:
    """A gateway in a process of its own. `environment` says where its store is."""

    directory: Path
    upstream: str
    environment: Mapping[str, str] = field(default_factory=dict)
    kill_at: Sequence[str] = ()
    command: Sequence[str] = REPLICA
    process: "subprocess.Popen[str]" = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.touches = self.directory / "touches"
        self.touches.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "GEMGATE_DATA_DIR": str(self.directory / "data"),
            "GEMGATE_UPSTREAM": self.upstream,
            "GEMINI_API_KEY": "",
            "GEMGATE_CLIENT_KEYS": "",
            "TOUCHES": str(self.touches),
            "KILL_AT": "\n".join(self.kill_at),
            **self.environment,
        }
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def kill(self) -> None:
        """As `kill -9`."""
        self.process.kill()

    def close(self) -> None:
        """Make sure that it is gone."""
        with self.process:
            self.process.kill()

    def tell(self, what: str) -> None:
        """Write down a touch of Google's among its own."""
        with self.touches.open("a") as log:
            log.write(f"google {what}\n")

    def seen(self) -> list[Kill]:
        """All touches, in their order."""
        return [
            Kill("google", text.removeprefix("google ")) if text.startswith("google ") else Kill("gateway", text)
            for text in self.touches.read_text().splitlines()
        ]

    def last(self) -> Kill:
        """Its own last touch."""
        return [kill for kill in self.seen() if kill.by == "gateway"][-1]


class Gateways:
    """An emulator, and the gateways before it, one of which runs at a time."""

    def __init__(
        self,
        directory: Path,
        upstream: str,
        gate: Gate,
        environment: Mapping[str, str],
        command: Sequence[str] = REPLICA,
    ) -> None:
        self.directory = directory
        self.upstream = upstream
        self.gate = gate
        self.environment = environment
        self.command = command
        self.deaths = 0
        self.patience = PATIENCE
        self.kills: list[Kill] = []
        self._replica: Replica | None = None

    @property
    def replica(self) -> Replica:
        """The gateway that runs, or has just been killed."""
        assert self._replica is not None, "start first"
        return self._replica

    def renew(self) -> None:
        """Another process in place of this one, which dies at the first of `kills` that it meets."""
        self.close()
        own = [kill.at for kill in self.kills if kill.by == "gateway"]
        self._replica = Replica(self.directory, self.upstream, self.environment, own, self.command)
        self.gate.arm(self.at_google(), self._replica.kill, self._replica.tell)

    def at_google(self) -> list[str]:
        """The touches of Google's among `kills`."""
        return [kill.at for kill in self.kills if kill.by == "google"]

    def close(self) -> None:
        """Make sure that no gateway runs."""
        if self._replica:
            self._replica.close()

    def _replace_killed(self) -> None:
        """The gateway died as it should: go on with another one."""
        assert self.replica.process.wait(PATIENCE) == -signal.SIGKILL, self.log()
        self.deaths += 1
        at_google = self.gate.killed_at
        self.kills.remove(Kill("google", at_google) if at_google else self.replica.last())
        self.renew()

    def log(self) -> str:
        """What the gateways had to say."""
        return (self.directory / "log").read_text()[-5000:]

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """An answer, or None when the gateway died of the question: then there is another one."""
        headers = {"authorization": f"Bearer {KEY}"}
        try:
            answer = httpx.request(method, self.replica.url + path, headers=headers, timeout=self.patience, **more)
        except httpx.TransportError:
            self._replace_killed()
            return None
        return answer.raise_for_status()

    def asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer of the first gateway that gives one."""
        while (answer := self.ask(method, path, **more)) is None:
            pass
        return answer

    def upload(self, lines: Sequence[Json]) -> str:
        """The id of an input file."""
        raw = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        form = {"data": {"purpose": "batch"}, "files": {"file": ("in.jsonl", raw)}}
        return str(self.asked("POST", "/files", **form).json()["id"])

    def create(self, file_id: str, endpoint: str) -> Json:
        """A batch: that of the dead gateway, if it came to be."""
        body = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h", "metadata": {"a": "b"}}
        while (answer := self.ask("POST", "/batches", json=body)) is None:
            known: list[Json] = self.asked("GET", "/batches").json()["data"]
            if found := [batch for batch in known if batch["input_file_id"] == file_id]:
                return found[0]
        return dict(answer.json())

    def ended(self, batch_id: str, cancel_in: str = "") -> Json:
        """The batch, once it has ended; it is cancelled as soon as it is `cancel_in`."""
        deaths, end = self.deaths, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            batch = self.asked("GET", f"/batches/{batch_id}").json()
            if deaths != self.deaths:
                deaths, end = self.deaths, time.monotonic() + PATIENCE
            if batch["status"] in FINAL:
                return dict(batch)
            if batch["status"] == cancel_in:
                with suppress(httpx.HTTPStatusError):
                    self.ask("POST", f"/batches/{batch_id}/cancel")
            time.sleep(0.03)
        raise AssertionError((batch, self.log()))

    def rest(self) -> None:
        """Wait until what follows the end of a batch is done as well, such as deleting files at Google."""
        deaths, end = self.deaths, time.monotonic() + PATIENCE
        while self.is_busy():
            assert time.monotonic() < end, self.log()
            self.asked("GET", "/batches")  # tells whether the gateway has died
            if deaths != self.deaths:
                deaths, end = self.deaths, time.monotonic() + PATIENCE
            time.sleep(0.03)

    def is_busy(self) -> bool:
        """Whether there is anything left to do for a batch."""
        with closing(sqlite3.connect(self.directory / "data" / "gemgate.sqlite3")) as connection:
            return connection.execute(BUSY).fetchone() is not None

    def lines(self, file_id: str | None) -> list[Json]:
        """The lines of a file."""
        if file_id is None:
            return []
        return [orjson.loads(line) for line in self.asked("GET", f"/files/{file_id}/content").content.splitlines()]

    def jobs(self, batch_id: str) -> list[Json]:
        """What Google was given for a batch."""
        if "GEMGATE_VERTEX_BUCKET" in self.environment:
            bearer = {"authorization": "Bearer ya29.of-the-test"}
            listed = httpx.get(self.upstream + VERTEX_JOBS, params={"pageSize": 1000}, headers=bearer).json()
            made: list[Json] = listed.get("batchPredictionJobs", [])
            return [job for job in made if job["displayName"] == f"gemgate-{batch_id}"]
        page = httpx.get(f"{self.upstream}/v1beta/batches", params={"pageSize": 1000}, headers={"x-goog-api-key": KEY})
        found = page.json().get("operations", [])
        return [job for job in found if job["metadata"]["displayName"] == f"gemgate-{batch_id}"]

    def processes(self) -> set[int]:
        """The gateways and their helpers that are alive."""
        mark = f"GEMGATE_DATA_DIR={self.directory / 'data'}\0".encode()
        found = set()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environ.read_bytes():
                    found.add(int(environ.parent.name))
        return found


@contextmanager
def emulator_behind_gate() -> Iterator[tuple[str, Gate]]:
    """An emulator whose jobs go a phase on each time that they are asked for."""
    gate = Gate(create_emulator(timing=Timing(pending=3600, running=3600, step_on_poll=True)))
    with serve_in_thread(app=gate) as upstream:
        yield upstream, gate


def vertex_environment(directory: Path, upstream: str) -> dict[str, str]:
    """That of gateways to which `upstream` is Vertex AI and Cloud Storage; their credentials are in `directory`."""
    credentials = directory / "credentials.json"
    credentials.write_bytes(orjson.dumps(service_account(upstream)))
    return {
        "GEMGATE_UPSTREAM": "vertex",
        "GEMGATE_VERTEX_ENDPOINT": upstream,
        "GEMGATE_VERTEX_STORAGE_ENDPOINT": f"{upstream}/storage",
        "GEMGATE_VERTEX_BUCKET": "gs://a-bucket/gemgate",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "GOOGLE_CLOUD_LOCATION": LOCATION,
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
    }


@contextmanager
def gateways_in(directory: Path, *, in_vertex: bool = False) -> Iterator[Gateways]:
    """Gateways whose files are in `directory`; at the end no process of theirs is left."""
    with emulator_behind_gate() as (upstream, gate):
        environment = vertex_environment(directory, upstream) if in_vertex else {}
        made = Gateways(directory, upstream, gate, environment)
        try:
            yield made
        finally:
            made.close()
        gone = threading.Event()
        for _ in itertools.takewhile(lambda _: made.processes(), range(200)):
            gone.wait(0.05)
        assert not made.processes()


def run_batch(gateways: Gateways, lines: Sequence[Json], endpoint: str, *kills: Kill, cancel_in: str = "") -> Json:
    """One batch through gateways, each of which dies at the first of the `kills` that are left.

    Raises:
        AssertionError: something was lost, or done twice.
    """
    gateways.kills = list(kills)
    gateways.renew()
    batch = gateways.ended(gateways.create(gateways.upload(lines), endpoint)["id"], cancel_in)
    gateways.rest()
    gateways.gate.disarm()
    output, errors = gateways.lines(batch["output_file_id"]), gateways.lines(batch["error_file_id"])
    gateways.kills.clear()
    ids = [line["custom_id"] for line in output + errors]
    assert len(gateways.jobs(batch["id"])) <= 1
    assert len(ids) == len(set(ids))
    assert batch["metadata"] == {"a": "b"}
    counts = batch["request_counts"]
    assert (counts["total"], counts["completed"], counts["failed"]) == (len(ids), len(output), len(errors))
    if counts["total"]:
        assert set(ids) == {line["custom_id"] for line in lines}
    return batch
