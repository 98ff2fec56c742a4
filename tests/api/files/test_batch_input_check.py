"""Inputs of batches are looked at on their way into the store, wherever the form says that they are such."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.files.support import Gateway, form

from gemgate.translation.options import Errors, FileOptions

pytestmark = pytest.mark.slow

PURPOSE, FILE = ("purpose", "batch"), ("file", "good\nbad", "in.jsonl")


class Inspector:
    """Finds fault with `bad`, and with nothing else."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def __call__(self, chunks: AsyncIterator[bytes], report: Callable[[Errors], object]) -> AsyncGenerator[bytes]:
        raw = b""
        async for chunk in chunks:
            raw += chunk
            yield chunk
        self.seen.append(raw)
        lines = enumerate(raw.splitlines(), 1)
        report([_error(number) for number, line in lines if line == b"bad"])


def _error(line: int | None) -> dict[str, object]:
    return {"code": "invalid_json_line", "line": line, "message": "It is bad.", "param": None}


@pytest.fixture
def inspector() -> Inspector:
    return Inspector()


@pytest.fixture
async def client(tmp_path: Path, inspector: Inspector) -> AsyncIterator[httpx.AsyncClient]:
    async with Gateway(tmp_path, FileOptions(inspect=inspector)).client() as client:
        yield client


@pytest.mark.parametrize("parts", [[PURPOSE, FILE], [FILE, PURPOSE]])
async def test_a_bad_input_is_kept_and_says_what_is_wrong(
    client: httpx.AsyncClient, inspector: Inspector, parts: list[Any]
) -> None:
    file = (await client.post("/files", **form(*parts))).json()
    assert (file["status"], file["status_details"]) == ("error", "Line 2: It is bad. (invalid_json_line)")
    assert file["errors"] == {"object": "list", "data": [_error(2)]}
    assert (await client.get(f"/files/{file['id']}")).json() == file
    (listed,) = (await client.get("/files")).json()["data"]
    assert "errors" not in listed
    assert listed["status"] == "error"
    assert inspector.seen == [b"good\nbad"]


async def test_a_good_input_is_processed(client: httpx.AsyncClient) -> None:
    file = (await client.post("/files", **form(PURPOSE, ("file", "good", "in.jsonl")))).json()
    assert (file["status"], "status_details" in file, "errors" in file) == ("processed", False, False)


async def test_an_empty_input_is_looked_at_too(client: httpx.AsyncClient, inspector: Inspector) -> None:
    await client.post("/files", **form(PURPOSE, ("file", "", "in.jsonl")))
    assert inspector.seen == [b""]


async def test_a_file_for_another_purpose_is_not_looked_at(client: httpx.AsyncClient, inspector: Inspector) -> None:
    purpose = ("purpose", "user_data")
    for parts in ((purpose, FILE), (FILE, purpose)):
        assert (await client.post("/files", **form(*parts))).json()["status"] == "processed"
    assert inspector.seen == []


@pytest.mark.parametrize("purpose", ["batch", "user_data"])
async def test_an_input_in_parts_is_looked_at_when_it_is_complete(
    client: httpx.AsyncClient, inspector: Inspector, purpose: str
) -> None:
    wanted = {"filename": "in.jsonl", "purpose": purpose, "bytes": 8, "mime_type": "application/jsonl"}
    upload = (await client.post("/uploads", json=wanted)).json()["id"]
    part = (await client.post(f"/uploads/{upload}/parts", **form(("data", "good\nbad", "part")))).json()["id"]
    file = (await client.post(f"/uploads/{upload}/complete", json={"part_ids": [part]})).json()["file"]
    assert file["status"] == ("error" if purpose == "batch" else "processed")
    assert inspector.seen == ([b"good\nbad"] if purpose == "batch" else [])
    assert (await client.get(f"/files/{file['id']}")).json() == file


async def test_many_errors_are_told_in_short_and_listed_in_full(client: httpx.AsyncClient) -> None:
    file = (await client.post("/files", **form(PURPOSE, ("file", "bad\n" * 15, "in.jsonl")))).json()
    assert file["status_details"].endswith(" And 5 more.")
    assert len(file["errors"]["data"]) == 15
