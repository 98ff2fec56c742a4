"""A key that a call has taken."""

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.failure_policy import cooldown_for
from gemgate.upstream.key_pool import Key, KeyPool
from gemgate.upstream.targets import Target


class KeyLease:
    """A key for one call: `close` gives it back.

    Attributes:
        secret: The key itself.
        key: The gateway's key; None for a caller's own.
    """

    __slots__ = ("_breakers", "_is_closed", "_pool", "_target", "_tries_key", "_tries_model", "key", "secret")

    def __init__(self, pool: KeyPool, breakers: Breakers, target: Target, key: Key | None, secret: str) -> None:
        self.key = key
        self.secret = secret
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
