"""The gateway's Gemini keys: which one a call takes, and which ones cool down, for what.

All of it is in this process and synchronous, because every request passes here.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from gemgate.gemini.errors import GeminiError, can_be_key
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
from gemgate.upstream.errors import GEMINI_KEYS, NoUsableKeyError, failure_of, used_up
from gemgate.upstream.targets import Target

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


def key_digest(key: str) -> str:
    """What distinguishes Gemini keys, and does not reveal them: 64 hex digits."""
    return hashlib.sha256(b"gemgate key\0" + key.encode()).hexdigest()


def label_of(key: str) -> str:
    """What a key is called in logs, metrics and between processes: the first 8 digits of its digest."""
    return key_digest(key)[:8]


class KeySnapshot(NamedTuple):
    """A key at one moment.

    Attributes:
        label: What it is called.
        in_flight: Calls that run with it.
        cooldown: Its cool-down for every model, if it has one.
        models: Its cool-downs for single models and methods.
    """

    label: str
    in_flight: int
    cooldown: Cooldown | None
    models: tuple[Cooldown, ...]


@dataclass(slots=True, eq=False)
class Key:
    """A key and how it is.

    `is_probed`: a call tries just now whether Google takes it again. `models` are its cool-downs by model and group of
    methods, and by method, without a model. `hidden` is what no caller may see of it: empty for the name of a lane.
    """

    secret: str = field(repr=False)
    label: str
    in_flight: int = 0
    cooldown: Cooldown | None = None
    is_probed: bool = False
    models: dict[tuple[str, str], Cooldown] = field(default_factory=dict)
    hidden: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.hidden = self.secret if self.secret != self.label and can_be_key(self.secret) else ""

    def is_usable(self, target: Target, now: float, caller: str) -> bool:
        """Whether a call of `caller` to `target` may take it; forgets what is over."""
        if self.cooldown is not None and (now < self.cooldown.until or self.is_probed):
            return False
        for scope in _scopes(target):
            cooldown = self.models.get(scope)
            if cooldown is None:
                continue
            if now < cooldown.until:
                if cooldown.caller is None or cooldown.caller == caller:
                    return False
            elif cooldown.kind is not CooldownReason.REFUSED:  # which counts on from here, if it comes again
                del self.models[scope]
        return True

    def blocking(self, target: Target, now: float, caller: str) -> Cooldown | None:
        """The cool-down that keeps a call of `caller` to `target` from it."""
        if self.cooldown is not None:
            return self.cooldown
        for scope in _scopes(target):
            cooldown = self.models.get(scope)
            if cooldown is not None and cooldown.caller in (None, caller) and now < cooldown.until:
                return cooldown
        return None


class KeyPool:
    """The keys of GEMINI_API_KEY.

    Args:
        keys: The keys; one that is there twice counts once.
        default_cooldown: Seconds that a key cools down after a 429 without a time.
        clock: Unix seconds.
        announce: Called with each cool-down.
        caller: Says who calls.
        wall: The Unix seconds by which Google's days are reckoned; `clock` unless given.

    Attributes:
        has_choice: Whether there are several.
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
        self.default_cooldown = default_cooldown
        self._clock = clock
        self._wall = wall or clock
        self._hold([Key(secret, label_of(secret)) for secret in dict.fromkeys(keys)])

    def _hold(self, keys: list[Key]) -> None:
        self._keys = keys
        self._by_secret = {key.secret: key for key in keys}
        self._by_label = {key.label: key for key in keys}
        self.has_choice = len(keys) > 1
        self._next = 0

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys themselves."""
        return tuple(self._by_secret)

    def replace(self, secrets: Sequence[str]) -> None:
        """Hold these keys from now on; those that were held keep their cool-downs, and calls that run end as usual."""
        held = self._by_secret
        self._hold([held.get(secret) or Key(secret, label_of(secret)) for secret in dict.fromkeys(secrets)])

    def find(self, secret: str) -> Key | None:
        """The key, if it is one of the gateway's."""
        return self._by_secret.get(secret)

    def named(self, label: str) -> Key | None:
        """The key that is called `label`."""
        return self._by_label.get(label)

    def choose(self, target: Target, avoid: Sequence[Key] = ()) -> Key | None:
        """The key with the least calls in flight among those that may be used for `target`; ties take turns.

        Args:
            target: What is asked for.
            avoid: Keys to take only as a last resort.

        Returns:
            None when all of them cool down: `exhausted` says why.
        """
        keys = self._keys_for(target)
        count = len(keys)
        best: Key | None = None
        spare: Key | None = None
        now, caller = 0.0, ""
        start = self._next
        for position in range(start, start + count):
            key = keys[position % count]
            if key.cooldown is not None or key.models:
                if not now:
                    now, caller = self._clock(), self.caller()
                if not key.is_usable(target, now, caller):
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

    def choose_by_affinity(self, target: Target, affinity: str) -> Key | None:
        """The same key for the same `near`, whatever the load, in every process; another one only while it cools down.

        Returns:
            None when all of them cool down: `exhausted` says why.
        """
        now, caller = self._clock(), self.caller()
        usable = [key for key in self._keys_for(target) if key.is_usable(target, now, caller)]
        return max(usable, key=lambda key: hashlib.blake2b(f"{key.label}{affinity}".encode()).digest(), default=None)

    def is_usable(self, key: Key, target: Target) -> bool:
        """Whether `key` may be used for `target` now."""
        return key.is_usable(target, self._clock(), self.caller())

    def until_quota_reset(self) -> float:
        """Seconds until Google's quotas of a day begin again."""
        now = self._wall()
        return quota_reset(now) - now

    def exhausted(self, target: Target, keys: Sequence[Key] = ()) -> GeminiError:
        """Why `choose` gave none: a 429 that says when a key may be used again, or that Google refuses them all.

        Args:
            target: What was asked for.
            keys: Those that come into question; all of them when empty.
        """
        now, caller = self._clock(), self.caller()
        keys = keys or self._keys_for(target)
        owner = self._owner_of(keys)
        cooldowns = [cooldown for key in keys if (cooldown := key.blocking(target, now, caller))]
        waiting = [
            cooldown for cooldown in cooldowns if cooldown.kind in (CooldownReason.RATE_LIMIT, CooldownReason.QUOTA)
        ]
        if not waiting:
            return _refused(cooldowns, target, owner)
        passing = [cooldown for cooldown in waiting if cooldown.kind is CooldownReason.RATE_LIMIT]
        first = min(passing or waiting, key=lambda cooldown: cooldown.until)
        return used_up(target.model, first.failure, max(first.until - now, 0.0), owner)

    def cool_down(self, key: Key, target: Target, kind: CooldownReason, error: GeminiError) -> Cooldown:
        """Let `key` cool down because of `error`: for the model and the group of methods that were asked.

        If it is refused itself, it is for everything; if a method is refused to it, for that method alone.

        A refusal that does not speak of the key may be for what this caller asked. So it counts for this caller, and
        for all others once a second one is refused as well while nobody is served.
        """
        now = self._clock()
        is_method = kind is CooldownReason.REFUSED and error.meaning.is_refused_method
        model, methods = ("", target.method) if is_method else (target.model, target.group)
        last = key.cooldown if kind is CooldownReason.KEY_REFUSED else key.models.get((model, methods))
        last = last if last is not None and last.kind is kind else None
        failures = last.failures + 1 if last is not None else 1
        until = now + self._seconds(kind, error, failures)
        if kind is CooldownReason.KEY_REFUSED:
            model = methods = ""
        caller = self._blamed(last, now) if kind is CooldownReason.REFUSED and not is_method else None
        cooldown = Cooldown(key.label, model, kind, until, failures, failure_of(error), caller, methods)
        self._set(key, cooldown)
        self.announce(cooldown)
        log = _log.error if kind is CooldownReason.KEY_REFUSED else _log.warning
        log(
            "a Gemini key is cooling down",
            key_label=key.label,
            model=model or "all",
            methods=methods or "all",
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

    def mark_healthy(self, key: Key, target: Target) -> None:
        """`key` has worked for `target`: if Google refused it before, it is in use again."""
        for scope in _scopes(target):
            if (cooldown := key.models.get(scope)) is not None and cooldown.kind is CooldownReason.REFUSED:
                del key.models[scope]
        if key.cooldown is not None:
            _log.info("a Gemini key works again", key_label=key.label)
            key.cooldown, key.is_probed = None, False
            self.announce(Cooldown(key.label, "", CooldownReason.KEY_REFUSED, 0.0, methods=""))

    def apply(self, cooldown: Cooldown) -> None:
        """Take over what another process found out; an `until` of 0 ends a cool-down."""
        key = self._by_label.get(cooldown.key)
        if key is None:
            return
        if cooldown.until:
            self._set(key, cooldown)
        elif cooldown.kind is CooldownReason.KEY_REFUSED:
            key.cooldown, key.is_probed = None, False
        else:
            key.models.pop((cooldown.model, cooldown.methods), None)

    def snapshot(self) -> tuple[KeySnapshot, ...]:
        """Every key and its cool-downs that are not over."""
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

    def _keys_for(self, target: Target) -> list[Key]:  # noqa: ARG002  where all keys serve all models
        """Those that come into question for `target`."""
        return self._keys

    def _owner_of(self, keys: Sequence[Key]) -> str:  # noqa: ARG002  where all are keys of one kind
        """What an error calls these keys."""
        return GEMINI_KEYS

    def _set(self, key: Key, cooldown: Cooldown) -> None:
        if cooldown.kind is CooldownReason.KEY_REFUSED:
            key.cooldown, key.is_probed = cooldown, False
            return
        if len(key.models) >= _MAX_MODELS:
            del key.models[min(key.models, key=lambda scope: key.models[scope].until)]
        key.models[cooldown.model, cooldown.methods] = cooldown

    def _seconds(self, kind: CooldownReason, error: GeminiError, failures: int) -> float:
        if kind is CooldownReason.RATE_LIMIT:
            return self.default_cooldown if error.retry_delay is None else max(error.retry_delay, SHORTEST)
        if kind is CooldownReason.QUOTA:
            return self.until_quota_reset() if error.is_daily_quota else NO_QUOTA
        first, maximum = REFUSED
        return min(first * 2.0 ** min(failures - 1, 16), maximum)


def _scopes(target: Target) -> tuple[tuple[str, str], tuple[str, str]]:
    """What a cool-down that concerns `target` may be for: its model and group, or its method with every model."""
    return (target.model, target.group), ("", target.method)


def _refused(cooldowns: Sequence[Cooldown], target: Target, owner: str) -> GeminiError:
    """What these cool-downs say; Google's words only to the caller whose own request it refused."""
    if not cooldowns or cooldowns[0].kind is CooldownReason.KEY_REFUSED:
        return NoUsableKeyError(owner=owner)
    if cooldowns[0].methods == target.method:
        return NoUsableKeyError(target.method, owner)
    if cooldowns[0].caller is None:
        message = f"Google refuses the gateway's own {owner} the model {target.model.removeprefix('models/')}."
        return GeminiError(403, message, "PERMISSION_DENIED")
    failure = cooldowns[0].failure
    return GeminiError(
        failure.get("status", 403), failure.get("message", ""), failure.get("reason", ""), failure.get("details", [])
    )
