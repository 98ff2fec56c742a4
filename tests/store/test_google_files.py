"""What Google's Files API holds for us."""

from typing import Any

import pytest
from tests.store.support import OTHER, OWNER
from tests.support.clock import START, FakeClock

from gemgate.store import GoogleFileRow, Store

pytestmark = pytest.mark.integration

KEY, SHA = "k" * 16, "a" * 64
TWO_DAYS = 48 * 3600


def row(**changes: Any) -> GoogleFileRow:
    given: dict[str, Any] = {
        "owner": OWNER,
        "key_digest": KEY,
        "sha256": SHA,
        "mime_type": "image/png",
        "name": "files/one",
        "uri": "https://google.example/v1beta/files/one",
        "expires_at": int(START) + TWO_DAYS,
    }
    return GoogleFileRow(**(given | changes))


async def test_an_upload_is_found_by_owner_key_bytes_and_type(store: Store) -> None:
    await store.google_files.put(row())
    found = await store.google_files.get(OWNER, KEY, SHA, "image/png")
    assert found is not None
    assert (found.name, found.uri) == ("files/one", "https://google.example/v1beta/files/one")
    for other in (
        (OTHER, KEY, SHA, "image/png"),
        (OWNER, "l" * 16, SHA, "image/png"),
        (OWNER, KEY, "b" * 64, "image/png"),
        (OWNER, KEY, SHA, "image/webp"),
    ):
        assert await store.google_files.get(*other) is None


async def test_an_upload_that_is_soon_over_is_not_found(store: Store, clock: FakeClock) -> None:
    await store.google_files.put(row())
    clock.advance(TWO_DAYS - 3600)
    assert await store.google_files.get(OWNER, KEY, SHA, "image/png") is None
    assert await store.google_files.get(OWNER, KEY, SHA, "image/png", margin=60) is not None


async def test_a_second_upload_takes_the_place_of_the_first(store: Store) -> None:
    await store.google_files.put(row())
    await store.google_files.put(row(name="files/two", uri="https://google.example/v1beta/files/two"))
    found = await store.google_files.get(OWNER, KEY, SHA, "image/png")
    assert found is not None
    assert found.name == "files/two"


async def test_only_the_owner_makes_the_store_forget(store: Store) -> None:
    await store.google_files.put(row())
    await store.google_files.forget(OTHER, "files/one")
    assert await store.google_files.get(OWNER, KEY, SHA, "image/png") is not None
    await store.google_files.forget(OWNER, "files/one")
    assert await store.google_files.get(OWNER, KEY, SHA, "image/png") is None
