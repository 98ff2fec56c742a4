"""Attacks on the limit of tokens: bursts, answers without usage, streams that are left, texts that look like media."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from tests.auth.support import bearer, settings_with, write_keys
from tests.support.clock import FakeClock
from tests.support.gateway import gateway_app
from tests.support.google import failure, sse
from tests.support.server import serve

MODEL = "gemini-2.5-flash"
CHAT = "/v1/chat/completions"
NATIVE = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
LIMIT = 3000
PATIENCE = 10.0
JSON = {"content-type": "application/json"}
USAGE = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}


def said(text: str, **more: Any) -> dict[str, Any]:
    """An answer of Google's."""
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}], **more}


def chat(text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def native(text: str = "Hi", **config: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}


class Google:
    """Answers as the text of a prompt says: `usage` with counts, `held` when it may, `endless` without an end."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.held = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        call = request.url.path.rpartition(":")[2]
        if b"held" in request.content:
            self.held += 1
            await asyncio.to_thread(self.may_answer.wait, PATIENCE)
        if b"refused" in request.content:
            return failure(403, "No.", reason="PERMISSION_DENIED")
        if call in ("batchGenerateContent", "predictLongRunning"):
            return httpx.Response(200, json={"name": "batches/a" if call[0] == "b" else "models/veo-3/operations/a"})
        if call == "countTokens":
            return httpx.Response(200, json={"totalTokens": 7})
        if b"endless" in request.content:
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Endless())
        answer = said("Hi", usageMetadata=USAGE) if b"usage" in request.content else said("word " * 100)
        return sse(answer) if call == "streamGenerateContent" else httpx.Response(200, json=answer)


class _Endless(httpx.AsyncByteStream):
    """Events without usage, until the caller has gone."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = {"candidates": [{"content": {"role": "model", "parts": [{"text": "word " * 200}]}}]}
        while True:
            yield b"data: " + orjson.dumps(event) + b"\r\n\r\n"
            await asyncio.sleep(0.001)


@dataclass
class Gateway:
    """A gateway with many callers of the same limit, whose clock stands still."""

    client: httpx.Client
    google: Google
    callers: Iterator[str]

    def caller(self) -> dict[str, str]:
        """The key of a caller who has used nothing."""
        return bearer(next(self.callers))

    def ask(self, path: str, body: Any, key: dict[str, str], **headers: str) -> httpx.Response:
        return self.client.post(path, content=orjson.dumps(body), headers=JSON | key | headers)

    def remaining(self, key: dict[str, str]) -> int:
        return int(self.client.get("/v1/files", headers=key).headers["x-ratelimit-remaining-tokens"])


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("limits")
    names = [f"caller-{number}" for number in range(60)]
    entry = {"limits": {"tokens_per_minute": LIMIT}}
    path = write_keys(
        directory / "keys.yaml", small={"limits": {"tokens_per_minute": 10}}, **dict.fromkeys(names, entry)
    )
    google = Google()
    app = gateway_app(google, data_dir=directory, retries=0, **settings_with(path))
    limits = httpx.Limits(max_connections=40)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=20, limits=limits) as client:
        app.state.services.quotas._clock = FakeClock()
        yield Gateway(client, google, iter(names))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("held", max_tokens=1000)),
        (CHAT, chat("held", max_completion_tokens=1000)),
        (CHAT, chat("held", max_tokens=1000, stream=True)),
        (CHAT, chat("held", extra_body={"google": {"generation_config": {"maxOutputTokens": 1000}}})),
        (CHAT, chat("held")),
        (NATIVE, native("held", maxOutputTokens=1000)),
        (NATIVE, native("held", max_output_tokens="1000")),
        (STREAM, native("held", maxOutputTokens=1000)),
    ],
)
def test_thirty_requests_at_once_do_not_pass_a_limit_thirty_times(
    there: Gateway, path: str, body: dict[str, Any]
) -> None:
    key, google = there.caller(), there.google
    google.held = 0
    google.may_answer.clear()
    with ThreadPoolExecutor(30) as threads:
        answers = [threads.submit(there.ask, path, body, key) for _ in range(30)]
        deadline = time.monotonic() + PATIENCE
        while sum(one.done() for one in answers) + google.held < 30 and time.monotonic() < deadline:
            time.sleep(0.01)
        begun = google.held
        google.may_answer.set()
        statuses = [one.result().status_code for one in answers]
    assert 1 <= begun <= 4
    assert statuses.count(429) == 30 - begun


@pytest.mark.parametrize(("path", "body"), [(CHAT, chat("endless", stream=True)), (STREAM, native("endless"))])
def test_a_stream_that_is_left_before_its_usage_is_charged_for_what_went_through(
    there: Gateway, path: str, body: dict[str, Any]
) -> None:
    key = there.caller()
    statuses = []
    for _ in range(10):
        with there.client.stream("POST", path, json=body, headers=key) as answer:
            statuses.append(answer.status_code)
            if answer.status_code == 200:
                seen = 0
                for piece in answer.iter_raw():
                    seen += len(piece)
                    if seen > 8000:
                        break
        there.client.get("/healthz")  # the gateway has seen that the caller left
    assert statuses[0] == 200
    assert statuses.count(200) <= 5


ANSWERED = [
    (CHAT, chat()),
    (CHAT, chat(stream=True)),
    (NATIVE, native()),
    (STREAM, native()),
    (f"/v1beta/models/{MODEL}:generateAnswer", native()),
    (f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {"displayName": "a"}}),
    ("/v1beta/models/veo-3:predictLongRunning", {"instances": [{"prompt": "A cat"}]}),
    ("/v1beta/models/imagen-4.0-generate-001:predict", {"instances": [{"prompt": "A cat"}]}),
    ("/v1beta/models/gemini-embedding-001:embedContent", {"content": {"parts": [{"text": "A cat"}]}}),
    ("/v1beta/models/gemini-embedding-001:batchEmbedContents", {"requests": [{"content": {"parts": [{"text": "A"}]}}]}),
]


@pytest.mark.parametrize(("path", "body"), ANSWERED)
def test_an_answer_without_usage_is_never_free(there: Gateway, path: str, body: dict[str, Any]) -> None:
    key = there.caller()
    answer = there.ask(path, body, key)
    assert answer.status_code == 200, answer.text
    left = there.remaining(key)
    assert left <= LIMIT - len(orjson.dumps(body)) // 4
    if "word" in answer.text and "mbed" not in path and "predict" not in path:
        assert left <= LIMIT - 120


def test_a_body_in_pieces_without_a_type_is_counted_too(there: Gateway) -> None:
    key = there.caller()
    body = orjson.dumps(native("word_" * 2000))
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    answer = there.client.post(NATIVE, content=pieces, headers=key | {"content-type": ""})
    assert answer.status_code == 200
    assert there.remaining(key) <= LIMIT - 2500


@pytest.mark.parametrize("text", ["word_" * 2000, "A" * 10_000, "data:image/png;base64," + "A" * 10_000])
@pytest.mark.parametrize(("path", "make"), [(CHAT, chat), (NATIVE, native)])
def test_text_without_blanks_is_reserved_like_any_other(there: Gateway, path: str, make: Any, text: str) -> None:
    answer = there.ask(path, make(f"usage{text}"), there.caller())
    assert answer.status_code == 200
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) <= LIMIT - 2500


def test_what_google_counts_is_what_is_charged_in_the_end(there: Gateway) -> None:
    key = there.caller()
    for used in (2, 4, 6):
        answer = there.ask(CHAT, chat("usage", max_tokens=1000), key)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-tokens"] == str(LIMIT)
        assert there.remaining(key) == LIMIT - used


def test_a_key_with_a_small_limit_can_still_make_a_request(there: Gateway) -> None:
    answers = [there.ask(CHAT, chat("usage", max_tokens=1000), bearer("small")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert there.remaining(bearer("small")) == 8


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (CHAT, chat(), {"x-gemgate-dry-run": "true"}, 200),
        (f"/v1beta/models/{MODEL}:countTokens", native(), {}, 200),
        (NATIVE, native("refused"), {}, 403),
        (CHAT, chat("refused", stream=True), {}, 403),
    ],
)
def test_what_makes_no_model_work_costs_nothing(
    there: Gateway, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    key = there.caller()
    answer = there.ask(path, body, key, **headers)
    assert answer.status_code == status
    assert there.remaining(key) == LIMIT
