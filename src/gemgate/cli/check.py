"""Whether the way to Google works with these settings, in words."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.client.environment import UnusableEnvironmentError
from gemgate.gemini.client.transport import UnknownHostError
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.redaction import redact
from gemgate.settings import Settings
from gemgate.upstream.key_pool import label_of

_PATIENCE = 20.0


class Finding(NamedTuple):
    """One sentence, and whether it is a good one."""

    is_good: bool
    sentence: str


async def check_keys(settings: Settings) -> list[Finding]:
    """Asks Google for its models once with each key (without one, when callers bring theirs); reports the outcome.

    Vertex AI is asked by `check_vertex`.
    """
    findings: list[Finding] = []
    if settings.asks_vertex:
        from gemgate.cli.check_vertex import check_vertex

        findings = [Finding(good, sentence) for good, sentence in await check_vertex(settings, _options(settings))]
        if not settings.asks_developer_api:
            return findings
    options = _options(settings)
    try:
        client = GeminiClient(options)
    except UnusableEnvironmentError as error:
        return [*findings, Finding(is_good=False, sentence=str(error))]
    async with client:
        if settings.passes_keys_through:
            return [await _check_way(client)]
        keys = [key.get_secret_value() for key in settings.gemini_api_key]
        return [*findings, *[await _check_key(client, key) for key in keys]]


def _options(settings: Settings) -> ClientOptions:
    return ClientOptions(
        upstream=settings.origin,
        connect_timeout=min(settings.connect_timeout, _PATIENCE),
        first_byte_timeout=_PATIENCE,
        event_timeout=_PATIENCE,
        request_timeout=_PATIENCE,
    )


async def _check_way(client: GeminiClient) -> Finding:
    passing = "No GEMINI_API_KEY is set, so each caller's own key is passed on to Google, and no key can be checked."
    try:
        await _list_models(client, "")
    except TransportError as error:
        return Finding(is_good=False, sentence=f"{passing} {explain(error, client.options.upstream)}")
    except GeminiError as error:
        if error.status >= 500:
            return Finding(is_good=False, sentence=f"{passing} {explain(error, client.options.upstream)}")
    return Finding(is_good=True, sentence=f"{passing} {client.options.upstream} answers.")


async def _check_key(client: GeminiClient, key: str) -> Finding:
    name = f"The key that ends in {key[-4:]}" if len(key) >= 16 else "The key"
    name += f" ({label_of(key)} in logs and metrics)"
    try:
        models = await _list_models(client, key)
    except GeminiError as error:
        return Finding(is_good=False, sentence=f"{name}: {explain(error, client.options.upstream)}")
    if not models:
        sentence = f"{client.options.upstream} answers, but not as the Gemini API does: check GEMGATE_UPSTREAM."
        return Finding(is_good=False, sentence=sentence)
    return Finding(is_good=True, sentence=f"{name} works: {client.options.upstream} offers it models.")


async def _list_models(client: GeminiClient, key: str) -> bool:
    answer = await client.request("GET", "/v1beta/models", key=key, params={"pageSize": "1"})
    return bool(answer.get("models"))


def explain(error: GeminiError, upstream: str) -> str:
    """What went wrong and what to do about it, in a sentence or two."""
    if isinstance(error, TransportError):
        return explain_way(error, upstream)
    said = f"Google says: {redact(error.message).rstrip('.')}."
    if error.is_invalid_key:
        return f"Google does not know this key. Make one at https://aistudio.google.com/apikey. {said}"
    if "location is not supported" in error.message:
        return f"Google does not serve the Gemini API in this machine's location. {said}"
    if error.error_info_reason == "SERVICE_DISABLED":
        return f"The Generative Language API is not enabled in the key's project. {said}"
    if error.status in (401, 403):
        return f"Google does not allow this key to use the Gemini API. {said}"
    if error.status == 429:
        return f"The key is good, but its quota is used up. {said}"
    if error.status == 404:
        return f"{upstream} has no Gemini API: check GEMGATE_UPSTREAM. {said}"
    if error.status >= 500:
        return f"Google has an internal problem ({error.status}); try again later. {said}"
    return f"Google refused the call ({error.status}). {said}"


_WAYS = {
    Failure.CONNECT_FAILED: "nothing accepts connections there, or a firewall is in between",
    Failure.TLS_FAILED: "its certificate is not trusted; behind a proxy that opens TLS, set SSL_CERT_FILE to its CA",
    Failure.CONNECT_TIMEOUT: "no connection came about in time, so a firewall or a missing proxy is likely",
    Failure.FIRST_BYTE_TIMEOUT: "it took the request and did not answer in time",
    Failure.EVENT_TIMEOUT: "its answer stopped in the middle",
    Failure.REQUEST_TIMEOUT: "it did not answer in time",
    Failure.CONNECTION_LOST: "it closed the connection without an answer",
    Failure.ANSWER_CUT: "it closed the connection in the middle of its answer",
    Failure.INVALID_BODY: "the server is not the Gemini API: check GEMGATE_UPSTREAM and the proxy",
    Failure.TOO_LARGE: "it sent more than GEMGATE_MAX_ANSWER_BYTES, so it is hardly the Gemini API",
    Failure.REDIRECT: "it answers with a redirect: check GEMGATE_UPSTREAM",
}


def explain_way(error: TransportError, upstream: str) -> str:
    """Why `upstream` cannot be reached."""
    why = _WAYS[error.failure]
    for cause in _causes(error):
        if isinstance(cause, httpx.ProxyError):
            why = "the proxy of HTTPS_PROXY cannot be used"
        elif isinstance(cause, UnknownHostError):
            why = "its name cannot be resolved: check the name, the network and DNS"
    return f"{upstream} cannot be reached: {why}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}  # an error may be raised from itself
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
