"""Cool-downs of Gemini keys and broken models, as one process finds them out, sent to all the others."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from gemgate.shared_state.announcements import Announcements, texts
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.write_behind import WriteBehind
from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.observer import Observer

if TYPE_CHECKING:
    from redis.asyncio import Redis

POLL_SECONDS = 0.5
"""Between two looks. A look is a GET of a number; what is behind the number is read when it has changed."""

_NAME = "gemgate:{rests}"
_VERSION = "gemgate:{rests}:version"

_END_SECONDS = 60.0  # for so long it can be read that a rest has ended early; everybody looks more often

_AGREED_SECONDS = 0.5  # between two clocks of one machine that nobody has set

_log = structlog.get_logger()


class SharedCooldowns(Announcements, Observer):
    """Informs others of the cool-downs that begin here, and `apply` those that begin elsewhere.

    They are members of a sorted set, whose score is when they are over: nothing is ever changed in place, so two that
    write at once do not overwrite each other.

    Args:
        link: Redis.
        behind: Sends what is written.
        apply: Takes over a cool-down of another process.
        clock: Unix seconds, as all processes have them.
        local: The Unix seconds by which cool-downs in this process end.
    """

    def __init__(
        self,
        link: RedisConnection,
        behind: WriteBehind,
        apply: Callable[[Cooldown], None],
        clock: Callable[[], float] = time.time,
        local: Callable[[], float] = steady_time,
    ) -> None:
        super().__init__(link, behind, _VERSION, POLL_SECONDS)
        self._apply = apply
        self._clock = clock
        self._local = local

    def cools_down(self, cooldown: Cooldown) -> None:
        """Inform the others, soon."""
        now = self._clock()
        if cooldown.until:
            cooldown = replace(cooldown, until=cooldown.until + self._offset(now))
        member = orjson.dumps({"at": now, **asdict(cooldown)})
        self._announce(member, lambda pipeline: pipeline.zadd(_NAME, {member: cooldown.until or now + _END_SECONDS}))

    def _take_over(self, members: Iterable[bytes]) -> None:
        found = [read for member in members if (read := _readable(member)) is not None]
        for announced, cooldown in sorted(found, key=itemgetter(0)):
            self._follow_one(announced, cooldown)

    def _follow_one(self, announced: float, cooldown: Cooldown) -> None:
        """Never for longer than it was meant to last, whatever this process's or the other's clock says."""
        if cooldown.until:
            now = self._clock()
            until = min(cooldown.until, now + (cooldown.until - announced))
            if until <= now:
                return
            cooldown = replace(cooldown, until=until - self._offset(now))
        self._apply(cooldown)

    def _offset(self, now: float) -> float:
        """What must be added to this process's time to have everybody's: 0 unless somebody has set the clock."""
        offset = now - self._local()
        return offset if abs(offset) > _AGREED_SECONDS else 0.0

    async def _read(self, redis: "Redis") -> list[bytes]:
        now = self._clock()
        pipeline: Any = redis.pipeline(transaction=False)
        pipeline.zremrangebyscore(_NAME, "-inf", now)
        pipeline.zrangebyscore(_NAME, now, "+inf")
        _, members = await pipeline.execute()
        return texts(members, "the cool-downs")


def _readable(member: bytes) -> tuple[float, Cooldown] | None:
    """When it was announced, and which cool-down; None if another version of gemgate, or something else, wrote it."""
    try:
        fields = orjson.loads(member)
        _check(fields)
        announced, cooldown = float(fields.pop("at")), Cooldown(**{**fields, "kind": CooldownReason(fields["kind"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("a cool-down of another process cannot be read", error=type(error).__name__)
        return None
    return announced, cooldown


def _check(fields: dict[str, object]) -> None:
    """Raises: TypeError: a field is of another type than calls rely on."""
    failure = fields.get("failure", {})
    is_sound = (
        all(isinstance(fields.get(name) or "", str) for name in ("key", "model", "caller", "methods"))
        and isinstance(fields.get("until"), int | float)
        and isinstance(fields.get("failures", 1), int)
        and isinstance(failure, dict)
        and isinstance(failure.get("status", 0), int)
        and all(isinstance(failure.get(name, ""), str) for name in ("message", "reason"))
        and isinstance(details := failure.get("details", []), list)
        and all(isinstance(detail, dict) for detail in details)
    )
    if not is_sound:
        raise TypeError
