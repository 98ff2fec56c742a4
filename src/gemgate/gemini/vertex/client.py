"""Calls to Vertex AI, with the methods of the Developer API's client: what differs is settled here, at the door."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

import httpx
import orjson

from gemgate.gemini.client.client import Body, ClientOptions, GeminiClient, NativeCall, encode, with_headers
from gemgate.gemini.client.event_stream import EventStream
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_list import PATH
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX
from gemgate.gemini.types import GenerateContentResponse
from gemgate.gemini.vertex.cache_names import whole_names
from gemgate.gemini.vertex.caller_tokens import BEARER, QUOTA_HEADER, CallerToken, is_token_key
from gemgate.gemini.vertex.credentials import BearerTokens
from gemgate.gemini.vertex.differences import fitted_bytes
from gemgate.gemini.vertex.lanes import Lane, Lanes
from gemgate.gemini.vertex.methods import METHODS, MODELS_PATH, count_body, embedding_calls, embeddings_in, models_in
from gemgate.gemini.vertex.model_lists import VERTEX_PATH
from gemgate.gemini.vertex.refusals import not_there, raise_explained
from gemgate.tasks import some_at_once

MAX_AT_ONCE = 8
"""Calls that one list of texts to embed is, at a time."""

_RESOURCE = re.compile(
    rf"/v1beta/{VERTEX}(?:(?P<placed>cachedContents(?:/[\w.-]{{1,200}})?|batchPredictionJobs(?:/[\w.-]{{1,200}}(?::cancel)?)?)"
    r"|(?P<list>publishers/google/models(?:/[\w.-]{1,200})?))",
    re.ASCII,
)
"""What is not a method of a model, as native paths of Vertex AI's are written within the gateway."""

_METHOD = re.compile(r"/v1(?:beta|alpha)?/(?P<model>[\w./-]{1,240}):(?P<method>[A-Za-z]{1,60})", re.ASCII)


class VertexClient(GeminiClient):
    """Calls to Vertex AI. The `key` of a call is the name of a lane, or a caller's own token (`caller_tokens`).

    A 401 with a bearer token of the gateway's is tried once more, with a fresh one; a caller's own is never replaced.

    Args:
        options: As for the Developer API; the upstream is the host whose proxy is used.
        lanes: Where calls may go.
        tokens: Gives bearer tokens; None in the express mode, and where callers bring theirs. It is started and stopped
            with the client.
        transport: Replaces the network, in tests.
        on_failure: Called with each call that fails, whatever becomes of it.
        carry: Gives headers that each call carries beside its own.
    """

    def __init__(
        self,
        options: ClientOptions,
        lanes: Lanes,
        tokens: BearerTokens | None,
        transport: httpx.AsyncBaseTransport | None = None,
        on_failure: Callable[[GeminiError], None] | None = None,
        carry: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        api_keys = [lane.api_key for lane in lanes.all if lane.is_express]
        super().__init__(options, transport, on_failure, carry, api_keys)
        self.lanes = lanes
        self._tokens = tokens
        self._catalog = Catalog()
        self._bearing: dict[bool, tuple[str, httpx.Headers]] = {}

    async def __aenter__(self) -> Self:
        if self._tokens is not None:
            await self._tokens.__aenter__()
        await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._tokens is not None:
            await self._tokens.__aexit__(kind, error, trace)

    async def request(
        self,
        method: str,
        path: str,
        *,
        key: str,
        params: Mapping[str, str] | None = None,
        json: Body | None = None,
        within: float | None = None,
    ) -> dict[str, object]:
        """As of the Developer API; `path` is that of the Developer API too.

        Raises:
            GeminiError: Vertex AI refused, has no such method, or gave no whole answer.
            InvalidNameError: a segment of `path` is not a name.
        """
        url = self.url(path, params)
        if method == "GET" and path in (PATH, VERTEX_PATH):
            listed = await self._asked(method, self._models_url(url, key), key, None, within)
            return models_in(listed, self._catalog, VERTEX if path == VERTEX_PATH else "models/")
        found = _METHOD.fullmatch(path)
        if found is None or json is None:
            return await self._asked(method, self._target_url(url, key), key, json, within)
        if found["method"] == "batchEmbedContents":
            return await self._embedded(found["model"], _object_of(json), key, within)
        if found["method"] == "countTokens":
            json = count_body(_object_of(json))
        return await self._asked(method, self._target_url(url, key), key, json, within)

    async def ask(
        self,
        method: str,
        url: httpx.URL,
        *,
        key: str,
        json: Body | None = None,
    ) -> dict[str, object]:
        """The answer of a method that only Vertex AI has, at `url`.

        Raises:
            GeminiError: Vertex AI refused, or gave no whole answer.
        """
        return await self._asked(method, url, key, json, None)

    def token(self) -> str:
        """The access token that is valid now. Never waits.

        Raises:
            GeminiError: 503, nothing valid is held, which may pass.
        """
        try:
            if self._tokens is not None:
                return self._tokens.current()
        except GeminiError as error:
            raise _without_credentials() from error
        raise _without_credentials()

    async def _asked(
        self, method: str, url: httpx.URL, key: str, body: Body | None, within: float | None
    ) -> dict[str, object]:
        return await self._json(self._prepare(method, url, key, body), key, empty=b"{}", within=within)

    async def _embedded(
        self, model: str, body: Mapping[str, object], key: str, within: float | None
    ) -> dict[str, object]:
        """The answer of `batchEmbedContents`, of as many calls as the model needs for it."""
        lane = self._lane(key, model)
        calls = [
            partial(self._asked, "POST", lane.model_url(model, call.method), key, call.body, within)
            for call in embedding_calls(model.rpartition("/")[2], body)
        ]
        return embeddings_in(await some_at_once(calls, MAX_AT_ONCE))

    async def send(
        self,
        call: httpx.Request,
        key: str,
        *,
        redirect: bool = False,
        first_byte_timeout: float | None = None,
        within: float | None = None,
    ) -> GeminiResponse:
        """Send, and read the status; a 401 that the token may be the cause of is answered with a fresh one, once.

        Raises:
            GeminiError: the status is not 2xx; the connection is closed then.
        """
        lane = self._lane(key)
        secret = lane.api_key or _bearer_of(call)
        is_replayable = isinstance(call.stream, httpx.ByteStream)  # before a transport reads it
        try:
            return await super().send(
                call, secret, redirect=redirect, first_byte_timeout=first_byte_timeout, within=within
            )
        except GeminiError as error:
            if error.status != 401 or self._tokens is None or is_token_key(key) or not is_replayable:
                raise_explained(error, lane)
            fresh = await self._renewed(secret, error)
        headers = with_headers(call.headers, {"authorization": BEARER + fresh})
        again = httpx.Request(call.method, call.url, headers=headers, stream=call.stream)
        try:
            return await super().send(
                again, fresh, redirect=redirect, first_byte_timeout=first_byte_timeout, within=within
            )
        except GeminiError as error:
            raise_explained(error, lane)

    async def _renewed(self, stale: str, refused: GeminiError) -> str:
        """A token in the place of `stale`.

        Raises:
            GeminiError: none came.
        """
        if self._tokens is None:
            raise refused
        try:
            fresh = await self._tokens.renewed(stale)
        except GeminiError:
            raise refused from None
        if fresh == stale:
            raise refused
        return fresh

    def shown(self, path: str, body: Mapping[str, object] | None) -> NativeCall:
        """As of the Developer API, in the first location of the model. What Vertex AI lacks is shown as it is."""
        plain, question, query = path.partition("?")
        if plain == PATH:
            return NativeCall(MODELS_PATH + question + query, body)
        found = _METHOD.fullmatch(plain)
        if found is None or found["method"] not in METHODS or body is None:
            return NativeCall(path, body)
        model, method, calls = found["model"], found["method"], 1
        if method == "batchEmbedContents":
            made = embedding_calls(model.rpartition("/")[2], body)
            (method, body), calls = made[0], len(made)
        elif method == "countTokens":
            body = count_body(body)
        url = self.lanes.serving(model)[0].model_url(model, method + question + query)
        written = whole_names(fitted_bytes(encode(body))[0], url.path, is_own=False)
        return NativeCall(url.raw_path.decode(), orjson.loads(written), calls)

    def has_decisions(self, model: str) -> bool:  # noqa: ARG002  it has none for any model
        """Vertex AI has no Decisions API."""
        return False

    def check_lasting(self, key: str) -> None:
        """Refuse a caller's own token: a job lives for a day, and a token for an hour.

        Raises:
            GeminiError: 400.
        """
        if is_token_key(key):
            message = "A batch outlives an access token: ask for it with a client key of the gateway's, or at Google."
            raise GeminiError(400, message, "FAILED_PRECONDITION")

    def _model_url(self, model: str, method: str, key: str) -> httpx.URL:
        return self._lane(key, model).model_url(model, method)

    def _lane(self, key: str, model: str = "") -> Lane:
        """The lane that is called `key`, or the one that a caller's own token is used in for `model`.

        Raises:
            GeminiError: 401, `key` is neither.
        """
        lane = self.lanes.by_name.get(key)
        return lane or CallerToken.of(key).lane(self.lanes.endpoint) or self.lanes.serving(model)[0]

    def _target_url(self, url: httpx.URL, key: str) -> httpx.URL:
        """Where that is in Vertex AI which the Developer API has at `url`.

        Raises:
            GeminiError: 501, it has no such thing; the text says what to use instead.
        """
        if (resource := _RESOURCE.fullmatch(url.path)) is not None:
            return self._resource_url(url, resource, self._lane(key))
        found = _METHOD.fullmatch(url.path)
        if found is None or found["method"] not in METHODS:
            raise not_there(url.path)
        lane = self._lane(key, found["model"])
        query = url.query.decode()
        return lane.model_url(found["model"], found["method"] + (f"?{query}" if query else ""))

    def _resource_url(self, url: httpx.URL, resource: re.Match[str], lane: Lane) -> httpx.URL:
        """Where a cache, a batch job, or the list of models is.

        Raises:
            GeminiError: 400, the express mode has neither caches nor jobs.
        """
        if resource["list"]:
            return httpx.URL(f"{lane.origin}/v1beta1/{resource['list']}", params=url.params or None)
        if lane.is_express:
            raise not_there(url.path)
        return httpx.URL(f"{lane.origin}{lane.parent}/{resource['placed']}", params=url.params or None)

    def _models_url(self, url: httpx.URL, key: str) -> httpx.URL:
        return httpx.URL(self._lane(key).origin + MODELS_PATH, params=url.params or None)

    def _headers_of(self, key: str, *, is_json: bool) -> httpx.Headers:
        lane = self.lanes.by_name.get(key)
        if lane is None:
            return with_headers(super()._headers_of("", is_json=is_json), CallerToken.of(key).headers)
        if lane.is_express or self._tokens is None:
            return super()._headers_of(lane.api_key, is_json=is_json)
        try:
            token = self._tokens.current()
        except GeminiError as error:
            raise _without_credentials() from error
        kept = self._bearing.get(is_json)
        if kept is not None and kept[0] == token:
            return kept[1]
        more = {"authorization": BEARER + token}
        if self._tokens.quota_project:
            more[QUOTA_HEADER] = self._tokens.quota_project
        headers = with_headers(super()._headers_of("", is_json=is_json), more)
        self._bearing[is_json] = (token, headers)
        return headers

    def _prepare(
        self,
        method: str,
        url: httpx.URL,
        key: str,
        body: Body | httpx.AsyncByteStream | None,
        more: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        if body is not None and not isinstance(body, httpx.AsyncByteStream):
            body, headers = fitted_bytes(encode(body))
            if b"cached" in body or url.path.endswith("/cachedContents"):
                body = whole_names(body, url.path, is_own=is_token_key(key))
            more = {**(more or {}), **headers}
        return super()._prepare(method, url, key, body, more)


def _without_credentials() -> GeminiError:
    return GeminiError(503, "The gateway has no credentials for Vertex AI at the moment.", "UNAVAILABLE")


def _bearer_of(call: httpx.Request) -> str:
    """The token of a call, whose other headers are not read."""
    found = next((value for name, value in call.headers.raw if name == b"authorization"), b"")
    return found.decode().removeprefix(BEARER)


def _object_of(body: Body) -> Mapping[str, object]:
    """A body as an object, whether it was written already or not."""
    found: object = orjson.loads(body) if isinstance(body, bytes) else body
    return found if isinstance(found, Mapping) else {}


class GoogleClient(GeminiClient):
    """Calls to both APIs: those with the name of a lane go to Vertex AI, those with a key to the Developer API.

    Args:
        options: Of the Developer API.
        vertex: The client for Vertex AI, which is entered and left with this one.
        transport: Replaces the network, in tests.
        on_failure: Called with each call that fails, whatever becomes of it.
        carry: Gives headers that each call carries beside its own.
        own_keys: The gateway's Gemini keys.
    """

    def __init__(
        self,
        options: ClientOptions,
        vertex: VertexClient,
        transport: httpx.AsyncBaseTransport | None = None,
        on_failure: Callable[[GeminiError], None] | None = None,
        carry: Callable[[], Mapping[str, str]] | None = None,
        own_keys: Iterable[str] = (),
    ) -> None:
        super().__init__(options, transport, on_failure, carry, own_keys)
        self.vertex = vertex
        self._names = vertex.lanes.by_name

    async def __aenter__(self) -> Self:
        await self.vertex.__aenter__()
        await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self.vertex.__aexit__(kind, error, trace)

    def shown(self, path: str, body: Mapping[str, object] | None) -> NativeCall:
        """As of the API that the model in `path` is asked at."""
        is_vertex = path.startswith((f"/v1beta/{VERTEX}", f"/v1beta/{ENDPOINTS}"))
        return self.vertex.shown(path, body) if is_vertex else super().shown(path, body)

    def has_decisions(self, model: str) -> bool:
        """Whether `model` is asked at the Developer API."""
        return not model.startswith((VERTEX, ENDPOINTS))

    async def generate(
        self, model: str, body: Body, key: str, *, within: float | None = None
    ) -> GenerateContentResponse:
        """As of the API whose lane or key `key` is."""
        if key in self._names:
            return await self.vertex.generate(model, body, key, within=within)
        return await super().generate(model, body, key, within=within)

    def stream(self, model: str, body: Body, key: str, *, within: float | None = None) -> EventStream:
        """As of the API whose lane or key `key` is."""
        if key in self._names:
            return self.vertex.stream(model, body, key, within=within)
        return super().stream(model, body, key, within=within)

    async def request(
        self,
        method: str,
        path: str,
        *,
        key: str,
        params: Mapping[str, str] | None = None,
        json: Body | None = None,
        within: float | None = None,
    ) -> dict[str, object]:
        """As of the API whose lane or key `key` is."""
        ask = self.vertex.request if key in self._names else super().request
        return await ask(method, path, key=key, params=params, json=json, within=within)

    async def open(
        self,
        method: str,
        url: httpx.URL,
        *,
        key: str,
        headers: Mapping[str, str] | None = None,
        body: Body | httpx.AsyncByteStream | None = None,
        redirect: bool = False,
        first_byte_timeout: float | None = None,
        within: float | None = None,
    ) -> GeminiResponse:
        """As of the API whose lane or key `key` is."""
        ask = self.vertex.open if key in self._names else super().open
        return await ask(
            method,
            url,
            key=key,
            headers=headers,
            body=body,
            redirect=redirect,
            first_byte_timeout=first_byte_timeout,
            within=within,
        )


def vertex_of(client: GeminiClient) -> VertexClient:
    """The client for Vertex AI in one that asks it.

    Raises:
        TypeError: it asks the Developer API alone.
    """
    if isinstance(client, GoogleClient):
        return client.vertex
    if isinstance(client, VertexClient):
        return client
    raise TypeError("this client does not ask Vertex AI")
