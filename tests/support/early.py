"""A client for requests that go on when their answers have been sent: httpx's own transport waits until they end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Message, Scope
from tests.support.gateway import CALLER


class EarlyTransport(httpx.AsyncBaseTransport):
    """Calls the application in a task of its own, and gives the answer as it is sent.

    Attributes:
        tasks: The requests, also those that have been answered.
    """

    def __init__(self, app: FastAPI) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        exchange = self._begin(request, await request.aread())
        head = await exchange.sent.get()
        if isinstance(head, BaseException):
            raise head
        return httpx.Response(head["status"], headers=head["headers"], stream=exchange)

    def _begin(self, request: httpx.Request, body: bytes) -> "Exchange":
        exchange = Exchange(body)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "method": request.method,
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "root_path": "",
            "scheme": "http",
            "query_string": request.url.query,
            "http_version": "1.1",
            "server": ("gateway", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        task = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        self.tasks.add(task)
        task.add_done_callback(exchange.ended)
        return exchange

    @property
    def running(self) -> int:
        """How many requests have not ended."""
        return sum(not task.done() for task in self.tasks)

    async def answered_all(self) -> None:
        """Wait until all requests have ended, as far as they have come by now."""
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def begun(self, path: str, body: Any) -> "Exchange":
        """A request that has been sent, and whose caller waits."""
        request = httpx.Request("POST", f"http://gateway{path}", json=body, headers=CALLER)
        return self._begin(request, await request.aread())

    async def shut_down(self) -> None:
        """Cancel what is still running, as a server does whose time is up."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Wait until all requests have ended."""
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Exchange(httpx.AsyncByteStream):
    """One request, and its answer as it comes.

    Attributes:
        sent: The messages of the application.
    """

    def __init__(self, body: bytes) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self._body: bytes | None = body
        self._is_gone = asyncio.Event()

    def leave(self) -> None:
        """The caller goes."""
        self._is_gone.set()

    async def receive(self) -> Message:
        """The next message of the caller's."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The next message of the application's."""
        self.sent.put_nowait(dict(message))

    def ended(self, task: "asyncio.Task[None]") -> None:
        """The application has nothing more to say."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self.sent.put_nowait(error or {"body": b"", "more_body": False})

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.sent.get()
            if isinstance(message, BaseException):
                raise httpx.ReadError(str(message))
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def aclose(self) -> None:
        """The caller goes, or has the whole answer."""
        self.leave()


@asynccontextmanager
async def early_answers(
    app: FastAPI, headers: Mapping[str, str] = CALLER
) -> AsyncIterator[tuple[httpx.AsyncClient, EarlyTransport]]:
    """A client of the application between its startup and its shutdown, and what it calls it with."""
    transport = EarlyTransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=dict(headers)) as client,
    ):
        yield client, transport
