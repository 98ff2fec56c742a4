"""The path that was meant by one that nobody has: a base URL lacks a part, or has one twice."""

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match

from gemgate.api.native.methods import MatchedMethod, find
from gemgate.api.native.routes import NativeRoute, UnknownRoute

_PREFIXES = ("", "/v1", "/v1beta/openai", "/v1beta")
_PREFIXES_OF_CALLS = ("", "/v1beta")
_OF_GOOGLE = (NativeRoute, UnknownRoute)
_MOST = 16
_LONGEST = 200


def meant_path(routes: Sequence[BaseRoute], method: str, path: str) -> str | None:
    """A path that is answered and ends like `path`, or None.

    Args:
        routes: Those of the application.
        method: The HTTP method.
        path: Which none of them has.
    """
    words = [word for word in path.split("/") if word][:_MOST]
    if len(path) > _LONGEST:
        return None
    for candidate in _candidates(words):
        if candidate != path and _is_known(routes, method, candidate):
            return candidate
    return None


def _candidates(words: Sequence[str]) -> Iterable[str]:
    """The longest end of the path first, each below every version."""
    for start in range(len(words)):
        tail = "/".join(words[start:])
        is_versioned = words[start].startswith("v1") or words[start] == "openai"
        for prefix in _PREFIXES_OF_CALLS if ":" in tail else _PREFIXES:
            if not (prefix and is_versioned):
                yield f"{prefix}/{tail}"


def _is_known(routes: Sequence[BaseRoute], method: str, path: str) -> bool:
    if isinstance(find(method, path), MatchedMethod):
        return True
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is not Match.NONE for route in routes if not isinstance(route, _OF_GOOGLE))
