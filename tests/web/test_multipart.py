"""Multipart forms, read into memory within a limit."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.support.apps import app_with

from gemgate.errors import ApiError
from gemgate.web.multipart import (
    MAX_PARTS,
    FormPart,
    is_form,
    read_form,
)

LIMIT = 2000
TYPE = "multipart/form-data; boundary=b"


async def endpoint(request: Request) -> Response:
    parts = await read_form(request, LIMIT)
    return JSONResponse([[part.name, part.text(), part.filename, part.content_type] for part in parts])


async def sent(content: Any = None, content_type: str = TYPE, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app_with(endpoint))
    headers = {"content-type": content_type} if content is not None else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.post("/", content=content, headers=headers | options.pop("headers", {}), **options)


def part(head: str, body: str = "x") -> bytes:
    return f"--b\r\n{head}\r\n\r\n{body}\r\n".encode()


NAMED = 'Content-Disposition: form-data; name="a"'


async def test_fields_and_files_come_in_their_order() -> None:
    response = await sent(
        data={"prompt": "größer", "n": "2"},
        files=[("image[]", ("ü.png", b"one", "image/png")), ("image[]", ("two", b"two"))],
    )
    assert response.json() == [
        ["prompt", "größer", None, None],
        ["n", "2", None, None],
        ["image[]", "one", "ü.png", "image/png"],
        ["image[]", "two", "two", "application/octet-stream"],
    ]


@pytest.mark.parametrize("step", [1, 2, 7])
async def test_any_cut_of_the_bytes_gives_the_same_parts(step: int) -> None:
    whole = part(NAMED, "--b? \r\n--c") + part(NAMED + '; filename="f"', "") + b"--b--\r\n"

    async def pieces() -> Any:
        for at in range(0, len(whole), step):
            yield whole[at : at + step]

    response = await sent(pieces())
    assert response.json() == [["a", "--b? \r\n--c", None, None], ["a", "", "f", None]]


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_form_beyond_the_limit_is_refused(is_told: bool) -> None:
    read = 0

    async def pieces() -> Any:
        nonlocal read
        yield part(NAMED)
        for _ in range(100):
            read += 1
            yield b"x" * 100

    headers = {"content-length": "10100"} if is_told else {}
    response = await sent(pieces(), headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
    assert read < 25


@pytest.mark.parametrize(
    ("content", "content_type", "problem"),
    [
        (b"", "multipart/form-data", "names no boundary"),
        (b"", "multipart/form-data; boundary=" + "b" * 300, "too long"),
        (b"", TYPE, "breaks off"),
        (b"hello", TYPE, "cannot be read"),
        (part(NAMED), TYPE, "breaks off"),
        (part(NAMED) + b"--b", TYPE, "breaks off"),
        (b"--c\r\n", TYPE, "cannot be read"),
        (part("Content-Disposition: form-data") + b"--b--", TYPE, "has no name"),
        (part("X-Other: y") + b"--b--", TYPE, "has no name"),
    ],
)
async def test_a_form_that_is_none_is_refused_and_not_logged(
    content: bytes, content_type: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await sent(content, content_type)
    assert not [record for record in caplog.records if "multipart" in record.name]
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_form")
    assert problem in error["message"]


EDGES = st.sampled_from([b"\r\n", b"--b", b"--", b'"', b";", b"=", b"\xff", b"[]", b"name", b"\\", b"\0"])


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 9), EDGES), max_size=6))
def test_no_bytes_do_more_than_be_refused(changes: list[tuple[int, int, bytes]]) -> None:
    content = part(NAMED + '; filename="f"') + part(NAMED.replace('"a"', '"a[b][]"')) + b"--b--\r\n"
    for at, length, edge in changes:
        content = content[:at] + edge + content[at + length :]

    async def receive() -> Any:
        return {"type": "http.request", "body": content}

    request = Request({"type": "http", "headers": [(b"content-type", TYPE.encode())]}, receive)
    with contextlib.suppress(ApiError):
        assert all(isinstance(found, FormPart) for found in asyncio.run(read_form(request, 10_000)))


async def test_a_form_of_too_many_parts_is_refused() -> None:
    parts = [part('Content-Disposition: form-data; name=""', "")] * (MAX_PARTS + 1)
    content = b"".join(parts) + b"--b--"
    many = httpx.Request("POST", "http://gateway", content=content, headers={"content-type": TYPE})

    async def receive() -> Any:
        return {"type": "http.request", "body": many.content}

    request = Request({"type": "http", "headers": many.headers.raw}, receive)
    with pytest.raises(ApiError, match="more than 256 parts"):
        await read_form(request, len(content))


async def test_a_form_that_is_compressed_is_refused() -> None:
    response = await sent(b"x", headers={"content-encoding": "gzip"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_content_encoding")


async def test_text_that_is_no_utf_8_is_refused_by_name() -> None:
    with pytest.raises(ApiError) as refused:
        FormPart("prompt", bytearray(b"\xff")).text()
    assert (refused.value.status, refused.value.param) == (400, "prompt")


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        ("multipart/form-data; boundary=b", True),
        ("Multipart/Form-Data", True),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_form_is_known_by_its_content_type(content_type: str, is_one: bool) -> None:
    assert is_form({"content-type": content_type} if content_type else {}) == is_one
