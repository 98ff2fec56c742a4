"""The bytes of a file are handed on while the rest of the form is still to come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from tests.api.files.support import Gateway, form

from gemgate.api.files.multipart_file import NewFile
from gemgate.translation.options import FileOptions
from gemgate.web.form_file import FormFile

SENT = form(("file", "first", "f"), ("purpose", "evals"))["content"]


def request(messages: AsyncIterator[dict[str, Any]]) -> Request:
    async def receive() -> dict[str, Any]:
        return await anext(messages)

    return Request({"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}, receive)


def body(content: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": True}


async def test_bytes_are_handed_on_at_once_and_fields_are_known_at_the_end() -> None:
    asked = 0

    async def messages() -> AsyncIterator[dict[str, Any]]:
        nonlocal asked
        for message in (body(SENT[:-60]), body(SENT[-60:]), {"type": "http.request", "body": b""}):
            asked += 1
            yield message

    receiving = NewFile(request(messages()), FileOptions())
    async with aclosing(receiving.chunks()) as chunks:
        assert [await anext(chunks), await anext(chunks)] == [b"", b"first"]
        assert (asked, receiving.fields) == (1, {})
        assert [chunk async for chunk in chunks] == []
    assert (asked, receiving.wanted.purpose, receiving.headers) == (3, "evals", {})


@pytest.mark.parametrize("step", [1, 3, 50])
async def test_any_cut_of_the_bytes_gives_the_same_file(step: int) -> None:
    content = b"\r\n--b\r--\n" * 20
    whole = form(("note", "x"), ("data", content, "f"), ("more", "y"))["content"]

    async def messages() -> AsyncIterator[dict[str, Any]]:
        for at in range(0, len(whole), step):
            yield body(whole[at : at + step])
        yield {"type": "http.request", "body": b""}

    receiving = FormFile(request(messages()), "data", 1000)
    assert b"".join([chunk async for chunk in receiving.chunks()]) == content
    assert receiving.fields == {"note": "x", "more": "y"}


async def test_a_client_that_goes_is_no_end_of_its_file() -> None:
    async def messages() -> AsyncIterator[dict[str, Any]]:
        yield body(SENT[:-4])
        yield {"type": "http.disconnect"}

    receiving = NewFile(request(messages()), FileOptions())
    with pytest.raises(ClientDisconnect):
        assert [chunk async for chunk in receiving.chunks()]


async def test_an_upload_that_is_cancelled_leaves_nothing(gateway: Gateway) -> None:
    waiting = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield SENT[: SENT.index(b"first")] + b"x" * 12_000_000
        waiting.set()
        await asyncio.Event().wait()

    async with gateway.client() as client:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        upload = asyncio.create_task(client.post("/files", content=slowly(), headers=headers))
        await waiting.wait()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert gateway.stored() == []
        assert (await client.get("/files")).json()["data"] == []
