"""The content of a file as it is sent."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, bad_key

pytestmark = pytest.mark.slow

KEY = "AIzaSyTheCallersOwnKeyOfThirtyNineCharac"


@pytest.mark.parametrize(
    ("content", "wanted", "sent"),
    [(b"abc", None, b"abc"), (b"abcdef", b"bytes=1-2", b"bc"), (b"a" * 600_000, None, b"a" * 600_000)],
)
async def test_the_last_bytes_end_the_answer(tmp_path: Path, content: bytes, wanted: bytes | None, sent: bytes) -> None:
    """A client that goes as soon as it has all of them has not gone before the end."""
    app = gateway_app(FakeGoogle(bad_key()), data_dir=tmp_path, gemini_api_key=KEY)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not requests:
            await asyncio.Event().wait()  # the client stays
        return requests.pop()

    async with in_process(app) as client:
        held = {"file": ("a.txt", content, "text/plain")}
        created = (await client.post("/v1/files", data={"purpose": "user_data"}, files=held)).json()
        path = f"/v1/files/{created['id']}/content"
        headers = [(b"host", b"localhost"), *([(b"range", wanted)] if wanted else [])]
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80), "scheme": "http"}
        await app({**scope, "http_version": "1.1", "asgi": {"version": "3.0"}, "root_path": ""}, receive, send)
    bodies = [message for message in messages if message["type"] == "http.response.body"]
    assert b"".join(message["body"] for message in bodies) == sent
    assert [message.get("more_body", False) for message in bodies] == [True] * (len(bodies) - 1) + [False]
    assert bodies[-1]["body"]
