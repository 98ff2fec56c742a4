"""A gateway's batches on a real store, with a Google that is a dictionary and a clock that the test moves."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import orjson
from tests.api.batches.fake_batch_api import FakeBatchApi
from tests.api.batches.fake_vertex_api import FakeVertexBatchApi
from tests.support.clock import FakeClock
from tests.support.vertex import PROJECT, TOKEN, FakeTokens

from gemgate.api.batches.bucket_jobs import BucketJobs
from gemgate.api.batches.input_check import Inspector
from gemgate.api.batches.job_backends import DeveloperJobs, JobBackend
from gemgate.api.batches.key_vault import KeyVault
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.service import BatchService
from gemgate.api.batches.state_machine import BatchStateMachine, Learn, Pace
from gemgate.api.batches.transfer import Transfer
from gemgate.api.batches.wire import BatchRequest
from gemgate.api.batches.worker import Worker, WorkOptions
from gemgate.api.batches.worker_process import SessionTable, Setup, WorkerProcess
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.batches import GeminiJobs
from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.fact_snapshot import FactSnapshot, PinnedFacts
from gemgate.gemini.files import GeminiFiles
from gemgate.gemini.vertex.batch_jobs import VertexJobs
from gemgate.gemini.vertex.client import VertexClient, vertex_of
from gemgate.gemini.vertex.lanes import Lanes
from gemgate.media.references import Ref, RemoteRef, Resolved
from gemgate.store import BatchRow, FileRow, Store
from gemgate.translation.options import Dialect

if TYPE_CHECKING:
    from gemgate.media.inline import Inline

Json = dict[str, Any]

CALLER = Caller("caller-key", "0123456789abcdef")
CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
LEASE = 30.0


class InProcessSessions:
    """Sessions of batches without a process of their own."""

    def __init__(self, setup: Setup | None = None, known: Callable[[], FactSnapshot] = FactSnapshot) -> None:
        self.setup = setup or Setup({})
        self.known = known
        self.sessions = SessionTable()
        self._numbers = count()

    def check(self) -> AbstractAsyncContextManager[Any]:
        """A session of validation."""
        return self._session(self.setup.check_session)

    def input(self, job: LineJob) -> AbstractAsyncContextManager[Any]:
        """A session of translation."""
        return self._session(partial(self.setup.translate_session, job, self.known()))

    def results(
        self, job: LineJob, *, requests: int, not_run: str | None, facts: PinnedFacts | None = None
    ) -> AbstractAsyncContextManager[Any]:
        """A session of results."""
        return self._session(partial(self.setup.result_session, job, requests, not_run, facts))

    @asynccontextmanager
    async def _session(self, made: Callable[[], Any]) -> AsyncIterator[Any]:
        number = next(self._numbers)
        self.sessions.open(number, made)

        async def call(method: Callable[..., Any], *args: Any) -> Any:
            return self.sessions.call(number, method, *args)

        try:
            yield call
        finally:
            self.sessions.close(number)


class FakeWeb:
    """Remote media: text by URL."""

    def __init__(self) -> None:
        self.pages: dict[str, Inline] = {}

    async def __call__(self, wanted: Sequence[Ref], _: Caller) -> Resolved:
        remote = [ref for ref in wanted if isinstance(ref, RemoteRef)]
        for ref in remote:
            if ref.url not in self.pages:
                raise ApiError(400, "It could not be fetched.", param=ref.param, code="media_unreachable")
        return {ref.url: self.pages[ref.url] for ref in remote}


def own_key(key: str | None) -> str:
    """Every caller of these tests has a key of their own."""
    assert key is not None
    return key


@dataclass
class Batches:
    """The batches of a gateway on one store: callers' side, workers, and a Google that the test runs."""

    store: Store
    google: FakeBatchApi
    gemini: GeminiClient
    clock: FakeClock
    vault: KeyVault
    web: FakeWeb = field(default_factory=FakeWeb)
    process: InProcessSessions = field(default_factory=InProcessSessions)
    learn: Learn | None = None
    _names: Any = field(default_factory=count)

    @property
    def service(self) -> BatchService:
        """What the endpoints call."""
        rows, files, inspect = self.store.batches, self.store.files, Inspector(cast("WorkerProcess", self.process))
        return BatchService(rows, files, self.vault, inspect, lambda: None, own_key, clock=self.clock)

    def machine(self, vault: KeyVault | None = None) -> BatchStateMachine:
        """A machine."""
        transfer = Transfer(self.store.blobs, self.store.files, cast("WorkerProcess", self.process), self.web)
        backend: JobBackend = DeveloperJobs(GeminiJobs(self.gemini), GeminiFiles(self.gemini), transfer)
        if isinstance(self.google, FakeVertexBatchApi):
            backend = BucketJobs(VertexJobs(vertex_of(self.gemini)), self.google.bucket, transfer)
        return BatchStateMachine(backend, transfer, vault or self.vault, self.clock, Pace(), learn=self.learn)

    def worker(self, vault: KeyVault | None = None) -> Worker:
        """A worker of a new process."""
        name, options = f"worker-{next(self._names)}", WorkOptions(lease=LEASE)
        return Worker(self.store.batches, self.machine(vault), name, options, self.clock)

    async def upload(self, lines: Sequence[Json | bytes], purpose: str = "batch", caller: Caller = CALLER) -> FileRow:
        """An input file."""
        raw = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]

        async def pieces() -> AsyncIterator[bytes]:
            yield b"\n".join(raw)

        return await self.store.files.save(caller.id, pieces(), filename="in.jsonl", purpose=purpose)

    async def create(
        self,
        lines: Sequence[Json | bytes],
        endpoint: str = CHAT,
        dialect: Dialect = "openai",
        caller: Caller = CALLER,
        **more: Any,
    ) -> BatchRow:
        """A batch of these lines."""
        file = await self.upload(lines, caller=caller)
        body = {"input_file_id": file.id, "endpoint": endpoint, "completion_window": "24h", **more}
        return await self.service.create(caller, BatchRequest.model_validate(body), dialect)

    async def row(self, batch_id: str) -> BatchRow:
        """The batch as it is now."""
        return await self.service.get(CALLER, batch_id)

    async def work(self, seconds: float = 0, worker: Worker | None = None) -> None:
        """Let time pass, and do what is due."""
        self.clock.now += seconds
        await (worker or self.worker()).work_off()

    async def finish(self, batch: BatchRow) -> BatchRow:
        """Let Google answer everything, and the gateway fetch it."""
        await self.work()
        self.google.run()
        await self.work(60)
        return await self.row(batch.id)

    async def lines(self, file_id: str | None) -> list[Json]:
        """The lines of a file; none if there is no file."""
        if file_id is None:
            return []
        row = await self.store.files.get(CALLER.id, file_id)
        assert row is not None
        content = b"".join([piece async for piece in self.store.files.open(row)])
        return [orjson.loads(line) for line in content.splitlines()]

    async def results(self, row: BatchRow) -> tuple[dict[str, Json], dict[str, Json]]:
        """The lines of both files by their `custom_id`, none of which may stand twice."""
        output, errors = await self.lines(row.output_file_id), await self.lines(row.error_file_id)
        ids = [line["custom_id"] for line in output + errors]
        assert len(ids) == len(set(ids))
        return {line["custom_id"]: line for line in output}, {line["custom_id"]: line for line in errors}


@asynccontextmanager
async def batches_in(directory: Path) -> AsyncIterator[Batches]:
    """Batches whose store is in `directory`."""
    clock, google = FakeClock(), FakeBatchApi()
    async with (
        Store.open(data_dir=directory, clock=clock) as store,
        GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as gemini,
    ):
        yield Batches(store, google, gemini, clock, KeyVault((), ("secret",)))


@asynccontextmanager
async def vertex_batches_in(directory: Path) -> AsyncIterator[Batches]:
    """Batches in Vertex AI; the store and the bucket are in `directory`."""
    clock, google = FakeClock(), FakeVertexBatchApi(directory / "bucket")
    transport = httpx.MockTransport(google)
    async with (
        Store.open(data_dir=directory / "store", clock=clock) as store,
        VertexClient(ClientOptions(), Lanes(PROJECT), FakeTokens(TOKEN), transport) as gemini,
    ):
        process = InProcessSessions(Setup({}, in_vertex=True))
        yield Batches(store, google, gemini, clock, KeyVault((), ("secret",)), process=process)


def chat(custom_id: str, text: str = "hello", **body: Any) -> Json:
    """A line that asks for a chat completion."""
    full = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": text}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": full}


def embedding(custom_id: str, text: str | list[str] = "hello", **body: Any) -> Json:
    """A line that asks for embeddings."""
    full = {"model": "gemini-embedding-001", "input": text, **body}
    return {"custom_id": custom_id, "method": "POST", "url": EMBEDDINGS, "body": full}
