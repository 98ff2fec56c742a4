"""Stores a copy of uploaded batch inputs, because Google does not return uploads.

A file is kept when it is JSON lines by its type or name, has at most the size of a
batch's input, and has a `custom_id` in its first line, as OpenAI's format has; and for as long as Google keeps its own.
Where callers share the gateway's keys, Google's format is kept too: a job may run only what was looked at.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import orjson
import structlog

from gemgate.gemini.errors import TransportError
from gemgate.gemini.file_types import GeminiFile, file_from_wire, name_in_wire
from gemgate.redaction import traceback_of
from gemgate.store import Store, StoreError
from gemgate.store.feed import Feed
from gemgate.store.tables import UploadPartRow

LIFETIME = 48 * 3600
"""Seconds, as at Google."""

KEPT = "x-gemgate-copy"
"""The header of an upload's last answer: `kept`, or `failed` where the gateway should have a copy and has none."""

_MARK = b'"custom_id"'
_SNIFFED = 65_536

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that may have to be kept.

    Attributes:
        upload_id: The id of the upload in the store, if it comes to that.
        filename: What the caller calls the file.
        mime_type: What the caller says of it.
        size: Bytes, as announced.
    """

    upload_id: str
    filename: str
    mime_type: str
    size: int


class Copying:
    """The bytes of one request on their way into the store: `feed`, then `end`. What fails here fails no upload."""

    def __init__(
        self, store: Store, owner: str, wanted: Wanted | None, offset: int, *, keeps_googles: bool = False
    ) -> None:
        self._keeps_googles = keeps_googles
        self._store = store
        self._owner = owner
        self._wanted = wanted
        self._offset = offset
        self._head: bytearray | None = bytearray()
        self._feed: Feed[UploadPartRow] | None = None

    async def feed(self, piece: bytes) -> None:
        """Some more bytes."""
        if self._wanted is None:
            return
        if self._head is not None:
            self._head += piece
            if len(self._head) < _SNIFFED and b"\n" not in self._head:
                return
            piece = await self._decide(self._wanted)
        if self._feed is not None:
            await self._feed.send(piece)

    async def end(self, *, keep: bool) -> None:
        """No more bytes; those there were are part of the file, or are not."""
        if self._wanted is None:
            return
        if self._head and keep:
            piece = await self._decide(self._wanted)
            if self._feed is not None:
                await self._feed.send(piece)
        if self._feed is None:
            return
        try:
            async with self._feed:
                if keep:
                    await self._feed.finish()
        except StoreError as error:
            _log.error("an upload is not kept", exception=traceback_of(error))

    async def _decide(self, wanted: Wanted) -> bytes:
        """Begin to store, if the file is to be kept; what was held back until then."""
        head, self._head = bytes(self._head or b""), None
        try:
            is_kept = await self._is_begun(wanted) if self._offset else await self._begin(wanted, head)
        except StoreError as error:
            _log.error("an upload is not kept", exception=traceback_of(error))
            is_kept = False
        if is_kept:
            uploads, owner, offset = self._store.uploads, self._owner, self._offset
            self._feed = Feed(lambda source: uploads.add_part(owner, wanted.upload_id, source, offset=offset))
        return head

    async def _is_begun(self, wanted: Wanted) -> bool:
        return await self._store.uploads.get(self._owner, wanted.upload_id) is not None

    async def _begin(self, wanted: Wanted, head: bytes) -> bool:
        if not self._keeps_googles and _MARK not in head.partition(b"\n")[0]:
            return False
        if not await self._is_begun(wanted):
            await self._store.uploads.create(
                self._owner,
                filename=wanted.filename,
                purpose="batch",
                size=wanted.size,
                mime_type=wanted.mime_type,
                upload_id=wanted.upload_id,
                lifetime=LIFETIME,
            )
        return True


def begin(
    store: Store, owner: str, wanted: Wanted, headers: Mapping[str, str], *, keeps_googles: bool = False
) -> Copying:
    """For the bytes of a request with these headers, which say their place in the file.

    With `keeps_googles` a file in Google's format is kept too.
    """
    offset = headers.get("x-goog-upload-offset", "")
    is_chunk = "upload" in headers.get("x-goog-upload-command", "").lower()
    place = int(offset) if offset.isdecimal() else 0
    return Copying(store, owner, wanted if is_chunk else None, place, keeps_googles=keeps_googles)


async def finish(store: Store, owner: str, wanted: Wanted | None, answer: bytes) -> dict[str, str]:
    """Make a file of what was kept, under the name in Google's `answer`; the header that names it.

    What was kept under the same name before is of another file, and goes in any case.
    """
    try:
        described = orjson.loads(answer)
        name = name_in_wire(described)
    except (TransportError, ValueError):
        return {}
    try:
        await store.files.delete(owner, name)
        if wanted is None or await store.uploads.get(owner, wanted.upload_id) is None:
            return {}
        is_kept = await _assemble(store, owner, wanted, file_from_wire(described))
        await store.uploads.cancel(owner, wanted.upload_id)
    except StoreError as error:
        _log.error("an upload is not kept", exception=traceback_of(error))
        is_kept = False
    return {KEPT: "kept" if is_kept else "failed"}


async def _assemble(store: Store, owner: str, wanted: Wanted, file: GeminiFile) -> bool:
    """Whether the parts are Google's file, byte for byte; if they are, they are one file from now on."""
    plan = contiguous(await store.uploads.parts(owner, wanted.upload_id), wanted.size)
    if plan is None:
        return False

    async def pieces() -> AsyncGenerator[bytes]:
        for key, length in plan:
            async with aclosing(store.blobs.get(key, 0, length)) as found:
                async for piece in found:
                    yield piece

    async with aclosing(pieces()) as source:
        row = await store.files.save(
            owner,
            source,
            filename=wanted.filename,
            purpose="batch",
            mime_type=wanted.mime_type,
            expires_after=LIFETIME,
            google_name=file.name,
        )
    if file.sha256 in ("", row.sha256):
        return True
    await store.files.delete(owner, row.id)
    return False


def contiguous(parts: Sequence[UploadPartRow], size: int) -> list[tuple[str, int]] | None:
    """The blobs, and how many bytes of each, that make a whole of `size` bytes; None if there is a hole.

    An upload that broke goes on from where Google says, which may be inside of a part: the later one counts from there.
    """
    plan: list[tuple[str, int]] = []
    end = size
    for part in reversed(parts):
        start = part.offset or 0
        if start + part.bytes < end:
            return None
        if start < end:
            plan.append((part.blob_key, end - start))
        end = min(end, start)
    return plan[::-1] if end == 0 else None
