"""What holds every request of a key with limits to them, around small endpoints."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message
from tests.auth.support import bearer, key_of, write_keys
from tests.support.clock import FakeClock

from gemgate.api.services import caller_of
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.rate_limits import LocalQuotas
from gemgate.errors import ApiError, duration
from gemgate.observability.record import Record
from gemgate.settings import Settings
from gemgate.web import error_handlers as handlers
from gemgate.web.rate_limit_middleware import QuotaMiddleware
from gemgate.web.token_estimate import AnswerKind, estimate, kind_of

HELLO = b'{"text": "' + b"word " * 38 + b'"}'
"""About 50 tokens."""


class LimitedEndpoints:
    """Endpoints within limits. `used` is what each request turns out to have used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.quotas = LocalQuotas(self.clock)
        self.used = 0
        self.seen: list[bytes] = []
        self.may_end = asyncio.Event()
        self.has_begun = asyncio.Event()
        self.app = FastAPI()
        self.app.add_middleware(QuotaMiddleware)
        handlers.install(self.app)
        endpoints: list[Callable[[Request], Any]] = [self.echo, self.stream, self.fail, self.break_off]
        for endpoint in endpoints:
            self.app.add_route(f"/{endpoint.__name__}", endpoint, methods=["GET", "POST"])

    def limit(self, **limits: int) -> None:
        keys = ClientKeys(["plain-key"], write_keys(self.path, web={"limits": limits}, free={}))
        settings = Settings(_env_file=None, gemini_api_key="gemini-key", client_keys=("plain-key",))
        self.app.state.services = SimpleNamespace(settings=settings, client_keys=keys, quotas=self.quotas)

    async def echo(self, request: Request) -> Response:
        caller_of(request)
        self.seen.append(await request.body())
        return PlainTextResponse("done")

    async def stream(self, request: Request) -> Response:
        await request.body()

        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            self.has_begun.set()
            await self.may_end.wait()
            yield b"last"

        return StreamingResponse(pieces())

    async def fail(self, _request: Request) -> Response:
        raise ApiError(400, "No.")

    async def break_off(self, _request: Request) -> Response:
        raise RuntimeError("a bug")


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LimitedEndpoints:
    gateway = LimitedEndpoints(tmp_path / "keys.yaml")
    monkeypatch.setattr(Record, "used_tokens", lambda _: gateway.used)
    return gateway


@pytest.fixture
async def client(gateway: LimitedEndpoints) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=bearer("web")) as client:
        yield client


def limits_told(answer: httpx.Response) -> dict[str, str]:
    return {name.removeprefix("x-ratelimit-"): value for name, value in answer.headers.items() if "ratelimit" in name}


async def test_good_answers_tell_the_limits(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(requests_per_minute=60, tokens_per_minute=6000)
    answer = await client.post("/echo", content=HELLO)
    assert answer.status_code == 200
    assert limits_told(answer) == {
        "limit-requests": "60",
        "remaining-requests": "59",
        "reset-requests": "1s",
        "limit-tokens": "6000",
        "remaining-tokens": "5950",
        "reset-tokens": "500ms",
    }
    assert gateway.seen == [HELLO]


async def test_only_limits_that_are_set_are_told(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(concurrent_requests=1)
    assert limits_told(await client.get("/echo")) == {}
    gateway.limit(tokens_per_minute=10)
    assert set(limits_told(await client.get("/echo"))) == {"limit-tokens", "remaining-tokens", "reset-tokens"}


async def test_one_request_too_many_is_openais_429(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(requests_per_minute=2)
    for _ in range(2):
        assert (await client.get("/echo")).status_code == 200
    answer = await client.get("/echo")
    assert answer.status_code == 429
    assert answer.json()["error"] == {
        "message": "Rate limit reached for the key 'web' on requests per minute (RPM): Limit 2. "
        "Please try again in 30s.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("30", "30000")
    assert limits_told(answer) == {"limit-requests": "2", "remaining-requests": "0", "reset-requests": "1m0s"}
    assert len(gateway.seen) == 2
    gateway.clock.now += 30
    assert (await client.get("/echo")).status_code == 200


@pytest.mark.parametrize("header", ["authorization", "x-goog-api-key", "api-key"])
async def test_the_key_counts_in_whatever_header_it_comes(
    gateway: LimitedEndpoints, client: httpx.AsyncClient, header: str
) -> None:
    gateway.limit(requests_per_minute=1)
    del client.headers["authorization"]
    value = bearer("web")["authorization"] if header == "authorization" else key_of("web")
    statuses = [(await client.get("/echo", headers={header: value})).status_code for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.parametrize("headers", [bearer("free"), {"authorization": "Bearer plain-key"}])
async def test_others_are_neither_held_up_nor_told_limits(
    gateway: LimitedEndpoints, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    gateway.limit(requests_per_minute=1)
    del client.headers["authorization"]
    for _ in range(3):
        answer = await client.get("/echo", headers=headers)
        assert (answer.status_code, limits_told(answer)) == (200, {})


@pytest.mark.parametrize("headers", [{"authorization": "x"}, {}, {"authorization": "Bearer unknown"}])
async def test_whoever_has_no_key_is_told_that_alone(
    gateway: LimitedEndpoints, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    gateway.limit(requests_per_minute=1)
    del client.headers["authorization"]
    for _ in range(2):
        answer = await client.get("/echo", headers=headers)
        assert (answer.status_code, limits_told(answer)) == (401, {})


async def test_tokens_that_were_used_beyond_the_estimate_hold_up_the_next(
    gateway: LimitedEndpoints, client: httpx.AsyncClient
) -> None:
    gateway.limit(tokens_per_minute=600)
    gateway.used = 700
    assert (await client.post("/echo", content=HELLO)).status_code == 200
    answer = await client.post("/echo", content=HELLO)
    assert answer.status_code == 429
    assert answer.json()["error"]["type"] == "tokens"
    assert "tokens per minute (TPM): Limit 600. Please try again in 15s." in answer.json()["error"]["message"]
    assert answer.headers["retry-after"] == "15"
    gateway.clock.now += 15
    assert (await client.post("/echo", content=HELLO)).status_code == 200


async def test_tokens_that_were_not_used_come_back(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(tokens_per_minute=60)
    gateway.used = 1
    told = [limits_told(await client.post("/echo", content=HELLO))["remaining-tokens"] for _ in range(3)]
    assert told == ["10", "9", "8"]


async def test_a_body_in_pieces_is_estimated_as_a_whole(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(tokens_per_minute=120, requests_per_minute=9)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield HELLO

    answer = await client.post("/echo", content=pieces())
    assert (answer.status_code, limits_told(answer)["remaining-tokens"]) == (200, "19")
    assert gateway.seen == [HELLO * 2]
    gateway.limit(tokens_per_minute=60, requests_per_minute=9)
    await gateway.quotas.give(gateway.app.state.services.client_keys.find(key_of("web")), "", -5)
    answer = await client.post("/echo", content=pieces())
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert limits_told(answer)["remaining-requests"] == "7"
    assert len(gateway.seen) == 1


async def test_what_is_no_json_is_no_text(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(tokens_per_minute=60)
    answer = await client.post("/echo", content=HELLO * 10, headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, limits_told(answer)["remaining-tokens"]) == (200, "60")


@pytest.mark.parametrize(("path", "status"), [("/echo", 200), ("/fail", 400), ("/break_off", 500), ("/none", 404)])
async def test_a_place_is_free_again_however_a_request_ends(
    gateway: LimitedEndpoints, client: httpx.AsyncClient, path: str, status: int
) -> None:
    gateway.limit(concurrent_requests=1)
    for _ in range(3):
        assert (await client.get(path)).status_code == status


async def test_a_stream_keeps_its_place_until_its_end(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(concurrent_requests=1, requests_per_minute=60)
    running = asyncio.create_task(client.get("/stream"))
    await gateway.has_begun.wait()
    answer = await client.get("/echo")
    assert answer.status_code == 429
    assert answer.json()["error"]["message"] == (
        "Rate limit reached for the key 'web' on requests at once: Limit 1. "
        "Please try again when one of them has ended."
    )
    assert (answer.headers["retry-after"], answer.json()["error"]["type"]) == ("1", "requests")
    gateway.may_end.set()
    assert (await running).text == "firstlast"
    assert (await client.get("/echo")).status_code == 200


async def test_the_place_is_free_before_the_caller_sees_the_end(gateway: LimitedEndpoints) -> None:
    """Or a caller who waits for an answer and asks again at once would be refused now and then."""
    gateway.limit(concurrent_requests=1)
    free: list[bool] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            free.append(not gateway.quotas._used["web"].leases)

    headers = [(b"authorization", bearer("web")["authorization"].encode())]
    scope = {"type": "http", "method": "GET", "path": "/echo", "query_string": b"", "headers": headers}
    await gateway.app(scope, receive, send)
    assert free == [True]


async def test_a_caller_who_goes_gives_the_place_back(gateway: LimitedEndpoints) -> None:
    gateway.limit(concurrent_requests=1, tokens_per_minute=600)
    gateway.used = 10
    sent: list[Message] = []
    is_first = True

    async def receive() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            return {"type": "http.request", "body": HELLO, "more_body": False}
        await gateway.has_begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", bearer("web")["authorization"].encode())]
    scope = {"type": "http", "method": "GET", "path": "/stream", "query_string": b"", "headers": headers}
    await gateway.app({**scope, "asgi": {"spec_version": "2.0"}}, receive, send)
    assert sent[-1].get("more_body")
    used = gateway.quotas._used["web"]
    assert not used.leases
    assert used.tokens is not None
    assert used.tokens.level == 590


async def test_a_server_that_stops_gives_the_place_back(gateway: LimitedEndpoints, client: httpx.AsyncClient) -> None:
    gateway.limit(concurrent_requests=1)
    running = asyncio.create_task(client.get("/stream"))
    await gateway.has_begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not gateway.quotas._used["web"].leases


async def test_a_failure_while_the_body_is_awaited_is_answered(gateway: LimitedEndpoints) -> None:
    """The middleware around this one refuses a body that comes too slowly."""
    gateway.limit(requests_per_minute=1)
    sent: list[Message] = []

    async def receive() -> Message:
        raise ApiError(408, "Too slow.")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", bearer("web")["authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": headers}
    await gateway.app(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_what_is_no_request_passes(gateway: LimitedEndpoints) -> None:
    with pytest.raises(AssertionError):  # Starlette's router refuses it
        await gateway.app({"type": "other"}, None, None)  # type: ignore[arg-type]


A_LOT = b"A" * 40_000
PNG_URL = b"data:image/png;base64," + A_LOT


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b"", 0),
        (b'{"text": "four words of text"}', 7),
        (b'{"content":[{"image_url":{"url":"' + PNG_URL + b'"}}]}', 9 + 258),
        (b'{"content":[{"image_url":"' + PNG_URL + b'"}]}', 7 + 258),
        (b'{"content":[{"input_audio":{"data":"' + A_LOT + b'"}}]}', 10 + 258),
        (b'{"content":[{"file":{"file_data":"JVBERi' + A_LOT + b'"}}]}', 9 + 258),
        (b'{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"' + A_LOT + b'"}}]}', 15 + 258),
        (b'{"parts":[{"inline_data":{"mime_type":"image/png","data":"' + A_LOT + b'"}}]}', 15 + 258),
        (b'{"instances":[{"image":{"bytesBase64Encoded":"' + A_LOT + b'"}}]}', 12 + 258),
        (b'{"parts":[{"inlineData":{"mimeType":"text/plain","data":"' + A_LOT + b'"}}]}', 10_015),
        (b'{"content":[{"image_url":{"url":"data:text/plain;base64,' + A_LOT + b'"}}]}', 10_015),
        (b'{"functionResponse":{"response":{"inlineData":{"mimeType":"image/png","data":"' + A_LOT + b'"}}}}', 10_020),
        (b'{"content":"' + PNG_URL + b'"}', 10_009),
        (A_LOT + b'"}', 10_000),
        (b'"' + "长".encode() * 400 + b'"', 300),
        (b'"' + b"\\u957f" * 400 + b'"', 600),
        (b'"' + b"word " * 400 + b'"', 500),
        (b'"' + b"word_" * 400 + b'"', 500),
    ],
)
def test_text_is_estimated_by_its_size_and_media_by_its_place(body: bytes, tokens: int) -> None:
    assert estimate(body, None, 10**6).total == tokens


@pytest.mark.parametrize(
    ("body", "reserve"),
    [
        (b"{}", 1024),
        (b'{"max_tokens": 7}', 7),
        (b'{"max_tokens": 7, "max_completion_tokens": 9}', 9),
        (b'{"max_tokens": 7, "n": 3}', 21),
        (b'{"max_tokens": 7.0}', 7),
        (b'{"max_tokens": -1}', 1024),
        (b'{"max_tokens": true, "n": "many"}', 1),
        (b'{"max_tokens": 100000000000000000000}', 8000),
        (b'{"generationConfig": {"maxOutputTokens": "700", "candidateCount": 2}}', 1400),
        (b'{"generation_config": {"max_output_tokens": 700}}', 700),
        (b'{"extra_body": {"extra_body": {"google": {"generation_config": {"maxOutput_tokens": 700}}}}}', 700),
        (b'\xef\xbb\xbf{"max_tokens": 7}', 7),
        (b"no JSON", 1024),
        (b"[" * 100_000, 1024),
        (b'{"messages": [{"max_tokens": 7}]}', 1024),
    ],
)
def test_an_answer_is_reserved_by_what_the_request_allows(body: bytes, reserve: int) -> None:
    assert estimate(body, AnswerKind.TEXT, 8000).reserve == reserve


@pytest.mark.parametrize(("limit", "reserve"), [(1, 1), (60, 15), (1000, 250), (100_000, 1024)])
def test_a_small_limit_keeps_room_for_several_answers_of_unknown_length(limit: int, reserve: int) -> None:
    assert estimate(b"{}", AnswerKind.TEXT, limit).reserve == reserve


def test_a_job_is_charged_for_the_lines_in_its_body() -> None:
    lines = b'{"request":{"generationConfig":{"maxOutputTokens":10}}},{"request":{}},{"request":{"content":{}}}'
    body = b'{"batch":{"input_config":{"requests":{"requests":[' + lines + b"]}}}}"
    found = estimate(body, AnswerKind.JOB, 8000)
    assert (found.reserve, found.charge(0)) == (1034, 1034 + len(body) // 4)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions", AnswerKind.TEXT),
        ("/v1beta/openai/embeddings", AnswerKind.VECTOR),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", AnswerKind.TEXT),
        ("/v1beta/tunedModels/a:batchGenerateContent", AnswerKind.JOB),
        ("/v1beta/models/gemini-2.5-flash:countTokens", None),
        ("/v1/models", None),
    ],
)
def test_the_path_says_what_a_model_makes(path: str, kind: AnswerKind | None) -> None:
    assert kind_of(path) is kind


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0121, "13ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (360.2, "6m1s"),
        (7200, "2h0m0s"),
    ],
)
def test_durations_are_openais(seconds: float, text: str) -> None:
    assert duration(seconds) == text
