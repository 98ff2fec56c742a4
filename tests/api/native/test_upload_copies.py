"""What the gateway keeps of an upload: inputs of batches, byte for byte what Google has, or nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.native.google_files import NAME, FakeUploads
from tests.api.native.support import OWN_KEY, RunningGateway, own, running_gateway

from gemgate.api.native.upload_copies import contiguous
from gemgate.api.native.uploads import may_take_name
from gemgate.store.errors import StoreError
from gemgate.store.tables import UploadPartRow
from gemgate.store.uploads import Uploads as Rows

LINE = b'{"custom_id": "%d", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
CONTENT = b"".join(LINE % number for number in range(5000))
THIRD = len(CONTENT) // 3
OTHER = {"x-goog-api-key": "AIza-another-key"}
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}


@pytest.fixture
def google() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def running(google: FakeUploads, tmp_path: Path) -> Iterator[RunningGateway]:
    with running_gateway(google, data_dir=tmp_path) as opened:
        yield opened


def begin(running: RunningGateway, size: int = len(CONTENT), mime_type: str = "jsonl", name: str = "input") -> str:
    headers = {
        **START,
        "x-goog-upload-header-content-length": str(size),
        "x-goog-upload-header-content-type": mime_type,
    }
    body = {"file": {"displayName": name}}
    url: str = running.client.post("/upload/v1beta/files", json=body, headers=own(**headers)).headers[
        "x-goog-upload-url"
    ]
    return url


def send(
    running: RunningGateway, url: str, start: int, end: int | None = None, content: bytes = CONTENT
) -> httpx.Response:
    """The bytes from `start` to `end`, or to the end of the file."""
    command = "upload, finalize" if end is None else "upload"
    headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(start)}
    return running.client.post(url, content=content[start:end], headers=headers)


def kept(running: RunningGateway) -> bytes | None:
    """What the gateway gives back; None when it has no copy."""
    answer = running.client.get(f"/v1/files/{NAME}/content", headers={"authorization": f"Bearer {OWN_KEY}"})
    return answer.content if answer.status_code == 200 else None


def test_a_file_in_one_chunk_is_kept(running: RunningGateway) -> None:
    answer = send(running, begin(running, name="my input"), 0)
    assert answer.headers["x-gemgate-copy"] == "kept"
    assert kept(running) == CONTENT
    file = running.client.get(f"/v1/files/{NAME}", headers=own()).json()
    assert (file["filename"], file["purpose"], file["bytes"]) == ("my input", "batch", len(CONTENT))
    assert file["expires_at"] - file["created_at"] == 48 * 3600


def test_a_file_in_several_chunks_is_kept(running: RunningGateway) -> None:
    url = begin(running)
    assert "x-gemgate-copy" not in send(running, url, 0, THIRD).headers
    send(running, url, THIRD, 2 * THIRD)
    assert send(running, url, 2 * THIRD).headers["x-gemgate-copy"] == "kept"
    assert kept(running) == CONTENT


@pytest.mark.parametrize("lost_after", [0, 1, 1000, THIRD - 1])
def test_a_chunk_that_broke_and_is_gone_on_with_is_kept(
    running: RunningGateway, google: FakeUploads, lost_after: int
) -> None:
    url = begin(running)
    send(running, url, 0, THIRD)
    google.breaks_at = lost_after
    assert send(running, url, THIRD, 2 * THIRD).status_code == 502
    assert send(running, url, THIRD + lost_after).headers["x-gemgate-copy"] == "kept"
    assert kept(running) == CONTENT


def test_a_chunk_that_google_refused_is_no_part_of_the_file(running: RunningGateway, google: FakeUploads) -> None:
    url = begin(running)
    google.refuses = True
    assert send(running, url, 0, THIRD).status_code == 400
    assert send(running, url, 0).headers["x-gemgate-copy"] == "kept"
    assert kept(running) == CONTENT


def test_a_copy_that_is_not_what_google_has_is_not_kept(running: RunningGateway, google: FakeUploads) -> None:
    google.digest = "0" * 64
    assert send(running, begin(running), 0).headers["x-gemgate-copy"] == "failed"
    assert kept(running) is None


def test_a_copy_with_a_hole_is_not_kept(running: RunningGateway, google: FakeUploads) -> None:
    url = begin(running)
    send(running, url, 0, 100)
    google.content = CONTENT[:200]
    answer = send(running, url, 200)
    assert answer.status_code == 200
    assert answer.headers["x-gemgate-copy"] == "failed"


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({"mime_type": "text/plain"}, CONTENT),
        ({"mime_type": "application/pdf"}, CONTENT),
        ({}, b'{"key": "one", "request": {"contents": []}}\n' * 100),
        ({}, b"\x00\x01" * 100),
        ({"size": 200 * 1024 * 1024 + 1}, CONTENT),
    ],
)
def test_nothing_else_is_kept(
    running: RunningGateway, google: FakeUploads, changes: dict[str, Any], content: bytes
) -> None:
    answer = send(running, begin(running, **{"size": len(content), **changes}), 0, content=content)
    assert answer.status_code == 200
    assert "x-gemgate-copy" not in answer.headers
    assert google.content == content
    assert kept(running) is None


@pytest.mark.parametrize(
    "content", [LINE % 1, (LINE % 1).strip(), b'{"body": "%b", "custom_id": "a"}' % (b"x" * 60_000)]
)
def test_a_line_is_recognized_also_if_it_is_the_only_one(running: RunningGateway, content: bytes) -> None:
    url = begin(running, len(content), "application/octet-stream", "input.JSONL")
    assert send(running, url, 0, content=content).headers["x-gemgate-copy"] == "kept"
    assert kept(running) == content


def test_another_caller_does_not_have_the_copy(running: RunningGateway) -> None:
    send(running, begin(running), 0)
    assert running.client.get(f"/v1/files/{NAME}/content", headers=OTHER).status_code == 404
    assert kept(running) == CONTENT


def test_the_same_name_of_two_callers_is_two_files(running: RunningGateway) -> None:
    send(running, begin(running), 0)
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-type": "jsonl",
    }
    size = {"x-goog-upload-header-content-length": str(len(LINE % 7))}
    started = running.client.post("/upload/v1beta/files", json={}, headers=OTHER | headers | size)
    send(running, started.headers["x-goog-upload-url"], 0, content=LINE % 7)
    assert kept(running) == CONTENT
    assert running.client.get(f"/v1/files/{NAME}/content", headers=OTHER).content == LINE % 7


def test_a_new_file_of_the_same_name_takes_the_place_of_the_old_copy(running: RunningGateway) -> None:
    send(running, begin(running), 0)
    send(running, begin(running, len(LINE % 7)), 0, content=LINE % 7)
    assert kept(running) == LINE % 7
    assert len(running.client.get("/v1/files", headers=own()).json()["data"]) == 1


def test_a_new_file_that_is_not_kept_does_not_leave_the_old_copy(running: RunningGateway, google: FakeUploads) -> None:
    send(running, begin(running), 0)
    google.digest = "0" * 64
    send(running, begin(running), 0)
    assert kept(running) is None


def test_a_file_that_takes_the_name_of_another_leaves_no_copy_of_it(running: RunningGateway) -> None:
    send(running, begin(running), 0)
    metadata = b'{"file": {"name": "%b"}}' % NAME.encode()
    started = running.client.post("/upload/v1beta/files", content=metadata, headers=own(**START))
    send(running, started.headers["x-goog-upload-url"], 0)
    assert kept(running) is None


@pytest.mark.parametrize(
    "metadata", [b'{"file": {"name": "files/a"}}', b'{file:{Name:"files/a"}}', b'{"n\\u0061me": 1}']
)
def test_a_file_whose_caller_may_have_named_it_may_replace_another(metadata: bytes) -> None:
    assert may_take_name(metadata)


@pytest.mark.parametrize(
    "metadata", [b"", b"{}", b'{"file": {"displayName": "a"}}', b'{"file": {"display_name": "a"}}']
)
def test_a_file_that_google_names_replaces_none(metadata: bytes) -> None:
    assert not may_take_name(metadata)


@pytest.mark.parametrize("method", ["create", "add_part", "parts"])
def test_a_store_that_fails_fails_no_upload(
    running: RunningGateway, google: FakeUploads, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Rows, method, fail)
    answer = send(running, begin(running), 0)
    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (200, "final")
    assert answer.headers.get("x-gemgate-copy") in (None, "failed")
    assert google.content == CONTENT
    assert kept(running) is None


def part(offset: int, size: int) -> UploadPartRow:
    return UploadPartRow(
        id=f"{offset}+{size}", upload_id="u", blob_key=f"{offset}+{size}", bytes=size, created_at=0, offset=offset
    )


def ordered(parts: list[UploadPartRow]) -> list[UploadPartRow]:
    return sorted(parts, key=lambda each: (each.offset or 0, each.bytes))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8), st.integers(0, 25))
def test_a_plan_is_the_whole_or_there_is_none(spans: list[tuple[int, int]], size: int) -> None:
    parts = ordered([part(*span) for span in spans])
    plan = contiguous(parts, size)
    covered = {place for offset, length in spans for place in range(offset, offset + length)}
    if plan is None:
        return
    starts = {each.blob_key: each.offset or 0 for each in parts}
    place = 0
    for key, length in plan:
        assert starts[key] == place
        place += length
    assert place == size
    assert set(range(size)) <= covered


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.data())
def test_chunks_in_a_row_are_always_a_whole_also_where_one_was_longer(sizes: list[int], data: st.DataObject) -> None:
    parts, place = [], 0
    for length in sizes:
        parts.append(part(place, length + data.draw(st.integers(0, 5))))
        place += length
    parts[-1] = part(place - sizes[-1], sizes[-1])
    plan = contiguous(ordered(parts), place)
    assert plan is not None
    assert [length for _, length in plan] == sizes
