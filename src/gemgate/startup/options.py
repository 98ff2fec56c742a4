"""Builds each component's options from `Settings`."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gemgate.api.batches import wire as batches_wire
from gemgate.api.batches.startup import BatchOptions
from gemgate.api.batches.worker_process import Setup
from gemgate.api.chat import wire as chat_wire
from gemgate.api.completions import wire as completions_wire
from gemgate.api.decisions import wire as decisions_wire
from gemgate.api.embeddings import wire as embeddings_wire
from gemgate.api.files import wire as files_wire
from gemgate.api.images import wire as images_wire
from gemgate.api.moderations import wire as moderations_wire
from gemgate.api.responses import wire as responses_wire
from gemgate.api.speech import wire as speech_wire
from gemgate.api.transcriptions import wire as transcriptions_wire
from gemgate.auth.client_keys import ClientKey
from gemgate.auth.resource_access import google_host
from gemgate.encryption import secret_of
from gemgate.gemini.client.client import ClientOptions
from gemgate.gemini.learned_facts import LearnedFacts
from gemgate.gemini.model_catalog import Catalog
from gemgate.observability.record import current_caller
from gemgate.settings import Settings
from gemgate.translation.options import EmbeddingOptions, FileOptions, Inspect, ModerationOptions, Options
from gemgate.translation.thought_signatures import Signatures, SignatureStore
from gemgate.upstream.circuit_breaker import Breakers
from gemgate.upstream.key_pool import KeyPool
from gemgate.upstream.retry import RetryOptions, Shared


def chat_options(settings: Settings) -> Options:
    """How chat requests are translated under these settings."""
    return Options(
        catalog=catalog_of(settings),
        signatures=SignatureStore(settings.signature_store_size, settings.signature_ttl),
        unsupported_params=settings.unsupported_params,
        trailing_assistant=settings.trailing_assistant,
        remote_media=settings.remote_media,
        max_tools=settings.max_tools,
        cached_search=settings.cached_search,
        show_thoughts=settings.show_thoughts,
    )


def with_signatures(chat: Options, signatures: Signatures, settings: Settings) -> Options:
    """The options with the shared memory of signatures; where both APIs are asked, it knows who has made each."""
    chat = replace(chat, signatures=signatures)
    if not (settings.asks_vertex and settings.asks_developer_api):
        return chat
    from gemgate.translation.signature_origins import SignatureOrigins

    return replace(chat, origins=SignatureOrigins(signatures))


def catalog_of(settings: Settings) -> Catalog:
    """What is believed of models under these settings."""
    return Catalog(
        settings.model_facts,
        date=_day(settings),
        learned=LearnedFacts(settings.learned_facts_ttl),
        asks_vertex=not settings.asks_developer_api,
    )


def _day(settings: Settings) -> str:
    return settings.model_facts_date.isoformat() if settings.model_facts_date else ""


def embedding_options(settings: Settings, chat: Options) -> EmbeddingOptions:
    """How embeddings requests are translated under these settings."""
    return EmbeddingOptions(
        chat.catalog,
        unsupported_params=chat.unsupported_params,
        remote_media=chat.remote_media,
        usage=settings.embedding_usage,
        concurrency=settings.embedding_concurrency,
    )


def client_options(settings: Settings) -> ClientOptions:
    """Where Google is, and how long to wait for it."""
    return ClientOptions(
        upstream=settings.origin,
        connect_timeout=settings.connect_timeout,
        first_byte_timeout=settings.first_byte_timeout,
        event_timeout=settings.event_timeout,
        request_timeout=settings.request_timeout,
        max_connections=settings.max_connections,
        max_answer_bytes=settings.max_answer_bytes,
    )


def shared_calls(settings: Settings) -> Shared:
    """The keys of the gateway, and how often a call is made again."""
    keys = [key.get_secret_value() for key in settings.gemini_api_key]
    return Shared(
        pool=_pool(settings, keys),
        breakers=Breakers(settings.breaker_failures, caller=current_caller),
        options=RetryOptions(
            retries=settings.retries,
            max_wait=settings.retry_max_wait,
            retry_empty=settings.retry_empty,
            deadline=settings.request_timeout,
        ),
    )


def _pool(settings: Settings, keys: Sequence[str]) -> KeyPool:
    if not settings.asks_vertex or settings.passes_keys_through:
        return KeyPool(keys, default_cooldown=settings.cool_down, caller=current_caller, wall=time.time)
    from gemgate.upstream.lane_pool import LanePool

    keys, lanes = keys if settings.asks_developer_api else (), settings.vertex_lanes
    return LanePool(
        keys,
        lanes,
        default_cooldown=settings.cool_down,
        caller=current_caller,
        wall=time.time,
        has_bucket=settings.vertex_bucket is not None,
    )


def file_options(settings: Settings, inspect: Inspect) -> FileOptions:
    """How files are taken in under these settings; `inspect` looks at those for batches."""
    return FileOptions(settings.files_max_bytes, settings.uploads_max_bytes, settings.unsupported_params, inspect)


def batch_options(settings: Settings, secrets: Sequence[str]) -> BatchOptions:
    """How batches are worked at under these settings; `secrets` encrypt callers' keys."""
    setup = Setup(
        settings.model_facts,
        settings.models,
        settings.unsupported_params,
        settings.trailing_assistant,
        settings.remote_media,
        model_facts_date=_day(settings),
        show_thoughts=settings.show_thoughts,
        cached_search=settings.cached_search,
        asks_successors=settings.retired_models == "successor",
        max_line=settings.max_body_bytes,
        max_request=settings.inline_max_bytes,
        directory=settings.data_dir,
        google_host=None if settings.passes_keys_through else google_host(settings),
        moderation=ModerationOptions(settings.moderation_threshold, settings.moderation_model),
        in_vertex=not settings.asks_developer_api,
    )
    held = [key.get_secret_value() for key in settings.gemini_api_key]
    if not settings.asks_developer_api:
        held = list(settings.vertex_lanes.by_name)
    return BatchOptions(setup, held, secrets)


def log_secret(settings: Settings) -> str:
    """What identifiers in the log are hashed with: GEMGATE_SECRET, or the secret in the data directory."""
    return settings.secret[0].get_secret_value() if settings.secret else secret_of(settings.data_dir)


def named_models(settings: Settings, client_keys: Iterable[ClientKey]) -> list[str]:
    """The models that the operator names, as `models/x`: they have names in metrics before Google has answered."""
    names = [name for models in settings.models.values() for name in models]
    if isinstance(settings.model_facts, dict):
        names += settings.model_facts
    names += [name for key in client_keys for name in key.models or ()]
    return [f"models/{name.removeprefix('models/')}" for name in names if not set(name) & set("*?[")]


def known_params() -> frozenset[str]:
    """The parameters of all endpoints: whatever else a caller sends has no name in a metric."""
    tables = (
        batches_wire.PARAMETERS,
        chat_wire.PARAMETERS,
        completions_wire.PARAMETERS,
        decisions_wire.PARAMETERS,
        embeddings_wire.PARAMETERS,
        files_wire.FILES,
        files_wire.UPLOADS,
        files_wire.COMPLETE,
        images_wire.GENERATIONS,
        images_wire.EDITS,
        images_wire.VARIATIONS,
        moderations_wire.PARAMETERS,
        responses_wire.PARAMETERS,
        speech_wire.PARAMETERS,
        transcriptions_wire.TRANSCRIPTIONS,
        transcriptions_wire.TRANSLATIONS,
    )
    return frozenset(name for table in tables for name in table)
