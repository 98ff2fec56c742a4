import asyncio
import time
from pathlib import Path

import httpx
import pytest
from tests.api.batches.fake_batch_api import FakeBatchApi
from tests.api.batches.support import CALLER, CHAT, Batches, FakeWeb, chat

from gemgate.api.batches.startup import BatchOptions, batches_at_work
from gemgate.api.batches.state_machine import Pace
from gemgate.api.batches.wire import BatchRequest
from gemgate.api.batches.worker import WorkOptions
from gemgate.api.batches.worker_process import Setup
from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.store import Store
from gemgate.upstream.client import Upstream

pytestmark = pytest.mark.integration


async def test_a_batch_is_done_in_the_background_with_nobody_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = FakeBatchApi()

    def run(when: str, what: str) -> None:
        if when == "before" and what.startswith("GET /v1beta/batches/"):
            google.run()

    google.hook = run
    # Where rows and blobs are elsewhere, nobody else makes the directory.
    setup = Setup({}, directory=tmp_path / "data")
    options = BatchOptions(setup, secrets=("s",), pace=Pace(first=0.01), work=WorkOptions(idle=0.05))
    async with (
        Store.open(data_dir=tmp_path / "elsewhere") as store,
        GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as gemini,
        batches_at_work(store, Upstream(gemini), FakeWeb(), options) as service,
    ):
        ended = asyncio.Event()
        delete = store.blobs.delete

        async def tidied(*keys: str) -> None:
            await delete(*keys)
            ended.set()

        monkeypatch.setattr(store.blobs, "delete", tidied)
        batches = Batches(store, google, gemini, time.time, service.vault)  # type: ignore[arg-type]  # the clock on the wall
        file = await batches.upload([chat("a"), chat("b", "fail")])
        body = BatchRequest(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        batch = await service.create(CALLER, body, "openai")
        async with asyncio.timeout(20):
            await ended.wait()
        row = await service.get(CALLER, batch.id)
        output, errors = await batches.results(row)
    assert row.status == "completed"
    assert (set(output), set(errors)) == ({"a"}, {"b"})
