"""Builds the client for the API of Google's, or the two, that the settings name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import httpx
import structlog

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.files import GeminiFiles
from gemgate.gemini.model_list import Requests
from gemgate.gemini.vertex.lanes import host_of
from gemgate.media.bucket import OperatorBucket
from gemgate.media.bucket_files import BucketFiles, FilesByKey, MediaFiles
from gemgate.settings import Settings
from gemgate.startup.options import client_options
from gemgate.store.blobs import Blobs

_log = structlog.get_logger()


def client_of(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    on_failure: Callable[[GeminiError], None] | None = None,
    carry: Callable[[], Mapping[str, str]] | None = None,
    own_keys: Iterable[str] = (),
) -> GeminiClient:
    """The client, to be entered; its arguments are those of `GeminiClient`.

    Raises:
        UnusableEnvironmentError: the proxy or the certificates that the environment names cannot be used.
        CredentialsError: what fetches credentials for Vertex AI is not installed.
    """
    options = client_options(settings)
    if not settings.asks_vertex:
        return GeminiClient(options, transport, on_failure, carry, own_keys)
    from gemgate.gemini.vertex.client import GoogleClient, VertexClient
    from gemgate.gemini.vertex.google_auth import google_tokens

    account = service_account_of(settings)
    has_none = bool(settings.vertex_api_key) or settings.passes_keys_through
    tokens = None if has_none else google_tokens(service_account=account, on_failure=_report)
    there = replace(options, upstream=settings.vertex_endpoint or host_of(settings.google_cloud_location))
    vertex = VertexClient(there, settings.vertex_lanes, tokens, transport, on_failure, carry)
    if not settings.asks_developer_api:
        return vertex
    return GoogleClient(options, vertex, transport, on_failure, carry, own_keys)


def bucket_of(settings: Settings, client: GeminiClient) -> OperatorBucket | None:
    """The operator's bucket, under the credentials that `client` keeps fresh for Vertex AI; None without one."""
    if not (settings.asks_vertex and settings.vertex_bucket):
        return None
    from gemgate.gemini.vertex.client import vertex_of

    url, token = settings.vertex_bucket, vertex_of(client).token
    options = {"google_base_url": settings.vertex_storage_endpoint} if settings.vertex_storage_endpoint else {}
    return OperatorBucket(Blobs.in_google(url, token, options, settings.store_timeout), url)


def files_of(settings: Settings, client: GeminiClient, bucket: OperatorBucket | None) -> MediaFiles:
    """Where media goes that requests name: the Files API, and `bucket` for Vertex AI."""
    developer = GeminiFiles(client)
    if bucket is None:
        return developer
    return FilesByKey(developer, BucketFiles(bucket), settings.vertex_lanes.by_name)


def service_account_of(settings: Settings) -> str:
    """The JSON text of the service account's key in the settings; empty for Google's default credentials."""
    return settings.vertex_service_account.get_secret_value() if settings.vertex_service_account is not None else ""


def lists_of(settings: Settings, gemini: Requests) -> Requests:
    """What gives the lists of models under these settings."""
    if not (settings.asks_vertex and settings.asks_developer_api):
        return gemini
    from gemgate.gemini.vertex.model_lists import BothLists

    return BothLists(gemini)


def _report(why: str) -> None:
    _log.warning("no access token for Vertex AI could be fetched", problem=why)
