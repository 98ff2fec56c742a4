"""Opens what an application holds, and closes it in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

import httpx
import structlog
from anyio import to_thread

from gemgate.api.batches.costs import BatchCosts
from gemgate.api.batches.lessons import BatchLessons
from gemgate.api.batches.startup import batches_at_work
from gemgate.api.confirmed_keys import ConfirmedKeys
from gemgate.api.images.image_links import ImageLinks
from gemgate.api.readiness import Readiness
from gemgate.api.responses.background import BackgroundLimits, BackgroundResponses
from gemgate.api.responses.connection import ResponseConnections
from gemgate.api.responses.kept_responses import KeptResponses
from gemgate.api.responses.state import ResponseServices, StatelessStore
from gemgate.api.services import Services
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.resource_access import ResourceAccess
from gemgate.encryption import Encryptor, secret_of
from gemgate.gemini.client.environment import UnusableEnvironmentError
from gemgate.gemini.fact_snapshot import FactSnapshot
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_list import ModelList
from gemgate.gemini.types import ModelResource
from gemgate.gemini.vertex.credentials import CredentialsError
from gemgate.media.budget import ProcessBudget
from gemgate.media.fetch import MediaFetcher
from gemgate.media.google_uploads import MARGIN, Attachments
from gemgate.media.resolver import MediaResolver
from gemgate.model_routing.aliases import ModelAliases
from gemgate.observability import pricing
from gemgate.observability.loop_lag import loop_lag_watched
from gemgate.observability.metrics import Metrics
from gemgate.observability.model_watch import ModelWatch
from gemgate.redaction import traceback_of
from gemgate.settings import Settings, variable
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.startup import SharedState, common_state
from gemgate.startup.clients import bucket_of, client_of, files_of, lists_of
from gemgate.startup.key_file import keys_followed
from gemgate.startup.models_followed import models_followed
from gemgate.startup.options import (
    batch_options,
    embedding_options,
    file_options,
    named_models,
    shared_calls,
    with_signatures,
)
from gemgate.store import StorageLimits, Store, StoreError
from gemgate.tasks import in_background
from gemgate.translation.options import Options
from gemgate.upstream.client import Upstream
from gemgate.upstream.decisions import Decisions

if TYPE_CHECKING:
    from gemgate.observability.tracing import Tracing

SWEEP_SECONDS = 3600.0
REREAD_SECONDS = 2.0
"""Between two looks at a file of model facts."""

_CARRIERS = b"gemgate responses: encrypted content of reasoning"
_LINKS = b"gemgate images: addresses of images"
_UPLOADS = b"gemgate native: addresses of uploads"

_log = structlog.get_logger()


class StartError(Exception):
    """Why the gateway cannot start; the text is a sentence for the operator."""


async def preflight(settings: Settings) -> None:
    """Opens and closes what depends on the machine, before anything is served. It calls nobody but the database.

    So a failure is one sentence, not the traceback of each worker; and the schema is brought up to date once.

    Raises:
        StartError: the store, the proxy or the certificates cannot be used.
    """
    try:
        client_of(settings)
    except (UnusableEnvironmentError, CredentialsError) as error:
        raise StartError(str(error)) from error
    if settings.redis_url:
        try:
            RedisConnection(settings.redis_url.get_secret_value())
        except ValueError as error:
            raise StartError(f"{variable('redis_url')} is not a URL of a Redis: {error}.") from error
    try:
        async with _store(settings):
            await to_thread.run_sync(_secrets, settings)
    except StoreError as error:
        names = [name for name in ("database_url", "blobs_url") if getattr(settings, name)]
        where = " and ".join(variable(name) for name in (*names, *(["data_dir"] if len(names) < 2 else [])))
        raise StartError(f"The store cannot be opened: {error}. Check {where}.") from error


def _store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    database_url = settings.database_url.get_secret_value() if settings.database_url else None
    limits = StorageLimits(
        settings.storage_bytes_per_caller, settings.storage_files_per_caller, settings.storage_free_bytes
    )
    return Store.open(
        database_url, settings.blobs_url, settings.data_dir, limits=limits, seconds=settings.store_timeout
    )


@asynccontextmanager
async def services(
    settings: Settings,
    chat: Options,
    metrics: Metrics,
    tracing: "Tracing | None",
    transport: httpx.AsyncBaseTransport | None,
) -> AsyncIterator[Services]:
    """The services of one application, until the block ends."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(_traced(tracing))
        await enter(loop_lag_watched(metrics.loop_lag.observe))
        client_keys = await enter((await to_thread.run_sync(ClientKeys.of, settings)).watched())
        carry = tracing.headers if tracing is not None and not tracing.reaches_google else None
        own = [key.get_secret_value() for key in settings.gemini_api_key]
        client = await enter(client_of(settings, transport, metrics.upstream_error, carry, own))
        gemini = Upstream(client, shared_calls(settings))
        gemini.observe(metrics)
        metrics.keys_held(len(gemini.shared.pool))
        metrics.models_known(named_models(settings, client_keys))
        await enter(keys_followed(settings.gemini_api_key_file, gemini.shared.pool, metrics.keys_held))
        common = await enter(_common(settings, chat, gemini, metrics))
        watch = ModelWatch(chat.catalog, metrics)
        gemini.shared.on_answer.append(watch.answered)
        await enter(_reread(chat.catalog))
        listed = partial(_listed, chat.catalog, metrics)
        await enter(models_followed(gemini, 0 if settings.passes_keys_through else settings.models_refresh, listed))
        chat = with_signatures(chat, common.signatures, settings)
        store = await enter(_store(settings))
        await enter(_swept(store))
        budget = ProcessBudget(settings.media_budget_bytes)
        fetcher = await enter(
            MediaFetcher(max_bytes=settings.media_max_bytes, timeout=settings.media_timeout, budget=budget)
        )
        bucket = bucket_of(settings, client)
        attachments = await enter(Attachments(store, files_of(settings, client, bucket)))
        media = MediaResolver(settings, fetcher, attachments, gemini)
        aliases = ModelAliases(settings.models, successor_of=_successors(settings, chat.catalog))
        access = ResourceAccess(store.resources, client_keys, gemini.shared.affinity, settings, aliases.lists)
        await enter(_priced(settings))
        secrets = await to_thread.run_sync(_secrets, settings)
        options = batch_options(settings, secrets)
        resolve = partial(media.resolve, margin=options.window + MARGIN)
        charge = BatchCosts(metrics, common.budgets, client_keys).charge if settings.prices != "off" else None
        learn, known = BatchLessons(chat.catalog, watch).learn, partial(FactSnapshot.of, chat.catalog)
        batches = await enter(
            batches_at_work(
                store,
                gemini,
                resolve,
                options,
                access.check_names,
                charge=charge,
                learn=learn,
                known=known,
                bucket=bucket,
            )
        )
        yield Services(
            settings=settings,
            client_keys=client_keys,
            quotas=common.quotas,
            budgets=common.budgets,
            redis=common.link,
            gemini=gemini,
            aliases=aliases,
            media=media,
            models=await enter(ModelList(lists_of(settings, gemini), ttl=settings.models_ttl, announce=listed)),
            chat=chat,
            embeddings=embedding_options(settings, chat),
            files=file_options(settings, batches.inspect),
            store=store,
            access=access,
            batches=batches,
            metrics=metrics,
            upload_encryptor=Encryptor(secrets, _UPLOADS),
            image_links=ImageLinks(store, Encryptor(secrets, _LINKS), settings.image_url_lifetime),
            responses=await enter(_responses(settings, store, Encryptor(secrets, _CARRIERS))),
            readiness=await enter(aclosing(Readiness(store))),
            confirmed_keys=ConfirmedKeys(gemini),
            decisions=Decisions(gemini, chat.catalog),
            bucket=bucket,
        )


@asynccontextmanager
async def _responses(settings: Settings, store: Store, encryptor: Encryptor) -> AsyncIterator[ResponseServices]:
    connections = ResponseConnections(settings.websockets_per_caller, settings.max_body_bytes)
    if not settings.responses_store:
        yield ResponseServices(StatelessStore(), encryptor, connections)
        return
    kept = KeptResponses(store, settings.responses_lifetime, settings.max_body_bytes)
    limits = BackgroundLimits(settings.max_background_responses, settings.max_background_responses_per_caller)
    async with BackgroundResponses(kept, limits).running() as background:
        services = ResponseServices(kept, encryptor, connections, background)
        yield services
        await services.streams.ended()


def _common(
    settings: Settings, chat: Options, gemini: Upstream, metrics: Metrics
) -> AbstractAsyncContextManager[SharedState]:
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return common_state(url, chat.signatures, settings.signature_ttl, gemini, chat.catalog, metrics.redis)


def _listed(catalog: Catalog, metrics: Metrics, models: Mapping[str, ModelResource]) -> None:
    metrics.models_known(models)
    catalog.listed(models.values())


def _successors(settings: Settings, catalog: Catalog) -> Callable[[str], str | None] | None:
    return catalog.successor_of if settings.retired_models == "successor" else None


@asynccontextmanager
async def _reread(catalog: Catalog) -> AsyncIterator[None]:
    """Looks at the operator's file of model facts every two seconds, in a thread."""
    if not catalog.is_from_file:
        yield
        return

    async def watch() -> None:
        while True:
            await asyncio.sleep(REREAD_SECONDS)
            await asyncio.to_thread(catalog.refresh)

    async with in_background(watch()):
        yield


def _secrets(settings: Settings) -> list[str]:
    return [secret.get_secret_value() for secret in settings.secret] or [secret_of(settings.data_dir)]


@asynccontextmanager
async def _traced(tracing: "Tracing | None") -> AsyncIterator[None]:
    """At the end, with the last spans sent."""
    try:
        yield
    finally:
        if tracing is not None:
            await to_thread.run_sync(tracing.close)


@asynccontextmanager
async def _priced(settings: Settings) -> AsyncIterator[None]:
    """With a price table at hand soon: the line about a request waits for it, and its answer does not."""
    if settings.prices == "off":
        yield
        return
    loading = asyncio.create_task(to_thread.run_sync(pricing.load))
    try:
        with pricing.refreshed() if settings.prices == "refresh" else nullcontext():
            yield
    finally:
        await asyncio.wait({loading})


@asynccontextmanager
async def _swept(store: Store) -> AsyncIterator[None]:
    """Removes what has expired, now and every hour."""

    async def sweep() -> None:
        while True:
            try:
                await store.sweep()
            except Exception as error:  # noqa: BLE001  the next one may succeed, and requests need none
                _log.error("the store was not swept", exception=traceback_of(error))
            await asyncio.sleep(SWEEP_SECONDS)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
