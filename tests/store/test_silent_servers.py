"""A database or a bucket that takes connections and says nothing holds nobody for longer than it may."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle
from tests.support.servers import Postgres

from gemgate.store import StoreUnavailableError
from gemgate.store.blobs import Blobs
from gemgate.store.database import Database

pytestmark = pytest.mark.integration

SECONDS = 1.0
LIMIT = 6.0
"""What is measured stays below it, though the machine may be busy: without a limit of its own it takes for ever."""

HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


@contextmanager
def within(seconds: float = LIMIT) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


async def test_a_database_that_is_stopped_is_unavailable_in_time_and_used_again(postgres: Postgres) -> None:
    async with Database.open(postgres.new_database(), SECONDS) as database:
        await database.ping()
        with postgres.held():
            for _ in range(3):  # with the connection that is open, and with new ones
                with within(), pytest.raises(StoreUnavailableError):
                    await database.ping()
            with within(), pytest.raises(StoreUnavailableError):
                async with database.write() as session:
                    await session.execute(text("SELECT 1"))
        await database.ping()


async def test_many_who_wait_for_a_stopped_database_wait_no_longer_than_one(postgres: Postgres) -> None:
    async with Database.open(postgres.new_database(), SECONDS) as database:
        await asyncio.gather(*(database.ping() for _ in range(20)))
        with postgres.held(), within():
            failures = await asyncio.gather(*(database.ping() for _ in range(40)), return_exceptions=True)
        assert {type(failure) for failure in failures} == {StoreUnavailableError}


async def test_a_caller_who_leaves_a_stopped_database_leaves_at_once(postgres: Postgres) -> None:
    async with Database.open(postgres.new_database(), 60) as database:
        await database.ping()
        with postgres.held(), within():
            waiting = asyncio.create_task(database.ping())
            await asyncio.sleep(0.2)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await database.ping()


async def test_the_gateway_serves_chat_and_says_503_for_files_while_its_database_is_stopped(
    postgres: Postgres, tmp_path: Path
) -> None:
    app = gateway_app(FakeGoogle(HELLO), database_url=postgres.new_database(), data_dir=tmp_path, store_timeout=SECONDS)
    async with in_process(app) as client:
        assert (await client.get("/v1/files")).status_code == 200
        with postgres.held():
            for verb, path in (("GET", "/v1/files"), ("GET", "/v1/batches"), ("GET", "/v1/files/file-1/content")):
                with within():
                    answer = await client.request(verb, path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
                assert answer.headers["retry-after"] == "5"
            with within():
                body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
                assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            with within():
                probe = await client.get("/readyz")
            assert (probe.status_code, probe.json()["status"]) == (200, "degraded")
            with within():
                assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/v1/files")).status_code == 200


@pytest.fixture
def silent_bucket() -> Iterator[Blobs]:
    """A bucket at an address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        options = {
            "aws_endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "aws_access_key_id": "made-up",
            "aws_secret_access_key": "made-up-secret",
            "aws_region": "us-east-1",
        }
        yield Blobs.at("s3://bucket/prefix", options, 0.3)


async def one_piece() -> AsyncIterator[bytes]:
    yield b"bytes"


async def many_pieces() -> AsyncIterator[bytes]:
    for _ in range(6):
        yield bytes(4 * 1024 * 1024)


async def test_a_bucket_that_is_silent_is_unavailable_in_time(silent_bucket: Blobs) -> None:
    with within(), pytest.raises(StoreUnavailableError):
        await silent_bucket.ping()
    with within(), pytest.raises(StoreUnavailableError):
        await silent_bucket.size("files/one")
    with within(), pytest.raises(StoreUnavailableError):
        await silent_bucket.put("files/one", one_piece())
    with within(), pytest.raises(StoreUnavailableError):
        await anext(silent_bucket.get("files/one"))
    with within(), pytest.raises(StoreUnavailableError):
        await silent_bucket.delete("files/one")


async def test_a_large_blob_for_a_silent_bucket_is_given_up(
    silent_bucket: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemgate.store.feed._ABORT_SECONDS", 0.3)
    with within(20), pytest.raises(StoreUnavailableError):
        await silent_bucket.put("files/one", many_pieces())
