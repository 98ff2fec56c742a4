"""The requests that have ended at each replica, for whichever console is watched, by way of Redis.

While nobody watches, a process asks once a second whether somebody does, and nothing is written.
"""

from typing import TYPE_CHECKING, Any

from gemgate.shared_state.connection import RedisConnection, WrongAnswerError

if TYPE_CHECKING:
    from redis.asyncio import Redis

WATCHED_MILLISECONDS = 5_000
"""After which a watcher counts as gone, unless it says again that it watches."""

MAX_ENTRY = 32_768
"""Bytes of one entry. What is larger is neither written nor read."""

ENTRIES_AT_ONCE = 32
"""Entries of one read: a megabyte at most, so that reading them takes no time from limits and cool-downs."""

_WATCHED = "gemgate:{console}:watched"
_ENTRIES = "gemgate:{console}:requests"
_KEPT_ENTRIES = 256
_KEPT_MILLISECONDS = 10_000
_FIELD = b"data"

START = b"0-0"
"""The place before the first entry."""


class RequestFeed:
    """A stream of entries, of at most eight megabytes, that is gone ten seconds after the last of them.

    Args:
        link: Redis.

    Each method raises `RedisDownError` where Redis is down.
    """

    def __init__(self, link: RedisConnection) -> None:
        self._link = link

    @property
    def state(self) -> str:
        """How Redis is: `up`, `down` or `refusing`."""
        return self._link.state

    async def watcher(self) -> bytes | None:
        """The name of the newest watcher, while there is one."""
        return await self._link.run(_watcher)

    async def begin(self, name: str) -> None:
        """Somebody watches, under a name of its own: the others see by it that the last requests are wanted again."""
        await self._link.run(lambda redis: redis.set(_WATCHED, name, px=WATCHED_MILLISECONDS))

    async def go_on(self, name: str) -> None:
        """It still watches; another may have come, whose name stays."""

        async def renew(redis: "Redis") -> None:
            if not await redis.pexpire(_WATCHED, WATCHED_MILLISECONDS):
                await redis.set(_WATCHED, name, px=WATCHED_MILLISECONDS)

        await self._link.run(renew)

    async def publish(self, entry: bytes) -> None:
        """Add an entry of at most `MAX_ENTRY` bytes."""

        async def add(redis: "Redis") -> None:
            pipeline: Any = redis.pipeline(transaction=False)
            pipeline.xadd(_ENTRIES, {_FIELD: entry}, maxlen=_KEPT_ENTRIES, approximate=False)
            pipeline.pexpire(_ENTRIES, _KEPT_MILLISECONDS)
            await pipeline.execute()

        await self._link.run(add)

    async def after(self, place: bytes) -> tuple[bytes, list[bytes]]:
        """The entries after a place, at most `ENTRIES_AT_ONCE`, and the place behind them."""
        return await self._link.run(lambda redis: _after(redis, place))


async def _watcher(redis: "Redis") -> bytes | None:
    name: object = await redis.get(_WATCHED)
    if name is not None and not isinstance(name, bytes):
        raise WrongAnswerError("the name of a watcher is not a text")
    return name


async def _after(redis: "Redis", place: bytes) -> tuple[bytes, list[bytes]]:
    """Raises: WrongAnswerError: it is not a list of entries."""
    answer: object = await redis.xread({_ENTRIES: place}, count=ENTRIES_AT_ONCE)
    match answer:
        case [] | None:
            return place, []
        case [[_, list(found)]]:
            pass
        case _:
            raise WrongAnswerError("the entries of a stream are not a list")
    entries: list[bytes] = []
    for each in found:
        match each:
            case (bytes(place), dict(fields)):
                entry = fields.get(_FIELD)
                if isinstance(entry, bytes) and len(entry) <= MAX_ENTRY:
                    entries.append(entry)
            case _:
                raise WrongAnswerError("an entry of a stream has another form")
    return place, entries
