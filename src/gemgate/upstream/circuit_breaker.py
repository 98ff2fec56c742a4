"""A model that fails with every key is left alone for a while.

Written here because what there is (pybreaker, purgatory) counts failures in a row, of which a model that is merely
overloaded has enough under load, lets any number of calls try it again, and has a clock that other
processes cannot share.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from gemgate.upstream.cooldowns import (
    Announce,
    Cooldown,
    CooldownReason,
    announce_nothing,
)
from gemgate.upstream.errors import broken

FAILURES = 50
"""Failed calls in the window, at least: so many come in a second where the breaker is of use, and never by chance."""

WINDOW = 30.0
"""Seconds for which calls are counted, from the first failure on."""

SHARE = 0.9
"""Of the calls in the window that must have failed."""

PAUSE = (10.0, 60.0)
"""Seconds until one call tries it again: at first, and at most. Doubled each time."""

PROBE_WAIT = 1.0
"""Seconds told to callers who come while it is tried."""

_MAX_MODELS = 1024

_log = structlog.get_logger()


class BreakerSnapshot(NamedTuple):
    """A model that has failed lately. `state` is `closed`, `open` or `half_open`; `until` is Unix seconds or 0."""

    model: str
    state: str
    until: float


@dataclass(slots=True)
class _Breaker:
    since: float
    failed: int = 0
    succeeded: int = 0
    cooldown: Cooldown | None = None
    is_probed: bool = False


class Breakers:
    """A breaker for each model that fails: a model without a failure costs nothing.

    Closed: calls are counted. Open: none is made. Half open: one call tries, and decides.

    Args:
        failures: Failed calls that open it; 0 for never.
        clock: Unix seconds.
        announce: Is told when one opens and when it closes.
    """

    def __init__(
        self, failures: int = FAILURES, *, clock: Callable[[], float] = time.time, announce: Announce = announce_nothing
    ) -> None:
        self.announce = announce
        self._failures = failures
        self._clock = clock
        self._models: dict[str, _Breaker] = {}

    def admit(self, model: str) -> bool:
        """Let a call pass; return whether it is the probe of an open circuit, which an outcome or `release_probe` ends.

        Raises:
            GeminiError: 503, with the seconds until the model is tried again.
        """
        breaker = self._models.get(model)
        if breaker is None or breaker.cooldown is None:
            return False
        wait = breaker.cooldown.until - self._clock()
        if wait > 0 or breaker.is_probed:
            raise broken(model, wait if wait > 0 else PROBE_WAIT)
        breaker.is_probed = True
        return True

    def release_probe(self, model: str) -> None:
        """The call that was to try has ended without telling anything: the next one tries."""
        if breaker := self._models.get(model):
            breaker.is_probed = False

    def succeeded(self, model: str) -> None:
        """A call was answered."""
        breaker = self._models.get(model)
        if breaker is None:
            return
        if breaker.cooldown is not None:
            self._close(model)
        else:
            breaker.succeeded += 1

    def failed(self, model: str) -> None:
        """A call has failed in a way that lies with Google."""
        if not self._failures:
            return
        now = self._clock()
        breaker = self._models.get(model)
        if breaker is None or (breaker.cooldown is None and now - breaker.since > WINDOW):
            breaker = self._begin(model, now)
        breaker.failed += 1
        if breaker.cooldown is not None:
            if breaker.is_probed:
                self._open(model, breaker, now, breaker.cooldown.failures + 1)
            return
        if breaker.failed >= self._failures and breaker.failed >= SHARE * (breaker.failed + breaker.succeeded):
            self._open(model, breaker, now, 1)

    def apply(self, cooldown: Cooldown) -> None:
        """Take over what another process found out; an `until` of 0 closes the breaker."""
        if cooldown.until:
            self._begin(cooldown.model, self._clock()).cooldown = cooldown
        else:
            self._models.pop(cooldown.model, None)

    def snapshot(self) -> tuple[BreakerSnapshot, ...]:
        """Every model that has failed lately."""
        now = self._clock()
        return tuple(
            BreakerSnapshot(model, _state(breaker, now), breaker.cooldown.until if breaker.cooldown else 0.0)
            for model, breaker in self._models.items()
        )

    def _begin(self, model: str, now: float) -> _Breaker:
        if len(self._models) >= _MAX_MODELS:
            del self._models[next(iter(self._models))]
        breaker = self._models[model] = _Breaker(now)
        return breaker

    def _open(self, model: str, breaker: _Breaker, now: float, failures: int) -> None:
        first, maximum = PAUSE
        seconds = min(first * 2.0 ** min(failures - 1, 16), maximum)
        breaker.cooldown = Cooldown("", model, CooldownReason.BROKEN, now + seconds, failures)
        breaker.is_probed = False
        _log.error("circuit opened for a model", model=model, seconds=seconds)
        self.announce(breaker.cooldown)

    def _close(self, model: str) -> None:
        del self._models[model]
        _log.info("circuit closed for a model", model=model)
        self.announce(Cooldown("", model, CooldownReason.BROKEN, 0.0))


def _state(breaker: _Breaker, now: float) -> str:
    if breaker.cooldown is None:
        return "closed"
    return "open" if now < breaker.cooldown.until else "half_open"
