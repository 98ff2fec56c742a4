"""The gateway's Gemini keys: which one a call takes, and which ones rest.

All of it is in this process and synchronous, because every request passes here.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import (
    Announce,
    Cooldown,
    CooldownReason,
    CurrentCaller,
    announce_nothing,
    unknown_caller,
)
from gemgate.upstream.daily_quota import quota_reset
from gemgate.upstream.errors import NoUsableKeyError, failure_of, used_up

COOL_DOWN = 10.0
"""Seconds that a key rests after a 429 without a time."""

SHORTEST = 1.0
"""Seconds that a key rests after a 429 at least: Google sometimes says 0."""

NO_QUOTA = 600.0
"""Seconds until a key without any quota for a model is tried again."""

REFUSED = (60.0, 3600.0)
"""Seconds until a key that Google refuses is tried again: at first, and at most. Doubled each time."""

_MAX_MODELS = 1024
"""Models remembered for a key."""

_log = structlog.get_logger()


def label_of(key: str) -> str:
    """What a key is called in logs, metrics and between processes: 8 hex digits that do not tell it."""
    return hashlib.sha256(b"gemgate key\0" + key.encode()).hexdigest()[:8]


class KeySnapshot(NamedTuple):
    """A key at one moment.

    Attributes:
        label: What it is called.
        in_flight: Calls that run with it.
        cooldown: Its cool-down for every model, if it has one.
        models: Its cool-downs for single models.
    """

    label: str
    in_flight: int
    cooldown: Cooldown | None
    models: tuple[Cooldown, ...]


@dataclass(slots=True, eq=False)
class Key:
    """A key and how it is. `is_probed`: a call tries just now whether Google takes it again."""

    secret: str = field(repr=False)
    label: str
    in_flight: int = 0
    cooldown: Cooldown | None = None
    is_probed: bool = False
    models: dict[str, Cooldown] = field(default_factory=dict)

    def is_usable(self, model: str, now: float, caller: str) -> bool:
        """Whether a call of `caller` to `model` may take it; forgets what is over."""
        if self.cooldown is not None and (now < self.cooldown.until or self.is_probed):
            return False
        cooldown = self.models.get(model)
        if cooldown is None:
            return True
        if now < cooldown.until:
            return cooldown.caller is not None and cooldown.caller != caller
        if cooldown.kind is not CooldownReason.REFUSED:  # which counts on from here, if it comes again
            del self.models[model]
        return True

    def blocking(self, model: str, now: float, caller: str) -> Cooldown | None:
        """The rest that keeps a call of `caller` to `model` from it."""
        pair = self.models.get(model)
        found = (self.cooldown, pair if pair is not None and pair.caller in (None, caller) else None)
        return next(
            (
                cooldown
                for cooldown in found
                if cooldown is not None and (now < cooldown.until or cooldown is self.cooldown)
            ),
            None,
        )


class KeyPool:
    """The keys of GEMINI_API_KEY.

    Args:
        keys: The keys; one that is there twice counts once.
        default_cooldown: Seconds that a key rests after a 429 without a time.
        clock: Unix seconds.
        announce: Is told each cool-down.
        caller: Says who calls.
        wall: The Unix seconds by which Google's days are reckoned; `clock` unless given.
    """

    def __init__(
        self,
        keys: Sequence[str] = (),
        *,
        default_cooldown: float = COOL_DOWN,
        clock: Callable[[], float] = steady_time,
        announce: Announce = announce_nothing,
        caller: CurrentCaller = unknown_caller,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.announce = announce
        self.caller = caller
        self._keys = [Key(secret, label_of(secret)) for secret in dict.fromkeys(keys)]
        self._by_secret = {key.secret: key for key in self._keys}
        self._by_label = {key.label: key for key in self._keys}
        self.default_cooldown = default_cooldown
        self._clock = clock
        self._wall = wall or clock
        self._next = 0

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, secret: str) -> Key | None:
        """The key, if it is one of the gateway's."""
        return self._by_secret.get(secret)

    def named(self, label: str) -> Key | None:
        """The key that is called `label`."""
        return self._by_label.get(label)

    def choose(self, model: str, avoid: Sequence[Key] = ()) -> Key | None:
        """The key with the least calls in flight among those that may be used for `model`; ties take turns.

        Args:
            model: Such as `models/gemini-2.5-flash`; empty for a call without one.
            avoid: Keys to take only as a last resort.

        Returns:
            None when all of them rest: `exhausted` says why.
        """
        keys, count = self._keys, len(self._keys)
        best: Key | None = None
        spare: Key | None = None
        now, caller = 0.0, ""
        start = self._next
        for position in range(start, start + count):
            key = keys[position % count]
            if key.cooldown is not None or key.models:
                if not now:
                    now, caller = self._clock(), self.caller()
                if not key.is_usable(model, now, caller):
                    continue
            if avoid and key in avoid:
                if spare is None or key.in_flight < spare.in_flight:
                    spare = key
            elif best is None or key.in_flight < best.in_flight:
                best = key
                if not key.in_flight:
                    break
        chosen = best or spare
        if chosen is not None:
            self._next = (start + 1) % count
        return chosen

    def choose_by_affinity(self, model: str, affinity: str) -> Key | None:
        """The same key for the same `near`, whatever the load, in every process; another one only while it rests.

        Returns:
            None when all of them rest: `exhausted` says why.
        """
        now, caller = self._clock(), self.caller()
        usable = [key for key in self._keys if key.is_usable(model, now, caller)]
        return max(usable, key=lambda key: hashlib.blake2b(f"{key.label}{affinity}".encode()).digest(), default=None)

    def is_usable(self, key: Key, model: str) -> bool:
        """Whether `key` may be used for `model` now."""
        return key.is_usable(model, self._clock(), self.caller())

    def until_quota_reset(self) -> float:
        """Seconds until Google's quotas of a day begin anew."""
        now = self._wall()
        return quota_reset(now) - now

    def exhausted(self, model: str, keys: Sequence[Key] = ()) -> GeminiError:
        """Why `choose` gave none: a 429 that says when a key may be used again, or that Google refuses them all.

        Args:
            model: What was asked for.
            keys: Those that come into question; all of them when empty.
        """
        now, caller = self._clock(), self.caller()
        cooldowns = [cooldown for key in keys or self._keys if (cooldown := key.blocking(model, now, caller))]
        waiting = [
            cooldown for cooldown in cooldowns if cooldown.kind in (CooldownReason.RATE_LIMIT, CooldownReason.QUOTA)
        ]
        if not waiting:
            return _refused(cooldowns, model)
        passing = [cooldown for cooldown in waiting if cooldown.kind is CooldownReason.RATE_LIMIT]
        first = min(passing or waiting, key=lambda cooldown: cooldown.until)
        return used_up(model, first.failure, max(first.until - now, 0.0))

    def cool_down(self, key: Key, model: str, kind: CooldownReason, error: GeminiError) -> Cooldown:
        """Let `key` cool down because of `error`: for `model`, or for everything if it is refused itself.

        A refusal that does not speak of the key may be for what this caller asked. So it counts for this caller, and
        for all others once a second one is refused as well while nobody is served.
        """
        now = self._clock()
        last = key.cooldown if kind is CooldownReason.KEY_REFUSED else key.models.get(model)
        last = last if last is not None and last.kind is kind else None
        failures = last.failures + 1 if last is not None else 1
        until = now + self._seconds(kind, error, failures)
        scope = "" if kind is CooldownReason.KEY_REFUSED else model
        caller = self._blamed(last, now) if kind is CooldownReason.REFUSED else None
        cooldown = Cooldown(key.label, scope, kind, until, failures, failure_of(error), caller)
        self._set(key, cooldown)
        self.announce(cooldown)
        log = _log.error if kind is CooldownReason.KEY_REFUSED else _log.warning
        log(
            "a Gemini key is cooling down",
            key_label=key.label,
            model=scope or "all",
            reason=kind.value,
            seconds=round(until - now, 1),
            google=error.reason,
            callers="all" if caller is None else caller or "unknown",
        )
        return cooldown

    def _blamed(self, last: Cooldown | None, now: float) -> str | None:
        """For whom a refused pair of key and model cools down; None for everybody."""
        caller = self.caller()
        if last is None or now >= last.until + REFUSED[0]:
            return caller
        if last.caller is None:
            return None if now < last.until else caller
        return None if caller and last.caller and caller != last.caller else caller

    def mark_healthy(self, key: Key, model: str) -> None:
        """`key` has worked for `model`: if Google refused it before, it is in use again."""
        if key.models and (cooldown := key.models.get(model)) is not None and cooldown.kind is CooldownReason.REFUSED:
            del key.models[model]
        if key.cooldown is not None:
            _log.info("a Gemini key works again", key_label=key.label)
            key.cooldown, key.is_probed = None, False
            self.announce(Cooldown(key.label, "", CooldownReason.KEY_REFUSED, 0.0))

    def apply(self, cooldown: Cooldown) -> None:
        """Take over what another process found out; an `until` of 0 ends a rest."""
        key = self._by_label.get(cooldown.key)
        if key is None:
            return
        if cooldown.until:
            self._set(key, cooldown)
        elif cooldown.model:
            key.models.pop(cooldown.model, None)
        else:
            key.cooldown, key.is_probed = None, False

    def snapshot(self) -> tuple[KeySnapshot, ...]:
        """Every key and its rests that are not over."""
        now = self._clock()
        return tuple(
            KeySnapshot(
                key.label,
                key.in_flight,
                key.cooldown,
                tuple(cooldown for cooldown in key.models.values() if now < cooldown.until),
            )
            for key in self._keys
        )

    def _set(self, key: Key, cooldown: Cooldown) -> None:
        if not cooldown.model and cooldown.kind is CooldownReason.KEY_REFUSED:
            key.cooldown, key.is_probed = cooldown, False
            return
        if len(key.models) >= _MAX_MODELS:
            del key.models[min(key.models, key=lambda model: key.models[model].until)]
        key.models[cooldown.model] = cooldown

    def _seconds(self, kind: CooldownReason, error: GeminiError, failures: int) -> float:
        if kind is CooldownReason.RATE_LIMIT:
            return self.default_cooldown if error.retry_delay is None else max(error.retry_delay, SHORTEST)
        if kind is CooldownReason.QUOTA:
            return self.until_quota_reset() if error.is_daily_quota else NO_QUOTA
        first, maximum = REFUSED
        return min(first * 2.0 ** min(failures - 1, 16), maximum)


def _refused(cooldowns: Sequence[Cooldown], model: str) -> GeminiError:
    """What these cool-downs say; Google's words only to the caller whose own request it refused."""
    if not cooldowns or cooldowns[0].kind is CooldownReason.KEY_REFUSED:
        return NoUsableKeyError()
    if cooldowns[0].caller is None:
        message = f"Google refuses the gateway's own Gemini API keys the model {model.removeprefix('models/')}."
        return GeminiError(403, message, "PERMISSION_DENIED")
    failure = cooldowns[0].failure
    return GeminiError(
        failure.get("status", 403), failure.get("message", ""), failure.get("reason", ""), failure.get("details", [])
    )
