"""PostgreSQL's connections, none of which waits for a silent server longer than it may."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError, waiting
from psycopg.abc import PQGen

T = TypeVar("T")

_INTERVAL = 0.1
_LEAST_CONNECT_SECONDS = 2  # of libpq


Parameters = Mapping[str, object] | Sequence[object]


def without_nuls(
    _connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _is_many: object
) -> tuple[str, Any]:
    """The statement, with U+FFFD for each NUL in the texts of its parameters.

    PostgreSQL refuses a NUL in a text: an id that has one would be a fault of the database's, where it is of nothing.
    """
    if isinstance(parameters, list):
        return statement, [_without_nuls(each) for each in parameters]
    return statement, _without_nuls(parameters)


def _without_nuls(parameters: Parameters) -> Parameters:
    if isinstance(parameters, Mapping):
        return {name: _text(value) for name, value in parameters.items()}
    return tuple(map(_text, parameters))


def _text(value: object) -> object:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def bounded_connect(seconds: float) -> Callable[..., Awaitable[AsyncConnection[object]]]:
    """What opens connections of which each wait, the one for the connection included, takes `seconds` at most."""

    class BoundedConnection(AsyncConnection[object]):
        """psycopg's own, when it is interrupted, waits for the server once more; a server that is stopped is silent."""

        async def wait(
            self,
            gen: PQGen[T],
            interval: float = _INTERVAL,
            timeout: float | None = None,  # noqa: ASYNC109  psycopg's signature
        ) -> T:
            """The result of `gen`. After a wait in vain, or a cancelled one, the connection is closed.

            Raises:
                OperationalError: the server is silent.
            """
            try:
                async with asyncio.timeout(seconds):
                    return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
            except TimeoutError:
                self.pgconn.finish()
                raise OperationalError(f"no answer within {seconds:g} s") from None
            except asyncio.CancelledError:
                self.pgconn.finish()
                raise

    async def connect(*args: Any, **options: Any) -> AsyncConnection[object]:
        options.setdefault("connect_timeout", max(int(seconds), _LEAST_CONNECT_SECONDS))
        try:
            async with asyncio.timeout(seconds):
                return await BoundedConnection.connect(*args, **options)
        except TimeoutError:
            raise OperationalError(f"no connection within {seconds:g} s") from None

    return connect
