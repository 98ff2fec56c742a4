"""Puts the parts of the slice together for one application."""

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from anyio import to_thread

from gemgate.api.batches.input_check import Inspector
from gemgate.api.batches.job_backends import DeveloperJobs, JobBackend
from gemgate.api.batches.key_vault import KeyVault
from gemgate.api.batches.service import BatchService
from gemgate.api.batches.state_machine import BatchStateMachine, Charge, Learn, Pace
from gemgate.api.batches.transfer import CheckNames, ResolveMedia, Transfer, everything_is_allowed
from gemgate.api.batches.worker import Worker, WorkOptions
from gemgate.api.batches.worker_process import Setup, WorkerProcess
from gemgate.gemini.batches import GeminiJobs
from gemgate.gemini.fact_snapshot import FactSnapshot
from gemgate.gemini.files import GeminiFiles
from gemgate.media.bucket import OperatorBucket
from gemgate.store import Store
from gemgate.upstream.client import Upstream


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What the operator decides about batches.

    Attributes:
        setup: How lines are translated.
        held_keys: The gateway's own Gemini keys; empty when callers bring theirs.
        secrets: What callers' keys are encrypted with: the first one, and older ones.
        window: Seconds until a batch expires.
        pace: How often Google is asked.
        work: How a worker works.
    """

    setup: Setup
    held_keys: Sequence[str] = field(default=(), repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    window: int = 86_400
    pace: Pace = field(default_factory=Pace)
    work: WorkOptions = field(default_factory=WorkOptions)


@asynccontextmanager
async def batches_at_work(
    store: Store,
    gemini: Upstream,
    resolve: ResolveMedia,
    options: BatchOptions,
    check: CheckNames = everything_is_allowed,
    clock: Callable[[], float] = time.time,
    charge: Charge | None = None,
    learn: Learn | None = None,
    known: Callable[[], FactSnapshot] = FactSnapshot,
    bucket: OperatorBucket | None = None,
) -> AsyncIterator[BatchService]:
    """Start the batch service and its background worker; stop both on exit.

    `known` gives what Google has said of models, by which lines are translated; `learn` gets what it says in results.
    In Vertex AI (`Setup.in_vertex`), jobs work on objects in `bucket`; without one nothing is created there.

    Raises:
        OSError: the directory for temporary files cannot be made.
    """
    if directory := options.setup.directory:
        # The store makes it only for what it keeps there, which may be nothing.
        await to_thread.run_sync(partial(directory.mkdir, parents=True, exist_ok=True, mode=0o700))
    vault = KeyVault(lambda: gemini.shared.pool.secrets or options.held_keys, options.secrets)
    # What is uploaded is checked in a separate process: an upload waits for it, and batches need not be quick.
    async with (
        aclosing(WorkerProcess(options.setup, known)) as process,
        aclosing(WorkerProcess(options.setup)) as checks,
    ):
        transfer = Transfer(store.blobs, store.files, process, resolve, check)
        backend = _backend(gemini, transfer, bucket if options.setup.in_vertex else None)
        state_machine = BatchStateMachine(backend, transfer, vault, clock, options.pace, charge, learn)
        worker = Worker(store.batches, state_machine, _name(), options.work, clock)
        async with worker.running():
            yield BatchService(
                store.batches,
                store.files,
                vault,
                Inspector(checks),
                worker.wake,
                gemini.pin_key,
                options.window,
                clock,
            )


def _backend(gemini: Upstream, transfer: Transfer, bucket: OperatorBucket | None) -> JobBackend:
    if bucket is None:
        return DeveloperJobs(GeminiJobs(gemini.client), GeminiFiles(gemini.client), transfer)
    from gemgate.api.batches.bucket_jobs import BucketJobs
    from gemgate.gemini.vertex.batch_jobs import VertexJobs
    from gemgate.gemini.vertex.client import vertex_of

    return BucketJobs(VertexJobs(vertex_of(gemini.client)), bucket, transfer)


def _name() -> str:
    """Names this run of this process: a lease of an earlier run is another worker's."""
    return f"{socket.gethostname()[:80]}-{os.getpid()}-{secrets.token_hex(4)}"
