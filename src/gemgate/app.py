"""The application: what it holds, where its routes are, how it answers failures."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate import __version__
from gemgate.api import docs_page, health
from gemgate.api import metrics_endpoint as exposition
from gemgate.api.batches.routes import router as batches_router
from gemgate.api.chat.completion import create_chat_completion
from gemgate.api.chat.routes import router as chat_router
from gemgate.api.completions.routes import router as completions_router
from gemgate.api.console import routes as console_routes
from gemgate.api.console.console import Console
from gemgate.api.decisions.routes import router as decisions_router
from gemgate.api.embeddings.routes import router as embeddings_router
from gemgate.api.files.routes import router as files_router
from gemgate.api.files.uploads_routes import router as uploads_router
from gemgate.api.images.content_routes import router as image_content_router
from gemgate.api.images.routes import router as images_router
from gemgate.api.meant_path import meant_path
from gemgate.api.models.routes import router as models_router
from gemgate.api.moderations.routes import router as moderations_router
from gemgate.api.native import routes as native
from gemgate.api.responses.background_routes import router as background_router
from gemgate.api.responses.conversation_routes import router as conversations_router
from gemgate.api.responses.kept_routes import router as kept_responses_router
from gemgate.api.responses.routes import create_response
from gemgate.api.responses.routes import router as responses_router
from gemgate.api.responses.websocket import ResponseSockets
from gemgate.api.speech.routes import router as speech_router
from gemgate.api.transcriptions.routes import router as transcriptions_router
from gemgate.observability.identifiers import IdentifierHash
from gemgate.observability.metrics import Metrics
from gemgate.observability.tracing_setup import tracing_of
from gemgate.server.draining import STATE, Drain
from gemgate.settings import Settings
from gemgate.startup.lifespan import services
from gemgate.startup.options import chat_options, known_params, log_secret
from gemgate.web import cors
from gemgate.web import error_handlers as handlers
from gemgate.web.limits_middleware import LimitsMiddleware
from gemgate.web.page_guard import PageGuard, guards_pages
from gemgate.web.rate_limit_middleware import QuotaMiddleware
from gemgate.web.request_paths import FastPath, HeadRequests, RequestPaths
from gemgate.web.telemetry_middleware import TelemetryMiddleware

if TYPE_CHECKING:
    from gemgate.observability.tracing import Tracing

OPENAI = "/v1"
GOOGLE = "/v1beta/openai"
GOOGLE_BARE = "/v1beta"
"""One snippet of the product page has this as its base URL."""

_HOT = {
    f"{prefix}/{path}": endpoint
    for prefix in (OPENAI, GOOGLE, GOOGLE_BARE)
    for path, endpoint in (("chat/completions", create_chat_completion), ("responses", create_response))
}


def create_app(settings: Settings | None = None, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """A gateway with these settings (default: the environment's); `transport` replaces the connection to Google.

    Raises:
        pydantic.ValidationError: the environment holds settings that make no sense.
    """
    settings = settings or Settings()
    chat = chat_options(settings)
    metrics = Metrics(known_params())
    tracing = tracing_of(settings)
    console = Console(settings) if settings.serves_console else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
        app.state.drain = Drain(settings.shutdown_delay)
        async with services(settings, chat, metrics, tracing, transport) as opened:
            app.state.services = opened
            async with nullcontext() if console is None else console.running(opened):
                with app.state.drain.handle_sigterm():
                    yield {STATE: app.state.drain}

    app = _Gateway(
        title="gemgate",
        version=__version__,
        description="The OpenAI API in front of the native Gemini API.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _add_middleware(app, settings, metrics, tracing, console)
    handlers.install(app)
    _include_routers(app)
    for router in console_routes.routers(settings, console):
        app.include_router(router)
    native.install(app)
    app.state.meant_path = partial(meant_path, app.router.routes)
    app.around_paths = lambda inner: RequestPaths(native.NativePaths(inner), prefix=settings.root_path)
    app.around_sockets = lambda inner: ResponseSockets(inner, settings)
    return app


def _add_middleware(
    app: FastAPI, settings: Settings, metrics: Metrics, tracing: "Tracing | None", console: Console | None
) -> None:
    """The innermost first."""
    app.add_middleware(HeadRequests)
    app.add_middleware(
        FastPath, endpoints=_HOT, marked=(native.ASKED, native.serve)
    )  # what is added later is around it
    if settings.client_keys_file is not None:  # keys of the environment have neither limits nor budgets
        app.add_middleware(QuotaMiddleware)
    app.add_middleware(
        LimitsMiddleware,
        maximum=settings.max_concurrent_requests,
        share=settings.share_of_places,
        body_timeout=settings.body_timeout,
        body_total_timeout=settings.body_total_timeout,
    )
    if guards_pages(settings):
        app.add_middleware(PageGuard, settings=settings)
    app.add_middleware(
        TelemetryMiddleware,
        metrics=metrics,
        prefixes=(GOOGLE, GOOGLE_BARE, OPENAI),
        tracing=tracing,
        log_bodies=settings.log_bodies,
        has_prices=settings.prices != "off",
        keep=None if console is None else console.activity.keep,
        identify=IdentifierHash(partial(log_secret, settings)) if settings.log_identifiers == "hashed" else None,
    )
    if settings.cors_origins:
        cors.install(app, settings.cors_origins)


def _include_routers(app: FastAPI) -> None:
    """Every endpoint but the native methods, under each of its prefixes."""
    app.include_router(health.router)
    app.include_router(exposition.router)
    app.include_router(docs_page.router)
    responses = (responses_router, kept_responses_router, background_router)
    texts = (chat_router, completions_router, *responses)
    sounds = (speech_router, transcriptions_router)
    for router in (*texts, moderations_router, embeddings_router, images_router, *sounds):
        app.include_router(router, prefix=OPENAI)
        for prefix in (GOOGLE, GOOGLE_BARE):
            app.include_router(router, prefix=prefix, include_in_schema=False)
    app.include_router(image_content_router, prefix=OPENAI)
    # Not below GOOGLE_BARE: /v1beta/models, /files, /batches and /decisions are Google's own paths.
    resources = (models_router, files_router, uploads_router, batches_router, conversations_router)
    for router in (*resources, decisions_router):
        app.include_router(router, prefix=OPENAI)
        app.include_router(router, prefix=GOOGLE, include_in_schema=False)


def _operation_id(route: APIRoute) -> str:
    return route.name


class _Gateway(FastAPI):
    """Our middleware is around FastAPI's own layers, so that a hot request passes none of them.

    Attributes:
        around_paths: Put around all else for requests whose path may mean another, or be Google's: a hot one cannot.
        around_sockets: Put around all of it for WebSockets.
    """

    around_paths: Callable[[ASGIApp], ASGIApp]
    around_sockets: Callable[[ASGIApp], ASGIApp]

    def openapi(self) -> dict[str, object]:
        """The OpenAPI document. It is made when the first one asks for it: most gateways are never asked."""
        if self.openapi_schema is None:
            from gemgate.api.openapi.document import document

            self.openapi_schema = document(self)
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; without FastAPI's own telemetry, which is off, this is all that its method does."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        if scope["type"] == "http":
            stack = self._for_hot_paths if scope["path"] in _HOT else self._for_any_path
            await stack(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._for_sockets(scope, receive, send)
        else:
            await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Called once, at the first request."""
        ours, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        # Starlette's outermost layer answers failures that nobody foresaw, in plain text. They are the part of
        # `TelemetryMiddleware`, which knows the shape of errors of each path.
        if isinstance(app, ServerErrorMiddleware):
            app = app.app
        for middleware in reversed(ours):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        self._for_hot_paths = app
        self._for_any_path = self.around_paths(app)
        self._for_sockets = self.around_sockets(self._for_any_path)
        return self._for_any_path
