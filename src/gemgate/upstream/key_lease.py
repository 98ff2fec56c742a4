"""A key that a call has taken."""

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.failure_policy import cooldown_for
from gemgate.upstream.key_pool import Key, KeyPool


class KeyLease:
    """A key for one call: `close` gives it back.

    Attributes:
        secret: The key itself.
        key: The gateway's key; None for a caller's own.
    """

    __slots__ = ("_breakers", "_is_closed", "_model", "_pool", "_tries_key", "_tries_model", "key", "secret")

    def __init__(self, pool: KeyPool, breakers: Breakers, model: str, key: Key | None, secret: str) -> None:
        self._tries_model = breakers.admit(model) if model else False
        self._tries_key = key is not None and key.cooldown is not None
        self._is_closed = False
        self._pool = pool
        self._breakers = breakers
        self._model = model
        self.key = key
        self.secret = secret
        if key is not None:
            key.in_flight += 1
            key.is_probed = key.is_probed or self._tries_key

    def succeeded(self) -> None:
        """Google has answered."""
        if self.key is not None and (self.key.cooldown is not None or self.key.models):
            self._pool.mark_healthy(self.key, self._model)
        self._tries_model = False
        self._breakers.succeeded(self._model)

    def failed(self, error: GeminiError) -> CooldownReason | None:
        """The call has failed: what rests because of that. Whether the model does, is for the last attempt to say."""
        kind = cooldown_for(error, self._model)
        if kind is CooldownReason.BROKEN:
            if self._tries_model:
                self._breakers.failed(self._model)
        elif kind is not None and self.key is not None:
            self._pool.cool_down(self.key, self._model, kind, error)
        return kind

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
            self._breakers.release_probe(self._model)
