"""`/console/api`: what the console's pages ask."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate import __version__
from gemgate.api.console.activity import BUCKET_SECONDS, HOURS
from gemgate.api.console.console import Console
from gemgate.api.console.parameters import shown
from gemgate.api.console.send import Sending, inspected
from gemgate.api.console.state import batches_and_files
from gemgate.api.services import services_of
from gemgate.settings import LOOPBACK_HOSTS, Settings
from gemgate.web import sse
from gemgate.web.disconnect import ENDLESS
from gemgate.web.json_response import json_response

PATH = "/console/api"

_EMULATORS_KEY = "demo"


def data_router(settings: Settings, console: Console) -> APIRouter:
    """The routes that answer with data, for a browser that has a session."""
    data = _Data(settings, console)
    router = APIRouter(prefix=PATH, include_in_schema=False)
    router.add_api_route("/session", data.session, name="console_session")
    router.add_api_route("/parameters", data.parameters, name="console_parameters")
    router.add_api_route("/requests", data.requests, name="console_requests")
    router.add_api_route("/keys", data.keys, name="console_keys")
    router.add_api_route("/store", data.store, name="console_store")
    router.add_api_route("/usage", data.usage, name="console_usage")
    router.add_api_route("/send", data.send, methods=["POST"], name="console_send")
    return router


class _Data:
    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._access = console.access

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
            }
        )

    async def parameters(self, request: Request) -> Response:
        """The tables of parameters."""
        self._access.check(request)
        return json_response(shown())

    async def requests(self, request: Request) -> Response:
        """Stream the last requests, and each that ends."""
        self._access.check(request)
        request.scope[ENDLESS] = True
        return sse.respond(request, self._console.feed(), self._settings)

    async def keys(self, request: Request) -> Response:
        """How keys, models and client keys are, for each process that keeps them, and how their Redis is."""
        self._access.check(request)
        services = services_of(request)
        keys = _by_name(await self._console.workers.ask("keys"))
        clients = _by_name(await self._console.client_keys(services))
        redis = "none" if services.redis is None else services.redis.state
        return json_response({"keys": keys, "clients": clients, "redis": redis})

    async def store(self, request: Request) -> Response:
        """The newest batches, and what the store holds."""
        self._access.check(request)
        return json_response(await batches_and_files(services_of(request)))

    async def usage(self, request: Request) -> Response:
        """What was used in the last hours, for each process."""
        self._access.check(request)
        usage = _by_name(await self._console.workers.ask("usage"))
        return json_response({"usage": usage, "bucket_seconds": BUCKET_SECONDS, "hours": HOURS})

    async def send(self, request: Request) -> Response:
        """Send a request of the inspector, and stream what happens."""
        self._access.check(request)
        asked = await inspected(request, self._settings.max_body_bytes)
        sending = Sending(request, services_of(request), asked)
        return sse.respond(request, sending.events(), self._settings)


def _by_name(answers: Mapping[int, object]) -> dict[str, object]:
    return {str(process): answer for process, answer in answers.items()}
