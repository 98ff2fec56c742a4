"""`/console` and `/`: the pages, their files, and the form for the token."""

from functools import partial
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from gemgate import __version__
from gemgate.api.console.access import ConsoleAccess
from gemgate.api.console.console import Console
from gemgate.api.console.data_routes import data_router
from gemgate.errors import ApiError
from gemgate.settings import Settings
from gemgate.web.json_request import read_body
from gemgate.web.json_response import json_response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the console: nothing of another host, and no script or style within a page."""

_SECURITY = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" the form for the token has the origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
_OF_PAGES = {**_SECURITY, "cache-control": "no-store"}
_FILES = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
_MAX_FORM = 4096
_PROBLEM = '<p class="problem" role="alert">That is not the token.</p>'
_ENDPOINTS = {
    "openai": "/v1",
    "google_openai": "/v1beta/openai",
    "google": "/v1beta",
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/healthz",
}


def routers(settings: Settings, console: Console | None) -> list[APIRouter]:
    """The routes of `/` and, where there is a console, those of `/console` that need no services."""
    root = APIRouter(include_in_schema=False)
    root.add_api_route("/", partial(_root, settings), name="root")
    if console is None:
        return [root]
    pages = _Pages(settings, console.access)
    router = APIRouter(prefix="/console", include_in_schema=False)
    router.add_api_route("", pages.page, name="console")
    router.add_api_route("/login", pages.log_in, methods=["POST"], name="console_login")
    router.add_api_route("/logout", pages.log_out, methods=["POST"], name="console_logout")
    router.add_api_route("/{name}", pages.file, name="console_file")
    return [root, router, data_router(settings, console)]


async def _root(settings: Settings, request: Request) -> Response:
    """Lead a browser to the console; name the endpoints to everybody else."""
    if settings.serves_console and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{settings.root_path}/console", 302, {"vary": "accept"})
    endpoints = dict(_ENDPOINTS) | ({"console": "/console"} if settings.serves_console else {})
    paths = {name: settings.root_path + path for name, path in endpoints.items()}
    shown = {"object": "gemgate", "version": __version__, "endpoints": paths}
    return json_response(shown, {"vary": "accept"})


class _Pages:
    def __init__(self, settings: Settings, access: ConsoleAccess) -> None:
        self._home = f"{settings.root_path}/console"
        self._access = access
        self._form = Template((_FILES / "login.html").read_text(encoding="utf-8"))

    async def page(self, request: Request) -> Response:
        """The console, or the form for its token."""
        self._access.check_origin(request)
        if not self._access.is_open_to(request):
            return self._login()
        return FileResponse(_FILES / "index.html", headers=_OF_PAGES, media_type="text/html")

    async def file(self, request: Request, name: str) -> Response:
        """A script, the style sheet or the icon. They hold nothing of this gateway's."""
        suffix = Path(name).suffix
        if suffix not in _TYPES or name not in _names():
            raise ApiError(404, f"Invalid URL ({request.method} {request.url.path})")
        return FileResponse(_FILES / name, media_type=_TYPES[suffix], headers=_SECURITY)

    async def log_in(self, request: Request) -> Response:
        """Take the token from the form."""
        self._access.check_origin(request)
        form = parse_qs((await read_body(request, _MAX_FORM)).decode("utf-8", "replace"))
        response: Response = RedirectResponse(self._home, 303, _SECURITY)
        if not self._access.log_in(request, form.get("token", [""])[0].strip(), response):
            return self._login(_PROBLEM, 401)
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session of this browser."""
        self._access.check(request)
        response = Response(status_code=204, headers=_SECURITY)
        self._access.log_out(response)
        return response

    def _login(self, problem: str = "", status: int = 200) -> Response:
        page = self._form.substitute(home=escape(self._home), problem=problem)
        return HTMLResponse(page, status, _OF_PAGES)


def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FILES.iterdir())
