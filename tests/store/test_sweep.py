"""Sweeping: what has expired goes, what crashed leaves nothing, what is alive stays."""

import signal
import subprocess
import sys
import time

import anyio
import orjson
import pytest
from tests.store.conftest import BlobPlace, Place
from tests.store.support import OWNER, add_batch, keys, stream, whole
from tests.support.clock import START, FakeClock

from gemgate.store import GoogleFileRow, Store, Swept
from gemgate.store.tables import UploadRow

pytestmark = pytest.mark.integration

PREFIXES = ("files", "parts", "batches")

STUCK = """
import asyncio, sys
from pathlib import Path
import orjson
from gemgate.store import Store

async def source():
    for _ in range(8):
        yield b"x" * 3_000_000
    print("stuck", flush=True)
    await asyncio.Event().wait()

async def main():
    given = orjson.loads(sys.argv[1])
    async with Store.open(**given | {"data_dir": Path(given["data_dir"])}) as store:
        await store.blobs.put("files/a", source())

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _real_now(clock: FakeClock) -> None:
    """Backends date blobs by their own clock."""
    clock.now = time.time()


async def test_an_empty_store_has_nothing_to_sweep(store: Store) -> None:
    assert await store.sweep() == Swept()


async def test_expired_files_go_with_their_bytes(store: Store, clock: FakeClock) -> None:
    await store.files.save(OWNER, stream(b"x"), filename="a", purpose="batch", expires_after=60)
    kept = await store.files.save(OWNER, stream(b"x"), filename="b", purpose="batch", expires_after=600)
    clock.advance(60)
    assert await store.sweep() == Swept(files=1)
    assert await keys(store.blobs, *PREFIXES) == {kept.blob_key}
    assert await store.sweep() == Swept()


async def test_parts_of_expired_uploads_go_and_the_upload_stays_known(store: Store, clock: FakeClock) -> None:
    upload = await begin(store)
    await store.uploads.add_part(OWNER, upload.id, stream(b"x"))
    clock.advance(1800)
    young = await begin(store)
    part = await store.uploads.add_part(OWNER, young.id, stream(b"x"))
    clock.advance(1800)
    assert await store.sweep() == Swept(parts=1)
    assert await keys(store.blobs, *PREFIXES) == {part.blob_key}
    found = await store.uploads.get(OWNER, upload.id)
    assert found is not None
    assert found.status == "expired"


async def test_closed_uploads_are_forgotten_after_a_month(store: Store, clock: FakeClock) -> None:
    upload = await begin(store)
    clock.advance(31 * 86_400)
    pending = await begin(store)
    await store.sweep()
    assert await store.uploads.get(OWNER, upload.id) is None
    assert await store.uploads.get(OWNER, pending.id) is not None


async def test_what_google_has_dropped_is_forgotten(store: Store, clock: FakeClock) -> None:
    for name, seconds in (("files/old", 0), ("files/new", 1)):
        row = GoogleFileRow(
            owner=OWNER,
            key_digest="k",
            sha256=name,
            mime_type="image/png",
            name=name,
            uri=name,
            expires_at=int(clock.now) + seconds,
        )
        await store.google_files.put(row)
    assert await store.sweep() == Swept(google_files=1)


async def test_bytes_that_no_row_knows_go_after_a_day(store: Store, clock: FakeClock) -> None:
    file = await store.files.save(OWNER, stream(b"x"), filename="a", purpose="batch")
    upload = await begin(store, clock.now + 10 * 86_400)
    part = await store.uploads.add_part(OWNER, upload.id, stream(b"x"))
    for key in ("files/orphan", "parts/orphan"):
        await store.blobs.put(key, stream(b"x"))
    clock.advance(86_000)
    assert (await store.sweep()).orphans == 0
    clock.advance(1000)
    assert (await store.sweep()).orphans == 2
    assert await keys(store.blobs, *PREFIXES) == {file.blob_key, part.blob_key}


async def test_the_blobs_of_a_batch_go_when_its_job_is_done(store: Store, clock: FakeClock) -> None:
    open_, done = await add_batch(store, next_poll_at=START), await add_batch(store, next_poll_at=None)
    for batch_id in (open_.id, done.id, "batch_gone"):
        await store.blobs.put(f"batches/{batch_id}/input.jsonl", stream(b"x"))
    clock.advance(90_000)
    assert (await store.sweep()).orphans == 2
    assert await keys(store.blobs, *PREFIXES) == {f"batches/{open_.id}/input.jsonl"}


async def test_replicas_may_sweep_at_once(place: Place, clock: FakeClock) -> None:
    async with place.open() as one, place.open() as other:
        for number in range(10):
            await one.files.save(OWNER, stream(b"x"), filename="a", purpose="batch", expires_after=60)
            await one.blobs.put(f"files/orphan{number}", stream(b"x"))
        clock.advance(90_000)
        results: list[Swept] = []

        async def sweep(store: Store) -> None:
            results.append(await store.sweep())

        async with anyio.create_task_group() as group:
            for store in (one, other, one):
                group.start_soon(sweep, store)
        assert sum(swept.files for swept in results) == 10
        assert await keys(one.blobs, *PREFIXES) == set()


async def test_a_crash_between_row_and_bytes_leaves_bytes_to_the_sweep(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: str) -> None:
        raise KeyboardInterrupt

    saved = await store.files.save(OWNER, stream(b"x"), filename="a", purpose="batch")
    with monkeypatch.context() as patch:
        patch.setattr(store.blobs, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            await store.files.delete(OWNER, saved.id)
    assert await store.files.get(OWNER, saved.id) is None
    assert await keys(store.blobs, *PREFIXES) == {saved.blob_key}
    clock.advance(90_000)
    assert await store.sweep() == Swept(orphans=1)


async def test_a_put_that_is_killed_leaves_no_blob_and_what_it_wrote_is_swept(
    place: Place, blob_place: BlobPlace, clock: FakeClock
) -> None:
    kill_while_putting(place)
    async with place.open() as store:
        assert blob_place.begun() == 1
        assert await keys(store.blobs, *PREFIXES) == set()
        assert (await store.sweep()).orphans == 0
        clock.advance(90_000)
        await store.sweep()
        is_bucket_with_a_rule_of_its_own = "blobs_url" in place.options
        assert blob_place.begun() == (1 if is_bucket_with_a_rule_of_its_own else 0)
        await store.blobs.put("files/a", stream(b"again"))
        assert await whole(store.blobs.get("files/a")) == b"again"


def kill_while_putting(place: Place) -> None:
    given = orjson.dumps({name: str(value) if name == "data_dir" else value for name, value in place.options.items()})
    with subprocess.Popen([sys.executable, "-c", STUCK, given], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGKILL)


async def begin(store: Store, expires_at: float | None = None) -> UploadRow:
    upload = await store.uploads.create(OWNER, filename="a", purpose="batch", size=1, mime_type="text/plain")
    if expires_at is not None:
        async with store.database.write() as session:
            upload.expires_at = int(expires_at)
            await session.merge(upload)
    return upload
