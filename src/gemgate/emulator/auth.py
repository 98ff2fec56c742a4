"""Who calls: Google's rules for credentials on native paths. Any key is taken but a few with a meaning."""

import hashlib
import re
from collections.abc import Mapping

from gemgate.emulator.errors import (
    GoogleApiError,
    api_key_invalid,
    invalid,
    keys_not_supported,
    unregistered,
)
from gemgate.emulator.families import SCENARIO_PREFIX

INVALID_KEY = "invalid"
EXPIRED_KEY = "expired"
_LIKE_A_KEY = re.compile(r"AIza|AQ\.|sk-")


def check_credential(headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Accept one credential: `x-goog-api-key`, `?key=` or an OAuth token as `Authorization: Bearer`.

    Raises:
        ApiError: 403 without any; 400 with several, or with the keys `invalid` and `expired`; 401 for an API key as a
            bearer token.
    """
    bearer = headers.get("authorization", "")
    keys = {key for key in (headers.get("x-goog-api-key", ""), query.get("key", "")) if key}
    if len(keys) + bool(bearer) > 1:
        raise invalid("Multiple authentication credentials received. Please pass only one.")
    if bearer:
        _check_bearer(bearer)
    elif not keys:
        raise unregistered()
    elif INVALID_KEY in keys:
        raise api_key_invalid()
    elif EXPIRED_KEY in keys:
        raise api_key_invalid("API key expired. Please renew the API key.")


def owner(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """A digest of the credential: what one key uploads, another does not see."""
    credential = headers.get("x-goog-api-key") or query.get("key") or headers.get("authorization", "")
    return hashlib.sha256(credential.encode()).hexdigest()[:16]


def scenario(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """The scenario that a key or a token such as `emulator-429` asks for with every request, or ""."""
    _, _, token = headers.get("authorization", "").partition(" ")
    key = headers.get("x-goog-api-key") or query.get("key") or token
    return key.removeprefix(SCENARIO_PREFIX) if key.startswith(SCENARIO_PREFIX) else ""


def is_like_a_key(token: str) -> bool:
    """Whether a bearer token is an API key, or a word that means a wrong one."""
    return bool(_LIKE_A_KEY.match(token.strip())) or token.strip() in {INVALID_KEY, EXPIRED_KEY}


def _check_bearer(value: str) -> None:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise GoogleApiError(401, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
    if is_like_a_key(token):
        raise keys_not_supported("GenerativeService.GenerateContent")
