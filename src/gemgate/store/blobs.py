"""Bytes under keys: a directory, or a bucket at S3, Google or Azure.

obstore takes 5 MB and threads of its own, so it is imported when there is something to do for it: for a directory, when
the first bytes are written or read.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from anyio import to_thread

from gemgate.store.errors import BlobMissingError, DiskFullError, StoreError, StoreUnavailableError, is_no_space
from gemgate.store.feed import Feed, blocks

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, GCSCredential, ObjectStore, RetryConfig, S3Config, S3CredentialProvider

T = TypeVar("T")
Through = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]

# Five MiB is the least that S3 takes for a part, and one size for all of them is what some of its kin insist on:
# at most 10,000 parts make 50 GB.
_PART = 5 * 1024 * 1024
_PARTS_AT_ONCE = 4
_READ = 256 * 1024
_LISTED_AT_ONCE = 500

TIMEOUT = 10.0
"""Seconds that one wait for the backend may take; six times as much where parts of a large blob are on their way."""

_PARTS_FACTOR = 6

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)+")
_STAGED = re.compile(r"[^#]+#\d+")
_SCHEMES = ("s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://", "adl://")


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A blob in a listing; `modified` is in Unix seconds, by the clock of the backend."""

    key: str
    size: int
    modified: float


class _TokenOfCalls:
    """The access token of the calls to come. obstore asks for it in threads of its own, where no loop is."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._held = ""

    def renew(self) -> None:
        """Take the token that is valid now; in the event loop."""
        self._held = self._token()

    def __call__(self) -> "GCSCredential":
        """The token, which counts as ended at once, because others keep it fresh."""
        return {"token": self._held, "expires_at": datetime.now(UTC)}


class Blobs:
    """An object store. A key is words of letters, digits, `_`, `-`, `.` and `:`, separated by slashes, at least two.

    A blob appears whole or not at all: while it is written, readers see nothing, or the blob it replaces.
    """

    def __init__(
        self,
        open_store: "Callable[[], ObjectStore]",
        directory: Path | None = None,
        seconds: float = TIMEOUT,
        token: _TokenOfCalls | None = None,
    ) -> None:
        self._open_store = open_store
        self._token = token
        self._directory = directory
        self._seconds = seconds

    @property
    def directory(self) -> Path | None:
        """Where the bytes are; None for a bucket."""
        return self._directory

    @cached_property
    def _store(self) -> "ObjectStore":
        return self._open_store()

    @classmethod
    def in_directory(cls, directory: Path) -> "Blobs":
        """Blobs as files under `directory`, which is made if it is missing."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

        def open_store() -> "ObjectStore":
            from obstore.store import LocalStore

            return LocalStore(directory)

        return cls(open_store, directory)

    @classmethod
    def at(
        cls,
        url: str,
        options: Mapping[str, str] | None = None,
        seconds: float = TIMEOUT,
    ) -> "Blobs":
        """Blobs under `s3://bucket/prefix`, `gs://bucket/prefix` or `az://account/container/prefix`.

        Credentials come from where the cloud's own tools look for them (the environment, the machine's or the pod's
        role); `options` go before them, named as obstore names them (`aws_endpoint`, `aws_region`, …).

        Raises:
            StoreError: the URL or an option is not understood.
        """
        store = _opened(url, options, seconds)
        return cls(lambda: store, seconds=seconds)

    @classmethod
    def in_google(
        cls,
        url: str,
        token: Callable[[], str],
        options: Mapping[str, str] | None = None,
        seconds: float = TIMEOUT,
    ) -> "Blobs":
        """Blobs under `gs://bucket/prefix`, opened by the first call; arguments are as of `at`.

        `token` gives the access token of each call, and is called in the event loop; what it raises goes through.
        """
        held = _TokenOfCalls(token)
        return cls(lambda: _opened(url, options, seconds, held), seconds=seconds, token=held)

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> tuple[int, str]:
        """Write `chunks`, however many they are, and answer with their size in bytes and their SHA-256 in hex.

        Memory does not grow with the size. When the source raises, or the caller is cancelled, nothing is left behind
        and what was under the key stays; after the source's last byte, a cancelled put may still be carried out.
        After a crash, `sweep_partial` tidies a directory; a bucket needs a
        lifecycle rule that aborts incomplete multipart uploads.

        Raises:
            StoreError: the backend failed. What the source raises goes through as it is.
        """
        _checked_key(key)
        digest, size = hashlib.sha256(), 0

        async def measured() -> AsyncGenerator[bytes]:
            nonlocal size
            async with aclosing(blocks(chunks, _PART)) as cut:
                async for block in cut:
                    await to_thread.run_sync(digest.update, block)
                    size += len(block)
                    yield block

        async with aclosing(measured()) as source:
            first = await anext(source)
            if len(first) < _PART:
                await self._asked(self._store.put_async(key, first, use_multipart=False), key)
            else:
                await self._put_parts(key, first, source)
        if self._directory:
            with _failing(key):
                await to_thread.run_sync(_sync, self._directory / key)
        return size, digest.hexdigest()

    async def _put_parts(self, key: str, first: bytes, rest: AsyncIterator[bytes]) -> None:
        def upload(source: AsyncIterator[bytes]) -> Coroutine[object, object, object]:
            return self._store.put_async(
                key, source, use_multipart=True, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE
            )

        async with Feed(upload) as feed:
            is_taken = await self._asked(feed.send(first), key, _PARTS_FACTOR)
            while is_taken and (block := await anext(rest, b"")):
                is_taken = await self._asked(feed.send(block), key, _PARTS_FACTOR)
            await self._asked(feed.finish(), key, _PARTS_FACTOR)

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes from `start` up to, but not including, `end`; past the end of the blob there are none.

        Raises:
            BlobMissingError: the blob does not exist (at the first step of the iteration).
        """
        options: GetOptions = {}
        if start or end is not None:
            size = await self.size(key)
            end = size if end is None else min(end, size)
            if start >= end:
                return
            options = {"range": (start, end)}
        result = await self._asked(self._store.get_async(_checked_key(key), options=options), key)
        chunks = aiter(result.stream(min_chunk_size=_READ))
        while (chunk := await self._asked(_next(chunks), key, _PARTS_FACTOR)) is not None:
            yield bytes(chunk)

    async def size(self, key: str) -> int:
        """How many bytes the blob has.

        Raises:
            BlobMissingError: the blob does not exist.
        """
        return int((await self._asked(self._store.head_async(_checked_key(key)), key))["size"])

    async def delete(self, *keys: str) -> None:
        """Remove these blobs; the ones that are gone already are none the worse."""
        for key in keys:
            try:
                await self._asked(self._store.delete_async(_checked_key(key)), key)
            except BlobMissingError:
                continue

    async def concat(self, keys: Iterable[str], target: str, through: Through | None = None) -> tuple[int, str]:
        """Write the blobs `keys`, one after another, as the blob `target`; answer as `put` does.

        `through` may watch the bytes on their way, and raise to stop it: then nothing is left under `target`.
        """

        async def joined() -> AsyncGenerator[bytes]:
            for key in keys:
                async with aclosing(self.get(key)) as chunks:
                    async for chunk in chunks:
                        yield chunk

        async with aclosing(joined()) as source:
            return await self.put(target, through(source) if through else source)

    async def listing(self, prefix: str) -> AsyncGenerator[list[BlobInfo]]:
        """All blobs whose keys begin with the word `prefix`, some hundreds at a time."""
        if self._directory and not await to_thread.run_sync((self._directory / prefix).exists):
            return
        pages = aiter(self._store.list(prefix, chunk_size=_LISTED_AT_ONCE))
        while (found := await self._asked(_next(pages), prefix)) is not None:
            yield [BlobInfo(meta["path"], meta["size"], meta["last_modified"].timestamp()) for meta in found]

    async def sweep_partial(self, before: float) -> int:
        """Remove what killed processes left half-written in a directory before the Unix second `before`; how many.

        A bucket keeps such parts out of sight, and drops them by its own lifecycle rule.
        """
        return await to_thread.run_sync(_sweep_staged, self._directory, before) if self._directory else 0

    async def ping(self) -> None:
        """Ask the backend for a sign of life.

        Raises:
            StoreError: it does not answer, the bucket is missing, or it may not be read.
        """
        async with aclosing(self.listing("ping")) as pages:
            await anext(pages, None)

    async def _asked(self, answer: Awaitable[T], key: str, factor: int = 1) -> T:
        """What the backend answers, within its time; `factor` times as much for what is long."""
        if self._token is not None:
            self._token.renew()
        with _failing(key):
            async with asyncio.timeout(self._seconds * factor):
                return await answer


def _opened(
    url: str, options: Mapping[str, str] | None, seconds: float, token: _TokenOfCalls | None = None
) -> "ObjectStore":
    """The store at `url`.

    Raises:
        StoreError: the URL or an option is not understood.
    """
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    if not url.startswith(_SCHEMES):
        raise StoreError("the blobs URL is one of s3://bucket, gs://bucket and az://account/container")
    given = cast("S3Config", dict(options or {}))
    # Plain HTTP is spoken only to an endpoint that is given with it, in the environment too (`AWS_ENDPOINT`).
    client: ClientConfig = {
        "timeout": timedelta(minutes=5),
        "connect_timeout": timedelta(seconds=seconds),
        "allow_http": True,
    }
    retry: RetryConfig = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
    try:
        return from_url(
            url,
            config=given,
            client_options=client,
            retry_config=retry,
            credential_provider=cast("S3CredentialProvider | None", token),
        )
    except BaseError as error:
        raise StoreError(f"the blobs URL or its options are not understood: {_reason(error)}") from None


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a blob key: {key!r}")
    return key


async def _next(pages: AsyncIterator[T]) -> T | None:
    return await anext(pages, None)


@contextmanager
def _failing(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BlobMissingError(key) from None
    except TimeoutError as error:
        raise StoreUnavailableError(f"the blob store did not answer in time at {key}") from error
    except Exception as error:
        from obstore.exceptions import BaseError

        if not isinstance(error, BaseError | OSError):
            raise
        if is_no_space(error):
            raise DiskFullError(f"the disk is full at {key}: {_reason(error)}") from error
        raise StoreUnavailableError(f"the blob store failed at {key}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep_staged(directory: Path, before: float) -> int:
    removed = 0
    for path in directory.rglob("*#*"):
        with suppress(FileNotFoundError):
            if _STAGED.fullmatch(path.name) and path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed
