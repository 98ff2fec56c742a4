"""Callers' files and large media as files at Google: uploaded once, and again before Google deletes them."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, cast

import pybase64
import structlog
from anyio import to_thread

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MAX_BYTES, GeminiFile, MissingFileError
from gemgate.gemini.files import new_file_name
from gemgate.gemini.uploads import OpenAt
from gemgate.media.bucket_files import MediaFiles
from gemgate.media.errors import MediaError
from gemgate.media.inline import Inline
from gemgate.media.references import FileRef, placeholder
from gemgate.media.sniff import HEAD_BYTES, choose
from gemgate.store import (
    BlobMissingError,
    FileRow,
    GoogleFileRow,
    Store,
    StoreError,
)
from gemgate.upstream.key_pool import key_digest

PURPOSES = ("user_data", "vision", "assistants")
"""The purposes of files that requests may name."""

LIFETIME = 172_800
"""Seconds for which Google keeps a file."""

MARGIN = 3600.0
"""Seconds for which a file must still be there when a request names it: longer than any request takes."""

_ORIGIN = "https://generativelanguage.googleapis.com/v1beta/"
_FILE_ID = re.compile(r"file-[A-Za-z0-9_-]{1,59}", re.ASCII)
_MAX_TYPES = 10_000
_PIECE = 1_048_576
"""Characters of base64 that are decoded at once."""
_DELETING_SECONDS = 5.0
"""At a shutdown, for what is still to be deleted."""

_log = structlog.get_logger()


_Place = tuple[str, str, str, str, float]
"""Owner, Gemini key, content, type, and for how long it is needed: what an upload is shared by."""


class _CannotAttachError(Exception):
    """Google has the file, and could not process it."""


class Owner(NamedTuple):
    """Whose files they are (`Caller.id`), and the Gemini key that uploads and uses them."""

    id: str
    key: str

    @property
    def key_digest(self) -> str:
        """What distinguishes keys in the store."""
        return key_digest(self.key)


@dataclass(frozen=True, slots=True)
class _Source:
    """Bytes, and under which type and name they go to Google."""

    sha256: str
    size: int
    mime_type: str
    name: str
    open_at: OpenAt


class Attachments:
    """Uploads to Google's Files API what callers' requests name; use it as an async context manager.

    What Google has is remembered in the store, by caller, Gemini key, content and type: Google shows a file to its own
    key only. Requests that need the same file at the same time share one upload. It goes on when they break off, so
    that a client which has run out of patience finds the file there when it tries again.
    """

    def __init__(self, store: Store, google: MediaFiles, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._google = google
        self._clock = clock
        self._types: dict[tuple[str, str | None], str] = {}
        self._running: dict[_Place, asyncio.Task[GeminiFile]] = {}
        self._deleting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._deleting:
            await asyncio.wait(self._deleting, timeout=_DELETING_SECONDS)

    async def known(self, ref: FileRef, owner: Owner) -> GeminiFile:
        """What is known of a file without asking Google: its type, and its URI where Google has it.

        Raises:
            ApiError: 400 when the caller has no such file, or Gemini does not take it.
        """
        source = await self._stored(ref, owner.id)
        kept = await self._kept(owner, source, MARGIN)
        return kept or placeholder(source.mime_type)

    async def file(self, ref: FileRef, owner: Owner, *, margin: float = MARGIN) -> GeminiFile:
        """A file of the caller's, at Google for `margin` more seconds at least.

        Raises:
            ApiError: 400 when the caller has no such file, or Gemini does not take it.
            GeminiError: it could not be uploaded.
        """
        return await self._at_google(await self._stored(ref, owner.id), ref.param, owner, margin)

    async def media(self, media: Inline, param: str, owner: Owner, *, margin: float = MARGIN) -> GeminiFile:
        """Media of a request, which `param` names, as a file at Google.

        Raises:
            ApiError: 400 when Gemini does not take it.
            GeminiError: it could not be uploaded.
        """
        size = len(media.data) * 3 // 4 - media.data[-2:].count("=")
        sha256 = await to_thread.run_sync(_digest, media.data)
        source = _Source(sha256, size, media.mime, "inline media", lambda offset: _decoded(media.data, offset))
        _check_size(size, param)
        return await self._at_google(source, param, owner, margin)

    @asynccontextmanager
    async def lent(
        self, open_at: OpenAt, size: int, mime_type: str, param: str, owner: Owner
    ) -> AsyncGenerator[GeminiFile]:
        """A file at Google for as long as the block lasts: then it is deleted, beside the caller's answer.

        Args:
            open_at: Gives the bytes from an offset on.
            size: Bytes.
            mime_type: The type.
            param: The parameter that holds it.
            owner: Whose it is; its key uploads and deletes it.

        Raises:
            ApiError: 400 when Gemini does not take it.
            GeminiError: it could not be uploaded.
        """
        _check_size(size, param)
        name = new_file_name()
        try:
            file = await self._google.upload(
                open_at, size=size, mime_type=mime_type, display_name="audio", key=owner.key, name=name
            )
            yield await self._active(file, param, owner)
        finally:
            task = asyncio.create_task(self._deleted(name, owner.key))
            self._deleting.add(task)
            task.add_done_callback(self._deleting.discard)

    async def _active(self, file: GeminiFile, param: str, owner: Owner) -> GeminiFile:
        try:
            file = await self._google.wait_until_active(file, key=owner.key)
        except GeminiError as error:
            if error.reason != "FAILED_PRECONDITION":
                raise
            raise ApiError(400, f"'{param}': {error.message}", param=param, code="invalid_file") from error
        return replace(file, uri=file.uri or _ORIGIN + file.name)

    async def _deleted(self, name: str, key: str) -> None:
        """A file that cannot be deleted is gone after Google's 48 hours; one that was never there needs nothing."""
        try:
            await self._google.delete(name, key=key)
        except MissingFileError:
            return
        except GeminiError as error:
            _log.warning("a file was left at Google", file=name, status=error.status)
        except StoreError as error:
            _log.warning("a file was left in the bucket", file=name, error=type(error).__name__)

    async def read(self, ref: FileRef, owner_id: str, maximum: int) -> Inline:
        """The content of a file of at most `most` bytes, for what Gemini takes within a request only.

        Raises:
            ApiError: 400 when the owner has no such file, or it cannot be used.
        """
        source = await self._stored(ref, owner_id)
        _check_size(source.size, ref.param, maximum)
        async with aclosing(cast("AsyncGenerator[bytes]", source.open_at(0))) as pieces:
            content = b"".join([piece async for piece in pieces])
        return Inline(source.mime_type, pybase64.b64encode_as_string(content))

    async def forget(self, owner_id: str, names: Iterable[str]) -> None:
        """Google no longer has these files (`files/…`) of the owner's."""
        for name in set(names):
            await self._store.google_files.forget(owner_id, name)

    async def _stored(self, ref: FileRef, owner_id: str) -> _Source:
        is_id = _FILE_ID.fullmatch(ref.file_id)
        row = await self._store.files.get(owner_id, ref.file_id) if is_id else None
        if row is None:
            raise _not_found(ref.file_id, ref.param)
        if row.purpose not in PURPOSES:
            msg = (
                f"'{ref.param}' is a file with the purpose '{row.purpose}', and a request may name files with "
                f"{', '.join(map(repr, PURPOSES))}. Upload it again with one of these."
            )
            raise ApiError(400, msg, param=ref.param, code="invalid_file_purpose")
        _check_size(row.bytes, ref.param)
        try:
            mime_type = await self._type(row, ref.declared)
        except MediaError as error:
            raise ApiError(400, f"'{ref.param}': {error}", param=ref.param, code=error.code) from error
        except BlobMissingError:
            raise _not_found(ref.file_id, ref.param) from None
        return _Source(
            row.sha256, row.bytes, mime_type, row.filename, lambda offset: self._store.files.open(row, offset)
        )

    async def _type(self, row: FileRow, declared: str | None) -> str:
        """The type of a file, whose bytes never change."""
        if known := self._types.get((row.id, declared)):
            return known
        async with aclosing(self._store.files.open(row, 0, HEAD_BYTES)) as pieces:
            head = b"".join([piece async for piece in pieces])
        mime_type = choose(head, declared or row.mime_type, row.filename)
        if len(self._types) >= _MAX_TYPES:
            self._types.clear()
        self._types[row.id, declared] = mime_type
        return mime_type

    async def _kept(self, owner: Owner, source: _Source, margin: float) -> GeminiFile | None:
        row = await self._store.google_files.get(
            owner.id, owner.key_digest, source.sha256, source.mime_type, margin=margin
        )
        return GeminiFile(row.name, row.uri, mime_type=source.mime_type) if row else None

    async def _at_google(self, source: _Source, param: str, owner: Owner, margin: float) -> GeminiFile:
        place = (owner.id, owner.key_digest, source.sha256, source.mime_type, margin)
        task = self._running.get(place)
        if task is None:
            task = self._running[place] = asyncio.create_task(self._kept_or_uploaded(source, owner, margin))
            task.add_done_callback(lambda task: self._settle(place, task))
        try:
            return await asyncio.shield(task)
        except _CannotAttachError as error:
            raise ApiError(400, f"'{param}': {error}", param=param, code="invalid_file") from error
        except BlobMissingError:
            raise _not_found(source.name, param) from None

    def _settle(self, place: _Place, task: asyncio.Task[GeminiFile]) -> None:
        del self._running[place]
        if not task.cancelled():
            task.exception()  # everybody may have left, and then nobody else looks at it

    async def _kept_or_uploaded(self, source: _Source, owner: Owner, margin: float) -> GeminiFile:
        return await self._kept(owner, source, margin) or await self._upload(source, owner)

    async def _upload(self, source: _Source, owner: Owner) -> GeminiFile:
        file = await self._google.upload(
            source.open_at, size=source.size, mime_type=source.mime_type, display_name=source.name, key=owner.key
        )
        try:
            file = await self._google.wait_until_active(file, key=owner.key)
        except GeminiError as error:
            if error.reason != "FAILED_PRECONDITION":
                raise
            raise _CannotAttachError(error.message) from error
        row = GoogleFileRow(
            owner=owner.id,
            key_digest=owner.key_digest,
            sha256=source.sha256,
            mime_type=source.mime_type,
            name=file.name,
            uri=file.uri or _ORIGIN + file.name,
            expires_at=file.expires_at or int(self._clock()) + LIFETIME,
        )
        await self._store.google_files.put(row)
        return GeminiFile(row.name, row.uri, mime_type=row.mime_type)


def _check_size(size: int, param: str, maximum: int = MAX_BYTES) -> None:
    if size > maximum:
        msg = f"'{param}' has {size} bytes, and {maximum} are the most that can be used."
        raise ApiError(400, msg, param=param, code="file_too_large")


def _not_found(file_id: str, param: str) -> ApiError:
    msg = f"'{param}': no such file: '{file_id[:80]}'. Upload it to /v1/files first, with the purpose 'user_data'."
    return ApiError(400, msg, param=param, code="file_not_found")


def _digest(data: str) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(data), _PIECE):
        digest.update(pybase64.b64decode(data[start : start + _PIECE]))
    return digest.hexdigest()


async def _decoded(data: str, offset: int) -> AsyncGenerator[bytes]:
    """The bytes that base64 encodes, from `offset` on, a piece at a time."""
    start = offset // 3 * 4
    skipped = offset % 3
    for at in range(start, len(data), _PIECE):
        yield pybase64.b64decode(data[at : at + _PIECE])[skipped:]
        skipped = 0
