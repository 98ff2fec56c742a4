"""Facts about models that one process has learned, for all the others that ask the same Google."""

import asyncio
import hashlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from gemgate.gemini.learned_facts import LIKE, LearnedFact
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_overrides import FACT_NAMES, ModelFactsError, checked_fact
from gemgate.gemini.refusal_lessons import REFUSED_VALUES
from gemgate.shared_state.connection import RedisConnection, RedisDownError, WrongAnswerError
from gemgate.shared_state.write_behind import WriteBehind
from gemgate.tasks import in_background

if TYPE_CHECKING:
    from redis.asyncio import Redis

POLL_SECONDS = 1.0
"""Between two looks. A look is a GET of a number; what is behind the number is read when it has changed."""

_MAX_OWN = 1000
_MAX_NAME = 200

_log = structlog.get_logger()


class SharedFacts:
    """Announces facts that are learned here, and lets the catalog take over those learned elsewhere.

    They are the values of a hash, one for each model and fact, so that callers cannot make it grow. It expires
    with the last of them; a fact whose own time is over is passed over by those who read it.

    Args:
        link: Redis.
        behind: Sends what is written.
        catalog: Who believes them.
        google: The base URL of the API that has taught them: another one may take other things.
        clock: Unix seconds, as all processes have them.
    """

    def __init__(
        self,
        link: RedisConnection,
        behind: WriteBehind,
        catalog: Catalog,
        google: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._link = link
        self._behind = behind
        self._catalog = catalog
        self._clock = clock
        self._name = "gemgate:{facts}:" + hashlib.blake2b(google.encode(), digest_size=8).hexdigest()
        self._version: object = None
        self._seen: set[bytes] = set()
        self._own: deque[bytes] = deque(maxlen=_MAX_OWN)
        catalog.learned.listeners.append(self.learned)

    def learned(self, fact: LearnedFact) -> None:
        """Let the others know, soon."""
        member = orjson.dumps(asdict(fact))
        self._own.append(member)
        seconds = max(1, math.ceil(fact.until - self._clock()))

        def write(pipeline: Any) -> None:
            pipeline.hset(self._name, f"{fact.model} {fact.fact}", member)
            pipeline.expire(self._name, seconds)
            pipeline.incr(f"{self._name}:version")

        self._behind.add(write)

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
        found = [fact for member in news if (fact := _readable(member)) is not None]
        for fact in sorted(found, key=lambda fact: fact.since):
            self._catalog.take_over(fact)

    async def _read_version(self, redis: "Redis") -> bytes | None:
        version: Any = await redis.get(f"{self._name}:version")
        if version is not None and not (isinstance(version, bytes) and version.isdigit()):
            raise WrongAnswerError("a version is no number")
        found: bytes | None = version
        return found

    async def _read(self, redis: "Redis") -> list[bytes]:
        members: Any = await redis.hvals(self._name)
        if not isinstance(members, list) or not all(isinstance(member, bytes) for member in members):
            raise WrongAnswerError("the learned facts are no list of texts")
        return members

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Looks now and every `POLL_SECONDS`, until the block ends."""
        await self._try()
        async with in_background(self._follow()):
            yield

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._try()

    async def _try(self) -> None:
        with suppress(RedisDownError):
            await self.look()


def _readable(member: bytes) -> LearnedFact | None:
    """The fact; None if another version of gemgate, or something else, wrote it."""
    try:
        return _fact(orjson.loads(member))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("a learned fact of another process cannot be read", error=type(error).__name__)
        return None


def _fact(fields: dict[str, Any]) -> LearnedFact:
    """Raises: KeyError, TypeError or ModelFactsError: these are not the fields of a fact."""
    name, model, teacher = fields["fact"], fields["model"], fields["teacher"]
    value = _value(name, fields["value"])
    if not isinstance(model, str) or len(model) > _MAX_NAME or teacher not in ("refusal", "answer"):
        raise TypeError
    return LearnedFact(model, name, value, float(fields["since"]), float(fields["until"]), teacher)


def _value(name: Any, value: Any) -> Any:
    """Raises: TypeError or ModelFactsError: it cannot be that fact."""
    if name in FACT_NAMES:
        return checked_fact(name, value)
    if name == LIKE and isinstance(value, str) and len(value) <= _MAX_NAME:
        return value
    if name == REFUSED_VALUES and isinstance(value, list) and all(isinstance(digest, str) for digest in value):
        return tuple(value)
    raise ModelFactsError(f"{str(name)[:_MAX_NAME]!r} cannot be learned")
