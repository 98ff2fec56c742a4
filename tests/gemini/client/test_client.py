import asyncio
import gc
import gzip
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import httpx
import orjson
import pytest
import respx
from tests.support.raw_upstream import (
    LAST_CHUNK,
    STREAM_HEAD,
    Peer,
    RawUpstream,
    always,
    answer,
    chunk,
    in_turn,
    once,
    sse,
)

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.client.event_stream import EventStream
from gemgate.gemini.client.transport import failure_before_answer
from gemgate.gemini.errors import Failure, GeminiError, InvalidNameError, TransportError
from gemgate.gemini.resource_names import model_path
from gemgate.redaction import HIDDEN

KEY = "AIzaSyExampleExampleExampleExampleExa"
MODEL = "gemini-2.5-flash"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
HELLO = {"candidates": [{"content": {"parts": [{"text": "Hellö"}]}, "finishReason": "STOP"}]}
OPTIONS = ClientOptions()

Handler = Callable[[httpx.Request], httpx.Response]


def mocked(handler: Handler) -> GeminiClient:
    return GeminiClient(OPTIONS, transport=httpx.MockTransport(handler))


def to(upstream: RawUpstream, **options: Any) -> GeminiClient:
    return GeminiClient(replace(OPTIONS, upstream=upstream.url, **options))


async def streamed(client: GeminiClient, model: str = MODEL) -> list[Any]:
    async with client.stream(model, BODY, KEY) as batches:
        return [event async for events in batches for event in events]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("dynamic/one_2", "dynamic/one_2"),
        ("gemma-3n-e4b-it", "models/gemma-3n-e4b-it"),
        ("models", "models/models"),
    ],
)
def test_a_model_has_one_path(model: str, path: str) -> None:
    assert model_path(model) == path


BAD_MODELS = [
    "",
    " ",
    "gemini 2.5",
    "gemini-2.5-flash ",
    ".",
    "..",
    "../files/x",
    "models/..",
    "models/../files",
    "models/",
    "/gemini",
    "a/b",
    "models/models/x",
    "tunedModels/a/permissions",
    "gemini%2fx",
    "gemini%2Fx",
    "..%2f..",
    "%2e%2e",
    "gemini?key=1",
    "gemini#x",
    "gemini:countTokens",
    "gemini;v=1",
    "gemini\\x",
    "gemini\r\nHost: evil",
    "gemini\n",
    "gemini\x00",
    "gémini",
    "gemini\u2025",
    "\uff47emini",
    "\uff11",
    "@evil.example",
    "//evil.example",
    "x" * 201,
]


@pytest.mark.parametrize("model", BAD_MODELS)
async def test_a_name_that_could_change_the_path_is_refused_and_nothing_is_sent(model: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with mocked(handler) as client:
        with pytest.raises(InvalidNameError, match="is not the name of a model"):
            await client.generate(model, BODY, KEY)
        with pytest.raises(InvalidNameError, match="is not the name of a model"):
            client.stream(model, BODY, KEY)


@pytest.mark.parametrize(
    "path",
    ["", "v1beta/models", "/", "/v1beta//models", "/v1beta/../x", "/v1beta/a%2fb", "/v1beta/a?b=c", "/a b", "/a\n"],
)
async def test_a_path_of_anything_but_names_is_refused(path: str) -> None:
    async with mocked(lambda _: httpx.Response(200)) as client:
        with pytest.raises(InvalidNameError, match="is not the path"):
            await client.request("GET", path, key=KEY)


@respx.mock(base_url=OPTIONS.upstream)
async def test_generate_posts_to_the_model(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post(f"/v1beta/models/{MODEL}:generateContent").respond(json=HELLO)
    async with GeminiClient(OPTIONS, transport=httpx.MockTransport(respx_mock.async_handler)) as client:
        assert await client.generate(MODEL, BODY, KEY) == HELLO
    sent = route.calls.last.request
    assert orjson.loads(sent.content) == BODY
    assert sent.url == f"{OPTIONS.upstream}/v1beta/models/{MODEL}:generateContent"


@respx.mock(base_url=OPTIONS.upstream)
async def test_stream_asks_for_server_sent_events(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post("/v1beta/tunedModels/x:streamGenerateContent", params={"alt": "sse"})
    route.respond(content=sse(HELLO, HELLO))
    async with GeminiClient(OPTIONS, transport=httpx.MockTransport(respx_mock.async_handler)) as client:
        assert await streamed(client, "tunedModels/x") == [HELLO, HELLO]
    assert str(route.calls.last.request.url).endswith(":streamGenerateContent?alt=sse")


async def test_any_method_of_the_api_can_be_called() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"models": []} if request.method == "GET" else None)

    async with mocked(handler) as client:
        assert await client.request("GET", "/v1beta/models", key=KEY, params={"pageToken": "a b&c"}) == {"models": []}
        assert await client.request("POST", "/v1beta/models/x:countTokens", key=KEY, json=BODY) == {}
        assert await client.request("DELETE", "/v1beta/files/abc-123", key=KEY) == {}
    assert [str(request.url).removeprefix(OPTIONS.upstream) for request in seen] == [
        "/v1beta/models?pageToken=a+b%26c",
        "/v1beta/models/x:countTokens",
        "/v1beta/files/abc-123",
    ]
    assert [request.headers.get("content-type") for request in seen] == [None, "application/json", None]


async def test_the_key_is_a_header_and_never_in_the_url() -> None:
    async with RawUpstream(always(answer(200, HELLO))) as upstream, to(upstream) as client:
        await client.generate(MODEL, orjson.dumps(BODY), KEY)
        await client.generate(MODEL, BODY, "")
    with_key, without = upstream.requests
    assert with_key.target == f"/v1beta/models/{MODEL}:generateContent"
    assert with_key.headers.pop("user-agent").startswith("gemgate/")
    assert with_key.headers == {
        "host": f"127.0.0.1:{upstream.port}",
        "x-goog-api-key": KEY,
        "content-type": "application/json",
        "content-length": str(len(with_key.body)),
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    assert with_key.body == without.body == orjson.dumps(BODY)
    assert "x-goog-api-key" not in without.headers


@pytest.mark.parametrize("key", ["with space", "new\r\nline: x", "schlüssel", "\x00"])
async def test_a_key_that_fits_no_header_is_an_invalid_key(key: str) -> None:
    async with mocked(lambda _: httpx.Response(200)) as client:
        with pytest.raises(GeminiError) as failed:
            await client.generate(MODEL, BODY, key)
    assert failed.value.is_invalid_key
    assert failed.value.status == 400
    assert key not in failed.value.message


@pytest.mark.parametrize("text", ["\ud800", 2**70, object()])
async def test_a_body_that_is_no_json_is_the_callers_error(text: Any) -> None:
    async with mocked(lambda _: httpx.Response(200)) as client:
        with pytest.raises(GeminiError, match="400 INVALID_ARGUMENT: The request cannot be written as JSON"):
            client.stream(MODEL, {"contents": text}, KEY)


async def test_google_naming_the_key_in_an_error_does_not_spread_it() -> None:
    message = f"Permission denied: Consumer 'api_key:{KEY}' has been suspended."
    refusal = {"error": {"code": 403, "message": message, "details": [{"metadata": {"consumer": KEY}}]}}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.query:
            return httpx.Response(200, content=sse(HELLO, refusal))
        return httpx.Response(200 if "hidden" in request.url.path else 403, json=refusal)

    async with mocked(handler) as client:
        for call in (client.generate(MODEL, BODY, KEY), client.generate("hidden", BODY, KEY), streamed(client)):
            with pytest.raises(GeminiError) as failed:
                await call
            assert KEY not in str(failed.value) + repr(failed.value.details)
            assert HIDDEN in failed.value.message
            assert failed.value.status == 403


async def test_an_error_of_many_requests_is_decoded() -> None:
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    refusal = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED", "details": [delay]}}
    responses = [answer(429, refusal), answer(429, orjson.dumps([refusal]), {"content-type": "text/event-stream"})]
    async with RawUpstream(in_turn(*responses)) as upstream, to(upstream) as client:
        with pytest.raises(GeminiError) as unary:
            await client.generate(MODEL, BODY, KEY)
        with pytest.raises(GeminiError) as stream:
            await streamed(client)
    for failed in (unary.value, stream.value):
        assert (failed.status, failed.reason, failed.message) == (429, "RESOURCE_EXHAUSTED", "slow down")
        assert failed.retry_delay == 34.4


async def test_a_connection_is_used_again_after_a_whole_answer() -> None:
    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if "stream" in request.target:
                await peer.send(STREAM_HEAD, chunk(sse(HELLO)), LAST_CHUNK)
            else:
                await peer.send(answer(200 if len(peer.requests) < 4 else 503, HELLO))

    async with RawUpstream(script) as upstream, to(upstream) as client:
        await client.generate(MODEL, BODY, KEY)
        assert await streamed(client) == [HELLO]
        await client.generate(MODEL, BODY, KEY)
        with pytest.raises(GeminiError):
            await client.generate(MODEL, BODY, KEY)
        assert await streamed(client) == [HELLO]
        assert upstream.connections == 1


async def test_a_batch_is_what_one_read_completes() -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(sse(HELLO, {"n": 2}) + b"data: {"))
        await more.wait()
        await peer.send(chunk(b'"n": 3}\r\n') + LAST_CHUNK)

    async with RawUpstream(script) as upstream, to(upstream) as client, client.stream(MODEL, BODY, KEY) as batches:
        assert await anext(batches) == [HELLO, {"n": 2}]
        more.set()
        rest: list[Any] = [events async for events in batches]
        assert rest == [[{"n": 3}]]
        assert [events async for events in batches] == []


async def test_a_stream_may_be_entered_read_and_left_by_different_tasks() -> None:
    script = once(STREAM_HEAD, chunk(sse(HELLO)), chunk(sse(HELLO)), LAST_CHUNK)
    async with RawUpstream(script) as upstream, to(upstream) as client:
        stream = client.stream(MODEL, BODY, KEY)
        batches = await asyncio.create_task(stream.__aenter__())
        events: list[Any] = []
        while batch := await asyncio.create_task(anext_or_none(batches)):
            events += batch
        await asyncio.create_task(stream.__aexit__(None, None, None))
        assert events == [HELLO, HELLO]


async def anext_or_none(batches: EventStream) -> list[Any] | None:
    return await anext(batches, None)


async def test_a_stream_that_was_left_gives_nothing() -> None:
    async with mocked(lambda _: httpx.Response(200, content=sse(HELLO))) as client:
        stream = client.stream(MODEL, BODY, KEY)
        async with stream as batches:
            pass
        assert [events async for events in batches] == []
        await stream.__aexit__(None, None, None)


async def test_an_answer_without_any_byte_is_an_empty_stream() -> None:
    async with RawUpstream(always(answer(200, b""))) as upstream, to(upstream) as client:
        assert await streamed(client) == []


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_compressed_answers_are_inflated(encoding: str) -> None:
    headers = {"content-encoding": encoding}
    responses = (
        answer(200, gzip.compress(orjson.dumps(HELLO)), headers),
        answer(200, gzip.compress(sse(HELLO)), headers),
    )
    async with RawUpstream(in_turn(*responses)) as upstream, to(upstream) as client:
        assert await client.generate(MODEL, BODY, KEY) == HELLO
        assert await streamed(client) == [HELLO]


async def test_compressed_streams_are_inflated_as_they_come() -> None:
    packed = gzip.compress(sse(*[HELLO] * 50))
    pieces = [chunk(packed[at : at + 10]) for at in range(0, len(packed), 10)]
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    async with RawUpstream(once(head, *pieces, LAST_CHUNK)) as upstream, to(upstream) as client:
        assert await streamed(client) == [HELLO] * 50


async def test_informational_responses_are_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with RawUpstream(once(early + answer(200, HELLO))) as upstream, to(upstream) as client:
        assert await client.generate(MODEL, BODY, KEY) == HELLO


async def test_cookies_are_not_kept() -> None:
    cookie = answer(200, HELLO, {"set-cookie": "session=1; Path=/"})
    async with RawUpstream(always(cookie)) as upstream, to(upstream) as client:
        await client.generate(MODEL, BODY, KEY)
        await client.generate(MODEL, BODY, KEY)
    assert "cookie" not in upstream.requests[1].headers


async def test_calls_beyond_the_pool_wait_for_a_connection() -> None:
    async with RawUpstream(always(answer(200, HELLO))) as upstream, to(upstream, max_connections=2) as client:
        answers = await asyncio.gather(*(client.generate(MODEL, BODY, KEY) for _ in range(10)))
        assert answers == [HELLO] * 10
        assert upstream.connections == 2


PROXIES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(("name", "scheme"), [("HTTP_PROXY", "http://"), ("ALL_PROXY", "")])
async def test_the_proxy_of_the_environment_is_used(no_proxies: pytest.MonkeyPatch, name: str, scheme: str) -> None:
    async with RawUpstream(once(answer(200, HELLO))) as proxy:
        no_proxies.setenv(name, f"{scheme}user:pass@127.0.0.1:{proxy.port}")
        async with GeminiClient(ClientOptions(upstream="http://gemini.example")) as client:
            assert await client.generate(MODEL, BODY, KEY) == HELLO
    sent = proxy.requests[0]
    assert sent.target == f"http://gemini.example/v1beta/models/{MODEL}:generateContent"
    assert sent.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


async def test_an_unreachable_proxy_is_a_failed_connection(no_proxies: pytest.MonkeyPatch) -> None:
    async with RawUpstream(once(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")) as proxy:
        no_proxies.setenv("HTTPS_PROXY", proxy.url)
        async with GeminiClient(ClientOptions(upstream="https://gemini.example")) as client:
            with pytest.raises(TransportError) as refused:
                await client.generate(MODEL, BODY, KEY)
    assert refused.value.failure is Failure.CONNECT_FAILED


@pytest.mark.parametrize("exempt", ["gemini.example", "*", ".example"])
async def test_no_proxy_exempts_the_upstream(no_proxies: pytest.MonkeyPatch, exempt: str) -> None:
    no_proxies.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(ValueError, match="not socks5: check HTTPS_PROXY"):
        GeminiClient(ClientOptions(upstream="https://gemini.example"))
    no_proxies.setenv("NO_PROXY", exempt)
    async with GeminiClient(ClientOptions(upstream="https://gemini.example")):
        pass


async def test_loopback_is_never_proxied(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    async with RawUpstream(once(answer(200, HELLO))) as upstream, to(upstream) as client:
        assert await client.generate(MODEL, BODY, KEY) == HELLO


@pytest.fixture
def one_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    end = "-----END CERTIFICATE-----\n"
    bundle = tmp_path / "ca.pem"
    bundle.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0] + end, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


@pytest.mark.usefixtures("one_certificate")
async def test_the_certificates_of_the_environment_are_trusted() -> None:
    async with GeminiClient(OPTIONS) as client:
        assert client.transport.ssl_context.cert_store_stats()["x509_ca"] == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("raised", "failure"),
    [
        (httpx.ConnectError("no"), Failure.CONNECT_FAILED),
        (httpx.ProxyError("no"), Failure.CONNECT_FAILED),
        (httpx.ConnectTimeout("no"), Failure.CONNECT_TIMEOUT),
        (httpx.PoolTimeout("no"), Failure.CONNECT_TIMEOUT),
        (httpx.ReadTimeout("no"), Failure.FIRST_BYTE_TIMEOUT),
        (httpx.RemoteProtocolError("no"), Failure.CONNECTION_LOST),
        (httpx.ReadError("no"), Failure.CONNECTION_LOST),
        (OSError("no"), Failure.CONNECTION_LOST),
    ],
)
async def test_each_exception_of_a_transport_has_a_meaning(raised: Exception, failure: Failure) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise raised

    assert failure_before_answer(raised) is failure
    async with mocked(handler) as client:
        with pytest.raises(TransportError) as failed:
            await client.generate(MODEL, BODY, KEY)
    assert failed.value.failure is failure
    assert KEY not in str(failed.value)


class Broken(httpx.AsyncByteStream):
    """A body with empty pieces in it, that breaks after its first event."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""
        yield sse(HELLO)
        raise httpx.ReadError("reset")


async def test_a_stream_that_broke_goes_on_failing() -> None:
    client = mocked(lambda _: httpx.Response(200, stream=Broken()))
    async with client, client.stream(MODEL, BODY, KEY) as batches:
        assert await anext(batches) == [HELLO]
        for _ in range(2):
            with pytest.raises(TransportError, match="answer_cut"):
                await anext(batches)


def test_options_are_those_of_the_public_api_by_default() -> None:
    fields: Mapping[str, Any] = {name: getattr(OPTIONS, name) for name in OPTIONS.__slots__}
    assert fields["upstream"] == "https://generativelanguage.googleapis.com"
    assert all(value > 0 for name, value in fields.items() if name != "upstream")


async def test_a_key_of_a_caller_is_in_memory_for_its_call_alone_and_headers_with_the_gateways_are_kept() -> None:
    own, callers = "AIzaSyOwn" + "x" * 30, "AIzaSyCaller" + "x" * 27
    sent: list[httpx.Headers] = []

    def google(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json=HELLO)

    transport = httpx.MockTransport(google)
    async with GeminiClient(OPTIONS, transport=transport, own_keys=[own]) as client:
        before = sys.getrefcount(callers), sys.getrefcount(own)
        for key in (own, callers, own):
            await client.generate(MODEL, BODY, key)
        del key
        gc.collect()
        assert sys.getrefcount(callers) == before[0]
        assert sys.getrefcount(own) == before[1] + 1
    assert [headers["x-goog-api-key"] for headers in sent] == [own, callers, own]
