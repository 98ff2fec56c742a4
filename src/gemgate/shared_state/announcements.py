"""What one process announces to all the others through Redis, and what it hears of them."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from gemgate.shared_state.connection import RedisConnection, RedisDownError, WrongAnswerError
from gemgate.shared_state.write_behind import Write, WriteBehind
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis

_MAX_OWN = 1000


class Announcements(ABC):
    """Members of a collection in Redis, beside a number that grows with each: they are read when it has changed.

    Args:
        link: Redis.
        behind: Sends what is written.
        version: The key of the number.
        poll_seconds: Between two looks. A look is a GET of the number.
    """

    def __init__(self, link: RedisConnection, behind: WriteBehind, version: str, poll_seconds: float) -> None:
        self._link = link
        self._behind = behind
        self._version_key = version
        self._poll_seconds = poll_seconds
        self._version: object = None
        self._seen: set[bytes] = set()
        self._own: deque[bytes] = deque(maxlen=_MAX_OWN)

    @abstractmethod
    async def _read(self, redis: "Redis") -> list[bytes]:
        """All members, those of this process among them."""

    @abstractmethod
    def _take_over(self, members: Iterable[bytes]) -> None:
        """Follow the members that other processes have added; they may be anything."""

    def _announce(self, member: bytes, write: Write) -> None:
        """Let the others know, soon: `write` adds the member to the collection."""
        self._own.append(member)

        def write_both(pipeline: Any) -> None:
            write(pipeline)
            pipeline.incr(self._version_key)

        self._behind.add(write_both)

    async def look(self) -> None:
        """Take over what is new.

        Raises:
            RedisDownError: Redis is down.
        """
        version = await self._link.run(self._read_version)
        if version == self._version:
            return
        members: set[bytes] = set(await self._link.run(self._read))
        news = members.difference(self._seen, self._own)
        self._seen, self._version = members, version
        self._take_over(news)

    async def _read_version(self, redis: "Redis") -> bytes | None:
        version: object = await redis.get(self._version_key)
        if version is not None and not (isinstance(version, bytes) and version.isdigit()):
            raise WrongAnswerError("a version is no number")
        found: bytes | None = version
        return found

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Looks now, and again and again until the block ends."""
        await self._try()
        async with in_background(self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self._try()

    async def _try(self) -> None:
        with suppress(RedisDownError):
            await self.look()


def texts(members: object, what: str) -> list[bytes]:
    """`members` as Redis gave them, if they are a list of texts.

    Raises:
        WrongAnswerError: they are not; `what` names them.
    """
    if not isinstance(members, list) or not all(isinstance(member, bytes) for member in members):
        raise WrongAnswerError(f"{what} are no list of texts")
    return members
