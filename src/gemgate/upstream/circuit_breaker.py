"""A model that fails with every key is left alone for a while: for one group of methods, others may work.

What one caller's requests have earned is that caller's: a request that makes Google fail, sent often enough, must not
close a model to others. So failures are counted by caller. Those of one open the circuit for that one; they open it for
everybody when several callers are hit, of whom none counts for more than half.

Written here because what there is (pybreaker, purgatory) counts failures in a row, of which a model that is merely
overloaded has enough under load, lets any number of calls try it again, and has a clock that other
processes cannot share.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import (
    Announce,
    Cooldown,
    CooldownReason,
    CurrentCaller,
    announce_nothing,
    unknown_caller,
)
from gemgate.upstream.errors import broken
from gemgate.upstream.key_pool import label_of
from gemgate.upstream.targets import Target

FAILURES = 50
"""Failed calls in the window, at least: so many come in a second where the breaker is of use, and never by chance."""

WINDOW = 30.0
"""Seconds for which calls are counted, from the first failure on."""

SHARE = 0.9
"""Of the calls in the window that must have failed."""

PAUSE = (10.0, 60.0)
"""Seconds until one call tries it again: at first, and at most. Doubled each time."""

PROBE_WAIT = 1.0
"""Seconds to wait, for callers who come while it is tried."""

_MAX_MODELS = 1024
_MAX_CALLERS = 1024

_log = structlog.get_logger()

_Scope = tuple[str, str]
"""A model and the group of methods."""


class BreakerSnapshot(NamedTuple):
    """A model that has failed lately. `state` is `closed`, `open` or `half_open`; `until` is Unix seconds or 0."""

    model: str
    state: str
    until: float
    methods: str = ""


@dataclass(slots=True)
class _Circuit:
    """Whether calls may pass.

    `prober` is the caller whose call tries just now, `failed_prober` the last one whose call has tried in vain.
    """

    cooldown: Cooldown | None = None
    prober: str | None = None
    failed_prober: str | None = None


@dataclass(slots=True)
class _Tally(_Circuit):
    """The calls of one caller since `since`. `is_own`: they went out with a Gemini key of the caller's own."""

    since: float = 0.0
    is_own: bool = False
    failed: int = 0
    succeeded: int = 0

    @property
    def is_hit(self) -> bool:
        """Whether as good as all of them have failed."""
        return self.failed >= SHARE * (self.failed + self.succeeded)


@dataclass(slots=True)
class _Breaker:
    """One model: the circuit that all callers share, and each one's own."""

    everybody: _Circuit = field(default_factory=_Circuit)
    callers: dict[str, _Tally] = field(default_factory=dict)

    def circuits(self, caller: str) -> Iterator[_Circuit]:
        """Those open or half-open ones that a call of `caller` has to pass."""
        if self.everybody.cooldown is not None:
            yield self.everybody
        tally = self.callers.get(caller)
        if tally is not None and tally.cooldown is not None:
            yield tally

    def cooldown(self) -> Cooldown | None:
        """The one to show: everybody's, or the longest of a caller's."""
        if self.everybody.cooldown is not None:
            return self.everybody.cooldown
        found = [tally.cooldown for tally in self.callers.values() if tally.cooldown is not None]
        return max(found, key=lambda cooldown: cooldown.until, default=None)


class Breakers:
    """The circuit breakers of all models and groups of methods: one without a failure costs nothing.

    Closed: calls are counted. Open: none is made. Half open: one call tries, and decides. Methods take
    the target of a call, and who calls: what `caller` says, or a caller's own Gemini key.

    Args:
        failures: In the window, for a circuit to open; 0 leaves them all closed.
        clock: Unix seconds.
        announce: Called when one opens and when it closes.
        caller: Says who calls.

    Attributes:
        models: Those that have failed lately, with the group of methods; empty while all is well,
            when nobody needs to ask.
    """

    def __init__(
        self,
        failures: int = FAILURES,
        *,
        clock: Callable[[], float] = steady_time,
        announce: Announce = announce_nothing,
        caller: CurrentCaller = unknown_caller,
    ) -> None:
        self.announce = announce
        self.caller = caller
        self._failures = failures
        self._clock = clock
        self.models: dict[_Scope, _Breaker] = {}

    def admit(self, target: Target, caller: str = "") -> bool:
        """Let a call pass; return whether it is the probe of an open circuit, which an outcome or `release_probe` ends.

        Raises:
            GeminiError: 503, with the seconds until the model is tried again.
        """
        breaker = self.models.get((target.model, target.group))
        if breaker is None:
            return False
        circuits = list(breaker.circuits(caller))
        for circuit in circuits:
            wait = circuit.cooldown.until - self._clock() if circuit.cooldown is not None else 0.0
            if wait > 0 or circuit.prober is not None:
                raise broken(target.model, wait if wait > 0 else PROBE_WAIT)
        for circuit in circuits:
            circuit.prober = caller
        return bool(circuits)

    def release_probe(self, target: Target, caller: str = "") -> None:
        """The call that was to try has ended without telling anything: the next one tries."""
        if breaker := self.models.get((target.model, target.group)):
            for circuit in breaker.circuits(caller):
                if circuit.prober == caller:
                    circuit.prober = None

    def succeeded(self, target: Target, caller: str = "") -> None:
        """A call was answered."""
        scope = (target.model, target.group)
        breaker = self.models.get(scope)
        if breaker is None:
            return
        tally = breaker.callers.get(caller)
        is_closed = breaker.everybody.cooldown is not None or (tally is not None and tally.cooldown is not None)
        if not is_closed:
            if tally is None:
                tally = self._tally(breaker, caller, self._clock())
            tally.succeeded += 1
            return
        for circuit in list(breaker.circuits(caller)):
            self._close(scope, circuit)
        breaker.callers.pop(caller, None)
        breaker.callers = {name: other for name, other in breaker.callers.items() if other.cooldown is not None}
        self._forget_if_well(scope, breaker)

    def failed(self, target: Target, caller: str = "", *, is_own: bool = False) -> None:
        """A call has failed in a way that lies with Google. `is_own`: with a Gemini key of the caller's own."""
        if not self._failures:
            return
        scope, now = (target.model, target.group), self._clock()
        breaker = self.models.get(scope) or self._begin(scope)
        tally = self._tally(breaker, caller, now)
        tally.is_own = is_own
        tally.failed += 1
        everybody = breaker.everybody
        if everybody.cooldown is not None:
            if everybody.prober == caller:
                self._probe_failed(scope, everybody, tally, caller, now)
        elif tally.cooldown is not None:
            if tally.prober == caller:
                self._open(scope, tally, _shown(caller, tally), now)
        elif not is_own and self._hits_several(breaker, now):
            self._open(scope, everybody, None, now)
        elif tally.failed >= self._failures and tally.is_hit:
            self._open(scope, tally, _shown(caller, tally), now)

    def apply(self, cooldown: Cooldown) -> None:
        """Take over what another process found out; an `until` of 0 closes the breaker."""
        scope = (cooldown.model, cooldown.methods)
        breaker = self.models.get(scope)
        if cooldown.until:
            breaker = breaker or self._begin(scope)
            circuit = breaker.everybody
            if cooldown.caller is not None:
                circuit = self._tally(breaker, cooldown.caller, self._clock())
            circuit.cooldown, circuit.prober = cooldown, None
        elif breaker is not None:
            if cooldown.caller is None:
                breaker.everybody = _Circuit()
            else:
                breaker.callers.pop(cooldown.caller, None)
            self._forget_if_well(scope, breaker)

    def snapshot(self) -> tuple[BreakerSnapshot, ...]:
        """Every model that has failed lately."""
        now = self._clock()
        shown = ((scope, breaker.cooldown()) for scope, breaker in self.models.items())
        return tuple(
            BreakerSnapshot(scope[0], _state(cooldown, now), cooldown.until if cooldown else 0.0, scope[1])
            for scope, cooldown in shown
        )

    def _begin(self, scope: "_Scope") -> _Breaker:
        if len(self.models) >= _MAX_MODELS:
            del self.models[next(iter(self.models))]
        breaker = self.models[scope] = _Breaker()
        return breaker

    def _tally(self, breaker: _Breaker, caller: str, now: float) -> _Tally:
        """The calls of `caller` in the window that runs, or in one that begins now."""
        tally = breaker.callers.get(caller)
        if tally is not None and (tally.cooldown is not None or now - tally.since <= WINDOW):
            return tally
        if tally is None and len(breaker.callers) >= _MAX_CALLERS:
            del breaker.callers[next(iter(breaker.callers))]
        tally = breaker.callers[caller] = _Tally(since=now)
        return tally

    def _hits_several(self, breaker: _Breaker, now: float) -> bool:
        """Whether the failures of several callers, none of whom counts for more than half, are enough."""
        half = -(-self._failures // 2)
        hit = failed = succeeded = 0
        for caller, tally in breaker.callers.items():
            if caller and not tally.is_own and (tally.cooldown is not None or now - tally.since <= WINDOW):
                hit += tally.failed > 0
                failed += min(tally.failed, half)
                succeeded += tally.succeeded
        return hit > 1 and failed >= self._failures and failed >= SHARE * (failed + succeeded)

    def _probe_failed(self, scope: "_Scope", everybody: _Circuit, tally: _Tally, caller: str, now: float) -> None:
        """One who has tried in vain twice in a row holds up itself only: the request may be what fails."""
        if everybody.failed_prober == caller:
            everybody.prober = None
            self._open(scope, tally, _shown(caller, tally), now)
            return
        everybody.failed_prober = caller
        self._open(scope, everybody, None, now)

    def _open(self, scope: "_Scope", circuit: _Circuit, caller: str | None, now: float) -> None:
        first, maximum = PAUSE
        failures = circuit.cooldown.failures + 1 if circuit.cooldown is not None else 1
        seconds = min(first * 2.0 ** min(failures - 1, 16), maximum)
        circuit.cooldown = Cooldown(
            "", scope[0], CooldownReason.BROKEN, now + seconds, failures, caller=caller, methods=scope[1]
        )
        circuit.prober = None
        _log.error(
            "circuit opened for a model",
            model=scope[0],
            methods=scope[1],
            seconds=seconds,
            callers="all" if caller is None else caller or "unknown",
        )
        self.announce(circuit.cooldown)

    def _close(self, scope: "_Scope", circuit: _Circuit) -> None:
        caller = circuit.cooldown.caller if circuit.cooldown is not None else None
        circuit.cooldown = circuit.prober = circuit.failed_prober = None
        _log.info("circuit closed for a model", model=scope[0], methods=scope[1])
        self.announce(Cooldown("", scope[0], CooldownReason.BROKEN, 0.0, caller=caller, methods=scope[1]))

    def _forget_if_well(self, scope: "_Scope", breaker: _Breaker) -> None:
        if breaker.cooldown() is None and not breaker.callers:
            self.models.pop(scope, None)


def _shown(caller: str, tally: _Tally) -> str:
    """A key is called by its label wherever others see it."""
    return label_of(caller) if tally.is_own else caller


def _state(cooldown: Cooldown | None, now: float) -> str:
    if cooldown is None:
        return "closed"
    return "open" if now < cooldown.until else "half_open"
