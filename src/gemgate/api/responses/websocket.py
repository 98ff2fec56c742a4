"""The WebSocket of `/responses`: each `response.create` is a `POST /responses` of its own, with its events as frames.

So it has the limits, the checks, the log line and the costs of one. One response is given at a time; messages that
come meanwhile wait. Source: https://platform.openai.com/docs/guides/websocket-mode.
"""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Literal, NamedTuple

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.api.responses.connection import CONNECTION, ResponseConnection, ResponseConnections
from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError
from gemgate.settings import Settings
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.web.websocket import SWITCHING_PROTOCOLS, HttpAnswer, Inbox, ask, http_scope
from gemgate.wire import Wire

_NORMAL_CLOSURE = 1000


class ResponseSockets:
    """Serves WebSockets; everything else goes on to the application (pure ASGI, around all other middleware).

    Args:
        app: Answers the handshake, as a GET, and each message, as a POST.
        settings: Say how long a WebSocket may be open, and idle.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._idle_timeout = settings.websocket_idle_timeout
        self._lifetime = settings.websocket_lifetime

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One connection, or one request."""
        return self._serve(scope, receive, send) if scope["type"] == "websocket" else self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        inbox, connection = Inbox(receive), ResponseConnection()
        connections: ResponseConnections = scope["app"].state.services.responses.connections
        asked = {CONNECTION: connection}
        try:
            answer = await ask(self._app, http_scope(scope, "GET", asked), b"", inbox, send)
            if answer.status != SWITCHING_PROTOCOLS:
                await _refuse(answer, send)
                return
            await send({"type": "websocket.accept", "headers": answer.shown_headers()})
            del answer
            await self._answer_messages(scope, inbox, send, connection)
        finally:
            connections.closed(connection)

    async def _answer_messages(self, scope: Scope, inbox: Inbox, send: Send, connection: ResponseConnection) -> None:
        """Answer one message after another, until the client goes or the connection has been open for long enough."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._lifetime
        while (now := loop.time()) < end:
            try:
                async with asyncio.timeout_at(min(now + self._idle_timeout, end)):
                    message = await inbox.next()
            except TimeoutError:
                break
            if message is None:
                return
            await self._answer(message, scope, inbox, send, connection)
        if loop.time() >= end:
            await _say(send, error_event(_too_old(self._lifetime)))
        await send({"type": "websocket.close", "code": _NORMAL_CLOSURE})

    async def _answer(
        self, message: bytes, scope: Scope, inbox: Inbox, send: Send, connection: ResponseConnection
    ) -> None:
        services = scope["app"].state.services
        try:
            aside = services.heavy.aside(connection.caller_id, is_heavy=is_heavy(message))
            asked = await aside.run(partial(read_message, message))
        except ApiError as error:
            await _say(send, error_event(error))
            return
        del message
        if asked.body is None:
            await _say(send, _not_steered(asked.steered))
            return
        body, previous = asked.body, asked.previous
        del asked
        connection.has_answered = False
        answer = await ask(self._app, http_scope(scope, "POST", {CONNECTION: connection}), body, inbox, send)
        if not connection.has_answered and isinstance(previous, str):
            services.responses.connections.forget(connection, previous)
        if not answer.is_events and not inbox.is_over:
            await _say(send, _event_of(answer))


class SocketMessage(Wire):
    """A message: of the type `response.create` with the parameters of a response, which are checked by its request."""

    type: Literal["response.create", "response.steer"]
    background: object = None
    event_id: object = None
    previous_response_id: object = None
    response_id: object = None
    stream: object = None
    stream_options: object = None


class AskedMessage(NamedTuple):
    """What a message asks for.

    Attributes:
        body: Of the request that it means; None where it is to steer a response.
        previous: The response that it goes on from.
        steered: The response that it is to steer.
    """

    body: bytes | None
    previous: object
    steered: object


def read_message(message: bytes) -> AskedMessage:
    """What `message` asks for.

    Raises:
        ApiError: 400, it is wrong.
    """
    read = parse(SocketMessage, message)
    body = None if read.type == "response.steer" else body_of(read)
    return AskedMessage(body, read.previous_response_id, read.response_id)


def body_of(message: SocketMessage) -> bytes:
    """The body of the request that a `response.create` means.

    Raises:
        ApiError: 400, it asks for what is only there over HTTP, or cannot be written as JSON again.
    """
    if message.background:
        msg = "'background' is for requests over HTTP: over a WebSocket a response is given while its caller waits."
        raise ApiError(400, msg, param="background", code="unsupported_parameter")
    asked = {**(message.model_extra or {}), "stream": True}
    if message.previous_response_id is not None:
        asked["previous_response_id"] = message.previous_response_id
    try:
        return orjson.dumps(asked)
    except TypeError:
        msg = "The message is nested more than about 200 levels deep, or holds an integer of more than 64 bits."
        raise ApiError(400, msg, code="invalid_value") from None


def error_event(error: ApiError, headers: list[tuple[bytes, bytes]] | None = None) -> Json:
    """`error` as an event, in both shapes: some clients read the one and some the other. The connection stays open."""
    return _error_event(error.status, error.body()["error"], headers or [])


def _error_event(status: int, error: Json, headers: list[tuple[bytes, bytes]]) -> Json:
    flat = {name: error.get(name) for name in ("code", "message", "param")}
    shown = {name.decode(): value.decode("latin-1") for name, value in headers}
    return {"type": "error", "status": status, **flat, "error": error, "headers": shown}


def _event_of(answer: HttpAnswer) -> Json:
    """The event for an answer in one piece: an error, or the native request of a dry run."""
    found: Json = orjson.loads(answer.body)
    error = found.get("error")
    if answer.status < 400 or not isinstance(error, dict):
        return found
    return _error_event(answer.status, error, answer.shown_headers())


def _not_steered(response_id: object) -> Json:
    msg = "A response that is being given cannot be steered here: send its successor with 'previous_response_id'."
    error = {"type": "invalid_request_error", "code": "steering_not_supported", "message": msg}
    return {"type": "response.steer.failed", "response_id": response_id, "error": error}


def _too_old(lifetime: float) -> ApiError:
    msg = f"The WebSocket has been open for {lifetime:g} s, as long as one may be. Open another one to go on."
    return ApiError(400, msg, code="websocket_connection_limit_reached")


async def _say(send: Send, event: Json) -> None:
    await send({"type": "websocket.send", "text": orjson.dumps(event).decode()})


async def _refuse(answer: HttpAnswer, send: Send) -> None:
    """Answer the handshake as the same GET is answered over HTTP."""
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})
