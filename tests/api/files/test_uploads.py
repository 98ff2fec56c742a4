"""`/uploads`, over a real store."""

import hashlib
from typing import Any

import httpx
import pytest
from tests.api.files.support import OTHER, Gateway, error_of, form
from tests.support.clock import START

from gemgate.translation.options import FileOptions

pytestmark = pytest.mark.slow

UPLOAD = {"bytes": 10, "filename": "f.txt", "mime_type": "text/plain", "purpose": "user_data"}


async def begun(client: httpx.AsyncClient, **changes: Any) -> str:
    response = await client.post("/uploads", json=UPLOAD | changes)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def part(client: httpx.AsyncClient, upload_id: str, content: str | bytes, **options: Any) -> httpx.Response:
    sent = form(("data", content, "part"))
    return await client.post(
        f"/uploads/{upload_id}/parts", content=sent["content"], headers=sent["headers"] | options.get("headers", {})
    )


async def test_parts_become_a_file_in_the_order_that_is_named(gateway: Gateway) -> None:
    async with gateway.client() as client:
        begin = (await client.post("/uploads", json=UPLOAD)).json()
        upload_id = begin["id"]
        assert begin == {
            "id": upload_id,
            "object": "upload",
            "bytes": 10,
            "created_at": START,
            "expires_at": START + 3600,
            "filename": "f.txt",
            "purpose": "user_data",
            "status": "pending",
            "file": None,
        }
        second, first = [(await part(client, upload_id, text)).json() for text in ("world", "hello")]
        assert first == {"id": first["id"], "object": "upload.part", "created_at": START, "upload_id": upload_id}
        body = {"part_ids": [first["id"], second["id"]], "md5": hashlib.md5(b"helloworld").hexdigest()}
        done = (await client.post(f"/uploads/{upload_id}/complete", json=body)).json()
        file = done.pop("file")
        assert done == {key: value for key, value in begin.items() if key != "file"} | {"status": "completed"}
        assert (file["object"], file["bytes"], file["filename"]) == ("file", 10, "f.txt")
        content = await client.get(f"/files/{file['id']}/content")
        assert (content.text, content.headers["content-type"]) == ("helloworld", "text/plain")
        assert gateway.stored() == [f"files/{file['id']}"]
        again = await client.post(f"/uploads/{upload_id}/complete", json=body)
        assert error_of(again) == (400, None, "upload_not_pending")


async def test_an_upload_without_bytes_has_no_parts(gateway: Gateway) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client, bytes=0, purpose="batch")
        done = (await client.post(f"/uploads/{upload_id}/complete", json={"part_ids": []})).json()
    assert (done["file"]["bytes"], done["file"]["expires_at"]) == (0, START + 30 * 86_400)


async def test_expires_after_is_counted_from_the_completion(gateway: Gateway) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client, bytes=0, expires_after={"anchor": "created_at", "seconds": 3600})
        gateway.clock.now += 100
        done = (await client.post(f"/uploads/{upload_id}/complete", json={"part_ids": []})).json()
    assert done["file"]["expires_at"] == START + 3700


async def test_a_cancelled_upload_drops_its_parts(gateway: Gateway) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client)
        await part(client, upload_id, "hello")
        cancelled = (await client.post(f"/uploads/{upload_id}/cancel")).json()
        assert (cancelled["status"], cancelled["file"]) == ("cancelled", None)
        assert gateway.stored() == []
        assert error_of(await part(client, upload_id, "more")) == (400, None, "upload_not_pending")
        again = await client.post(f"/uploads/{upload_id}/cancel")
    assert again.json()["error"]["message"] == "The upload is cancelled, and takes nothing more."


async def test_an_upload_expires_after_an_hour(gateway: Gateway) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client)
        gateway.clock.now += 3600
        response = await part(client, upload_id, "late")
    assert error_of(response) == (400, None, "upload_not_pending")
    assert "expired" in response.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{}, OTHER], ids=["unknown", "foreign"])
async def test_an_upload_of_nobody_or_of_another_is_a_404(gateway: Gateway, headers: Any) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client) if headers else "upload_unknown"
        answers = [
            await part(client, upload_id, "x", headers=headers),
            await client.post(f"/uploads/{upload_id}/complete", json={"part_ids": []}, headers=headers),
            await client.post(f"/uploads/{upload_id}/cancel", headers=headers),
        ]
    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == f"No such Upload object: {upload_id}"


@pytest.mark.parametrize(
    ("texts", "change", "expected"),
    [
        (["hello", "world"], {"md5": "0" * 32}, (400, "md5", "checksum_mismatch")),
        (["hello"], {}, (400, "part_ids", "size_mismatch")),
        (["hello", "world"], {"part_ids": ["part_none"]}, (400, "part_ids", "invalid_value")),
        ([], {"part_ids": None}, (400, "part_ids", "invalid_type")),
    ],
)
async def test_a_completion_at_fault_leaves_the_upload_pending(
    gateway: Gateway, texts: list[str], change: Any, expected: Any
) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client)
        ids = [(await part(client, upload_id, text)).json()["id"] for text in texts]
        response = await client.post(f"/uploads/{upload_id}/complete", json={"part_ids": ids} | change)
        assert error_of(response) == expected
        assert all(name.startswith("parts/") for name in gateway.stored())
        upload = await client.post(f"/uploads/{upload_id}/cancel")
    assert upload.json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bytes": -1}, (400, "bytes", "integer_below_min_value")),
        ({"bytes": None}, (400, "bytes", "invalid_type")),
        ({"filename": ""}, (400, "filename", "string_below_min_length")),
        ({"purpose": "spying"}, (400, "purpose", "invalid_value")),
        ({"bytes": 2001}, (413, None, "file_too_large")),
        ({"bytes": 210_000_000, "purpose": "batch"}, (413, None, "file_too_large")),
    ],
)
async def test_an_upload_at_fault_is_refused(gateway: Gateway, change: Any, expected: Any) -> None:
    gateway.options = FileOptions(uploads_max_bytes=300_000_000 if change.get("purpose") == "batch" else 2000)
    async with gateway.client() as client:
        assert error_of(await client.post("/uploads", json=UPLOAD | change)) == expected


async def test_unknown_fields_are_named(gateway: Gateway) -> None:
    async with gateway.client() as client:
        begin = await client.post("/uploads", json=UPLOAD | {"bytes": 0, "colour": "red"})
        done = await client.post(f"/uploads/{begin.json()['id']}/complete", json={"part_ids": [], "sha": "1"})
    named = [response.headers["x-gemgate-dropped-params"] for response in (begin, done)]
    assert named == ["colour", "sha"]


async def test_a_part_beyond_the_limit_is_refused_and_leaves_nothing(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemgate.api.files.uploads_routes.MAX_PART_BYTES", 1000)
    async with gateway.client() as client:
        upload_id = await begun(client, bytes=3000)
        assert (await part(client, upload_id, "x" * 1000)).status_code == 200
        response = await part(client, upload_id, "x" * 1001)
    assert error_of(response) == (413, None, "file_too_large")
    assert response.json()["error"]["message"] == "A part of an upload may have at most 1000 bytes."
    assert len(gateway.stored()) == 1


async def test_a_part_is_sent_as_data(gateway: Gateway) -> None:
    async with gateway.client() as client:
        upload_id = await begun(client)
        response = await client.post(f"/uploads/{upload_id}/parts", **form(("note", "x")))
    assert error_of(response) == (400, "data", "missing_required_parameter")
    assert gateway.stored() == []
