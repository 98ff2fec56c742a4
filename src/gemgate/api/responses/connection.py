"""What one WebSocket remembers: its last response, so that the next request can go on from it though nothing is stored.

It is gone with the connection, after a turn that failed, and when all connections of the process remember too much.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from anyio import to_thread
from starlette.types import Scope

from gemgate.api.responses.items import Item
from gemgate.api.responses.kept_responses import left_by
from gemgate.api.responses.kept_turn import KeptTurn, beside, input_turn, written
from gemgate.api.responses.state import ResolvedRequest, ResponseStore, Said
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.web.heavy_work import Aside

CONNECTION = "gemgate.responses.connection"
"""The key of a `ResponseConnection` in the scope of a request that came over a WebSocket."""

MAX_REMEMBERED = 268_435_456
"""Bytes that all WebSockets of one process remember. Beyond them the caller who remembers most forgets its oldest."""

_PARAM = "previous_response_id"


@dataclass(slots=True, eq=False)
class ResponseConnection:
    """One WebSocket.

    Attributes:
        caller_id: Whose it is, once it is open.
        response_id: Of the last response; empty when it is forgotten.
        turns: The conversation up to it, as `kept_turn.written` writes turns.
        has_answered: Whether the request in hand has come to its end, well enough to go on from.
    """

    caller_id: str = ""
    response_id: str = ""
    turns: tuple[bytes, ...] = ()
    has_answered: bool = False

    @property
    def size(self) -> int:
        """Bytes of what is remembered."""
        return sum(map(len, self.turns))


@dataclass(slots=True)
class ResponseConnections:
    """The WebSockets of one process: how many each caller has, and what they remember.

    Attributes:
        max_per_caller: How many one caller may have open.
        max_bytes: How large a conversation may be that is remembered, as JSON.
    """

    max_per_caller: int
    max_bytes: int
    _open: dict[str, int] = field(default_factory=dict)
    _remembering: OrderedDict[ResponseConnection, int] = field(default_factory=OrderedDict)
    _size: int = 0
    _sizes: dict[str, int] = field(default_factory=dict)

    def opened(self, connection: ResponseConnection, caller: Caller) -> None:
        """A caller opens a WebSocket.

        Raises:
            ApiError: 429, the caller has as many as it may.
        """
        held = self._open.get(caller.id, 0)
        if held >= self.max_per_caller:
            msg = (
                f"You have {held} WebSockets open, as many as one caller may have (GEMGATE_WEBSOCKETS_PER_CALLER). "
                "Close one of them, or send requests over HTTP."
            )
            headers = {"retry-after": "1"}
            raise ApiError(429, msg, type="requests", code="websocket_connection_limit_reached", headers=headers)
        self._open[caller.id] = held + 1
        connection.caller_id = caller.id

    def closed(self, connection: ResponseConnection) -> None:
        """The WebSocket is gone."""
        self.forget(connection)
        if not connection.caller_id:
            return
        if (held := self._open[connection.caller_id]) > 1:
            self._open[connection.caller_id] = held - 1
        else:
            del self._open[connection.caller_id]

    def remember(self, connection: ResponseConnection, response_id: str, turns: tuple[bytes, ...]) -> None:
        """Nothing but this response can be gone on from now; not even this one, if the conversation is too long."""
        self.forget(connection)
        size = sum(map(len, turns))
        if size > self.max_bytes:
            return
        connection.response_id, connection.turns = response_id, turns
        self._remembering[connection] = size
        self._add(connection.caller_id, size)
        while self._size > MAX_REMEMBERED:
            largest = max(self._sizes, key=self._sizes.__getitem__)
            self.forget(next(one for one in self._remembering if one.caller_id == largest))

    def forget(self, connection: ResponseConnection, response_id: str | None = None) -> None:
        """Nothing is remembered any more; with a `response_id`, only if it is the one that is."""
        if response_id is None or response_id == connection.response_id:
            self._add(connection.caller_id, -self._remembering.pop(connection, 0))
            connection.response_id, connection.turns = "", ()

    def _add(self, caller_id: str, size: int) -> None:
        self._size += size
        if left := self._sizes.pop(caller_id, 0) + size:
            self._sizes[caller_id] = left


@dataclass(frozen=True, slots=True)
class ConnectionStore:
    """The store of responses, as a request sees it that came over a WebSocket.

    Attributes:
        stored: What all requests see.
        connection: The WebSocket.
        connections: All of them.
    """

    stored: ResponseStore
    connection: ResponseConnection
    connections: ResponseConnections

    async def resolve(
        self,
        request: ResponseRequest,
        caller: Caller,
        aside: Aside,
        said: Said | None = None,
        *,
        is_kept: bool = True,
    ) -> ResolvedRequest:
        """The request with what it refers to, of this connection and of the store.

        Raises:
            ApiError: 400 or 404, it names something that is not there, or not the caller's.
        """
        if self._goes_on(request, caller):
            size = self.connection.size
            said = Said(await beside(size, partial(_items, self.connection.turns)), size)
        return await self.stored.resolve(request, caller, aside, said, is_kept=is_kept)

    async def keep(self, resolved: ResolvedRequest, caller: Caller, response: Json, kept: Mapping[str, Json]) -> None:
        """Keep a response that has ended, and remember it if it has not failed."""
        await self.stored.keep(resolved, caller, response, kept)
        if response["status"] == "failed":
            return
        goes_on = self._goes_on(resolved.request, caller)
        is_whole = goes_on or resolved.request.previous_response_id is None
        said = resolved.own if is_whole else resolved.items  # what came from the store is not with this connection yet
        kept = {**{item.fields["id"]: item.kept for item in said if item.kept is not None}, **kept}
        lasting, goes_on_from = left_by(resolved, response)
        turn = await to_thread.run_sync(_turn, said, response["output"], kept, lasting)
        before = self.connection.turns if goes_on and goes_on_from is not None else ()
        self.connections.remember(self.connection, response["id"], (*before, turn))
        self.connection.has_answered = True

    def _goes_on(self, request: ResponseRequest, caller: Caller) -> bool:
        name = request.previous_response_id
        return bool(name) and name == self.connection.response_id and caller.id == self.connection.caller_id


def store_of(scope: Scope, stored: ResponseStore, connections: ResponseConnections) -> ResponseStore:
    """The store as the request of `scope` sees it."""
    connection: ResponseConnection | None = scope.get(CONNECTION)
    return stored if connection is None else ConnectionStore(stored, connection, connections)


def _turn(said: Sequence[Item], output: Sequence[Json], kept: Mapping[str, Json], lasting: Sequence[Json]) -> bytes:
    return written({"output": output}, input_turn(said).data, kept, lasting)


def _items(turns: tuple[bytes, ...]) -> list[Item]:
    return [item for turn in turns for item in KeptTurn.of(turn).items(_PARAM)]
