"""Requests that come over a WebSocket, each as an HTTP request of its own: it passes everything that one passes.

The handshake is the GET that it is over HTTP as well, and what accepts it answers with 101.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.web.disconnect import DISCONNECT
from gemgate.web.limits_middleware import CREDENTIAL, WHOLE_BODY

SWITCHING_PROTOCOLS = 101

_OF_CONNECTION = frozenset(
    {b"connection", b"upgrade", b"content-length", b"content-type", b"transfer-encoding", b"accept", b"x-request-id"}
)
_CREDENTIALS = frozenset({b"authorization", b"x-goog-api-key", b"api-key"})
_SHARED = (
    "asgi", "http_version", "server", "client", "root_path", "path", "raw_path", "query_string", "app", "state",
    DISCONNECT,
)  # fmt: skip
_NOT_SAID = frozenset({b"content-type", b"content-length", b"cache-control", b"connection"})


def http_scope(scope: Scope, method: str, extra: Mapping[str, object]) -> Scope:
    """The scope of an HTTP request with the address and the headers of a WebSocket's, and `extra`."""
    headers = [line for line in scope["headers"] if method == "GET" or _is_of_request(line[0])]
    if method != "GET":
        headers += [(b"content-type", b"application/json")]
    credential = next((value for name, value in headers if name in _CREDENTIALS), None)
    shared = {name: scope[name] for name in _SHARED if name in scope}
    known = {CREDENTIAL: credential} if credential is not None else {}
    scheme = "https" if scope.get("scheme") == "wss" else "http"
    found: Scope = {
        "type": "http", "method": method, "scheme": scheme, "headers": headers, WHOLE_BODY: True,
        **shared, **known, **extra,
    }  # fmt: skip
    return found


def _is_of_request(name: bytes) -> bool:
    return name not in _OF_CONNECTION and not name.startswith((b"sec-websocket-", b"sec-fetch-"))


async def ask(app: ASGIApp, scope: Scope, body: bytes, inbox: "Inbox", send: Send) -> "HttpAnswer":
    """The answer of `app` to the request of `scope`; its events go to `send`, which is of the WebSocket."""
    answer = HttpAnswer(send)
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if not is_read:
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}
        await inbox.disconnected()
        return {"type": "http.disconnect"}

    await app(scope, receive, answer.send)
    return answer


class Inbox:
    """What comes over a WebSocket: its messages one by one, and its end.

    Args:
        receive: Of the connection's ASGI scope.
    """

    __slots__ = ("_receive", "_waiting", "is_over")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waiting: deque[bytes] = deque()
        self.is_over = False

    async def next(self) -> bytes | None:
        """The next message as it came; None at the end."""
        if self._waiting:
            return self._waiting.popleft()
        return None if self.is_over else await self._next()

    async def disconnected(self) -> None:
        """Wait for the end; messages that come before wait too. Needed where the server does not report the end."""
        while not self.is_over:
            if (message := await self._next()) is not None:
                self._waiting.append(message)

    async def _next(self) -> bytes | None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                return text.encode() if text is not None else message.get("bytes") or b""
            if message["type"] == "websocket.disconnect":
                self.is_over = True
                return None


class HttpAnswer:
    """The answer of the application to one request; events are handed on as they come, everything else at its end."""

    __slots__ = ("_body", "_send", "headers", "is_events", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body: list[bytes] = []
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_events = False

    @property
    def body(self) -> bytes:
        """The whole body of an answer in one piece."""
        return b"".join(self._body)

    async def send(self, message: Message) -> None:
        """One message of the application's."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            kind = dict(self.headers).get(b"content-type", b"")
            self.is_events = b"event-stream" in kind
        elif not self.is_events:
            self._body.append(message.get("body", b""))
        else:
            for data in datas(message.get("body", b"")):
                await self._send({"type": "websocket.send", "text": data.decode()})

    def shown_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that mean something without the body."""
        return [line for line in self.headers if line[0] not in _NOT_SAID]


def datas(events: bytes) -> Iterator[bytes]:
    """The data of whole events as this gateway writes them, without comments and the `[DONE]` of streams."""
    for block in events.split(b"\n\n"):
        _, found, data = block.partition(b"data: ")
        if found and data != b"[DONE]" and not block.startswith(b":"):
            yield data
