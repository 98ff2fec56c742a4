"""Two gateways with one Redis, each with its own connections, pool of keys and memory."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.auth.support import bearer, write_keys
from tests.shared_state.support import eventually
from tests.support.gateway import gateway_app, in_process
from tests.support.redis import RedisServer
from tests.support.scrape import Scrape
from tests.support.stack import gateway

from gemgate.emulator.server import serve_in_thread
from gemgate.shared_state import connection as link_module
from gemgate.shared_state import cooldowns as rests_module
from gemgate.shared_state import learned_facts as facts_module

Json = dict[str, Any]
Google = Callable[[httpx.Request], httpx.Response]

MODEL = "gemini-3-flash-preview"
USER = {"role": "user", "content": "Hi"}
PLAIN = {"parts": [{"text": "Hello"}]}
CALL = {"parts": [{"functionCall": {"name": "look_up", "args": {"a": 1}, "id": "1"}, "thoughtSignature": "c2lnbmVk"}]}
LIMIT = {
    "error": {
        "code": 429,
        "message": "Too many.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "50s"}],
    }
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(link_module, "TIMEOUT", 10.0)  # a machine that is busy with other tests is no outage
    monkeypatch.setattr(rests_module, "POLL_SECONDS", 0.002)


def answer(content: Json) -> httpx.Response:
    return httpx.Response(
        200, json={"candidates": [{"content": {"role": "model", **content}, "finishReason": "STOP", "index": 0}]}
    )


@asynccontextmanager
async def two(url: str, directory: Path, google: Google, **limits: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two gateways that hold two Gemini keys and ask for the key of `web`."""
    keys = write_keys(directory / "keys.yaml", web={"limits": limits})
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("one", "two"):
            chosen: Json = {
                "gemini_api_key": ("first-key", "second-key"),
                "client_keys_file": keys,
                "redis_url": url,
                "data_dir": directory / name,
            }
            client = await stack.enter_async_context(in_process(gateway_app(google, **chosen)))
            client.headers.update(bearer("web"))
            clients.append(client)
        yield clients


async def chat(client: httpx.AsyncClient, *messages: Json) -> httpx.Response:
    body = {"model": MODEL, "messages": list(messages) or [USER]}
    return await client.post("/v1/chat/completions", json=body)


async def test_they_share_limits(redis_server: RedisServer, tmp_path: Path) -> None:
    async with two(redis_server.url, tmp_path, lambda _: answer(PLAIN), requests_per_minute=5) as clients:
        answers = [await chat(clients[number % 2]) for number in range(6)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200] * 5 + [429]
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers[:3]] == ["4", "3", "2"]


async def test_a_key_that_rests_at_one_is_not_asked_by_the_other(redis_server: RedisServer, tmp_path: Path) -> None:
    asked: list[str] = []

    def google(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["x-goog-api-key"])
        return httpx.Response(429, json=LIMIT) if asked[-1] == "first-key" else answer(PLAIN)

    async with two(redis_server.url, tmp_path, google) as clients:
        assert (await chat(clients[0])).status_code == 200
        assert asked == ["first-key", "second-key"]
        await eventually(lambda: redis_server.command("GET", "gemgate:{rests}:version"))

        async def second_asks_only_the_other_key() -> bool:
            asked.clear()
            assert (await chat(clients[1])).status_code == 200
            return asked == ["second-key"]

        await eventually_true(second_asks_only_the_other_key)
        asked.clear()
        for _ in range(4):
            assert (await chat(clients[1])).status_code == 200
        assert asked == ["second-key"] * 4


async def test_a_signature_of_one_is_put_back_by_the_other(redis_server: RedisServer, tmp_path: Path) -> None:
    bodies: list[Json] = []

    def google(request: httpx.Request) -> httpx.Response:
        bodies.append(orjson.loads(request.content))
        return answer(CALL)

    async with two(redis_server.url, tmp_path, google) as clients:
        message = (await chat(clients[0])).json()["choices"][0]["message"]
        (call,) = message["tool_calls"]
        assert call.pop("extra_content")["google"]["thought_signature"] == "c2lnbmVk"  # many clients drop it
        await eventually(lambda: redis_server.command("KEYS", "gemgate:signature:*"))
        result = {"role": "tool", "tool_call_id": call["id"], "content": "found"}
        second = {"role": "assistant", "content": None, "tool_calls": [call]}
        assert (await chat(clients[1], USER, second, result)).status_code == 200
    assert bodies[1]["contents"][1]["parts"][0]["thoughtSignature"] == "c2lnbmVk"


async def test_readiness_and_metrics_tell_of_redis_and_do_not_depend_on_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with two(redis_server.url, tmp_path, lambda _: answer(PLAIN), requests_per_minute=100) as (one, _):
        assert (await one.get("/readyz")).json() == {"status": "ok", "redis": "up"}
        assert Scrape((await one.get("/metrics")).text).value("gemgate_redis_up") == 1
        redis_server.stop()
        assert (await chat(one)).status_code == 200
        ready = await one.get("/readyz")
        degraded = {"redis": "Redis is down: each process counts for itself"}
        assert (ready.status_code, ready.json()) == (
            200,
            {"status": "degraded", "redis": "down", "degraded": degraded},
        )
        assert Scrape((await one.get("/metrics")).text).value("gemgate_redis_up") == 0


async def test_they_start_without_redis_and_join_when_it_comes(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.stop()
    async with two(redis_server.url, tmp_path, lambda _: answer(PLAIN), requests_per_minute=1) as clients:
        assert [(await chat(client)).status_code for client in clients] == [200, 200]
        redis_server.start()
        for client in clients:

            async def is_back(client: httpx.AsyncClient = client) -> bool:
                return bool((await client.get("/readyz")).json()["redis"] == "up")

            await eventually_true(is_back)
        assert [(await chat(client)).status_code for client in clients] == [200, 429]


@pytest.mark.parametrize("outage", ["killed", "held still"])
def test_redis_that_goes_in_mid_load_fails_no_request(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    """Over real sockets: streams and buffered answers at both gateways, before, during and after."""
    monkeypatch.setattr(link_module, "TIMEOUT", 0.5)
    keys = write_keys(
        tmp_path / "keys.yaml", web={"limits": {"requests_per_minute": 100_000, "concurrent_requests": 100}}
    )
    statuses: list[int] = []
    endings: list[bool] = []
    phase = [threading.Event() for _ in range(3)]

    def ask(origin: str, *, stream: bool) -> None:
        body = {"model": "gemini-2.5-flash", "messages": [USER], "stream": stream}
        with httpx.Client(headers=bearer("web"), timeout=20) as client:
            for event in phase:
                for _ in range(4):
                    answer = client.post(f"{origin}/v1/chat/completions", json=body)
                    statuses.append(answer.status_code)
                    endings.append("[DONE]" in answer.text if stream else "choices" in answer.json())
                event.wait(20)

    with serve_in_thread() as emulator, capture_logs() as logs:
        shared: Json = {"gemini_api_key": ("key",), "client_keys_file": keys, "redis_url": redis_server.url}
        with (
            gateway(emulator, data_dir=tmp_path / "one", **shared) as one,
            gateway(emulator, data_dir=tmp_path / "other", **shared) as other,
        ):
            threads = [
                threading.Thread(target=ask, args=(origin,), kwargs={"stream": stream})
                for origin in (one, other)
                for stream in (True, False)
            ]
            for thread in threads:
                thread.start()
            (redis_server.stop if outage == "killed" else redis_server.hold)()
            phase[0].set()
            _until(lambda: all(_state(origin) == "down" for origin in (one, other)))
            (redis_server.start if outage == "killed" else redis_server.go_on)()
            phase[1].set()
            _until(lambda: all(_state(origin) == "up" for origin in (one, other)))
            phase[2].set()
            for thread in threads:
                thread.join(30)
    assert statuses == [200] * 48
    assert all(endings)
    assert len([line for line in logs if line["event"].startswith("Redis is down")]) == 2


async def eventually_true(ask: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the answer is yes; a gateway that looks at Redis tells nobody when."""
    async with asyncio.timeout(20):
        while not await ask():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def _state(origin: str) -> str:
    return str(httpx.get(f"{origin}/readyz").json()["redis"])


def _until(is_so: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if is_so():
            return
        waiting.wait(0.01)
    pytest.fail("it did not come about")


async def test_they_share_what_a_refusal_has_taught(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "POLL_SECONDS", 0.002)
    sent: list[Json] = []

    def google(request: httpx.Request) -> httpx.Response:
        sent.append(orjson.loads(request.content).get("generationConfig", {}))
        if "temperature" in sent[-1]:
            message = "temperature is not supported for this model"
            return httpx.Response(400, json={"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
        return answer(PLAIN)

    async def ask(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(
            "/v1/chat/completions", json={"model": MODEL, "messages": [USER], "temperature": 0.5, "top_p": 0.5}
        )

    async with two(redis_server.url, tmp_path, google) as clients:
        first = await ask(clients[0])
        assert (first.status_code, "learned=temperature" in first.headers["x-gemgate-adjusted"]) == (200, True)

        async def second_is_right_at_once() -> bool:
            sent.clear()
            assert (await ask(clients[1])).status_code == 200
            return sent == [{"topP": 0.5}]

        await eventually_true(second_is_right_at_once)
    # The other one has learned it from its own refusal at the latest; what is shared outlives both.
    async with two(redis_server.url, tmp_path, google) as clients:
        sent.clear()
        assert (await ask(clients[1])).status_code == 200
        assert sent == [{"topP": 0.5}]


async def test_rubbish_among_the_learned_facts_is_left_alone(redis_server: RedisServer, tmp_path: Path) -> None:
    google_id = hashlib.blake2b(b"https://generativelanguage.googleapis.com", digest_size=8).hexdigest()
    name = f"gemgate:{{facts}}:{google_id}"
    far = str(int(time.time()) + 1000)
    fine = {"since": 0, "until": int(far), "teacher": "refusal", "model": MODEL}
    for number, member in enumerate(
        (
            b"rubbish",
            b"[]",
            orjson.dumps({**fine, "fact": "shoe_size", "value": 44}),
            orjson.dumps({**fine, "fact": "levels", "value": "LOW"}),
            orjson.dumps({**fine, "fact": "prefill", "value": False, "teacher": "nobody"}),
            orjson.dumps({**fine, "fact": "like", "value": ["x"]}),
            orjson.dumps({**fine, "fact": "refused_fields", "value": ["topK"]}),
        )
    ):
        redis_server.command("HSET", name, str(number), member.decode())
    redis_server.command("INCR", f"{name}:version")
    sent: list[Json] = []

    def google(request: httpx.Request) -> httpx.Response:
        sent.append(orjson.loads(request.content))
        return answer(PLAIN)

    async with two(redis_server.url, tmp_path, google) as clients:
        body = {"model": MODEL, "messages": [USER], "top_k": 4, "top_p": 0.5}
        answered = await clients[0].post("/v1/chat/completions", json=body)
    assert (answered.status_code, answered.headers["x-gemgate-dropped-params"]) == (200, "top_k")
    assert sent[0]["generationConfig"] == {"topP": 0.5}
