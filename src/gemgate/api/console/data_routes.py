"""`/console/api`: what the console's pages ask."""

import os
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate import __version__
from gemgate.api.console.access import ConsoleAccess
from gemgate.api.console.parameters import shown
from gemgate.api.console.send import InspectedRequest, Sending
from gemgate.api.services import services_of
from gemgate.settings import LOOPBACK_HOSTS, Settings
from gemgate.translation.validation import parse
from gemgate.web import sse
from gemgate.web.json_request import read_json_body
from gemgate.web.json_response import json_response

PATH = "/console/api"

_EMULATORS_KEY = "demo"


def data_router(settings: Settings, access: ConsoleAccess) -> APIRouter:
    """The routes that answer with data, for a browser that has a session."""
    data = _Data(settings, access)
    router = APIRouter(prefix=PATH, include_in_schema=False)
    router.add_api_route("/session", data.session, name="console_session")
    router.add_api_route("/parameters", data.parameters, name="console_parameters")
    router.add_api_route("/send", data.send, methods=["POST"], name="console_send")
    return router


class _Data:
    def __init__(self, settings: Settings, access: ConsoleAccess) -> None:
        self._settings = settings
        self._access = access

    async def session(self, request: Request) -> Response:
        """What a page needs to know of the gateway, and what it sends along when it acts."""
        self._access.check(request)
        settings = self._settings
        upstream = urlsplit(settings.origin)
        is_test = upstream.hostname in LOOPBACK_HOSTS
        keys = "none" if settings.needs_no_key else "client" if settings.asks_for_client_keys else "gemini"
        return json_response(
            {
                "version": __version__,
                "upstream": "test server" if is_test else upstream.hostname,
                "csrf": self._access.csrf_token(request),
                "has_token": self._access.asks_for_token,
                "keys": keys,
                "example_key": _EMULATORS_KEY if is_test and keys == "gemini" else "",
                "log_bodies": settings.log_bodies,
                "process": os.getpid(),
                "workers": settings.workers,
                "redis": settings.redis_url is not None,
            }
        )

    async def parameters(self, request: Request) -> Response:
        """The tables of parameters."""
        self._access.check(request)
        return json_response(shown())

    async def send(self, request: Request) -> Response:
        """Send a request of the inspector, and stream what happens."""
        self._access.check(request)
        raw = await read_json_body(request, self._settings.max_body_bytes)
        sending = Sending(request, services_of(request), parse(InspectedRequest, raw))
        return sse.respond(request, sending.events(), self._settings)
