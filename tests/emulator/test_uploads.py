"""POST /upload/v1beta/files: the three protocols."""

import hashlib
from base64 import b64encode
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator

from gemgate.emulator.app import create_emulator
from gemgate.emulator.timing import GRANULARITY, QuotaLimits

URL = "/upload/v1beta/files"


async def start(emulator: Emulator, length: int | None, body: Any = None, **more: str) -> httpx.Response:
    headers = {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Type": "text/plain",
        **more,
    }
    if length is not None:
        headers["X-Goog-Upload-Header-Content-Length"] = str(length)
    return await emulator.client.post(URL, json=body, headers=headers)


async def started(emulator: Emulator, length: int | None, body: Any = None) -> str:
    response = await start(emulator, length, body)
    assert response.status_code == 200, response.text
    return response.headers["x-goog-upload-url"]


async def send(
    emulator: Emulator, url: str, command: str, offset: int | None = None, data: bytes = b"", method: str = "POST"
) -> httpx.Response:
    headers = {"X-Goog-Upload-Command": command}
    if offset is not None:
        headers["X-Goog-Upload-Offset"] = str(offset)
    return await emulator.client.request(method, url, content=data, headers=headers)


def message(response: httpx.Response) -> str:
    found: str = response.json()["error"]["message"]
    return found


class TestResumable:
    async def test_an_upload_has_two_steps_at_least(self, emulator: Emulator) -> None:
        response = await start(emulator, 5, {"file": {"display_name": "a.txt", "name": "files/my-file"}})
        assert response.content == b""
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.headers["x-goog-upload-status"] == "active"
        assert response.headers["x-goog-upload-chunk-granularity"] == "8388608"
        url = response.headers["x-goog-upload-url"]
        assert url.startswith("http://emulator/upload/v1beta/files?upload_id=")
        assert url.endswith("&upload_protocol=resumable")

        done = await send(emulator, url, "upload, finalize", 0, b"hello")
        assert done.headers["x-goog-upload-status"] == "final"
        digest = hashlib.sha256(b"hello").hexdigest().encode()
        assert done.json() == {
            "file": {
                "name": "files/my-file",
                "displayName": "a.txt",
                "mimeType": "text/plain",
                "sizeBytes": "5",
                "createTime": "2026-09-21T14:13:20.000000Z",
                "updateTime": "2026-09-21T14:13:20.000000Z",
                "expirationTime": "2026-09-23T14:13:20.000000000Z",
                "sha256Hash": b64encode(digest).decode(),
                "uri": "https://generativelanguage.googleapis.com/v1beta/files/my-file",
                "state": "ACTIVE",
                "source": "UPLOADED",
            }
        }

    async def test_chunks_need_no_key_and_may_be_put(self, app: Starlette, emulator: Emulator) -> None:
        url = await started(emulator, GRANULARITY + 3)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            anonymous = Emulator(client)
            first = await send(anonymous, url, "upload", 0, b"x" * GRANULARITY, "PUT")
            assert first.headers["x-goog-upload-status"] == "active"
            done = await send(anonymous, url, "upload, finalize", GRANULARITY, b"end")
        assert done.json()["file"]["sizeBytes"] == str(GRANULARITY + 3)

    async def test_query_tells_what_has_arrived(self, emulator: Emulator) -> None:
        url = await started(emulator, None)
        assert (await send(emulator, url, "query")).headers["x-goog-upload-size-received"] == "0"
        await send(emulator, url, "upload", 0, b"x" * GRANULARITY)
        asked = await send(emulator, url, "query")
        assert asked.headers["x-goog-upload-size-received"] == str(GRANULARITY)
        assert asked.headers["x-goog-upload-status"] == "active"
        await send(emulator, url, "finalize")
        asked = await send(emulator, url, "query")
        assert asked.headers["x-goog-upload-status"] == "final"
        assert asked.headers["x-goog-upload-size-received"] == str(GRANULARITY)

    @pytest.mark.parametrize("offset", [None, 1, 4])
    async def test_a_wrong_offset_is_refused_and_nothing_is_lost(self, emulator: Emulator, offset: int | None) -> None:
        url = await started(emulator, 5)
        refused = await send(emulator, url, "upload, finalize", offset, b"hello")
        assert refused.status_code == 400
        assert "0 bytes have been received" in message(refused)
        assert refused.headers["x-goog-upload-status"] == "active"
        assert refused.headers["x-goog-upload-size-received"] == "0"
        assert (await send(emulator, url, "upload, finalize", 0, b"hello")).status_code == 200

    async def test_a_chunk_that_is_no_multiple_of_the_granularity_is_refused(self, emulator: Emulator) -> None:
        url = await started(emulator, 100)
        assert "multiple of 8388608" in message(await send(emulator, url, "upload", 0, b"x" * 50))
        assert (await send(emulator, url, "query")).headers["x-goog-upload-size-received"] == "50"

    async def test_a_chunk_may_reach_up_to_a_multiple_after_a_break(self, emulator: Emulator) -> None:
        url = await started(emulator, GRANULARITY)
        await send(emulator, url, "upload", 0, b"x" * 50)
        assert (await send(emulator, url, "upload", 50, b"x" * (GRANULARITY - 50))).status_code == 200

    async def test_more_or_fewer_bytes_than_declared_are_refused(self, emulator: Emulator) -> None:
        url = await started(emulator, 4)
        assert "More bytes" in message(await send(emulator, url, "upload, finalize", 0, b"hello"))
        url = await started(emulator, 6)
        assert "5 bytes, and 6 were declared" in message(await send(emulator, url, "upload, finalize", 0, b"hello"))

    @pytest.mark.parametrize("ended_by", ["cancel", "upload, finalize"])
    async def test_an_upload_ends_once(self, emulator: Emulator, ended_by: str) -> None:
        url = await started(emulator, 2)
        assert (await send(emulator, url, ended_by, 0, b"hi")).status_code == 200
        assert "already been terminated" in message(await send(emulator, url, "upload, finalize", 0, b"hi"))

    async def test_a_cancelled_upload_leaves_no_file(self, emulator: Emulator) -> None:
        url = await started(emulator, 2)
        assert (await send(emulator, url, "cancel")).headers["x-goog-upload-status"] == "cancelled"
        assert (await emulator.client.get("/v1beta/files")).json() == {}

    async def test_unknown_uploads_and_commands_are_refused(self, emulator: Emulator) -> None:
        assert (await send(emulator, f"{URL}?upload_id=none", "query")).status_code == 404
        url = await started(emulator, 2)
        assert "X-Goog-Upload-Command must be" in message(await send(emulator, url, "resume"))
        assert "X-Goog-Upload-Command must be" in message(await emulator.client.post(url))

    async def test_a_new_request_on_an_upload_ends_the_one_before(self, emulator: Emulator) -> None:
        """As when a client believes its connection lost, and the server does not know yet."""
        url = await started(emulator, 5)

        async def body() -> Any:
            yield b"he"
            assert (await send(emulator, url, "query")).headers["x-goog-upload-size-received"] == "2"
            yield b"xx"

        headers = {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}
        old = await emulator.client.post(url, content=body(), headers=headers)
        assert "Another request" in message(old)
        assert (await send(emulator, url, "upload, finalize", 2, b"llo")).json()["file"]["sizeBytes"] == "5"


class TestStart:
    @pytest.mark.parametrize(
        ("body", "status", "text"),
        [
            ({"file": {"nonsense": 1}}, 400, 'Unknown name "nonsense"'),
            ({"file": {"name": "files/" + "x" * 41}}, 400, "cannot be more than 40 characters"),
            ({"file": {"name": "files/-x"}}, 400, "lowercase alphanumeric"),
            ({"file": {"name": "files/X"}}, 400, "lowercase alphanumeric"),
            ({"file": {"displayName": "x" * 513}}, 400, "512"),
            ({"file": {"name": "files/taken"}}, 409, "already exists"),
            ({"file": {"displayName": "[[emulator: 503]]"}}, 503, "overloaded"),
        ],
    )
    async def test_files_that_google_would_not_take_are_refused(
        self, emulator: Emulator, app: Starlette, body: Any, status: int, text: str
    ) -> None:
        app.state.emulator.files.put("files/taken", "text/plain", b"x", key="other")
        response = await start(emulator, 5, body)
        assert response.status_code == status
        assert text in message(response)

    async def test_the_first_command_is_start(self, emulator: Emulator) -> None:
        assert "begins with" in message(await start(emulator, 5, **{"X-Goog-Upload-Command": "upload"}))

    async def test_a_length_is_a_number(self, emulator: Emulator) -> None:
        response = await start(emulator, None, **{"X-Goog-Upload-Header-Content-Length": "ten"})
        assert "Content-Length: ten" in message(response)

    async def test_a_body_that_is_no_json_is_refused(self, emulator: Emulator) -> None:
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        response = await emulator.client.post(URL, content=b"{", headers=headers)
        assert "Invalid JSON" in message(response)

    async def test_a_key_is_needed(self, app: Starlette) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://emulator") as client:
            assert (await start(Emulator(client), 5)).status_code == 403

    async def test_a_protocol_is_needed(self, emulator: Emulator) -> None:
        assert "protocol" in message(await emulator.client.post(URL, content=b"hello"))

    async def test_there_is_a_largest_file_and_room_for_so_much(self) -> None:
        app = create_emulator(limits=QuotaLimits(body=100, file=10, storage=15))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://emulator", headers={"x-goog-api-key": "k"}
        ) as client:
            emulator = Emulator(client)
            assert "exceeds the limit of 10" in message(await start(emulator, 11))
            url = await started(emulator, None)
            assert "More bytes" in message(await send(emulator, url, "upload, finalize", 0, b"x" * 11))
            app.state.emulator.files.put("files/a", "text/plain", b"x" * 10, key="k")
            full = await start(emulator, 6)
            assert full.status_code == 429
            assert "file_storage_bytes" in message(full)
            too_much = await client.post(URL, content=b"x" * 101, headers={"X-Goog-Upload-Protocol": "raw"})
            assert "payload size" in message(too_much)


class TestInOneRequest:
    async def test_one_request_may_hold_related_parts(self, emulator: Emulator) -> None:
        body = (
            b'--B\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{"file":{"displayName":"a"}}\r\n'
            b"--B\r\nContent-Type: text/csv\r\n\r\n1,2\r\n--3\r\n--B--\r\n"
        )
        response = await emulator.client.post(
            f"{URL}?uploadType=multipart", content=body, headers={"Content-Type": 'multipart/related; boundary="B"'}
        )
        file = response.json()["file"]
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("a", "text/csv", "8")

    async def test_a_part_without_a_type_takes_that_of_the_file(self, emulator: Emulator) -> None:
        body = b'--B\r\n\r\n{"file":{"mimeType":"text/html"}}\r\n--B\r\nX-Y: z\r\n\r\nhi\r\n--B--'
        response = await emulator.client.post(
            URL,
            content=body,
            headers={"Content-Type": "multipart/related; boundary=B", "X-Goog-Upload-Protocol": "multipart"},
        )
        assert response.json()["file"]["mimeType"] == "text/html"

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("text/plain", b""),
            ("multipart/related", b""),
            ("multipart/related; boundary=B", b"--B\r\n\r\n{}\r\n--B--"),
            ("multipart/related; boundary=B", b"--B\r\n\r\n{}\r\n--B\r\n\r\nhi"),
        ],
    )
    async def test_what_is_not_two_parts_is_refused(self, emulator: Emulator, kind: str, body: bytes) -> None:
        headers = {"Content-Type": kind, "X-Goog-Upload-Protocol": "multipart"}
        response = await emulator.client.post(URL, content=body, headers=headers)
        assert response.status_code == 400
        assert "ultipart" in message(response)

    async def test_one_request_may_hold_raw_bytes(self, emulator: Emulator) -> None:
        headers = {"X-Goog-Upload-Protocol": "raw", "X-Goog-Upload-File-Name": "a.md", "Content-Type": "text/markdown"}
        file = (await emulator.client.post(URL, content=b"# a", headers=headers)).json()["file"]
        assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("a.md", "text/markdown", "3")

    async def test_raw_bytes_need_no_name_and_no_type(self, emulator: Emulator) -> None:
        file = (await emulator.client.post(URL, content=b"a", headers={"X-Goog-Upload-Protocol": "raw"})).json()["file"]
        assert file["mimeType"] == "application/octet-stream"
        assert "displayName" not in file


class TestBrokenConnections:
    def test_a_connection_is_reset_in_mid_upload_and_the_upload_goes_on(self, served: httpx.Client) -> None:
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": "3000",
        }
        body = {"file": {"displayName": "[[emulator: reset-upload 1200]]"}}
        url = served.post(URL, json=body, headers=headers).headers["x-goog-upload-url"]
        commands = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        with pytest.raises(httpx.HTTPError):
            served.post(url, content=b"x" * 3000, headers=commands)
        asked = served.post(url, headers={"X-Goog-Upload-Command": "query"})
        assert asked.headers["x-goog-upload-size-received"] == "1200"
        done = served.post(url, content=b"x" * 1800, headers={**commands, "X-Goog-Upload-Offset": "1200"})
        assert done.json()["file"]["sizeBytes"] == "3000"

    def test_what_arrived_from_a_client_that_left_is_kept(self, app: Starlette, served: httpx.Client) -> None:
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        url = served.post(URL, headers=headers).headers["x-goog-upload-url"]

        def leaving() -> Any:
            yield b"x" * 1000
            raise RuntimeError("gone")

        commands = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        with pytest.raises(RuntimeError, match="gone"):
            served.post(url, content=leaving(), headers=commands)
        assert app.state.emulator.wait_for_disconnects(1)
        asked = served.post(url, headers={"X-Goog-Upload-Command": "query"})
        assert asked.headers["x-goog-upload-size-received"] == "1000"
