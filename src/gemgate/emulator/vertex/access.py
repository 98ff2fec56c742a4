"""Who may ask Vertex AI: with an access token below a project, with a key in the express mode, and with either."""

from collections.abc import Mapping

from starlette.requests import Request

from gemgate.emulator import auth
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.vertex import words


def check_token(state: EmulatorState, request: Request, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Take an access token, and nothing else.

    Raises:
        GoogleApiError: 401.
    """
    version, method = request.path_params["version"], request.path_params.get("method", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not token:
        has_key = headers.get("x-goog-api-key") or query.get("key")
        raise words.unauthenticated("CREDENTIALS_MISSING", words.KEYS if has_key else words.MISSING, version, method)
    if scheme.lower() != "bearer" or auth.is_like_a_key(token):
        raise words.unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED", words.UNUSABLE, version, method)
    if not state.tokens.is_good(token):
        raise words.unauthenticated("ACCESS_TOKEN_EXPIRED", words.UNUSABLE, version, method)


def check_key(request: Request, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Take an API key of express mode.

    Raises:
        GoogleApiError: 401 without one, 400 for a wrong one.
    """
    if not (headers.get("x-goog-api-key") or query.get("key")):
        version, method = request.path_params["version"], request.path_params.get("method", "")
        raise words.unauthenticated("CREDENTIALS_MISSING", words.MISSING, version, method)
    auth.check_credential(headers, query)


def check_either(state: EmulatorState, request: Request, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Take a token or a key, as paths without a project do.

    Raises:
        GoogleApiError: 401 or 400.
    """
    if headers.get("authorization"):
        check_token(state, request, headers, query)
    else:
        check_key(request, headers, query)
