"""What an application holds from startup to shutdown, and what a route asks about its request."""

from dataclasses import dataclass

from starlette.requests import Request

from gemgate.aliases import ModelAliases
from gemgate.auth import Caller, authenticate
from gemgate.batches.desk import BatchDesk
from gemgate.callers.quotas import REFUSAL, Quotas
from gemgate.callers.registry import ClientKeys
from gemgate.chat.context import Dialect
from gemgate.chat.request import Options
from gemgate.embeddings.translate import EmbeddingOptions
from gemgate.files.translate import FileOptions
from gemgate.gemini.directory import ModelDirectory
from gemgate.images.translate import ImageOptions
from gemgate.metrics import Metrics
from gemgate.readiness import Readiness
from gemgate.record import current
from gemgate.resolve import MediaResolver
from gemgate.sealing import Seal
from gemgate.settings import Settings
from gemgate.shared.link import Link
from gemgate.store import Store
from gemgate.upstream.calls import Upstream


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by the lifespan; the same for every request of one application."""

    settings: Settings
    client_keys: ClientKeys
    quotas: Quotas
    redis: Link | None
    gemini: Upstream
    aliases: ModelAliases
    media: MediaResolver
    models: ModelDirectory
    chat: Options
    embeddings: EmbeddingOptions
    images: ImageOptions
    files: FileOptions
    store: Store
    batches: BatchDesk
    metrics: Metrics
    upload_seal: Seal
    readiness: Readiness


def services_of(request: Request) -> Services:
    """The services of the application that serves this request."""
    services: Services = request.app.state.services
    return services


def caller_of(request: Request) -> Caller:
    """Who sends this request.

    Raises:
        ApiError: 401 when the key is missing or wrong, 400 when two different ones are given, 429 at a limit of it.
    """
    if REFUSAL in request.scope:
        raise request.scope[REFUSAL]
    services = services_of(request)
    caller = authenticate(request.headers, services.settings, services.client_keys)
    current().caller = caller.name
    return caller


def dialect_of(request: Request) -> Dialect:
    """Whose rendering the caller expects: Google's compatible endpoint lives below `/v1beta`."""
    path: str = request.scope["path"]
    return "google" if path.removeprefix(request.scope.get("root_path", "")).startswith("/v1beta") else "openai"
