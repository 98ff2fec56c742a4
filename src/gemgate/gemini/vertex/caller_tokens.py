"""Callers' own access tokens: how one passes the layers in the place of a key, and to which lane it leads.

Such a key is `Bearer TOKEN`. Behind it may be `quota=PROJECT`, who pays for the quota, and `in=PROJECT/LOCATION`, where
the caller's path leads. Gemini keys and the names of lanes hold no space: so no token is ever taken for one of them,
and used with the gateway's credentials.
"""

from typing import NamedTuple, Self, TypeGuard

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.lanes import Lane, checked_location, checked_project, host_of

BEARER = "Bearer "
GOOGLE_TOKEN = "ya29."  # noqa: S105  how Google's begin
"""What access tokens of Google's begin with."""


QUOTA_HEADER = "x-goog-user-project"
"""Names the project that pays for the quota, which Google wants to know of some users' tokens."""

_QUOTA = "quota="
_PLACE = "in="


def token_key(token: str, quota_project: str = "") -> str:
    """The key for the access token `token` of a caller's.

    Raises:
        ValueError: `quota_project` is not the id of a project.
    """
    return f"{BEARER}{token}" + (f" {_QUOTA}{checked_project(quota_project)}" if quota_project else "")


def is_token_key(key: str | None) -> TypeGuard[str]:
    """Whether a key is for a caller's access token."""
    return key is not None and key.startswith(BEARER)


def placed(key: str, project: str, location: str) -> str:
    """The same token for calls in a project and a location of the caller's choice.

    Raises:
        ValueError: one of the two cannot be in a path.
    """
    return f"{key} {_PLACE}{checked_project(project)}/{checked_location(location)}"


class CallerToken(NamedTuple):
    """A caller's access token, and where it is to be used.

    Attributes:
        token: What goes behind `Bearer`.
        quota_project: Who pays for the quota; empty where the caller does not say.
        project: In which project; empty for the gateway's.
        location: Where; empty for the gateway's locations of a model.
    """

    token: str
    quota_project: str = ""
    project: str = ""
    location: str = ""

    @classmethod
    def of(cls, key: str) -> Self:
        """The token that `key` is for.

        Raises:
            GeminiError: 401, it is for none, such as the name of a lane that is not there any more.
        """
        if not is_token_key(key):
            message = "The credentials that this call needs are not there any more."
            raise GeminiError(401, message, "UNAUTHENTICATED")
        token, *more = key.removeprefix(BEARER).split(" ")
        quota = next((text.removeprefix(_QUOTA) for text in more if text.startswith(_QUOTA)), "")
        place = next((text.removeprefix(_PLACE) for text in more if text.startswith(_PLACE)), "")
        project, _, location = place.partition("/")
        return cls(token, quota, project, location)

    @property
    def headers(self) -> dict[str, str]:
        """Those of a call with it."""
        quota = {QUOTA_HEADER: self.quota_project} if self.quota_project else {}
        return {"authorization": BEARER + self.token, **quota}

    def lane(self, endpoint: str) -> Lane | None:
        """The lane that the caller has chosen, at `endpoint` or at Google's host; None where the gateway chooses."""
        if not self.project:
            return None
        origin = endpoint or host_of(self.location)
        return Lane(f"{self.project}/{self.location}", origin, self.project, self.location)
