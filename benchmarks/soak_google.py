"""A Google for the soak of two tenants: it answers after a moment, validates nothing, and fails on demand.

Before the emulator, which validates and answers with what it was sent, a hostile body would cost the other tenant the
emulator's time, and not the gateway's.
"""

import asyncio
import sys
from functools import lru_cache

import orjson
import uvloop
from aiohttp import web
from benchmarks.exchanges import BUFFERED, STREAM

SECONDS = 0.4
"""For an answer, as a model takes: what the gateway adds is seen against it."""

_WORD = "API key expired. Please renew the API key. API_KEY_INVALID"


def _error(status: int, reason: str, message: str, *details: object) -> tuple[int, bytes]:
    error = {"code": status, "status": reason, "message": message, "details": list(details)}
    return status, orjson.dumps({"error": error})


FAILURES: dict[bytes, tuple[int, bytes]] = {
    b"fail-words": _error(400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{_WORD}"'),
    b"fail-file": _error(403, "PERMISSION_DENIED", "You do not have permission to access the File abc."),
    b"fail-letters": _error(403, "PERMISSION_DENIED", "A" * 40_000),
    b"fail-digits": _error(
        503, "UNAVAILABLE", "x", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9" * 40_000}
    ),
    b"fail-500": _error(500, "INTERNAL", "An internal error has occurred."),
    b"fail-503": _error(503, "UNAVAILABLE", "The model is overloaded."),
    b"fail-deep": (200, b'{"candidates":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
}
"""What a request that holds the word is answered with."""


@lru_cache
def embedded(count: int) -> bytes:
    """So many vectors."""
    return orjson.dumps({"embeddings": [{"values": [1.0] + [0.0] * 3071}] * count})


async def _generate(request: web.Request) -> web.Response:
    body = await request.read()
    await asyncio.sleep(SECONDS)
    if (at := body.find(b"fail-")) >= 0:
        for word, (status, content) in FAILURES.items():
            if body.startswith(word, at):
                return web.Response(status=status, body=content, content_type="application/json")
    method = request.path.rpartition(":")[2]
    if method == "streamGenerateContent":
        return web.Response(body=STREAM, content_type="text/event-stream")
    if method == "batchEmbedContents":
        return web.Response(body=embedded(body.count(b'"content":')), content_type="application/json")
    return web.Response(body=BUFFERED, content_type="application/json")


async def _anything(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=404, body=_error(404, "NOT_FOUND", "Not found.")[1], content_type="application/json")


async def _models(_: web.Request) -> web.Response:
    return web.json_response({"models": []})


def main() -> None:
    """Serve on the port that is the only argument."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1beta/models/{name}", _generate)
    app.router.add_get("/v1beta/models", _models)
    app.router.add_route("*", "/{path:.*}", _anything)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
