"""Applications with one endpoint of the gateway, all its services, and a Google made of answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
from fastapi import APIRouter, FastAPI

from gemgate.app import GOOGLE, OPENAI
from gemgate.auth.key_registry import ClientKeys
from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.model_list import ModelList
from gemgate.media.fetch import MediaFetcher
from gemgate.media.resolver import MediaResolver
from gemgate.model_routing.aliases import ModelAliases
from gemgate.settings import Settings
from gemgate.startup.options import chat_options, shared_calls
from gemgate.translation.options import EmbeddingOptions
from gemgate.upstream.client import Upstream
from gemgate.web import error_handlers as handlers
from gemgate.web.telemetry_middleware import TelemetryMiddleware

if TYPE_CHECKING:
    from gemgate.media.google_uploads import Attachments

UPSTREAM = "https://generativelanguage.googleapis.com"
KEY = {"authorization": "Bearer caller-key"}

Google = Callable[[httpx.Request], Any]


def slice_app(
    router: APIRouter,
    google: Google,
    *,
    embeddings: dict[str, Any] | None = None,
    clock: Callable[[], float] | None = None,
    patience: float = 5.0,
    **settings: Any,
) -> FastAPI:
    """`router` below both prefixes.

    Args:
        router: The slice's.
        google: Answers every call to Google.
        embeddings: Fields of `EmbeddingOptions`.
        clock: The clock of the directory of models.
        patience: The directory's.
        settings: Fields of `Settings`.
    """
    chosen: dict[str, Any] = {"gemini_api_key": (), "client_keys": ()} | settings
    resolved = Settings(_env_file=None, **chosen)
    chat = chat_options(resolved)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timing: dict[str, Any] = {"clock": clock} if clock else {}
        async with (
            GeminiClient(ClientOptions(UPSTREAM), transport=httpx.MockTransport(google)) as gemini,
            MediaFetcher(max_bytes=1000, timeout=5) as fetcher,
            ModelList(Upstream(gemini, shared_calls(resolved)), ttl=300, timeout=patience, **timing) as models,
        ):
            upstream = Upstream(gemini, shared_calls(resolved))
            media = MediaResolver(resolved, fetcher, cast("Attachments", None), upstream)
            options = EmbeddingOptions(chat.catalog, resolved.unsupported_params, **(embeddings or {}))
            app.state.services = SimpleNamespace(
                settings=resolved,
                client_keys=ClientKeys.of(resolved),
                gemini=upstream,
                aliases=ModelAliases(resolved.models),
                media=media,
                chat=chat,
                embeddings=options,
                models=models,
            )
            yield

    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(TelemetryMiddleware)
    handlers.install(app)
    for prefix in (OPENAI, GOOGLE):
        app.include_router(router, prefix=prefix)
    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client within the application's lifespan."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=KEY) as client,
    ):
        yield client
