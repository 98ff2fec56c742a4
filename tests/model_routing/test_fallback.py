"""Names of the operator's, and the models that stand in for each other, from the caller to Google and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, bad_key, daily, failure, overloaded, quota, sse
from tests.support.server import serve
from tests.upstream.support import HELLO, Seen

from gemgate.upstream.observer import Observer

Json = dict[str, Any]

FLASH, LITE, PRO = "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"
FLASH_35 = "gemini-3.5-flash"
FLASH_IMAGE, PRO_IMAGE = "gemini-2.5-flash-image", "gemini-3-pro-image"
VECTORS, NEW_VECTORS = "gemini-embedding-001", "gemini-embedding-2"
MODELS = (
    f"gpt-4o={FLASH},{LITE}; big={PRO},{FLASH},{LITE}; three={FLASH_35},{LITE};"
    f"small-vectors={VECTORS},{NEW_VECTORS}; draw={FLASH_IMAGE},{PRO_IMAGE}"
)
CHAT: Json = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
MISSING = failure(404, f"models/{FLASH} is not found for API version v1beta", reason="NOT_FOUND")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = httpx.Response(
    200,
    json={
        "candidates": [
            {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]}, "finishReason": "STOP"}
        ]
    },
)


@asynccontextmanager
async def gateway(
    google: FakeGoogle, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that holds a key and knows `MODELS`."""
    app = gateway_app(google, **({"gemini_api_key": "key-one", "models": MODELS} | settings))
    async with in_process(app, headers={}) as client:
        if observer is not None:
            app.state.services.gemini.observe(observer)
        yield client


async def ask(
    google: FakeGoogle, path: str = "/v1/chat/completions", body: Json = CHAT, **settings: Any
) -> httpx.Response:
    async with gateway(google, **settings) as client:
        return await client.post(path, json=body)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_name_is_asked_of_its_first_model_and_answered_under_its_own(stream: bool) -> None:
    google = FakeGoogle(by_model={FLASH: HELLO})
    response = await ask(google, body={**CHAT, "stream": stream})
    assert google.models == [FLASH]
    assert response.headers["x-gemgate-model"] == FLASH
    first = response.text.partition("\n")[0].removeprefix("data: ") if stream else response.text
    assert orjson.loads(first)["model"] == "gpt-4o"


async def test_a_model_that_is_named_itself_is_told_too() -> None:
    google = FakeGoogle(by_model={PRO: HELLO})
    response = await ask(google, body={**CHAT, "model": f"models/{PRO}"})
    assert (google.models, response.headers["x-gemgate-model"]) == ([PRO], PRO)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        pytest.param(quota("48s"), 1, id="429"),
        pytest.param(quota("1s"), 1, id="429 for a moment"),
        pytest.param(daily(), 1, id="429 of a day"),
        pytest.param(overloaded(), 3, id="503"),
        pytest.param(failure(500), 3, id="500"),
        pytest.param(MISSING, 1, id="404"),
    ],
)
async def test_the_next_model_stands_in_when_the_first_cannot_answer(
    fault: httpx.Response, calls: int, stream: bool
) -> None:
    google = FakeGoogle(by_model={FLASH: fault, LITE: HELLO})
    response = await ask(google, body={**CHAT, "stream": stream})
    assert response.status_code == 200
    assert google.models == [FLASH] * calls + [LITE]
    assert response.headers["x-gemgate-model"] == LITE
    assert "Hello" in response.text
    assert '"model":"gpt-4o"' in response.text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status"), [(failure(400), 400), (failure(403), 403), (bad_key(), 503)], ids=["400", "403", "bad key"]
)
async def test_the_next_model_is_not_asked_what_it_would_not_answer_either(
    fault: httpx.Response, status: int, stream: bool
) -> None:
    google, seen = FakeGoogle(by_model={FLASH: fault, LITE: HELLO}), Seen()
    async with gateway(google, seen) as client:
        response = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert response.status_code == status
    assert google.models == [FLASH]
    assert seen.fell_back == []


async def test_every_key_is_asked_before_the_next_model() -> None:
    google = FakeGoogle(by_model={FLASH: quota("48s"), LITE: HELLO})
    response = await ask(google, gemini_api_key="key-one,key-two")
    assert google.models == [FLASH, FLASH, LITE]
    assert response.status_code == 200


async def test_a_model_that_is_known_to_be_without_quota_is_not_asked() -> None:
    google = FakeGoogle(by_model={FLASH: quota("48s"), LITE: HELLO})
    async with gateway(google) as client:
        for _ in range(3):
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert google.models == [FLASH, LITE, LITE, LITE]


async def test_the_request_is_translated_anew_for_the_model_that_stands_in() -> None:
    google = FakeGoogle(by_model={FLASH_35: overloaded(), LITE: HELLO})
    response = await ask(google, body={**CHAT, "model": "three", "reasoning_effort": "low"}, retries=0)
    assert response.status_code == 200
    first, second = (sent["generationConfig"]["thinkingConfig"] for sent in google.bodies)
    assert (list(first), list(second)) == (["thinkingLevel"], ["thinkingBudget"])


async def test_when_none_can_the_error_of_the_first_is_told() -> None:
    google = FakeGoogle(by_model={PRO: quota("48s"), FLASH: overloaded(), LITE: failure(400)})
    response = await ask(google, body={**CHAT, "model": "big"}, retries=0)
    assert google.models == [PRO, FLASH, LITE]
    assert response.status_code == 429
    assert response.headers["retry-after"] == "48"
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_first_model_that_does_not_exist_hides_no_other_error() -> None:
    google = FakeGoogle(by_model={FLASH: MISSING, LITE: overloaded()})
    response = await ask(google, retries=0)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "server_overloaded")


async def test_a_stream_that_has_begun_stays_with_its_model() -> None:
    start = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    google = FakeGoogle(sse(start, error))
    with serve(gateway_app(google, gemini_api_key="key-one", models=MODELS)) as origin:
        async with httpx.AsyncClient() as client:
            response = await client.post(f"{origin}/v1/chat/completions", json={**CHAT, "stream": True})
    assert len(google.requests) == 1
    assert response.headers["x-gemgate-model"] == FLASH
    *_, last = response.text.strip().split("\n\n")
    assert orjson.loads(last.removeprefix("data: "))["error"]["code"] == "server_overloaded"


async def test_a_stream_in_several_calls_falls_back_as_one() -> None:
    google = FakeGoogle(by_model={FLASH_35: quota("48s"), LITE: HELLO})
    response = await ask(google, body={**CHAT, "model": "three", "n": 2, "stream": True})
    assert set(google.models[:-1]) == {FLASH_35}
    assert google.models[-1] == LITE
    assert google.bodies[-1]["generationConfig"]["candidateCount"] == 2
    assert response.headers["x-gemgate-model"] == LITE


async def test_a_cache_belongs_to_one_model() -> None:
    google = FakeGoogle(by_model={FLASH: overloaded(), LITE: HELLO})
    body = {**CHAT, "extra_body": {"google": {"cached_content": "cachedContents/abc"}}}
    response = await ask(google, body=body, retries=0)
    assert (response.status_code, google.models) == (503, [FLASH])


async def test_embeddings_have_no_stand_in() -> None:
    google = FakeGoogle(by_model={VECTORS: overloaded(), NEW_VECTORS: HELLO})
    response = await ask(google, "/v1/embeddings", {"model": "small-vectors", "input": "hi"}, retries=0)
    assert response.status_code == 503
    assert set(google.models) == {VECTORS}
    vectors = httpx.Response(200, json={"embeddings": [{"values": [1.0, 0.0]}], "totalTokens": 1})
    google = FakeGoogle(by_model={VECTORS: vectors})
    response = await ask(google, "/v1/embeddings", {"model": "small-vectors", "input": "hi"})
    assert response.json()["model"] == "small-vectors"
    assert response.headers["x-gemgate-model"] == VECTORS


@pytest.mark.parametrize("stream", [False, True])
async def test_images_have_stand_ins(stream: bool) -> None:
    google = FakeGoogle(by_model={FLASH_IMAGE: overloaded(), PRO_IMAGE: PICTURE})
    body = {"model": "draw", "prompt": "a cat", "n": 2, "stream": stream}
    response = await ask(google, "/v1/images/generations", body, retries=0)
    assert google.models == [FLASH_IMAGE] * 2 + [PRO_IMAGE] * 2
    assert response.headers["x-gemgate-model"] == PRO_IMAGE
    assert response.text.count(PNG) == 2


async def test_images_are_told_the_error_of_the_first_model() -> None:
    google = FakeGoogle(by_model={FLASH_IMAGE: quota("48s"), PRO_IMAGE: overloaded()})
    response = await ask(google, "/v1/images/generations", {"model": "draw", "prompt": "a cat"}, retries=0)
    assert (response.status_code, response.headers["retry-after"]) == (429, "48")


async def test_a_blocked_image_is_not_asked_of_another_model() -> None:
    blocked = httpx.Response(200, json={"promptFeedback": {"blockReason": "SAFETY"}})
    google = FakeGoogle(by_model={FLASH_IMAGE: blocked, PRO_IMAGE: PICTURE})
    response = await ask(google, "/v1/images/generations", {"model": "draw", "prompt": "a cat"})
    assert (response.status_code, google.models) == (400, [FLASH_IMAGE])


async def test_a_dry_run_shows_the_first_model() -> None:
    google = FakeGoogle()
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json=CHAT, headers={"x-gemgate-dry-run": "true"})
    assert response.json()["path"] == f"/v1beta/models/{FLASH}:generateContent"
    assert google.models == []


async def test_a_stand_in_is_told_in_the_log_and_to_observers() -> None:
    google, seen = FakeGoogle(by_model={FLASH: quota("48s"), LITE: HELLO}), Seen()
    async with gateway(google, seen) as client:
        with capture_logs() as logs:
            await client.post("/v1/chat/completions", json=CHAT)
    assert seen.fell_back == [("gpt-4o", LITE, "429")]
    (line,) = (line for line in logs if line["event"] == "another model is asked")
    assert (line["asked"], line["failed"], line["model"], line["reason"]) == ("gpt-4o", FLASH, LITE, "429")
