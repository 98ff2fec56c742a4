"""What an application holds from startup to shutdown, and what a route asks about its request."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from gemgate.api.confirmed_keys import ConfirmedKeys
from gemgate.api.readiness import Readiness
from gemgate.auth.budgets import Budgets
from gemgate.auth.caller import Caller, authenticate
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.rate_limits import REFUSAL, Quotas
from gemgate.auth.resource_access import ResourceAccess
from gemgate.encryption import Encryptor
from gemgate.gemini.model_list import ModelList
from gemgate.media.bucket import OperatorBucket
from gemgate.media.resolver import MediaResolver
from gemgate.model_routing.aliases import ModelAliases
from gemgate.observability.metrics import Metrics
from gemgate.observability.record import current
from gemgate.settings import Settings
from gemgate.shared_state.connection import RedisConnection
from gemgate.store import Store
from gemgate.translation.options import Dialect, EmbeddingOptions, FileOptions, Options
from gemgate.upstream.client import Upstream
from gemgate.upstream.decisions import Decisions
from gemgate.web.heavy_work import HeavyWork
from gemgate.web.turns import Turns

if TYPE_CHECKING:
    from gemgate.api.batches.service import BatchService
    from gemgate.api.images.image_links import ImageLinks
    from gemgate.api.responses.state import ResponseServices


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by the lifespan; the same for every request of one application.

    Attributes:
        bucket: The operator's bucket for Vertex AI; None without one.
        heavy: Does the work of large requests beside the event loop.
        cutting: Long audio is cut into pieces one at a time.
    """

    settings: Settings
    client_keys: ClientKeys
    quotas: Quotas
    budgets: Budgets
    redis: RedisConnection | None
    gemini: Upstream
    aliases: ModelAliases
    media: MediaResolver
    models: ModelList
    chat: Options
    embeddings: EmbeddingOptions
    files: FileOptions
    store: Store
    access: ResourceAccess
    batches: "BatchService"
    metrics: Metrics
    upload_encryptor: Encryptor
    image_links: "ImageLinks"
    responses: "ResponseServices"
    readiness: Readiness
    confirmed_keys: ConfirmedKeys
    decisions: Decisions
    bucket: OperatorBucket | None = None
    heavy: HeavyWork = field(default_factory=HeavyWork)
    cutting: Turns = field(default_factory=Turns)


def services_of(request: Request) -> Services:
    """The services of the application that serves this request."""
    services: Services = request.scope["app"].state.services
    return services


def caller_of(request: Request) -> Caller:
    """Who sends this request.

    Raises:
        ApiError: 401 when the key is missing or wrong, 400 when two different ones are given, 429 at a limit of it.
    """
    if REFUSAL in request.scope:
        raise request.scope[REFUSAL]
    services, record = services_of(request), current()
    headers = record.headers = request.headers
    caller = authenticate(headers, services.settings, services.client_keys)
    record.caller = caller.name
    return caller


def origin_of(request: Request) -> str:
    """The gateway as the caller sees it. The answer to a forged header is read by the sender of that header."""
    settings = services_of(request).settings
    if settings.public_url is not None:
        return settings.public_url
    url = request.base_url
    if request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower() == "https":
        url = url.replace(scheme="https")
    return str(url).rstrip("/") + settings.root_path


def dialect_of(request: Request) -> Dialect:
    """Whose rendering the caller expects: Google's compatible endpoint lives below `/v1beta`."""
    path: str = request.scope["path"]
    return "google" if path.removeprefix(request.scope.get("root_path", "")).startswith("/v1beta") else "openai"
