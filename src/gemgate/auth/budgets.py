"""How much money a client key has spent in a day and in a month (UTC), where it has a budget."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from gemgate.auth.client_keys import ClientKey

_MICRO = 1_000_000
_MAX_PERIODS = 20_000


class Spent(NamedTuple):
    """US dollars in the day and in the month that run."""

    day: float
    month: float


class BudgetRefusal(NamedTuple):
    """A budget that is spent: `period` is `day` or `month`, `limit` in US dollars, `wait` in seconds until the next."""

    period: str
    limit: float
    wait: float


class Budgets(Protocol):
    """A place that adds up what keys have spent."""

    async def spent(self, key: ClientKey) -> Spent:
        """What the key has spent."""
        ...

    async def charge(self, key: ClientKey, dollars: float) -> None:
        """The key has spent so much more."""
        ...


def periods(now: float) -> tuple[str, str]:
    """The names of the day and of the month at a Unix second, such as `2026-11-29` and `2026-11`."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    return day, day[:7]


def refusal(key: ClientKey, spent: Spent, now: float) -> BudgetRefusal | None:
    """Which budget of the key is spent, if one is; the one that takes longer to return first."""
    limits, moment = key.limits, datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if limits.usd_per_month is not None and spent.month >= limits.usd_per_month:
        following = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        return BudgetRefusal("month", limits.usd_per_month, (following - moment).total_seconds())
    if limits.usd_per_day is not None and spent.day >= limits.usd_per_day:
        return BudgetRefusal("day", limits.usd_per_day, (midnight + timedelta(days=1) - moment).total_seconds())
    return None


class LocalBudgets:
    """Adds up in this process. `clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._micro: dict[tuple[str, str], int] = {}

    async def spent(self, key: ClientKey) -> Spent:
        """What the key has spent."""
        day, month = periods(self._clock())
        return Spent(*(self._micro.get((key.name, period), 0) / _MICRO for period in (day, month)))

    async def charge(self, key: ClientKey, dollars: float) -> None:
        """The key has spent so much more."""
        for period in periods(self._clock()):
            place = (key.name, period)
            self._micro[place] = self._micro.get(place, 0) + micro(dollars)
        while len(self._micro) > _MAX_PERIODS:
            del self._micro[next(iter(self._micro))]


def micro(dollars: float) -> int:
    """US dollars as millionths."""
    return round(dollars * _MICRO)
