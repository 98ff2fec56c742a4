"""Who is calling, and which Gemini key their request uses."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NoReturn

from gemgate.errors import ApiError
from gemgate.settings import Settings

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """`key` is the Gemini key to use; `id` names the caller (16 hex digits) without revealing what they presented."""

    key: str = field(repr=False)
    id: str


def authenticate(headers: Mapping[str, str], settings: Settings) -> Caller:
    """The caller named by `Authorization: Bearer`, `x-goog-api-key` or `api-key`; `headers` ignores case.

    A gateway without a key passes the caller's own on. A gateway with a key asks for one of its client keys; with no
    client keys it listens on loopback only (`Settings` sees to that) and serves whoever reaches it.

    Raises:
        ApiError: 401 when the key is missing or wrong, 400 when two different ones are given.
    """
    if settings.gemini_api_key and not settings.client_keys:
        return Caller(_choose_key(settings), _digest(""))
    presented = _credential(headers)
    if settings.passes_keys_through:
        return Caller(presented, _digest(presented))
    if not _is_known(presented, settings.client_key_digests):
        _refuse(f"Incorrect API key provided: {_mask(presented)}. The gateway's operator hands out keys.")
    return Caller(_choose_key(settings), _digest(presented))


_turn = count()


def _choose_key(settings: Settings) -> str:
    keys = settings.gemini_api_key
    return keys[next(_turn) % len(keys)].get_secret_value()


def _credential(headers: Mapping[str, str]) -> str:
    found = [text for text in (_bearer(headers), headers.get("x-goog-api-key"), headers.get("api-key")) if text]
    credentials = {text.strip() for text in found} - {""}
    if not credentials:
        raise ApiError(401, _NO_KEY, headers={"www-authenticate": "Bearer"})
    if len(credentials) > 1:
        msg = (
            "Several different API keys were provided. Send one, in one of the headers Authorization, x-goog-api-key "
            "and api-key."
        )
        raise ApiError(400, msg, code="multiple_api_keys")
    (credential,) = credentials
    if not credential.isascii() or not credential.isprintable() or " " in credential:
        _refuse("The API key holds characters that no key has: it was probably not copied as a whole.")
    return credential


def _bearer(headers: Mapping[str, str]) -> str | None:
    value = headers.get("authorization")
    if value is None:
        return None
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "bearer":
        _refuse("The Authorization header must read 'Bearer YOUR_KEY'.")
    return token


def _is_known(presented: str, digests: tuple[bytes, ...]) -> bool:
    """Compares with every digest, so that the time taken tells nothing."""
    digest = hashlib.sha256(presented.encode()).digest()
    matches = [hmac.compare_digest(digest, known) for known in digests]
    return any(matches)


def _digest(text: str) -> str:
    return hashlib.sha256(b"gemgate caller\0" + text.encode()).hexdigest()[:16]


def _mask(text: str) -> str:
    return "****" + (text[-4:] if len(text) >= 16 else "")


def _refuse(message: str) -> NoReturn:
    raise ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
