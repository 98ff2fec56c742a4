"""`/files`, over a real store."""

import re
from typing import Any

import httpx
import pytest
from tests.api.files.support import KEY, OTHER, Gateway, error_of, form
from tests.support.clock import START

from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.store import StoreError
from gemgate.translation.options import FileOptions

pytestmark = pytest.mark.slow

PURPOSE = ("purpose", "user_data")
FILE = ("file", "hello, world", "ü.txt")


async def made(client: httpx.AsyncClient, *parts: Any, **options: Any) -> dict[str, Any]:
    response = await client.post("/files", **form(*(parts or (PURPOSE, FILE))), **options)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
@pytest.mark.parametrize("parts", [(PURPOSE, FILE), (FILE, PURPOSE)], ids=["fields first", "file first"])
async def test_an_upload_is_a_file_wherever_its_fields_stand(gateway: Gateway, prefix: str, parts: Any) -> None:
    async with gateway.client() as client:
        response = await client.post(f"http://gateway{prefix}/files", **form(*parts))
    body = response.json()
    assert re.fullmatch(r"file-[0-9a-f]{32}", body.pop("id"))
    assert body == {
        "object": "file",
        "bytes": 12,
        "created_at": START,
        "expires_at": None,
        "filename": "ü.txt",
        "purpose": "user_data",
        "status": "processed",
    }


async def test_a_file_lives_as_long_as_it_was_told(gateway: Gateway) -> None:
    expiry = (("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"))
    async with gateway.client() as client:
        file = await made(client, *expiry, PURPOSE, FILE)
        assert file["expires_at"] == START + 3600
        gateway.clock.now += 3600
        assert error_of(await client.get(f"/files/{file['id']}")) == (404, "id", None)


async def test_a_file_for_a_batch_lives_30_days_unless_told_otherwise(gateway: Gateway) -> None:
    expiry = (("expires_after[seconds]", "7200"), ("expires_after[anchor]", "created_at"))
    async with gateway.client() as client:
        plain = await made(client, FILE, ("purpose", "batch"))
        told = await made(client, FILE, ("purpose", "batch"), *expiry)
    assert (plain["expires_at"], told["expires_at"]) == (START + 30 * 86_400, START + 7200)


async def test_an_empty_file_is_one(gateway: Gateway) -> None:
    async with gateway.client() as client:
        file = await made(client, PURPOSE, ("file", "", ""))
        response = await client.get(f"/files/{file['id']}/content", headers={"range": "bytes=0-"})
        assert (file["bytes"], file["filename"]) == (0, "file")
        assert (response.status_code, response.headers["content-range"]) == (416, "bytes */0")
        assert (await client.get(f"/files/{file['id']}/content")).content == b""


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([PURPOSE], (400, "file", "missing_required_parameter")),
        ([FILE], (400, "purpose", "missing_required_parameter")),
        ([PURPOSE, ("file", "x")], (400, "file", "invalid_type")),
        ([PURPOSE, ("other", "x", "o.txt"), FILE], (400, "other", "invalid_type")),
        ([PURPOSE, FILE, FILE], (400, "file", "invalid_form")),
        ([("purpose", "spying"), FILE], (400, "purpose", "invalid_value")),
        ([("purpose[a]", "batch"), FILE], (400, "purpose", "invalid_value")),
        ([FILE, ("purpose", "spying")], (400, "purpose", "invalid_value")),
        ([FILE, ("purpose", "batch_output")], (400, "purpose", "invalid_value")),
        ([FILE, ("purpose", b"\xff")], (400, "purpose", "invalid_value")),
        ([PURPOSE, FILE, ("notes", "x" * 70_000)], (400, "notes", "invalid_form")),
        (
            [PURPOSE, FILE, ("expires_after[anchor]", "created_at")],
            (400, "expires_after.seconds", "missing_required_parameter"),
        ),
        (
            [PURPOSE, FILE, ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3599")],
            (400, "expires_after.seconds", "decimal_below_min_value"),
        ),
        (
            [PURPOSE, FILE, ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "2592001")],
            (400, "expires_after.seconds", "decimal_above_max_value"),
        ),
        (
            [
                PURPOSE,
                FILE,
                ("expires_after", "x"),
                ("expires_after[anchor]", "now"),
                ("expires_after[seconds]", "3600"),
            ],
            (400, "expires_after.anchor", "invalid_value"),
        ),
    ],
)
async def test_a_form_at_fault_is_refused_and_leaves_nothing(gateway: Gateway, parts: Any, expected: Any) -> None:
    async with gateway.client() as client:
        response = await client.post("/files", **form(*parts))
        assert (await client.get("/files")).json()["data"] == []
    assert error_of(response) == expected
    assert gateway.stored() == []


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_broken_form_leaves_nothing(gateway: Gateway, is_late: bool) -> None:
    sent = form(PURPOSE, ("file", "x" * (12_000_000 if is_late else 10), "f"))
    sent["content"] = sent["content"][:-8]
    async with gateway.client() as client:
        assert error_of(await client.post("/files", **sent)) == (400, None, "invalid_form")
        assert (await client.get("/files")).json()["data"] == []
    assert gateway.stored() == []


async def test_a_body_that_is_no_form_is_refused(gateway: Gateway) -> None:
    async with gateway.client() as client:
        response = await client.post("/files", json={"purpose": "batch"})
    assert error_of(response) == (415, None, "unsupported_content_type")


async def chunked(content: bytes) -> Any:
    for at in range(0, len(content), 100_000):
        yield content[at : at + 100_000]


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("size", [1001, 2_000_000])
async def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(
    gateway: Gateway, size: int, is_told: bool
) -> None:
    gateway.options = FileOptions(max_bytes=1000)
    async with gateway.client() as client:
        await made(client, PURPOSE, ("file", "x" * 1000, "f"))
        sent = form(PURPOSE, ("file", "x" * size, "f"))
        if not is_told:
            sent["content"] = chunked(sent["content"])
        response = await client.post("/files", **sent)
    assert error_of(response) == (413, None, "file_too_large")
    assert "/v1/uploads" in response.json()["error"]["message"]
    assert len(gateway.stored()) == 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_file_for_a_batch_has_a_limit_of_its_own(
    gateway: Gateway, is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemgate.api.files.objects.MAX_BATCH_BYTES", 11)
    parts = [("purpose", "batch"), FILE]
    async with gateway.client() as client:
        response = await client.post("/files", **form(*(parts if is_first else reversed(parts))))
        await made(client)
    assert error_of(response) == (413, None, "file_too_large")
    assert "at most 11 bytes" in response.json()["error"]["message"]
    assert MAX_BATCH_BYTES == 200 * 1024 * 1024
    assert len(gateway.stored()) == 1


async def test_unknown_fields_are_named(gateway: Gateway) -> None:
    expiry = [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"), ("expires_after[x]", "1")]
    async with gateway.client() as client:
        response = await client.post("/files", **form(PURPOSE, FILE, ("colour", "red"), *expiry))
    assert response.headers["x-gemgate-dropped-params"] == "colour,expires_after.x"


async def test_unknown_fields_are_refused_if_the_setting_says_so(gateway: Gateway) -> None:
    gateway.options = FileOptions(unsupported_params="strict")
    async with gateway.client() as client:
        response = await client.post("/files", **form(PURPOSE, FILE, ("colour", "red")))
    assert error_of(response) == (400, "colour", "unsupported_parameter")
    assert gateway.stored() == []


async def test_files_are_listed_page_by_page(gateway: Gateway) -> None:
    async with gateway.client() as client:
        ids = []
        for purpose in ("user_data", "batch", "user_data"):
            ids.append((await made(client, ("purpose", purpose), FILE))["id"])
            gateway.clock.now += 1
        newest = (await client.get("/files", params={"limit": 2})).json()
        assert [file["id"] for file in newest.pop("data")] == [ids[2], ids[1]]
        assert newest == {"object": "list", "first_id": ids[2], "last_id": ids[1], "has_more": True}
        rest = (await client.get("/files", params={"after": ids[1]})).json()
        assert ([file["id"] for file in rest["data"]], rest["has_more"]) == ([ids[0]], False)
        oldest = (await client.get("/files", params={"order": "asc", "purpose": "user_data"})).json()
        assert [file["id"] for file in oldest["data"]] == [ids[0], ids[2]]
        none = (await client.get("/files", params={"purpose": "evals"})).json()
        assert none == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"after": "file-nope"}, (400, "after", "invalid_value")),
        ({"limit": "0"}, (400, "limit", "decimal_below_min_value")),
        ({"limit": "10001"}, (400, "limit", "decimal_above_max_value")),
        ({"order": "up"}, (400, "order", "invalid_value")),
    ],
)
async def test_a_page_that_cannot_be_is_refused(gateway: Gateway, params: Any, expected: Any) -> None:
    async with gateway.client() as client:
        assert error_of(await client.get("/files", params=params)) == expected


async def test_a_deleted_file_is_gone_with_its_bytes(gateway: Gateway) -> None:
    async with gateway.client() as client:
        file = await made(client)
        response = await client.delete(f"/files/{file['id']}")
        assert response.json() == {"id": file["id"], "object": "file", "deleted": True}
        assert gateway.stored() == []
        assert error_of(await client.delete(f"/files/{file['id']}")) == (404, "id", None)


@pytest.mark.parametrize("file_id", ["file-unknown", "files/abc", "x/content/content"])
async def test_an_unknown_file_is_told_as_openai_tells_it(gateway: Gateway, file_id: str) -> None:
    async with gateway.client() as client:
        answers = [
            await client.get(f"/files/{file_id}"),
            await client.delete(f"/files/{file_id}"),
            await client.get(f"/files/{file_id}/content"),
        ]
    for answer in answers:
        error = answer.json()["error"]
        assert answer.status_code == 404
        assert error["message"].startswith("No such File object: ")
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "id", None)


async def test_a_foreign_file_is_an_unknown_one(gateway: Gateway) -> None:
    async with gateway.client() as client:
        file = await made(client)
        path = f"/files/{file['id']}"
        for answer in (
            await client.get(path, headers=OTHER),
            await client.get(f"{path}/content", headers=OTHER),
            await client.delete(path, headers=OTHER),
        ):
            assert answer.status_code == 404
            assert answer.json()["error"]["message"] == f"No such File object: {file['id']}"
        assert (await client.get("/files", headers=OTHER)).json()["data"] == []
        assert (await client.get("/files", params={"after": file["id"]}, headers=OTHER)).json()["data"] == []
        assert (await client.get(f"{path}/content")).text == "hello, world"


async def test_a_caller_without_a_key_is_turned_away(gateway: Gateway) -> None:
    async with gateway.client() as client:
        del client.headers["authorization"]
        sent = form(PURPOSE, FILE)
        answers = [
            await client.get("/files"),
            await client.get("/files/a"),
            await client.get("/files/a/content"),
            await client.delete("/files/a"),
            await client.post("/files", **sent),
            await client.post("/uploads", json={}),
            await client.post("/uploads/a/parts", **sent),
            await client.post("/uploads/a/complete", json={}),
            await client.post("/uploads/a/cancel"),
        ]
    assert [answer.status_code for answer in answers] == [401] * 9


async def test_content_comes_with_what_a_browser_needs_to_be_safe(gateway: Gateway) -> None:
    async with gateway.client() as client:
        file = await made(client, PURPOSE, ("file", "hello", "a%22;ü.txt"))
        response = await client.get(f"/files/{file['id']}/content")
    assert response.content == b"hello"
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["content-length"] == "5"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"].startswith("attachment; filename=")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("bytes=0-4", "hello"), ("bytes=7-", "world"), ("bytes=-5", "world"), ("bytes=0-99", "hello, world")],
)
async def test_a_range_is_a_206(gateway: Gateway, asked: str, expected: str) -> None:
    async with gateway.client() as client:
        file = await made(client)
        response = await client.get(f"/files/{file['id']}/content", headers={"range": asked})
    start = "hello, world".index(expected)
    assert (response.status_code, response.text) == (206, expected)
    assert response.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/12"


async def test_a_range_of_a_file_that_has_changed_is_the_whole(gateway: Gateway) -> None:
    async with gateway.client() as client:
        path = f"/files/{(await made(client))['id']}/content"
        etag = (await client.get(path)).headers["etag"]
        same = await client.get(path, headers={"range": "bytes=0-0", "if-range": etag})
        changed = await client.get(path, headers={"range": "bytes=0-0", "if-range": '"other"'})
    assert ((same.status_code, same.text), (changed.status_code, changed.text)) == ((206, "h"), (200, "hello, world"))


async def test_bytes_that_are_gone_are_a_404(gateway: Gateway) -> None:
    async with gateway.client() as client:
        file = await made(client)
        await gateway.store.blobs.delete(f"files/{file['id']}")
        assert error_of(await client.get(f"/files/{file['id']}/content")) == (404, "id", None)


async def test_a_store_that_fails_is_the_gateways_fault(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk is full")

    async with gateway.client() as client:
        upload = {"bytes": 1, "filename": "f", "mime_type": "text/plain", "purpose": "user_data"}
        upload_id = (await client.post("/uploads", json=upload)).json()["id"]
        monkeypatch.setattr(gateway.store.blobs, "put", failing)
        answers = [
            await client.post("/files", **form(PURPOSE, FILE)),
            await client.post(f"/uploads/{upload_id}/parts", **form(("data", "x", "d"))),
        ]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert "disk" not in answers[0].text + answers[1].text
    assert KEY["authorization"] not in answers[0].text
