"""Attacks on the disk: more bytes than were announced, a stranger's files, one caller's many, the last free byte."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.security.tenants import ALICE, BOB, SHARED
from tests.support.command import command
from tests.support.gateway import gateway_app
from tests.support.google import bad_key
from tests.support.server import serve

from gemgate.media.spooled_upload import SpooledUpload
from gemgate.store import blobs, database

GOOD_KEY = {"authorization": "Bearer AIza-known-to-google"}
JUNK_KEY = {"authorization": "Bearer junk"}
KIB = 1024


class Google:
    """Knows one key. Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        is_known = request.headers.get("x-goog-api-key") == "AIza-known-to-google"
        return httpx.Response(200, json={"models": []}) if is_known else bad_key()


@contextmanager
def running(tmp_path: Path, google: Any = None, **settings: Any) -> Iterator[httpx.Client]:
    app = gateway_app(google or Google(), data_dir=tmp_path, retries=0, **settings)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=20) as client:
        yield client


def upload(client: httpx.Client, size: int, headers: dict[str, str]) -> httpx.Response:
    data, files = {"purpose": "user_data"}, {"file": ("a.bin", bytes(size))}
    return client.post("/v1/files", data=data, files=files, headers=headers)


def begin(client: httpx.Client, size: int, headers: dict[str, str] = ALICE) -> httpx.Response:
    body = {"filename": "a.bin", "purpose": "user_data", "bytes": size, "mime_type": "application/octet-stream"}
    return client.post("/v1/uploads", json=body, headers=headers)


def add(client: httpx.Client, upload_id: str, size: int, headers: dict[str, str] = ALICE) -> httpx.Response:
    return client.post(f"/v1/uploads/{upload_id}/parts", files={"data": bytes(size)}, headers=headers)


def stored(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "blobs").rglob("*") if path.is_file())


def code_of(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["code"]


@pytest.mark.parametrize("sizes", [[2], [1, 1, 1], [3 * 1024 * KIB], [0, 1, 1, 1]])
def test_no_more_than_was_announced_is_taken(tmp_path: Path, sizes: list[int]) -> None:
    with running(tmp_path, **SHARED) as client:
        upload_id = begin(client, 1).json()["id"]
        *good, last = [add(client, upload_id, size) for size in sizes]
        assert all(answer.status_code == 200 for answer in good)
        assert code_of(last) == (400, "size_mismatch")
        assert stored(tmp_path) <= 2
        if not good:
            part = add(client, upload_id, 1).json()["id"]
            done = client.post(f"/v1/uploads/{upload_id}/complete", json={"part_ids": [part]}, headers=ALICE)
            assert done.status_code == 200


def test_parts_that_come_at_once_are_counted_together(tmp_path: Path) -> None:
    with running(tmp_path, **SHARED) as client, ThreadPoolExecutor(8) as threads:
        upload_id = begin(client, 10 * KIB).json()["id"]
        answers = [threads.submit(add, client, upload_id, 6 * KIB) for _ in range(8)]
        statuses = [answer.result().status_code for answer in answers]
        assert (statuses.count(200), statuses.count(400)) == (3, 5)
        assert stored(tmp_path) == 18 * KIB


def test_a_key_that_google_does_not_know_stores_nothing(tmp_path: Path) -> None:
    google = Google()
    with running(tmp_path, google) as client:
        assert upload(client, KIB, JUNK_KEY).status_code == 401
        assert begin(client, KIB, JUNK_KEY).status_code == 401
        assert stored(tmp_path) == 0
        asked = len(google.asked)
        assert [upload(client, KIB, GOOD_KEY).status_code for _ in range(3)] == [200] * 3
        assert begin(client, KIB, GOOD_KEY).status_code == 200
        assert google.asked[asked:] == ["/v1beta/models"]


@pytest.mark.parametrize("limit", [{"storage_bytes_per_caller": 10 * KIB}, {"storage_files_per_caller": 2}])
def test_one_caller_fills_its_own_quota_and_no_others(tmp_path: Path, limit: dict[str, int]) -> None:
    with running(tmp_path, **SHARED, **limit) as client:
        assert [upload(client, 4 * KIB, BOB).status_code for _ in range(2)] == [200, 200]
        assert code_of(upload(client, 4 * KIB, BOB)) == (403, "storage_quota_exceeded")
        assert code_of(begin(client, 4 * KIB, BOB)) == (403, "storage_quota_exceeded")
        assert stored(tmp_path) == 8 * KIB
        assert upload(client, 4 * KIB, ALICE).status_code == 200
        file_id = client.get("/v1/files", headers=BOB).json()["data"][0]["id"]
        assert client.delete(f"/v1/files/{file_id}", headers=BOB).status_code == 200
        assert upload(client, 4 * KIB, BOB).status_code == 200


def test_parts_of_unfinished_uploads_count_for_the_quota(tmp_path: Path) -> None:
    with running(tmp_path, **SHARED, storage_bytes_per_caller=10 * KIB) as client:
        uploads = [begin(client, 6 * KIB).json()["id"] for _ in range(2)]
        assert add(client, uploads[0], 6 * KIB).status_code == 200
        assert code_of(add(client, uploads[1], 6 * KIB)) == (403, "storage_quota_exceeded")
        assert client.post(f"/v1/uploads/{uploads[0]}/cancel", headers=ALICE).status_code == 200
        assert add(client, uploads[1], 6 * KIB).status_code == 200


def test_files_that_come_at_once_are_counted_together(tmp_path: Path) -> None:
    with running(tmp_path, **SHARED, storage_bytes_per_caller=10 * KIB) as client, ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(upload, client, 6 * KIB, BOB) for _ in range(8)]
        assert [answer.result().status_code for answer in answers].count(200) <= 1
        assert stored(tmp_path) <= 6 * KIB


def test_the_last_of_the_disk_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, **SHARED, storage_free_bytes=10 * KIB) as client:
        upload_id = begin(client, KIB).json()["id"]
        assert client.get("/readyz").status_code == 200
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * KIB - 1))
        for answer in (upload(client, KIB, BOB), begin(client, KIB), add(client, upload_id, KIB)):
            assert code_of(answer) == (507, "insufficient_storage")
        assert stored(tmp_path) == 0


def test_a_gateway_without_room_says_so_and_is_not_ready_where_it_must_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * KIB - 1))
    with running(tmp_path, **SHARED, storage_free_bytes=10 * KIB) as client:
        probe = client.get("/readyz")
        assert (probe.status_code, probe.json()["degraded"]) == (200, {"store": "the disk is full but for its reserve"})
        assert client.get("/healthz").status_code == 200
    with running(tmp_path, **SHARED, storage_free_bytes=10 * KIB, readiness="store") as client:
        assert client.get("/readyz").status_code == 503


ROOT = Path(__file__).parents[2]
SMALL = ("-m", "tests.security.on_small_disk")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[httpx.Client]:
    """A gateway without a reserve, on a disk of 3 MiB."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "GEMGATE_DATA_DIR": str(tmp_path),
        "DISK_BYTES": str(3 * 1024 * KIB),
        "GEMGATE_STORAGE_FREE_BYTES": "0",
        "GEMINI_API_KEY": "AIza-known-to-google",
        "GEMGATE_CLIENT_KEYS": ALICE["x-goog-api-key"],
        "GEMGATE_LOG_LEVEL": "error",
    }
    probe = [sys.executable, *SMALL, "probe"]
    if subprocess.run(probe, env=os.environ | environment, cwd=ROOT, check=False).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    with (
        command("serve", "--port", "0", program=SMALL, **environment) as (_, origin),
        httpx.Client(base_url=origin, timeout=20, headers=ALICE) as client,
    ):
        yield client


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system")
def test_a_disk_that_is_really_full_is_a_507_and_readiness_says_so(small_disk: httpx.Client) -> None:
    assert upload(small_disk, 10 * KIB, ALICE).status_code == 200
    assert small_disk.get("/readyz").json()["status"] == "ok"
    assert code_of(upload(small_disk, 8 * 1024 * KIB, ALICE)) == (507, "insufficient_storage")
    for size in (256 * KIB, 4 * KIB, 1):  # until not even a byte more goes in
        assert code_of(until_refused(partial(upload, small_disk, size, ALICE))) == (507, "insufficient_storage")
    deadline = time.monotonic() + 20
    while "store" not in (probe := small_disk.get("/readyz")).json().get("degraded", {}):
        assert time.monotonic() < deadline, probe.text
        time.sleep(0.1)
    assert probe.json()["degraded"]["store"] == "the disk is full but for its reserve"
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "x"}]}
    dry = small_disk.post("/v1/chat/completions", json=body, headers={"x-gemgate-dry-run": "true"})
    assert dry.status_code == 200


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_bytes_that_the_system_has_no_room_for_are_a_507(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    with running(tmp_path, **SHARED) as client:
        monkeypatch.setattr(blobs, "_sync", full)
        assert code_of(upload(client, KIB, BOB)) == (507, "insufficient_storage")


def test_a_database_without_room_is_a_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, **SHARED):
        pages = sqlite3.connect(tmp_path / "gemgate.db").execute("PRAGMA page_count").fetchone()[0]
    monkeypatch.setattr(database, "_PRAGMAS", (*database._PRAGMAS, f"PRAGMA max_page_count={pages + 4}"))
    with running(tmp_path, **SHARED) as client:
        assert code_of(until_refused(lambda: upload(client, 1, BOB))) == (507, "insufficient_storage")
        body = {"metadata": {"a": "b" * 500}}
        kept = until_refused(lambda: client.post("/v1/conversations", json=body, headers=BOB))
        assert code_of(kept) == (507, "insufficient_storage")


def until_refused(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer that is not a success."""
    return next(answer for answer in (ask() for _ in range(300)) if answer.status_code != 200)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/conversations", {"metadata": {"a": "b" * 500}}),
        ("/v1/conversations", {"items": [{"role": "user", "content": "x"}]}),
        ("/v1/responses", {"model": "gemini-2.5-flash", "input": "x", "generate": False}),
    ],
)
def test_a_key_that_google_does_not_know_keeps_no_conversation(tmp_path: Path, path: str, body: Any) -> None:
    with running(tmp_path) as client:
        assert client.post(path, json=body, headers=JUNK_KEY).status_code == 401
        assert client.post(path, json=body, headers=GOOD_KEY).status_code == 200


def test_conversations_without_items_are_counted_too(tmp_path: Path) -> None:
    with running(tmp_path, **SHARED, storage_files_per_caller=3) as client:
        made = [client.post("/v1/conversations", json={}, headers=BOB) for _ in range(4)]
        assert [answer.status_code for answer in made[:3]] == [200] * 3
        assert code_of(made[3]) == (403, "storage_quota_exceeded")
        assert client.post("/v1/conversations", json={}, headers=ALICE).status_code == 200
        assert client.delete(f"/v1/conversations/{made[0].json()['id']}", headers=BOB).status_code == 200
        assert client.post("/v1/conversations", json={}, headers=BOB).status_code == 200


MEGABYTE = 1024 * KIB


def transcribe(client: httpx.Client, size: int, headers: dict[str, str]) -> httpx.Response:
    data, files = {"model": "whisper-1"}, {"file": ("a.wav", bytes(size), "audio/wav")}
    return client.post("/v1/audio/transcriptions", data=data, files=files, headers=headers)


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each piece of audio that goes to disk."""
    written: list[int] = []
    append = SpooledUpload._append

    def noted(self: SpooledUpload, held: bytearray) -> Any:
        written.append(len(held))
        return append(self, held)

    monkeypatch.setattr(SpooledUpload, "_append", noted)
    return written


def test_a_key_that_google_does_not_know_puts_no_audio_on_the_disk(tmp_path: Path, spooled: list[int]) -> None:
    google = Google()
    with running(tmp_path, google) as client:
        assert transcribe(client, 3 * MEGABYTE, JUNK_KEY).status_code == 401
        assert google.asked == ["/v1beta/models"]
        assert spooled == []
        transcribe(client, 3 * MEGABYTE, GOOD_KEY)
        assert sum(spooled) > 2 * MEGABYTE


def test_audio_counts_for_the_quota_of_its_caller_while_it_is_on_the_disk(tmp_path: Path, spooled: list[int]) -> None:
    with running(tmp_path, **SHARED, storage_bytes_per_caller=6 * MEGABYTE) as client:
        assert code_of(transcribe(client, 12 * MEGABYTE, BOB)) == (403, "storage_quota_exceeded")
        assert sum(spooled) < 9 * MEGABYTE  # it is looked at each 4 MiB
        for _ in range(3):  # what has ended counts no more
            assert code_of(transcribe(client, 3 * MEGABYTE, BOB))[1] != "storage_quota_exceeded"


def test_audio_leaves_the_last_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spooled: list[int]) -> None:
    with running(tmp_path, **SHARED, storage_free_bytes=10 * KIB) as client:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * KIB - 1))
        assert code_of(transcribe(client, 3 * MEGABYTE, BOB)) == (507, "insufficient_storage")
        assert spooled == []
