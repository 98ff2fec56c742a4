"""openai-python over a real socket, and clients that break off."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.api.files.support import KEY, Gateway, form
from tests.support.clock import START
from tests.support.server import serve

from gemgate.translation.options import FileOptions

LINES = b'{"custom_id": "r1"}\n' * 1000


@contextmanager
def client_before(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with (
        serve(gateway.app()) as origin,
        openai.OpenAI(api_key="caller-key", base_url=f"{origin}/v1", max_retries=0) as client,
    ):
        yield client


def test_a_file_is_uploaded_listed_read_and_deleted(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINES)
    with client_before(gateway) as client, path.open("rb") as stream:
        file = client.files.create(
            file=stream, purpose="batch", expires_after={"anchor": "created_at", "seconds": 86_400}
        )
        assert (file.filename, file.bytes, file.purpose) == ("in.jsonl", len(LINES), "batch")
        assert (file.created_at, file.expires_at) == (START, START + 86_400)
        assert client.files.retrieve(file.id) == file
        assert client.files.wait_for_processing(file.id) == file
        assert client.files.content(file.id).read() == LINES
        part = client.files.content(file.id, extra_headers={"range": "bytes=-20"})
        assert (part.response.status_code, part.read()) == (206, LINES[-20:])
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}"):
            client.files.retrieve(file.id)
    assert gateway.stored() == []


def test_the_client_walks_through_all_pages(gateway: Gateway) -> None:
    with client_before(gateway) as client:
        ids = {client.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(5)}
        assert {file.id for file in client.files.list(limit=2)} == ids
        assert not list(client.files.list(purpose="evals"))


def test_a_large_file_is_uploaded_in_parts(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(range(256)) * 100_000)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    with client_before(gateway) as client:
        upload = client.uploads.upload_file_chunked(
            file=path, mime_type="application/octet-stream", purpose="user_data", part_size=10_000_000, md5=digest
        )
        assert (upload.status, upload.bytes) == ("completed", 25_600_000)
        assert upload.file is not None
        assert client.files.content(upload.file.id).read() == path.read_bytes()
    assert gateway.stored() == [f"files/{upload.file.id}"]


def test_an_upload_is_cancelled(gateway: Gateway) -> None:
    with client_before(gateway) as client:
        upload = client.uploads.create(bytes=3, filename="f", mime_type="text/plain", purpose="user_data")
        client.uploads.parts.create(upload.id, data=b"abc")
        assert client.uploads.cancel(upload.id).status == "cancelled"
    assert gateway.stored() == []


@pytest.mark.parametrize(("purpose", "maximum", "status"), [("spying", 10**9, 400), ("user_data", 10**6, 413)])
def test_a_refusal_is_read_by_a_client_that_is_still_sending(
    gateway: Gateway, purpose: Any, maximum: int, status: int
) -> None:
    gateway.options = FileOptions(max_bytes=maximum)
    with client_before(gateway) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            client.files.create(file=("large", b"x" * 30_000_000), purpose=purpose)
        assert refused.value.status_code == status
        assert client.files.create(file=b"small", purpose="user_data").bytes == 5
    assert len(gateway.stored()) == 1


def abort(origin: str, path: str, content: bytes, size: int) -> None:
    """Announce a form of `size` bytes, send `content` of it, and go."""
    address = httpx.URL(origin)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: {KEY['authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {size}\r\n\r\n"
    )
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(head.encode() + content)


@pytest.mark.parametrize("size", [10, 30_000_000])
def test_an_upload_that_breaks_off_leaves_nothing(gateway: Gateway, size: int) -> None:
    sent = form(("purpose", "user_data"), ("file", b"x" * size, "f"))["content"][:-8]
    with serve(gateway.app()) as origin:
        abort(origin, "/v1/files", sent, len(sent) + 8)
    assert gateway.stored() == []
    with client_before(gateway) as client:
        assert not list(client.files.list())


def test_a_part_that_breaks_off_leaves_nothing(gateway: Gateway) -> None:
    sent = form(("data", b"x" * 20_000_000, "f"))["content"][:-8]
    with client_before(gateway) as client:
        upload = client.uploads.create(bytes=3, filename="f", mime_type="text/plain", purpose="user_data")
        abort(str(client.base_url), f"/v1/uploads/{upload.id}/parts", sent, len(sent) + 8)
        client.uploads.parts.create(upload.id, data=b"abc")
    (stored,) = gateway.stored()
    assert (gateway.directory / "blobs" / stored).read_bytes() == b"abc"


def test_a_download_that_breaks_off_harms_nobody(gateway: Gateway) -> None:
    with client_before(gateway) as client:
        file = client.files.create(file=b"x" * 30_000_000, purpose="user_data")
        with client.files.with_streaming_response.content(file.id) as response:
            assert len(next(response.iter_bytes(1000))) == 1000
        assert len(client.files.content(file.id).read()) == 30_000_000
