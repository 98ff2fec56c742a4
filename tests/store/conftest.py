"""The store as it is embedded (SQLite, a directory) and as replicas share it (PostgreSQL, S3)."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.clock import FakeClock
from tests.support.servers import S3, Postgres, postgres, s3

from gemgate.store import Store
from gemgate.store.blobs import Blobs

__all__ = ["postgres", "s3"]


@dataclass(frozen=True)
class BlobPlace:
    """Where blobs are; `begun` counts what is half-written there."""

    options: dict[str, Any]
    open: Callable[[], Blobs]
    begun: Callable[[], int]


@dataclass(frozen=True)
class Place:
    """Where a store is, for tests that open it more than once."""

    options: dict[str, Any]
    clock: FakeClock = field(default_factory=FakeClock)

    def open(self) -> AbstractAsyncContextManager[Store]:
        return Store.open(**self.options, clock=self.clock)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.sqlite3"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(params=["embedded", "replicas"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def blob_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> BlobPlace:
    if kind == "embedded":
        directory = tmp_path / "blobs"
        return BlobPlace(
            {"data_dir": tmp_path},
            lambda: Blobs.in_directory(directory),
            lambda: sum("#" in path.name for path in directory.rglob("*")),
        )
    server: S3 = request.getfixturevalue("s3")
    bucket = server.new_bucket()
    url = f"s3://{bucket}/some/prefix"
    return BlobPlace(
        {"blobs_url": url, "blobs_options": server.options},
        lambda: Blobs.at(url, server.options),
        lambda: server.unfinished(bucket),
    )


@pytest.fixture
def place(kind: str, blob_place: BlobPlace, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "embedded":
        return Place(blob_place.options)
    server: Postgres = request.getfixturevalue("postgres")
    return Place({**blob_place.options, "database_url": server.new_database(), "data_dir": tmp_path / "unused"})


@pytest.fixture
def blobs(blob_place: BlobPlace) -> Blobs:
    return blob_place.open()


@pytest.fixture
def clock(place: Place) -> FakeClock:
    return place.clock


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    async with place.open() as opened:
        yield opened
