"""Thought signatures for clients that drop what they do not know.

Gemini 3 refuses a function call that comes back without the signature it was given. Callers get it as
`extra_content.google.thought_signature`; this store remembers it for those that do not send it back.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import orjson

# The base64 of `skip_thought_signature_validator`, which Google documents for calls that Gemini did not make itself;
# accepted in recorded exchanges.
# https://ai.google.dev/gemini-api/docs/thought-signatures
NO_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

_OTHER_PLACEHOLDER = frozenset(
    {"context_engineering_is_the_way_to_go", "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv"}
)
"""The other text that Google's page names, as it is and in base64; Vertex AI refuses it (pydantic-ai 3881)."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]++={0,2}")


def is_signature(value: str) -> bool:
    """Whether `value` can be a signature: base64, as Google's JSON reader takes it for bytes (`TYPE_BYTES`)."""
    if _BASE64.fullmatch(value) is None or value in _OTHER_PLACEHOLDER:
        return False
    digits = len(value.rstrip("="))
    return digits % 4 != 1 and (digits == len(value) or len(value) % 4 == 0)


class Signatures(Protocol):
    """Where signatures are kept between two requests of one caller."""

    @property
    def is_shared(self) -> bool:
        """Whether others keep signatures as well, so that `recall` may find out more."""
        ...

    def get(self, key: bytes) -> str | None:
        """The signature under `key`, if it is still known."""
        ...

    def put(self, key: bytes, signature: str) -> None:
        """Keep `signature` under `key`."""
        ...

    async def recall(self, keys: Sequence[bytes]) -> None:
        """Find out what others know of those `keys` that are not known here; `get` knows it afterwards."""
        ...


def call_key(caller_id: str, call_id: str, name: str, args: dict[str, object]) -> bytes:
    """The key of one call: ids alone are not unique (Gemini's are `call_` and five digits), so the call counts too."""
    call = orjson.dumps([caller_id, call_id, name, args], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(call, digest_size=16).digest()


class SignatureStore:
    """Signatures in memory: the newest `size`, for `ttl` seconds. `get` may be called in another thread."""

    is_shared = False

    def __init__(self, size: int, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._ttl = ttl
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def get(self, key: bytes) -> str | None:
        """The signature under `key`, if it is still known."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        until, signature = kept
        if until < self._clock():
            self._kept.pop(key, None)
            return None
        return signature

    def put(self, key: bytes, signature: str) -> None:
        """Keep `signature` under `key`; the oldest makes room."""
        self._kept.pop(key, None)
        self._kept[key] = (self._clock() + self._ttl, signature)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    async def recall(self, keys: Sequence[bytes]) -> None:
        """Nobody else knows any."""

    def __len__(self) -> int:
        return len(self._kept)
