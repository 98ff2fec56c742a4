"""Google Cloud credentials as the rest of the gateway sees them: access tokens, and sentences where there are none."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self


class CredentialsError(Exception):
    """No access token can be had; the text is a sentence for the operator and holds no secret."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token as it was fetched.

    Attributes:
        value: What goes behind `Bearer`.
        lifetime: Seconds from now to its end; a metadata server may give a token that is half used up.
        project: The Google Cloud project that the credentials name, if they do.
        quota_project: The project that pays for the quota, for `x-goog-user-project`, if the credentials name one.
    """

    value: str = field(repr=False)
    lifetime: float
    project: str | None = None
    quota_project: str | None = None


class TokenSource(Protocol):
    """Gets access tokens from Google, or from who vouches for this machine."""

    def fetch(self) -> AccessToken:
        """A new token. Blocks: it is called in a thread of its own.

        Raises:
            CredentialsError: there are no credentials, or nobody gave a token for them.
        """
        ...


class BearerTokens(Protocol):
    """Access tokens that are kept fresh in the background: `async with tokens`."""

    @property
    def project(self) -> str | None:
        """The Google Cloud project that the credentials name; None before they are loaded, or if they name none."""
        ...

    @property
    def quota_project(self) -> str | None:
        """What `x-goog-user-project` says; None before the credentials are loaded, or if they name none."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the last refresh failed, a sentence for the operator; None after one that went well."""
        ...

    def current(self) -> str:
        """The token that is valid now. Never waits.

        Raises:
            GeminiError: with status 401; nothing valid is held. Callers may see the message; `failure` says why.
        """
        ...

    async def renewed(self, stale: str) -> str:
        """A token in place of `stale`, which Google has answered with a 401. However many ask, one is fetched.

        Raises:
            GeminiError: with status 401; nothing came in time, or it would be `stale` again.
        """
        ...

    async def __aenter__(self) -> Self:
        """Load the credentials, fetch a token and keep it fresh; a failure is raised by `current`, not here."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the background refresh."""
        ...
