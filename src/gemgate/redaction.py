"""Takes secrets out of text before it is logged or answered."""

import re
import traceback
from functools import lru_cache

HIDDEN = "***"

_SECRETS = re.compile(
    r"""
    AIza[\w-]{20,}                              # Google API keys
    | AQ\.[\w-]{20,}                            # the newer form of them
    | ya29\.[\w.-]{10,}                         # Google access tokens
    | \bsk-[\w-]{16,}                           # OpenAI keys, in a client that still sends one
    | (?<=Bearer\s)[^\s'",;]+
    | (?<=[?&]key=)[^&\s'"]+
    | (?<=api_key:)[^\s'",;)]+                  # how Google names the consumer in its own messages
    | (?<=x-goog-api-key:\s)[^\s'",;]+
    | (?<=/images/content/)[^/\s'"]+            # whoever has the address of an image may see it
    """,
    re.VERBOSE | re.IGNORECASE,
)

_SECRET_NAMES = frozenset(
    {
        "authorization",
        "proxy_authorization",
        "cookie",
        "set_cookie",
        "key",
        "api_key",
        "x_api_key",
        "x_goog_api_key",
        "gemini_api_key",
        "client_keys",
        "access_token",
        "token",
        "password",
        "secret",
    }
)


_HINTS = ("aiza", "aq.", "ya29.", "sk-", "bearer", "key", "/images/content/")
"""One of these is in every text in which the pattern can find something: looking for them is twenty times cheaper."""


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `***`."""
    lowered = text.lower()
    for hint in _HINTS:
        if hint in lowered:
            return _SECRETS.sub(HIDDEN, text)
    return text


def traceback_of(error: BaseException) -> str:
    """The traceback of `error` for the log: without credentials, and without local variables, which hold prompts."""
    return redact("".join(traceback.format_exception(error)))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_NAMES


def redact_value(value: object, name: str = "") -> object:
    """A JSON-like value without secrets: by the name of the field, and by the look of its text."""
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if isinstance(value, dict):
        return {key: redact_value(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact_value(item) for item in value]
    return value
