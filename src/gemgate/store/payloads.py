"""JSON that belongs to a row: within it, or beside it as a blob where it is large."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from gemgate.store.blobs import Blobs

INLINE_BYTES = 65_536
"""The largest payload that a row holds itself: a database keeps larger values elsewhere, and slower than a file."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a payload is: `data`, or the blob `blob_key`."""

    data: bytes | None
    blob_key: str | None


class Payloads:
    """Payloads of the rows of one table, whose blobs begin with `prefix`."""

    def __init__(self, blobs: Blobs, prefix: str) -> None:
        self._blobs = blobs
        self._prefix = prefix

    async def put(self, data: bytes) -> Payload:
        """Write what is large. A blob is new each time: until its row is there, the sweep takes it for an orphan.

        Raises:
            StoreError: the blob store failed.
        """
        if len(data) <= INLINE_BYTES:
            return Payload(data, None)
        key = f"{self._prefix}/{secrets.token_hex(16)}"
        await self._blobs.put(key, _once(data))
        return Payload(None, key)

    async def get(self, payload: bytes | None, blob_key: str | None) -> bytes:
        """The bytes.

        Raises:
            BlobMissingError: the row was deleted meanwhile.
        """
        if blob_key is None:
            return payload or b""
        async with aclosing(self._blobs.get(blob_key)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def delete(self, *keys: str | None) -> None:
        """Remove the blobs of rows that are gone."""
        await self._blobs.delete(*(key for key in keys if key is not None))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
