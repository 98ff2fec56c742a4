"""A floor: the least that Python can do. Any path is passed on to `UPSTREAM`, and the answer given back as it comes."""

import os
from typing import Any

import aiohttp

_UPSTREAM = os.environ["UPSTREAM"]


class _Passthrough:
    """An ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        pieces = []
        while True:
            message = await receive()
            pieces.append(message["body"])
            if not message["more_body"]:
                break
        url = f"{_UPSTREAM}{scope['path']}?{scope['query_string'].decode()}"
        headers = {"content-type": "application/json"}
        async with self._session.post(url, data=b"".join(pieces), headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            start = {"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]}
            await send(start)
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=262_144)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


app = _Passthrough()
