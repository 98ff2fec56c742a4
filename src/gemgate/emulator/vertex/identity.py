"""Who gives access tokens: the metadata server of a machine, the token endpoint, STS, and impersonation.

Paths: https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys (metadata),
https://developers.google.com/identity/protocols/oauth2/service-account (`/token`),
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token (`/v1/token`).
"""

import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gemgate.emulator.replies import html_reply
from gemgate.emulator.state import EmulatorState

PROJECT = "emulator-project"
ACCOUNT = "gateway@emulator-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_FLAVOR = {"metadata-flavor": "Google"}
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


def identity_routes(state: EmulatorState) -> list[Route]:
    """The routes of those who give access tokens."""

    def route(path: str, handler: Callable[[EmulatorState, Request], Awaitable[ASGIApp]], *methods: str) -> Route:
        async def endpoint(request: Request) -> ASGIApp:
            return await handler(state, request)

        return Route(path, endpoint, methods=list(methods))

    return [
        route("/", _root, "GET"),
        route("/computeMetadata/v1/{key:path}", _metadata, "GET"),
        route("/token", _token, "POST"),
        route("/v1/token", _exchange, "POST"),
        route("/v1/projects/-/serviceAccounts/{account}:generateAccessToken", _impersonate, "POST"),
    ]


async def _root(state: EmulatorState, request: Request) -> ASGIApp:
    """A metadata server says that it is one to those who ask it as one; others get what any wrong path gets."""
    if request.headers.get("metadata-flavor") != "Google":
        return html_reply(state, 404)
    return PlainTextResponse("computeMetadata/\n", headers=_FLAVOR)


async def _metadata(state: EmulatorState, request: Request) -> Response:
    if request.headers.get("metadata-flavor") != "Google":
        return PlainTextResponse("Missing Metadata-Flavor:Google header.", 403)
    if state.tokens.is_down:
        return PlainTextResponse("", 503, headers=_FLAVOR)
    key = request.path_params["key"].rstrip("/")
    texts = {"project/project-id": PROJECT, "universe/universe-domain": "googleapis.com"}
    if key in texts:
        return PlainTextResponse(texts[key], headers=_FLAVOR)
    parts = key.removeprefix("instance/service-accounts/").split("/")
    if not key.startswith("instance/service-accounts/") or parts[0] not in {"default", ACCOUNT}:
        return PlainTextResponse("", 404, headers=_FLAVOR)
    if parts[1:] == ["token"]:
        state.tokens.asked["metadata"] += 1
        token, left = state.tokens.of_machine()
        return JSONResponse({"access_token": token, "expires_in": int(left), "token_type": "Bearer"}, headers=_FLAVOR)
    if parts[1:] == []:
        return JSONResponse({"aliases": ["default"], "email": ACCOUNT, "scopes": [SCOPE]}, headers=_FLAVOR)
    return PlainTextResponse("", 404, headers=_FLAVOR)


async def _form(request: Request) -> dict[str, str]:
    raw = (await request.body()).decode(errors="replace")
    return {name: values[0] for name, values in parse_qs(raw).items()}


async def _token(state: EmulatorState, request: Request) -> Response:
    """A token for a service account's signed assertion, or for a refresh token. The signature is not checked."""
    state.tokens.asked["token"] += 1
    if state.tokens.is_down:
        return JSONResponse({"error": "temporarily_unavailable"}, 503)
    form = await _form(request)
    if form.get("grant_type") == "refresh_token":
        is_good = bool(form.get("refresh_token")) and form.get("refresh_token") != "revoked"
        why = "Token has been expired or revoked."
    elif form.get("grant_type") == _JWT_GRANT:
        why = _wrong_assertion(state, form.get("assertion", ""))
        is_good = not why
    else:
        return _refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
    if not is_good:
        return _refused("invalid_grant", why)
    return JSONResponse(
        {"access_token": state.tokens.issue(), "expires_in": int(state.tokens.lifetime), "token_type": "Bearer"}
    )


def _refused(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, 400)


def _wrong_assertion(state: EmulatorState, assertion: str) -> str:
    """Why the claims of an assertion are not taken, or ""."""
    pieces = assertion.split(".")
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    except (IndexError, ValueError):
        return "Invalid JWT: it is no assertion."
    if len(pieces) != 3 or not isinstance(claims, dict) or not claims.get("iss"):
        return "Invalid JWT: it is no assertion."
    if str(claims["iss"]).startswith("deleted@"):
        return "Invalid grant: account not found"
    if SCOPE not in str(claims.get("scope", "")):
        return "Invalid OAuth scope or ID token audience provided."
    if not float(claims.get("exp", 0)) > state.now():
        return (
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim."
        )
    return ""


async def _exchange(state: EmulatorState, request: Request) -> Response:
    """A federated token for the token of another identity provider."""
    state.tokens.asked["sts"] += 1
    if state.tokens.is_down:
        return JSONResponse({"error": "temporarily_unavailable"}, 503)
    form = await _form(request)
    if form.get("grant_type") != _EXCHANGE_GRANT or not form.get("audience"):
        return _refused("invalid_request", "Invalid value for grant_type or audience.")
    if not form.get("subject_token"):
        return _refused("invalid_grant", "The subject token is empty.")
    return JSONResponse(
        {
            "access_token": state.tokens.issue(),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": int(state.tokens.lifetime),
        }
    )


async def _impersonate(state: EmulatorState, request: Request) -> Response:
    """A service account's token for the bearer of a federated one."""
    state.tokens.asked["impersonation"] += 1
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token or not state.tokens.is_good(token):
        return JSONResponse({"error": {"code": 401, "message": "Unauthenticated", "status": "UNAUTHENTICATED"}}, 401)
    ends = datetime.fromtimestamp(state.now() + state.tokens.lifetime, UTC)
    return JSONResponse({"accessToken": state.tokens.issue(), "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})
