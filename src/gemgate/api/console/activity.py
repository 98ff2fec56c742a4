"""The last requests of this process, and what was used in the last hours, in memory.

A request that ends only leaves what its line of the log is made of; everything else is done once a second or two, and
when the console asks.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import time

from gemgate.observability.record import EndedRequest
from gemgate.redaction import redact_value
from gemgate.tasks import in_background

KEPT = 1000
"""Requests that are remembered."""

BUCKET_SECONDS = 300
HOURS = 6

_BUCKETS = HOURS * 3600 // BUCKET_SECONDS
_WITH_BODIES = 50
_PAIRS = 200
_FOLD_SECONDS = 1.0
_OTHER = "other"
_OWN = "/console"


@dataclass(slots=True)
class UsageSum:
    """What was used of one model by one caller, in one bucket."""

    requests: int = 0
    failed: int = 0
    prompt: int = 0
    completion: int = 0
    cost: float = 0.0

    def add(self, fields: Mapping[str, object]) -> None:
        """Count a request."""
        status = fields["status"]
        self.requests += 1
        self.failed += isinstance(status, int) and status >= 400
        for name, field in (("prompt", "prompt_tokens"), ("completion", "completion_tokens"), ("cost", "cost_usd")):
            if isinstance(value := fields.get(field), int | float):
                setattr(self, name, getattr(self, name) + value)


class Activity:
    """Remembers the last requests, and adds up usage.

    Args:
        clock: Unix seconds.

    Attributes:
        keep: Takes an `EndedRequest`; as cheap as it can be, because every request ends with it.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._ended: deque[EndedRequest] = deque()
        self.keep: Callable[[EndedRequest], None] = self._ended.append
        self._rows: deque[dict[str, object]] = deque(maxlen=KEPT)
        self._buckets: dict[int, dict[tuple[str, str], UsageSum]] = {}
        self._number = 0

    @asynccontextmanager
    async def folded(self) -> AsyncIterator[None]:
        """Takes up what has ended, again and again until the block ends."""

        async def follow() -> None:
            while True:
                await asyncio.sleep(_FOLD_SECONDS)
                self.fold()

        async with in_background(follow()):
            yield

    def fold(self) -> None:
        """Take up what has ended. The console's own pages do not count."""
        while self._ended:
            ended = self._ended.popleft()
            if str(ended.fields["path"]).startswith(_OWN):
                continue
            self._number += 1
            row = {"number": self._number, "at": ended.at, "request_id": ended.request_id, "stream": ended.is_stream}
            self._rows.append(row | {"fields": ended.fields, "bodies": ended.bodies})
            if len(self._rows) > _WITH_BODIES:
                self._rows[-_WITH_BODIES - 1]["bodies"] = None
            if "model" in ended.fields:
                self._count(ended)

    def after(self, number: int, most: int = KEPT) -> list[dict[str, object]]:
        """The requests that ended after that of this number, oldest first, without secrets; at most the last `most`."""
        self.fold()
        found: list[dict[str, object]] = []
        for row in reversed(self._rows):
            if row["number"] == number or len(found) == most:
                break
            found.append(row)
        return [_shown(row) for row in reversed(found)]

    def usage(self) -> list[dict[str, object]]:
        """What was used, by the bucket (the Unix second at which it begins), the model and the caller."""
        self.fold()
        oldest = self._clock() - HOURS * 3600
        return [
            {"at": at, "model": model, "caller": caller} | {name: getattr(total, name) for name in UsageSum.__slots__}
            for at, totals in sorted(self._buckets.items())
            if at + BUCKET_SECONDS > oldest
            for (model, caller), total in totals.items()
        ]

    def _count(self, ended: EndedRequest) -> None:
        at = int(ended.at) // BUCKET_SECONDS * BUCKET_SECONDS
        totals = self._buckets.setdefault(at, {})
        served, caller = str(ended.fields["served"]), str(ended.fields.get("caller", ""))
        is_answered = "prompt_tokens" in ended.fields
        pair = (served if is_answered else _OTHER, caller)  # callers may name as many models as they like
        if pair not in totals and len(totals) >= _PAIRS:
            pair = (_OTHER, _OTHER)
        totals.setdefault(pair, UsageSum()).add(ended.fields)
        while len(self._buckets) > _BUCKETS:
            del self._buckets[min(self._buckets)]


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    """A row with the fields of its line, as the log would show them."""
    fields = row["fields"]
    assert isinstance(fields, Mapping)  # noqa: S101  as `fold` has put it there
    hidden = {name: redact_value(value, name) for name, value in fields.items()}
    bodies = {} if row["bodies"] is None else {"bodies": redact_value(row["bodies"], "bodies")}
    return {name: row[name] for name in ("number", "at", "request_id", "stream")} | hidden | bodies
