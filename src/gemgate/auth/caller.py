"""Who is calling, and which Gemini key their request uses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from starlette.datastructures import Headers

from gemgate.auth.client_keys import is_allowed, owner_of_key
from gemgate.auth.key_registry import ClientKeys
from gemgate.errors import ApiError
from gemgate.gemini.resource_names import without_prefixes
from gemgate.gemini.vertex.caller_tokens import BEARER, GOOGLE_TOKEN, QUOTA_HEADER, token_key
from gemgate.redaction import redact
from gemgate.settings import Settings

PASS_THROUGH = "pass-through"  # noqa: S105  a name, and no secret
LOCAL = "local"
"""Names of callers who present their own Gemini key, and of those who need present none."""

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_SHOWN = 200
_CREDENTIALS = frozenset({b"authorization", b"x-goog-api-key", b"api-key"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling.

    Attributes:
        key: The caller's own Gemini key, or that of its own access token (`caller_tokens`); None when one of
            the gateway's is used, which the way to Google chooses.
        id: Whose files, batches and thought signatures these are (16 hex digits); reveals nothing of a key.
        name: For logs and metrics: that of the client key, or one of two fixed ones.
        models: Patterns of the models that may be used; None for all.
    """

    key: str | None = field(repr=False)
    id: str
    name: str = LOCAL
    models: tuple[str, ...] | None = None

    @property
    def account(self) -> str:
        """Whose account at Google is used: the caller with a key of its own, or the gateway's, which is empty."""
        return self.id if self.key is not None else ""

    def may_use(self, model: str) -> bool:
        """Whether the model, named with or without `models/`, is allowed."""
        return self.models is None or is_allowed(without_prefixes(model), self.models)

    def check_model(self, model: str) -> None:
        """Refuse a model that this caller may not use, as OpenAI does for a project without access.

        Raises:
            ApiError: 403 `model_not_found`.
        """
        if not self.may_use(model):
            msg = (
                f"The key '{self.name}' does not have access to the model `{redact(model)[:_SHOWN]}`: it may use "
                f"{', '.join(self.models or ())}. GET /v1/models lists what there is; the gateway's operator can allow "
                "more."
            )
            raise ApiError(403, msg, param="model", code="model_not_found")


_EVERYBODY = Caller(None, owner_of_key(""), LOCAL)
"""Who calls where nobody is asked for a key."""


def authenticate(headers: Mapping[str, str], settings: Settings, keys: ClientKeys) -> Caller:
    """The caller named by `Authorization: Bearer`, `x-goog-api-key` or `api-key`; `headers` ignores case.

    A gateway without a Gemini key passes the caller's own on; one before Vertex AI, an access token of Google's. A
    gateway with one asks for one of its client `keys`; with none of these it listens on loopback only (`Settings` sees
    to that) and serves everybody who reaches it.

    Raises:
        ApiError: 401 when the key is missing or wrong, 400 when two different ones are given.
    """
    if settings.passes_keys_through:
        presented = credential(headers)
        if settings.takes_google_tokens:
            return _with_token(presented, headers)
        return Caller(presented, owner_of_key(presented), PASS_THROUGH)
    if keys.is_open:
        if settings.takes_google_tokens and headers.get("authorization", "").startswith(BEARER + GOOGLE_TOKEN):
            return _with_token(credential(headers), headers)
        return _EVERYBODY
    presented = credential(headers)
    entry = keys.find(presented)
    if entry is None:
        _refuse(f"Incorrect API key provided: {_mask(presented)}. The gateway's operator hands out keys.")
    return _holder(entry.owner, entry.name, entry.models)


def _with_token(token: str, headers: Mapping[str, str]) -> Caller:
    """The caller who presents an access token of Google's; with the next token it is another, as none names its owner.

    Raises:
        ApiError: 400, the project that is to pay for the quota is not one.
    """
    try:
        key = token_key(token, headers.get(QUOTA_HEADER, ""))
    except ValueError as error:
        raise ApiError(400, f"{QUOTA_HEADER}: {error}", code="invalid_value") from None
    return Caller(key, owner_of_key(token), PASS_THROUGH)


@lru_cache(maxsize=1024)
def _holder(owner: str, name: str, models: tuple[str, ...] | None) -> Caller:
    """The caller who has a client key."""
    return Caller(None, owner, name, models)


def credential(headers: Mapping[str, str]) -> str:
    """The one key that a request presents.

    Raises:
        ApiError: 401 without a key, or with one that cannot be valid; 400 with two.
    """
    lines = headers.raw if isinstance(headers, Headers) else _raw(headers)
    credentials = {text for name, value in lines if name in _CREDENTIALS and (text := _key_in(name, value))}
    if not credentials:
        raise ApiError(401, _NO_KEY, headers={"www-authenticate": "Bearer"})
    if len(credentials) > 1:
        msg = (
            "Several different API keys were provided. Send one, in one of the headers Authorization, x-goog-api-key "
            "and api-key."
        )
        raise ApiError(400, msg, code="multiple_api_keys")
    (presented,) = credentials
    if not presented.isascii() or not presented.isprintable() or " " in presented:
        _refuse("The API key holds characters that no key has: it was probably not copied as a whole.")
    return presented


def _raw(headers: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    """The lines of headers that are not Starlette's, which keep each name once; names in lower case."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def _key_in(name: bytes, value: bytes) -> str:
    """The key in one line; empty when it holds none."""
    text = value.decode("latin-1").strip()
    if name != b"authorization":
        return text
    scheme, _, token = text.partition(" ")
    if scheme.lower() != "bearer":
        _refuse("The Authorization header must read 'Bearer YOUR_KEY'.")
    return token.strip()


def _mask(text: str) -> str:
    return "****" + (text[-4:] if len(text) >= 16 else "")


def _refuse(message: str) -> NoReturn:
    raise ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
