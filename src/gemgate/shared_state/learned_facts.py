"""Facts about models that one process has learned, for all the others that ask the same Google."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import orjson
import structlog

from gemgate.gemini.decisions import DECISIONS, Spelling
from gemgate.gemini.learned_facts import LIKE, LearnedFact
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_overrides import FACT_NAMES, ModelFactsError, checked_fact
from gemgate.gemini.refusal_lessons import REFUSED_VALUES
from gemgate.shared_state.announcements import Announcements, texts
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.write_behind import WriteBehind

if TYPE_CHECKING:
    from redis.asyncio import Redis

POLL_SECONDS = 1.0
"""Between two looks. A look is a GET of a number; what is behind the number is read when it has changed."""

_MAX_NAME = 200

_log = structlog.get_logger()


class SharedFacts(Announcements):
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
        self._name = "gemgate:{facts}:" + hashlib.blake2b(google.encode(), digest_size=8).hexdigest()
        super().__init__(link, behind, f"{self._name}:version", POLL_SECONDS)
        self._catalog = catalog
        self._clock = clock
        catalog.learned.listeners.append(self.learned)

    def learned(self, fact: LearnedFact) -> None:
        """Let the others know, soon."""
        member = orjson.dumps(asdict(fact))
        seconds = max(1, math.ceil(fact.until - self._clock()))

        def write(pipeline: Any) -> None:
            pipeline.hset(self._name, f"{fact.model} {fact.fact}", member)
            pipeline.expire(self._name, seconds)

        self._announce(member, write)

    def _take_over(self, members: Iterable[bytes]) -> None:
        found = [fact for member in members if (fact := _readable(member)) is not None]
        for fact in sorted(found, key=lambda fact: fact.since):
            self._catalog.take_over(fact)

    async def _read(self, redis: "Redis") -> list[bytes]:
        return texts(await redis.hvals(self._name), "the learned facts")


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


def _value(name: object, value: object) -> object:
    """Raises: TypeError or ModelFactsError: it cannot be that fact."""
    if name in FACT_NAMES:
        return checked_fact(name, value)
    if name == LIKE and isinstance(value, str) and len(value) <= _MAX_NAME:
        return value
    if name == REFUSED_VALUES and isinstance(value, list) and all(isinstance(digest, str) for digest in value):
        return tuple(value)
    if name == DECISIONS and value in get_args(Spelling):
        return value
    raise ModelFactsError(f"{str(name)[:_MAX_NAME]!r} cannot be learned")
