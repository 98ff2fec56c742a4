"""Client keys: what the gateway knows of one, which is never the key itself."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

PREFIX = "sk-gemgate-"
"""What a new key begins with: clients that look for OpenAI's `sk-` take it, and scanners for leaked secrets find it."""

_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may use; None means unlimited.

    Attributes:
        requests_per_minute: Requests of any kind.
        tokens_per_minute: Tokens of prompts and answers, thoughts included.
        concurrent_requests: Requests at once, streamed or not.
        usd_per_day: US dollars from midnight to midnight (UTC).
        usd_per_month: US dollars in a month.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    usd_per_day: float | None = None
    usd_per_month: float | None = None

    def __bool__(self) -> bool:
        return self.has_rate or self.has_budget

    @property
    def has_rate(self) -> bool:
        """Whether requests or tokens are limited."""
        return not self.requests_per_minute is self.tokens_per_minute is self.concurrent_requests is None

    @property
    def has_budget(self) -> bool:
        """Whether money is limited."""
        return not self.usd_per_day is self.usd_per_month is None


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One caller's entry.

    Attributes:
        name: For logs, metrics and messages.
        digests: `digest_of` the keys that count as this one: two while a key is being replaced.
        owner: Whose files, batches and thought signatures these are (16 hex digits).
        limits: What it may use.
        models: Patterns such as `gemini-2.5-*`; None allows all.
    """

    name: str
    digests: tuple[bytes, ...]
    owner: str
    limits: Limits = Limits()
    models: tuple[str, ...] | None = None


def digest_of(key: str) -> bytes:
    """SHA-256 of a key, which is what is stored and looked up.

    A slow, salted hash is for passwords, which can be guessed. A key of `new_key` has 256 random bits, so nobody finds
    it from its digest however fast the hash is, and a slow one would only cost time in every request. For the same
    reason a look-up of the digest in a table reveals nothing by its timing: to steer the digest, one would have to
    break SHA-256.
    """
    return hashlib.sha256(key.encode()).digest()


def owner_of_key(key: str) -> str:
    """The owner that a key without a name means; a caller's own Gemini key, too."""
    return hashlib.sha256(b"gemgate caller\0" + key.encode()).hexdigest()[:16]


def owner_of_name(name: str) -> str:
    """The owner that a name means, so that a key can be replaced and its files stay."""
    return hashlib.sha256(b"gemgate caller's name\0" + name.encode()).hexdigest()[:16]


def plain_key(key: str) -> ClientKey:
    """The entry of a key of GEMGATE_CLIENT_KEYS: a name made of its digest, no limits, all models."""
    digest = digest_of(key)
    return ClientKey(f"key-{digest.hex()[:8]}", (digest,), owner_of_key(key))


def new_key() -> str:
    """A random key of 256 bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def is_allowed(model: str, patterns: Iterable[str] | None) -> bool:
    """Whether `patterns` allow `model`, a name with or without `models/`."""
    name = model.removeprefix("models/")
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
