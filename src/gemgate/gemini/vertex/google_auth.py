"""Credentials by google-auth: a key of a service account, workload identity, the metadata server, or gcloud's.

google-auth blocks, so all of it, its import included, happens in the threads of `token_refresh`. It is an extra:
`gemgate[vertex]`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

import orjson

from gemgate.gemini.vertex.credentials import AccessToken, CredentialsError
from gemgate.gemini.vertex.token_refresh import RefreshedTokens
from gemgate.redaction import redact

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from gemgate.gemini.vertex.auth_transport import AuthTransport

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""What Vertex AI asks of a token."""

LIFETIME = 3600.0
"""Seconds that a token is taken to last whose credentials do not say: what Google's last by default."""

_MAX_REASON = 300


def google_tokens(service_account: str = "", on_failure: Callable[[str], None] | None = None) -> RefreshedTokens:
    """Access tokens of Google's default credentials, or of `service_account`.

    Args:
        service_account: The JSON text of a service account's key; empty for the default credentials.
        on_failure: Called with a sentence for the operator after each refresh that fails.

    Raises:
        CredentialsError: google-auth is not installed, or `service_account` is not a key.
    """
    source = GoogleAuthSource(service_account)
    return RefreshedTokens(source, on_failure) if on_failure else RefreshedTokens(source)


class GoogleAuthSource:
    """Fetches tokens by google-auth. The credentials are kept while they work, and loaded again after a failure.

    Args:
        service_account: The JSON text of a service account's key; empty for the default credentials.

    Raises:
        CredentialsError: google-auth is not installed, or `service_account` is not a key.
    """

    def __init__(self, service_account: str = "") -> None:
        if find_spec("google") is None or find_spec("google.auth") is None or find_spec("requests") is None:
            raise CredentialsError("Vertex AI needs google-auth: pip install 'gemgate[vertex]'")
        self._info = _key_in(service_account) if service_account else None
        self._loaded: tuple[Credentials, str | None] | None = None

    def fetch(self) -> AccessToken:
        """A new token.

        Raises:
            CredentialsError: there are no credentials, or nobody gave a token for them.
        """
        from google.auth.exceptions import GoogleAuthError

        from gemgate.gemini.vertex.auth_transport import AuthTransport

        loaded, self._loaded = self._loaded, None  # a fetch that hangs or fails keeps what it used to itself
        transport = AuthTransport()
        try:
            credentials, project = loaded or self._load(transport)
            credentials.refresh(transport)
        except GoogleAuthError as error:
            raise CredentialsError(_sentence(error)) from None
        except Exception as error:  # noqa: BLE001  google-auth trips over files that are wrong
            why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            raise CredentialsError(f"the Google credentials cannot be used: {why}") from None
        finally:
            transport.session.close()
        if not credentials.token:
            raise CredentialsError("Google gave no access token")
        self._loaded = credentials, project
        return AccessToken(str(credentials.token), _lifetime(credentials.expiry), project, credentials.quota_project_id)

    def _load(self, transport: "AuthTransport") -> tuple["Credentials", str | None]:
        if self._info is not None:
            from google.oauth2.service_account import Credentials as ServiceAccount

            key = ServiceAccount.from_service_account_info(self._info, scopes=SCOPES)
            return key, key.project_id
        from google.auth import default

        return default(scopes=SCOPES, request=transport)


def _key_in(text: str) -> Mapping[str, object]:
    """The service account's key that `text` is.

    Raises:
        CredentialsError: `text` is something else.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise CredentialsError("the service account's key is not JSON: it is the whole text of the file from Google")
    if value.get("type") != "service_account":
        raise CredentialsError(
            "the service account's key is JSON of another kind: its `type` must be `service_account`; "
            "put other credentials into a file, and name it in GOOGLE_APPLICATION_CREDENTIALS"
        )
    if missing := [name for name in ("client_email", "token_uri", "private_key") if not value.get(name)]:
        raise CredentialsError(f"the service account's key has no `{missing[0]}`")
    return value


def _lifetime(expiry: datetime | None) -> float:
    """Seconds until `expiry`, which google-auth writes in UTC without a zone."""
    if expiry is None:
        return LIFETIME
    return (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()


def _sentence(error: Exception) -> str:
    """An error of google-auth for the operator. Only what is known to hold no secret is taken from it."""
    from google.auth.exceptions import DefaultCredentialsError, TransportError

    first = error.args[0] if error.args else ""
    if isinstance(error, TransportError) or isinstance(first, (TransportError, OSError)):
        return f"the server that gives access tokens cannot be reached ({_kind(error)})"
    if isinstance(error, DefaultCredentialsError) and "default credentials were not found" in str(first):
        return (
            "there are no Google credentials: name a file in GOOGLE_APPLICATION_CREDENTIALS, let the gateway run as a "
            "service account, or run `gcloud auth application-default login`"
        )
    answer = error.args[1] if len(error.args) > 1 else None
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        description = answer.get("error_description")
        why = f"{answer['error']}: {description}" if isinstance(description, str) else answer["error"]
        return f"Google refuses the credentials ({_bounded(why)})"
    text = str(first)
    return _bounded(text) if text[:1].isalnum() else f"the Google credentials do not work ({type(error).__name__})"


def _kind(error: Exception) -> str:
    """The name of the first cause, such as `ConnectTimeout`; its text may hold addresses with passwords."""
    cause: object = error
    while isinstance(cause, Exception) and cause.args and isinstance(cause.args[0], Exception):
        cause = cause.args[0]
    return type(cause).__name__


def _bounded(text: str) -> str:
    return redact(" ".join(text.split()))[:_MAX_REASON].rstrip(".")
