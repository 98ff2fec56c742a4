"""The gateway's Gemini keys: which one a call takes, and which ones rest.

All of it is in this process and synchronous, because every request passes here.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.cooldowns import (
    Announce,
    Rest,
    RestKind,
    announce_nothing,
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

_MOST_MODELS = 1024
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
        rest: Why it rests with every model, if it does.
        models: Its rests with single models.
    """

    label: str
    in_flight: int
    rest: Rest | None
    models: tuple[Rest, ...]


@dataclass(slots=True, eq=False)
class Key:
    """A key and how it is. `is_probed`: a call tries just now whether Google takes it again."""

    secret: str = field(repr=False)
    label: str
    in_flight: int = 0
    rest: Rest | None = None
    is_probed: bool = False
    models: dict[str, Rest] = field(default_factory=dict)

    def is_usable(self, model: str, now: float) -> bool:
        """Whether a call to `model` may take it; forgets what is over."""
        if self.rest is not None and (now < self.rest.until or self.is_probed):
            return False
        rest = self.models.get(model)
        if rest is None:
            return True
        if now < rest.until:
            return False
        if rest.kind is not RestKind.REFUSED:  # which counts on from here, if it comes again
            del self.models[model]
        return True

    def blocking(self, model: str, now: float) -> Rest | None:
        """The rest that keeps a call to `model` from it."""
        found = (self.rest, self.models.get(model))
        return next((rest for rest in found if rest is not None and (now < rest.until or rest is self.rest)), None)


class KeyPool:
    """The keys of GEMINI_API_KEY.

    Args:
        keys: The keys; one that is there twice counts once.
        cool_down: Seconds that a key rests after a 429 without a time.
        clock: Unix seconds.
        announce: Is told each rest.
    """

    def __init__(
        self,
        keys: Sequence[str] = (),
        *,
        cool_down: float = COOL_DOWN,
        clock: Callable[[], float] = time.time,
        announce: Announce = announce_nothing,
    ) -> None:
        self.announce = announce
        self._keys = [Key(secret, label_of(secret)) for secret in dict.fromkeys(keys)]
        self._by_secret = {key.secret: key for key in self._keys}
        self._by_label = {key.label: key for key in self._keys}
        self.cool_down = cool_down
        self._clock = clock
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
            avoid: Keys to take only if there is no other.

        Returns:
            None when all of them rest: `exhausted` says why.
        """
        keys, count = self._keys, len(self._keys)
        best: Key | None = None
        spare: Key | None = None
        now = 0.0
        start = self._next
        for turn in range(start, start + count):
            key = keys[turn % count]
            if key.rest is not None or key.models:
                now = now or self._clock()
                if not key.is_usable(model, now):
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

    def choose_near(self, model: str, near: str) -> Key | None:
        """The same key for the same `near`, whatever the load, in every process; another one only while it rests.

        Returns:
            None when all of them rest: `exhausted` says why.
        """
        now = self._clock()
        usable = [key for key in self._keys if key.is_usable(model, now)]
        return max(usable, key=lambda key: hashlib.blake2b(f"{key.label}{near}".encode()).digest(), default=None)

    def is_usable(self, key: Key, model: str) -> bool:
        """Whether `key` may be used for `model` now."""
        return key.is_usable(model, self._clock())

    def exhausted(self, model: str, keys: Sequence[Key] = ()) -> GeminiError:
        """Why `choose` gave none: a 429 that says when a key may be used again, or that Google refuses them all.

        Args:
            model: What was asked for.
            keys: Those that come into question; all of them when empty.
        """
        now = self._clock()
        rests = [rest for key in keys or self._keys if (rest := key.blocking(model, now))]
        waiting = [rest for rest in rests if rest.kind in (RestKind.RATE_LIMIT, RestKind.QUOTA)]
        if not waiting:
            return _refused(rests)
        passing = [rest for rest in waiting if rest.kind is RestKind.RATE_LIMIT]
        first = min(passing or waiting, key=lambda rest: rest.until)
        return used_up(model, first.failure, max(first.until - now, 0.0))

    def punish(self, key: Key, model: str, kind: RestKind, error: GeminiError) -> Rest:
        """Let `key` rest because of `error`: for `model`, or for everything if it is refused itself."""
        now = self._clock()
        last = key.rest if kind is RestKind.KEY_REFUSED else key.models.get(model)
        failures = last.failures + 1 if last is not None and last.kind is kind else 1
        until = now + self._seconds(kind, error, failures, now)
        scope = "" if kind is RestKind.KEY_REFUSED else model
        rest = Rest(key.label, scope, kind, until, failures, failure_of(error))
        self._set(key, rest)
        self.announce(rest)
        log = _log.error if kind is RestKind.KEY_REFUSED else _log.warning
        log(
            "a Gemini key rests",
            key_label=key.label,
            model=scope or "all",
            reason=kind.value,
            seconds=round(until - now, 1),
            google=error.reason,
        )
        return rest

    def praise(self, key: Key, model: str) -> None:
        """`key` has worked for `model`: if Google refused it before, it is in use again."""
        if key.models and (rest := key.models.get(model)) is not None and rest.kind is RestKind.REFUSED:
            del key.models[model]
        if key.rest is not None:
            _log.info("a Gemini key works again", key_label=key.label)
            key.rest, key.is_probed = None, False
            self.announce(Rest(key.label, "", RestKind.KEY_REFUSED, 0.0))

    def apply(self, rest: Rest) -> None:
        """Take over what another process found out; an `until` of 0 ends a rest."""
        key = self._by_label.get(rest.key)
        if key is None:
            return
        if rest.until:
            self._set(key, rest)
        elif rest.model:
            key.models.pop(rest.model, None)
        else:
            key.rest, key.is_probed = None, False

    def snapshot(self) -> tuple[KeySnapshot, ...]:
        """Every key and its rests that are not over."""
        now = self._clock()
        return tuple(
            KeySnapshot(
                key.label,
                key.in_flight,
                key.rest,
                tuple(rest for rest in key.models.values() if now < rest.until),
            )
            for key in self._keys
        )

    def _set(self, key: Key, rest: Rest) -> None:
        if not rest.model and rest.kind is RestKind.KEY_REFUSED:
            key.rest, key.is_probed = rest, False
            return
        if len(key.models) >= _MOST_MODELS:
            del key.models[min(key.models, key=lambda model: key.models[model].until)]
        key.models[rest.model] = rest

    def _seconds(self, kind: RestKind, error: GeminiError, failures: int, now: float) -> float:
        if kind is RestKind.RATE_LIMIT:
            return self.cool_down if error.retry_delay is None else max(error.retry_delay, SHORTEST)
        if kind is RestKind.QUOTA:
            return quota_reset(now) - now if error.is_daily_quota else NO_QUOTA
        first, most = REFUSED
        return min(first * 2.0 ** min(failures - 1, 16), most)


def _refused(rests: Sequence[Rest]) -> GeminiError:
    """The refusal that began the first of these rests."""
    if not rests:
        return NoUsableKeyError("it is being tried whether they work again.")
    failure = rests[0].failure
    if rests[0].kind is RestKind.KEY_REFUSED:
        return NoUsableKeyError(str(failure.get("message", "no reason was given.")))
    return GeminiError(
        failure.get("status", 403), failure.get("message", ""), failure.get("reason", ""), failure.get("details", [])
    )
