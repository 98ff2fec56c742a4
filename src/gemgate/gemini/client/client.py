"""The one door to Google: pooled connections, the timeouts, and every failure as a `GeminiError`."""

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self, cast

import httpx
import orjson

from gemgate import __version__
from gemgate.gemini.client.addresses import KeptAddresses
from gemgate.gemini.client.answer_size import MAX_BYTES
from gemgate.gemini.client.environment import proxy_for, trusted_certificates
from gemgate.gemini.client.event_stream import EventStream, check_response
from gemgate.gemini.client.response import Deadline, GeminiResponse
from gemgate.gemini.client.transport import TRANSPORT_ERRORS, AiohttpTransport, failure_before_answer
from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    InvalidNameError,
    TransportError,
)
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX, model_path
from gemgate.gemini.types import GenerateContentResponse

Body = bytes | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Where Google is, and how long to wait for it. Times are seconds.

    Attributes:
        upstream: The origin of the native API, without a slash at the end.
        connect_timeout: To open a connection, the TLS handshake and the wait for a place in the pool included.
        first_byte_timeout: From the beginning of the call to the first bytes of the answer.
        event_timeout: Between two reads of an answer; the time that the caller takes does not count.
        request_timeout: For the whole call.
        max_connections: Open connections; a call beyond them waits for one.
        max_answer_bytes: Of an answer that is held as a whole, and of one event of a stream.
    """

    upstream: str = "https://generativelanguage.googleapis.com"
    connect_timeout: float = 10
    first_byte_timeout: float = 300
    event_timeout: float = 300
    request_timeout: float = 1800
    max_connections: int = 1000
    max_answer_bytes: int = MAX_BYTES


class NativeCall(NamedTuple):
    """A call as it would be sent, and how many of them its API needs for what is asked."""

    path: str
    body: Mapping[str, object] | None
    calls: int = 1


_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": f"gemgate/{__version__}"}
# orjson leaves room for the escapes that each character might have needed, and keeps it: ten times the size of a body,
# as long as the call lasts. Of larger ones, the system gives no memory for what was never written.
_MAX_COPIED = 131_072
_JSON_HEADERS = {**_HEADERS, "content-type": "application/json"}
_PATH = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*(?::[A-Za-z]+)?)+", re.ASCII)
_VERTEX_PATHS = (f"/v1beta/{VERTEX}", f"/v1beta/{ENDPOINTS}")
_KEY = re.compile(r"[!-~]*", re.ASCII)


@lru_cache(maxsize=1024)
def _model_url(upstream: str, model: str, method: str) -> httpx.URL:
    path = model_path(model)
    if path.startswith((VERTEX, ENDPOINTS)):
        raise _not_asked(path)
    return httpx.URL(f"{upstream}/v1beta/{path}:{method}")


def _headers(key: str, *, is_json: bool) -> httpx.Headers:
    """Those of every call with `key`.

    Raises:
        GeminiError: the key cannot be sent.
    """
    if not _KEY.fullmatch(key):
        raise _unsendable_key()
    headers = httpx.Headers(_JSON_HEADERS if is_json else _HEADERS)
    if key:
        headers["x-goog-api-key"] = key
    return headers


def _transport(options: ClientOptions) -> AiohttpTransport:
    """The network, as the environment says how it is reached."""
    return AiohttpTransport(
        KeptAddresses(),
        trusted_certificates(),
        max_connections=options.max_connections,
        connect_timeout=options.connect_timeout,
        proxy=proxy_for(options.upstream),
    )


class GeminiClient:
    """Calls to the native Gemini API over one pool of connections: `async with GeminiClient(options) as client`.

    Honours `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` (loopback addresses are never proxied), `SSL_CERT_FILE`
    and `SSL_CERT_DIR`. Keeps no cookies. Sends nothing of the caller's but the key, in `x-goog-api-key`, and the body.

    Args:
        options: The upstream and the timeouts.
        transport: Replaces the network, in tests.
        on_failure: Called with each call that fails, whatever becomes of it.
        carry: Gives headers that each call carries beside its own, such as those of a trace.
        own_keys: The gateway's Gemini keys, for which headers are kept; a caller's own key is in memory for its call.

    Attributes:
        transport: What calls are sent with.
        http: httpx's client over the same transport, for code that wants its comfort; calls save what it costs.
    """

    def __init__(
        self,
        options: ClientOptions,
        transport: httpx.AsyncBaseTransport | None = None,
        on_failure: Callable[[GeminiError], None] | None = None,
        carry: Callable[[], Mapping[str, str]] | None = None,
        own_keys: Iterable[str] = (),
    ) -> None:
        self.options = options
        self._own_keys = frozenset(own_keys)
        self._kept_headers: dict[tuple[str, bool], httpx.Headers] = {}
        self._on_failure = on_failure
        self._carry = carry
        self._origin = httpx.URL(options.upstream)
        self.transport = transport or _transport(options)
        self.http = httpx.AsyncClient(transport=self.transport, headers=_HEADERS, trust_env=False)

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    def through(self, wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]) -> Self:
        """A client over the same connections, whose calls go through what `wrap` makes of their transport."""
        client = copy(self)
        client.transport = wrap(self.transport)
        return client

    async def generate(
        self, model: str, body: Body, key: str, *, within: float | None = None
    ) -> GenerateContentResponse:
        """The answer of `generateContent`; `within` seconds, if that is less than `request_timeout`.

        Raises:
            GeminiError: Google refused, or no whole answer came (`TransportError`).
            InvalidNameError: `model` is not a name.
        """
        url = self._model_url(model, "generateContent", key)
        answer: object = await self._json(self._prepare("POST", url, key, body), key, within=within)
        check_response(answer)
        return cast("GenerateContentResponse", answer)

    def stream(self, model: str, body: Body, key: str, *, within: float | None = None) -> EventStream:
        """The answer of `streamGenerateContent`, to be entered: see `EventStream`; `within` as in `generate`.

        Raises:
            GeminiError: the body or the key cannot be sent.
            InvalidNameError: `model` is not a name.
        """
        url = self._model_url(model, "streamGenerateContent?alt=sse", key)
        return EventStream(self, self._prepare("POST", url, key, body), key, within)

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
        """The JSON object that any other method of the API answers; `{}` for an empty body.

        Args:
            method: The HTTP method.
            path: From the origin on, such as `/v1beta/models`.
            key: The Gemini key.
            params: The query.
            json: The body.
            within: Seconds, if that is less than `request_timeout`.

        Raises:
            GeminiError: Google refused, or no whole answer came.
            InvalidNameError: a segment of `path` is not a name.
        """
        if path.startswith(_VERTEX_PATHS):
            raise _not_asked(path.removeprefix("/v1beta/"))
        call = self._prepare(method, self.url(path, params), key, json)
        return await self._json(call, key, empty=b"{}", within=within)

    def url(self, path: str, params: Mapping[str, str] | None = None) -> httpx.URL:
        """Where a resource is.

        Args:
            path: From the origin on, such as `/v1beta/files/abc`.
            params: The query; `httpx.QueryParams` where a name may come twice.

        Raises:
            InvalidNameError: a segment of `path` is not a name.
        """
        if not _PATH.fullmatch(path):
            raise InvalidNameError(f"{path[:80]!r} is not the path of a resource")
        return httpx.URL(self.options.upstream + path, params=params or None)

    def named_url(self, text: str) -> httpx.URL:
        """An address out of an answer: of an upload, or of a redirect; it may be a relative one.

        Raises:
            TransportError: it is invalid, or not on the configured upstream, so that nothing may be sent there.
        """
        try:
            url = self._origin.join(text)
        except (httpx.InvalidURL, ValueError) as error:
            raise TransportError(Failure.INVALID_BODY, "The Gemini API returned an invalid URL.") from error
        self._check_origin(url)
        return url

    async def open(
        self,
        method: str,
        url: httpx.URL,
        *,
        key: str,
        headers: Mapping[str, str] | None = None,
        body: "Body | httpx.AsyncByteStream | None" = None,
        redirect: bool = False,
        first_byte_timeout: float | None = None,
        within: float | None = None,
    ) -> GeminiResponse:
        """Send, and give the answer once its status is known: to be read, and to be closed in any case.

        Args:
            method: The HTTP method.
            url: Of `url` or `named_url`.
            key: The Gemini key.
            headers: Beside those of every call; a stream for a body needs a `content-length`.
            body: JSON, or a stream of any bytes.
            redirect: Whether a 302 with a `location` is an answer too; it is a failure otherwise.
            first_byte_timeout: Seconds until the first byte of the answer, in place of the option: for a body that
                somebody else sends, who may be slow.
            within: Seconds, if that is less than `request_timeout`.

        Raises:
            GeminiError: the status is not 2xx, or missing (`TransportError`).
        """
        prepared = self._prepare(method, self._target_url(url, key), key, body, headers)
        try:
            return await self.send(
                prepared, key, redirect=redirect, first_byte_timeout=first_byte_timeout, within=within
            )
        except GeminiError as error:
            self.note_failure(error)
            raise

    def _model_url(self, model: str, method: str, key: str) -> httpx.URL:  # noqa: ARG002  which others choose by
        """Where a method of `model` is, for calls with `key`."""
        return _model_url(self.options.upstream, model, method)

    def _headers_of(self, key: str, *, is_json: bool) -> httpx.Headers:
        """Those of every call with `key`.

        Raises:
            GeminiError: the key cannot be sent.
        """
        headers = self._kept_headers.get((key, is_json))
        if headers is None:
            headers = _headers(key, is_json=is_json)
            if key in self._own_keys:
                self._kept_headers[key, is_json] = headers
        return headers

    def _target_url(self, url: httpx.URL, key: str) -> httpx.URL:  # noqa: ARG002  which others choose by
        """Where a call to `url` with `key` goes: that address, if it is on the configured upstream.

        Raises:
            TransportError: it is not; the key goes to nobody else.
        """
        self._check_origin(url)
        return url

    def _check_origin(self, url: httpx.URL) -> None:
        """The key goes to nobody but the configured upstream."""
        home = self._origin
        is_home = (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
        if not is_home or url.userinfo not in (b"", home.userinfo):
            message = (
                "The Gemini API named an address on another server than the configured one; nothing was sent there."
            )
            raise TransportError(Failure.REDIRECT, message)

    def shown(self, path: str, body: Mapping[str, object] | None) -> NativeCall:
        """The first call that would be sent for one to `path`, a query included, of the Developer API."""
        return NativeCall(path, body)

    def has_decisions(self, model: str) -> bool:  # noqa: ARG002  of two APIs, the model says which is asked
        """Whether the API that `model` is asked at has decisions; the account may lack them all the same."""
        return True

    def check_lasting(self, key: str) -> None:
        """Refuse a key of a caller's that ends before a job does; those of the Developer API last."""

    def note_failure(self, error: GeminiError) -> None:
        """A call has failed with `error`."""
        if self._on_failure is not None:
            self._on_failure(error)

    async def _json(
        self, call: httpx.Request, key: str, empty: bytes = b"", within: float | None = None
    ) -> dict[str, object]:
        """The object in the answer; `empty` is the result for a body without a byte."""
        try:
            answer = await self.send(call, key, within=within)
            return await answer.json_object(empty)
        except GeminiError as error:
            self.note_failure(error)
            raise

    async def send(
        self,
        call: httpx.Request,
        key: str,
        *,
        redirect: bool = False,
        first_byte_timeout: float | None = None,
        within: float | None = None,
    ) -> GeminiResponse:
        """Send, and read the status; a failure is noted where the answer is read.

        Raises:
            GeminiError: the status is not 2xx; the connection is closed then.
        """
        options = self.options
        whole = options.request_timeout if within is None else min(within, options.request_timeout)
        first_byte_within = min(first_byte_timeout or options.first_byte_timeout, whole)
        timer = Deadline(first_byte_within)
        try:
            with timer:
                response = await self.transport.handle_async_request(call)
        except BaseException as error:
            timer.close()
            if not isinstance(error, TRANSPORT_ERRORS):
                raise
            if not timer.has_expired:
                raise TransportError(failure_before_answer(error)) from error
            is_whole = whole <= first_byte_within
            raise TransportError(Failure.REQUEST_TIMEOUT if is_whole else Failure.FIRST_BYTE_TIMEOUT) from error
        answer = GeminiResponse(
            response,
            timer,
            event_timeout=options.event_timeout,
            first_byte_at=timer.began + first_byte_within,
            deadline=timer.began + whole,
            secret=key,
            maximum=options.max_answer_bytes,
        )
        if 200 <= answer.status < 300 or (redirect and answer.status == 302 and "location" in answer.headers):
            return answer
        raise await answer.error()

    def _prepare(
        self,
        method: str,
        url: httpx.URL,
        key: str,
        body: "Body | httpx.AsyncByteStream | None",
        more: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        is_json = body is not None and not isinstance(body, httpx.AsyncByteStream)
        headers = self._headers_of(key, is_json=is_json)
        if self._carry is not None:
            headers = with_headers(headers, self._carry())
        if more:
            headers = with_headers(headers, more)
        stream = (
            body if isinstance(body, httpx.AsyncByteStream) else httpx.ByteStream(b"" if body is None else encode(body))
        )
        return httpx.Request(method, url, headers=headers, stream=stream)


def with_headers(headers: httpx.Headers, more: Mapping[str, str]) -> httpx.Headers:
    """`headers` and others, which replace those of the same name. What is not ASCII goes out as UTF-8."""
    added = {name.lower().encode(): value.encode() for name, value in more.items()}
    return httpx.Headers([header for header in headers.raw if header[0] not in added] + list(added.items()))


def encode(body: Body) -> bytes:
    """`body` as it is sent, the same bytes for each attempt.

    Raises:
        GeminiError: it cannot be written as JSON.
    """
    if isinstance(body, bytes):
        return body
    try:
        written = orjson.dumps(body)
    except TypeError as error:
        message = f"The request cannot be written as JSON: {error}"
        raise GeminiError(400, message, "INVALID_ARGUMENT") from error
    return bytes(memoryview(written)) if len(written) <= _MAX_COPIED else written


def _not_asked(model: str) -> GeminiError:
    """What is said of a model of Vertex AI where the Developer API alone has what is asked for."""
    name = model.partition(":")[0]
    return GeminiError(404, f"models/{name} is not found: Vertex AI is not asked for this.", "NOT_FOUND")


def _unsendable_key() -> GeminiError:
    """What Google says of a key it does not know, for one that does not even fit into a header."""
    info: dict[str, object] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    return GeminiError(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", [info])
