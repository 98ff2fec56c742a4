"""State that outlives a process: rows in SQL, bytes in an object store.

    async with Store.open(database_url, blobs_url, data_dir) as store:
        row = await store.files.save(owner, chunks, filename="a.jsonl", purpose="batch")

Rows that repositories hand out are detached: change them through the repositories.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from anyio import to_thread
from sqlalchemy import URL

from gemgate.store.batches import BatchChanges, BatchRows
from gemgate.store.blobs import BlobInfo, Blobs
from gemgate.store.conversations import Conversations, StoredItem
from gemgate.store.database import TIMEOUT, Clock, Database
from gemgate.store.errors import (
    BlobMissingError,
    ChecksumMismatchError,
    DiskFullError,
    KeptTooLargeError,
    PartUnknownError,
    QuotaExceededError,
    ResponseUnknownError,
    SizeMismatchError,
    StoreError,
    StoreUnavailableError,
    UnknownCursorError,
    UploadClosedError,
    UploadUnknownError,
)
from gemgate.store.files import Files
from gemgate.store.google_files import GoogleFiles
from gemgate.store.ids import Kind, new_id
from gemgate.store.limits import UNLIMITED, StorageLimits, StorageRoom
from gemgate.store.paging import Page
from gemgate.store.resources import Resources
from gemgate.store.responses import Responses, StoredEvents, StoredResponse
from gemgate.store.sweep import GRACE, Swept, sweep
from gemgate.store.tables import (
    BatchRow,
    ConversationRow,
    FileRow,
    GoogleFileRow,
    ResourceRow,
    ResponseRow,
    UploadPartRow,
    UploadRow,
)
from gemgate.store.uploads import Uploads

__all__ = [
    "BatchChanges",
    "BatchRow",
    "BatchRows",
    "BlobInfo",
    "BlobMissingError",
    "Blobs",
    "ChecksumMismatchError",
    "ConversationRow",
    "Conversations",
    "DiskFullError",
    "FileRow",
    "Files",
    "GoogleFileRow",
    "GoogleFiles",
    "KeptTooLargeError",
    "Page",
    "PartUnknownError",
    "QuotaExceededError",
    "ResourceRow",
    "Resources",
    "ResponseRow",
    "ResponseUnknownError",
    "Responses",
    "SizeMismatchError",
    "StorageLimits",
    "StorageRoom",
    "Store",
    "StoreError",
    "StoreUnavailableError",
    "StoredEvents",
    "StoredItem",
    "StoredResponse",
    "Swept",
    "UnknownCursorError",
    "UploadClosedError",
    "UploadPartRow",
    "UploadRow",
    "UploadUnknownError",
    "Uploads",
]


class Store:
    """One database and one place for blobs. `clock` answers in Unix seconds; `spool` is as for `StorageRoom`."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        clock: Clock,
        limits: StorageLimits = UNLIMITED,
        spool: Path | None = None,
    ) -> None:
        self.database = database
        self.blobs = blobs
        self.files = Files(database, blobs, clock)
        self.room = StorageRoom(database, blobs.directory, clock, limits, spool)
        self.uploads = Uploads(database, blobs, clock, self.room)
        self.google_files = GoogleFiles(database, clock)
        self.resources = Resources(database, clock)
        self.batches = BatchRows(database, clock)
        self.responses = Responses(database, blobs, clock)
        self.conversations = Conversations(database, blobs, clock)
        self._clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database_url: str | None = None,
        blobs_url: str | None = None,
        data_dir: Path = Path("data"),
        *,
        blobs_options: Mapping[str, str] | None = None,
        clock: Clock = time.time,
        limits: StorageLimits = UNLIMITED,
        seconds: float = TIMEOUT,
    ) -> AsyncIterator[Self]:
        """The store, with its schema up to date: in `data_dir` what has no URL, which nobody else may read.

        A transaction, and one wait for the blob store, may take `seconds`.

        Raises:
            StoreError: a URL is not understood, the directory cannot be made, the database does not answer.
        """
        blobs = await to_thread.run_sync(_blobs, blobs_url, blobs_options, data_dir, seconds)
        url = URL.create("sqlite", database=str(data_dir / "gemgate.sqlite3")) if database_url is None else database_url
        if database_url is None:
            await to_thread.run_sync(_make, data_dir)
        async with Database.open(url, seconds) as database:
            yield cls(database, blobs, clock, limits, data_dir)

    def new_id(self, kind: Kind) -> str:
        """An id for a row that is about to be made."""
        return new_id(kind, self._clock())

    async def sweep(self, grace: float = GRACE) -> Swept:
        """Remove what has expired and what crashes left behind; see `gemgate.store.sweep`. Do it every hour or so."""
        return await sweep(self.database, self.blobs, self._clock, grace)

    async def ping(self) -> None:
        """Ask database and blobs for a sign of life.

        Raises:
            StoreError: one of them gives none.
        """
        await self.database.ping()
        await self.blobs.ping()


def _blobs(url: str | None, options: Mapping[str, str] | None, data_dir: Path, seconds: float) -> Blobs:
    if url is not None:
        return Blobs.at(url, options, seconds)
    for directory in (data_dir, data_dir / "blobs"):
        _make(directory)
    with suppress(OSError):  # another's directory
        (data_dir / "blobs").chmod(0o700)
    return Blobs.in_directory(data_dir / "blobs")


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{directory} cannot be made: {error.strerror}") from error
