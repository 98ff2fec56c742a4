"""Rows and streams for the tests of the store."""

from collections.abc import AsyncIterator
from typing import Any

from gemgate.store import BatchRow, Store
from gemgate.store.blobs import Blobs

OWNER, OTHER = "0123456789abcdef", "fedcba9876543210"


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def keys(blobs: Blobs, *prefixes: str) -> set[str]:
    return {info.key for prefix in prefixes async for page in blobs.listing(prefix) for info in page}


async def add_batch(store: Store, owner: str = OWNER, **changes: Any) -> BatchRow:
    batch_id = store.new_id("batch_")
    given: dict[str, Any] = {
        "id": batch_id,
        "owner": owner,
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "validating",
        "display_name": f"gemgate {batch_id}",
        "created_at": 1_800_000_000,
    }
    return await store.batches.create(BatchRow(**(given | changes)))
