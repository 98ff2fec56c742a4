"""The application: what it holds, where its routes are, how it answers failures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from gemgate import __version__, handlers, health
from gemgate.chat.request import Options
from gemgate.chat.routes import router as chat_router
from gemgate.chat.signatures import SignatureStore
from gemgate.embeddings.routes import router as embeddings_router
from gemgate.embeddings.translate import EmbeddingOptions
from gemgate.gemini.catalog import Catalog
from gemgate.gemini.client import ClientOptions, GeminiClient
from gemgate.gemini.directory import ModelDirectory
from gemgate.media.fetch import MediaFetcher
from gemgate.models.routes import router as models_router
from gemgate.services import Services
from gemgate.settings import Settings
from gemgate.telemetry import TelemetryMiddleware

OPENAI = "/v1"
GOOGLE = "/v1beta/openai"
GOOGLE_BARE = "/v1beta"
"""One snippet of the product page has this as its base URL."""


def create_app(settings: Settings | None = None, *, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """A gateway with these settings (default: the environment's); `transport` replaces the connection to Google.

    Raises:
        pydantic.ValidationError: the environment holds settings that make no sense.
    """
    settings = settings or Settings()
    chat = chat_options(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            GeminiClient(_options(settings), transport=transport) as gemini,
            MediaFetcher(max_bytes=settings.media_max_bytes, timeout=settings.media_timeout) as media,
            ModelDirectory(gemini, ttl=settings.models_ttl) as models,
        ):
            app.state.services = Services(settings, gemini, media, chat, embedding_options(settings, chat), models)
            yield

    app = FastAPI(
        title="gemgate",
        version=__version__,
        description="The OpenAI API in front of the native Gemini API.",
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_middleware(TelemetryMiddleware)
    handlers.install(app)
    app.include_router(health.router)
    for router in (chat_router, embeddings_router):
        app.include_router(router, prefix=OPENAI)
        for prefix in (GOOGLE, GOOGLE_BARE):
            app.include_router(router, prefix=prefix, include_in_schema=False)
    # Not below GOOGLE_BARE: /v1beta/models is Google's own path.
    app.include_router(models_router, prefix=OPENAI)
    app.include_router(models_router, prefix=GOOGLE, include_in_schema=False)
    return app


def chat_options(settings: Settings) -> Options:
    """How chat requests are translated under these settings."""
    return Options(
        catalog=Catalog(settings.model_facts),
        signatures=SignatureStore(settings.signature_store_size, settings.signature_ttl),
        unsupported_params=settings.unsupported_params,
        trailing_assistant=settings.trailing_assistant,
        remote_media=settings.remote_media,
    )


def embedding_options(settings: Settings, chat: Options) -> EmbeddingOptions:
    """How embeddings requests are translated under these settings."""
    return EmbeddingOptions(
        catalog=chat.catalog,
        unsupported_params=settings.unsupported_params,
        remote_media=settings.remote_media,
        usage=settings.embedding_usage,
        concurrency=settings.embedding_concurrency,
    )


def _options(settings: Settings) -> ClientOptions:
    return ClientOptions(
        upstream=settings.upstream,
        connect_timeout=settings.connect_timeout,
        first_byte_timeout=settings.first_byte_timeout,
        event_timeout=settings.event_timeout,
        request_timeout=settings.request_timeout,
        max_connections=settings.max_connections,
    )
