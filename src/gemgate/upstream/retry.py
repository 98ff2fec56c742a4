"""The attempts of one call: with which key, whether again, and when.

A loop of our own, because a failure is mostly not followed by a wait: another key is taken at once and costs no
attempt, the wait depends on the state of all keys, and a stream is entered in the middle. What a library would bring is
one line of jitter, at some seventy microseconds for each call that does not fail (tenacity 9.2, stamina 26.1).
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.gemini.types import Candidate, GenerateContentResponse
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.failure_policy import cooldown_for, is_foreign, may_repeat
from gemgate.upstream.key_affinity import KeyAffinity
from gemgate.upstream.key_pool import Key, KeyPool
from gemgate.upstream.observer import Observer
from gemgate.upstream.targets import Target

_BASE = 0.5
_MAX_EXPONENT = 10

_MALFORMED = "MALFORMED_FUNCTION_CALL"
_ANSWERS = frozenset({"STOP", _MALFORMED})
_TEXT = frozenset({"text", "thought"})


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """How often, and how long. Times are seconds.

    Attributes:
        retries: Attempts after the first one. Another key after a refusal of one is not counted.
        max_wait: The longest pause before an attempt; what Google wants longer is reported to the caller.
        retry_empty: Whether an answer without content is asked for once more.
        deadline: From the beginning of the call, after which no attempt begins.
    """

    retries: int = 2
    max_wait: float = 5
    retry_empty: bool = True
    deadline: float = 1800


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of one logical call: whether it may wait for a quota, and since when its deadline runs.

    Attributes:
        waits_for_quota: Whether a quota that is used up is waited for; not if another model may be asked.
        deadline_started_at: When the request began, by the clock of `Shared`, if another model was asked before; 0 if
            it begins now.
    """

    waits_for_quota: bool = True
    deadline_started_at: float = 0.0


DEFAULT_LIMITS = CallLimits()


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of one application have in common.

    Attributes:
        pool: The gateway's keys; empty when callers bring theirs.
        breakers: Which models are left alone.
        options: How often, and how long.
        affinity: Which key knows which file.
        observers: Notified of what happens.
        on_answer: Called with the model and the answer, or the first event of it, whenever a model has answered.
        clock: Seconds that nobody can set, for how long a call has lasted.
        sleep: Waits for seconds.
        random: From 0 to 1.
    """

    pool: KeyPool = field(default_factory=KeyPool)
    breakers: Breakers = field(default_factory=Breakers)
    options: RetryOptions = field(default_factory=RetryOptions)
    affinity: KeyAffinity = field(default_factory=KeyAffinity)
    observers: list[Observer] = field(default_factory=list)
    on_answer: list[Callable[[str, GenerateContentResponse], None]] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class KeyLease:
    """A key for one call: `close` gives it back.

    Attributes:
        secret: The key itself.
        key: The gateway's key; None for a caller's own.
        within: Seconds that the call may take; None for all the time there is.
    """

    __slots__ = ("_breakers", "_is_closed", "_pool", "_target", "_tries_key", "_tries_model", "key", "secret", "within")

    def __init__(
        self,
        pool: KeyPool,
        breakers: Breakers,
        target: Target,
        key: Key | None,
        secret: str,
        within: float | None = None,
    ) -> None:
        self.key = key
        self.secret = secret
        self.within = within
        self._tries_model = bool(breakers.models) and breakers.admit(target, self._caller(breakers))
        self._tries_key = key is not None and key.cooldown is not None
        self._is_closed = False
        self._pool = pool
        self._breakers = breakers
        self._target = target
        if key is not None:
            key.in_flight += 1
            key.is_probed = key.is_probed or self._tries_key

    def succeeded(self) -> None:
        """Google has answered."""
        if self.key is not None and (self.key.cooldown is not None or self.key.models):
            self._pool.mark_healthy(self.key, self._target)
        self._tries_model = False
        if self._breakers.models:
            self._breakers.succeeded(self._target, self._caller(self._breakers))

    def failed(self, error: GeminiError) -> CooldownReason | None:
        """Record the failure. Returns the cool-down for the key, if any; the breaker counts only the last attempt."""
        kind = cooldown_for(error, self._target)
        if kind is CooldownReason.BROKEN:
            if self._tries_model:
                self.model_failed()
        elif kind is not None and self.key is not None:
            self._pool.cool_down(self.key, self._target, kind, error)
        return kind

    def model_failed(self) -> None:
        """The model is at fault, and there will be no other attempt."""
        self._breakers.failed(self._target, self._caller(self._breakers), is_own=self.key is None)

    def close(self) -> None:
        """Give the key back; once is enough."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.key is not None:
            self.key.in_flight -= 1
            if self._tries_key:
                self.key.is_probed = False
        if self._tries_model:
            self._breakers.release_probe(self._target, self._caller(self._breakers))

    def _caller(self, breakers: Breakers) -> str:
        """By whom failures are counted: a key of the caller's own, or a caller with one of the gateway's."""
        return self.secret if self.key is None else breakers.caller()


@dataclass(slots=True)
class Attempts:
    """Decides on the attempts of one call.

    Attributes:
        shared: The keys, the breakers and the options.
        target: What is asked for.
        caller_key: The caller's own key, or the one of the gateway's that must be used; None for any of the gateway's.
        limits: Whether it may wait, and since when its deadline runs.
        resources: Files and caches that the call names.
        is_replayable: Whether the body can be sent again; a stream of bytes cannot.
    """

    shared: Shared
    target: Target
    caller_key: str | None
    limits: CallLimits = DEFAULT_LIMITS
    resources: Sequence[str] = ()
    is_replayable: bool = True
    _began: float = 0.0
    _retries: int = 0
    _empty_answers: int = 0
    _avoid: list[Key] = field(default_factory=list)
    _keys_tried: int = 0

    def begin(self) -> KeyLease:
        """A key for the next attempt.

        Raises:
            GeminiError: no key may be used, or the model is broken; nothing was sent.
        """
        if not self._began:
            self._began = self.limits.deadline_started_at or self.shared.clock()
        pool = self.shared.pool
        key, secret = self._key(pool)
        for observer in self.shared.observers:
            observer.calls(self.target.model, key.label if key else "")
        return KeyLease(pool, self.shared.breakers, self.target, key, secret, self._remaining())

    def _key(self, pool: KeyPool) -> tuple[Key | None, str]:
        if self.caller_key is not None:
            pinned = pool.find(self.caller_key)
        else:
            label = self.shared.affinity.find(self.resources) if self.resources else None
            pinned = pool.named(label) if label else None
        if pinned is not None:
            if not pool.is_usable(pinned, self.target):
                raise pool.exhausted(self.target, (pinned,))
            return pinned, pinned.secret
        if self.caller_key is not None:
            return None, self.caller_key
        chosen = pool.choose(self.target, self._avoid)
        if chosen is None:
            raise pool.exhausted(self.target)
        return chosen, chosen.secret

    def _remaining(self) -> float | None:
        """Seconds that the next attempt may take; None for the first one, which has all the time there is."""
        if not (self.limits.deadline_started_at or self._retries or self._empty_answers or self._avoid):
            return None
        return self.shared.options.deadline - (self.shared.clock() - self._began)

    def succeeded(self, key_lease: KeyLease) -> None:
        """An attempt was answered."""
        key_lease.succeeded()
        if self.resources and key_lease.key is not None:
            self.shared.affinity.learn(self.resources, key_lease.key.label)

    def answered(
        self, key_lease: KeyLease, answer: Sequence[GenerateContentResponse], *, count_thoughts: bool = False
    ) -> bool:
        """An attempt was answered, wholly or so far, by these events: whether that is the answer to give on.

        One without content is asked for again, once. Thoughts are content where they are shown before the end is known.
        """
        self.succeeded(key_lease)
        if self._retries_empty(answer, count_thoughts=count_thoughts):
            return False
        for listener in self.shared.on_answer if answer else ():
            listener(self.target.model, answer[0])
        return True

    async def failed(self, key_lease: KeyLease, error: GeminiError) -> None:
        """Returns when the next attempt is due.

        Raises:
            GeminiError: there will be none.
        """
        kind = key_lease.failed(error)
        key_lease.close()
        try:
            wait = self._wait(key_lease, error, kind)
        except GeminiError:
            if kind is CooldownReason.BROKEN:
                key_lease.model_failed()
            raise
        if key_lease.key is not None:
            self._avoid.append(key_lease.key)
        self._note(str(error.reason if isinstance(error, TransportError) else error.status))
        if wait > 0:
            await self.shared.sleep(wait)

    def broke_off(self, key_lease: KeyLease, error: GeminiError) -> None:
        """An answer that was given on has failed in its middle: there will be no other one."""
        if key_lease.failed(error) is CooldownReason.BROKEN:
            key_lease.model_failed()

    def _retries_empty(self, events: Sequence[GenerateContentResponse], *, count_thoughts: bool) -> bool:
        if self._empty_answers or not self.shared.options.retry_empty:
            return False
        reason = empty_reason(events, count_thoughts=count_thoughts)
        if reason is None or self.shared.clock() - self._began >= self.shared.options.deadline:
            return False
        self._empty_answers += 1
        self._note(reason)
        return True

    def _note(self, reason: str) -> None:
        for observer in self.shared.observers:
            observer.retries(self.target.model, reason)

    def _wait(self, key_lease: KeyLease, error: GeminiError, kind: CooldownReason | None) -> float:
        """Seconds until the next attempt.

        Raises:
            GeminiError: there will be none.
        """
        if not self.is_replayable:
            raise error
        if self.caller_key is None and key_lease.key is not None:
            if kind is not None and kind is not CooldownReason.BROKEN:
                return self._wait_for_key(error, kind)
            if is_foreign(error) and self._may_try_another(key_lease.key):
                return 0.0
        if not may_repeat(error, is_repeatable=self.target.is_repeatable):
            raise error
        if error.status == 429:
            return self._wait_for_quota(error, kind)
        backoff = self.shared.random() * _BASE * 2.0 ** min(self._retries, _MAX_EXPONENT)
        wait = max(min(backoff, self.shared.options.max_wait), error.retry_delay or 0.0)
        return self._counted(error, wait)

    def _wait_for_key(self, error: GeminiError, kind: CooldownReason) -> float:
        """Another key at once, if there is one."""
        pool = self.shared.pool
        label = self.shared.affinity.find(self.resources) if self.resources else None
        only = pool.named(label) if label else None
        if only is None and pool.choose(self.target) is not None:
            return 0.0
        shortage = pool.exhausted(self.target, (only,) if only else ())
        if kind is not CooldownReason.RATE_LIMIT or not self.limits.waits_for_quota or shortage.available_in is None:
            raise shortage from error
        return self._counted(shortage, shortage.available_in) + self._jitter(shortage.available_in)

    def _wait_for_quota(self, error: GeminiError, kind: CooldownReason | None) -> float:
        """There is one key, and it must be waited for."""
        if kind is CooldownReason.QUOTA:
            error.available_in = self.shared.pool.until_quota_reset() if error.is_daily_quota else None
            raise error
        wait = error.retry_delay
        if wait is None:
            wait = error.available_in = self.shared.pool.default_cooldown
        if not self.limits.waits_for_quota:
            raise error
        return self._counted(error, wait) + self._jitter(wait)

    def _counted(self, error: GeminiError, wait: float) -> float:
        options = self.shared.options
        is_late = self.shared.clock() + wait >= self._began + options.deadline
        if self._retries >= options.retries or wait > options.max_wait or is_late:
            error.is_final = self._retries > 0 and error.status >= 500
            raise error
        self._retries += 1
        return wait

    def _jitter(self, wait: float) -> float:
        """A little later than Google said, so that those who wait do not all come at once."""
        return self.shared.random() * min(wait / 4, 1.0)

    def _may_try_another(self, key: Key) -> bool:
        """A file or a cache that this key does not know may be another's: each is asked once."""
        self.shared.affinity.forget(self.resources)
        self._keys_tried += 1
        return key not in self._avoid and self._keys_tried < len(self.shared.pool)


def empty_reason(events: Sequence[GenerateContentResponse], *, count_thoughts: bool) -> str | None:
    """`empty` or `malformed_function_call` if `events` hold no content so far and no other reason for that.

    Args:
        events: Of a stream, or one whole answer.
        count_thoughts: Whether a thought is content: in a stream it is shown before the end is known.
    """
    reason = "empty"
    for event in events:
        if (feedback := event.get("promptFeedback")) and feedback.get("blockReason"):
            return None
        for candidate in event.get("candidates") or ():
            finish = candidate.get("finishReason", "STOP")
            if finish not in _ANSWERS or _has_content(candidate, count_thoughts):
                return None
            if finish == _MALFORMED:
                reason = "malformed_function_call"
    return reason


def _has_content(candidate: Candidate, count_thoughts: bool) -> bool:
    """Whether a part holds more than an empty text. A signature is a sign that the model has finished on purpose."""
    for part in (candidate.get("content") or {}).get("parts") or ():
        if part.get("thought") and not count_thoughts:
            continue
        if part.get("text") or part.keys() - _TEXT:
            return True
    return False
