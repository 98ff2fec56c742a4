import socket

import httpx
import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from tests.support.apps import app_with
from tests.support.server import serve

from gemgate.web.json_request import read_json_body

LIMIT = 100


async def echo(request: Request) -> Response:
    return Response(await read_json_body(request, LIMIT))


def post(content: bytes, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return TestClient(app_with(echo)).post("/", content=content, headers=named)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json", ""]
)
def test_json_is_read_as_it_is(content_type: str) -> None:
    assert post(b' {"a": 1}', content_type=content_type).content == b' {"a": 1}'


def test_a_byte_order_mark_is_left_out() -> None:
    assert post(b"\xef\xbb\xbf{}").content == b"{}"


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_another_content_type_is_415(content_type: str) -> None:
    answer = post(b"{}", content_type=content_type)
    assert answer.status_code == 415
    error = answer.json()["error"]
    assert error["code"] == "unsupported_content_type"
    assert content_type.partition(";")[0] in error["message"]
    assert "Content-Type: application/json" in error["message"]


def test_the_content_type_that_curl_sends_is_explained() -> None:
    error = post(b"{}", content_type="application/x-www-form-urlencoded").json()["error"]
    assert "curl -d" in error["message"]


def test_a_compressed_body_is_415() -> None:
    answer = post(b"{}", content_encoding="gzip")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_body_is_400(content: bytes) -> None:
    answer = post(content, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_a_body_of_the_limit_is_read() -> None:
    assert post(b"1" * LIMIT).status_code == 200


def test_a_body_that_says_it_is_too_large_is_413() -> None:
    answer = post(b"1" * (LIMIT + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_body_that_turns_out_too_large_is_413_before_it_ends() -> None:
    with serve(app_with(echo)) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 0), timeout=5) as client:
            client.sendall(
                b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nc8\r\n" + b"1" * 200 + b"\r\n"
            )
            assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
