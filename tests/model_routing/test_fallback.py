"""Names of the operator's, and the models that stand in for each other, from the caller to Google and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.support.server import serve
from tests.upstream.support import HELLO, Seen, bad_key, daily, failure, overloaded, quota, sse

from gemgate.app import create_app
from gemgate.settings import Settings
from gemgate.upstream.observer import Observer

Json = dict[str, Any]
Answers = dict[str, httpx.Response | list[httpx.Response]]

FLASH, LITE, PRO = "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"
FLASH_35 = "gemini-3.5-flash"
MODELS = (
    f"gpt-4o={FLASH},{LITE}; big={PRO},{FLASH},{LITE}; three={FLASH_35},{LITE};"
    "small-vectors=gemini-embedding-001,gemini-embedding-2; draw=gemini-2.5-flash-image,gemini-3-pro-image"
)
CHAT: Json = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
GOOD = httpx.Response(200, json=HELLO)
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


class Google:
    """Answers by model; a list is answered one after the other.

    Attributes:
        asked: The model and the method of each call.
        bodies: Their bodies.
    """

    def __init__(self, **answers: httpx.Response | list[httpx.Response]) -> None:
        self.answers: Answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.asked: list[str] = []
        self.bodies: list[Json] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        model, _, method = request.url.path.removeprefix("/v1beta/models/").partition(":")
        self.asked.append(model)
        self.bodies.append(orjson.loads(await request.aread()) if request.method == "POST" else {})
        answer = self.answers[model.replace(".", "-")]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if method == "streamGenerateContent" and answer is GOOD:
            return sse(HELLO)
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


@asynccontextmanager
async def gateway(
    google: Google, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    chosen = {"gemini_api_key": "key-one", "client_keys": (), "models": MODELS, **settings}
    app = create_app(Settings(_env_file=None, **chosen), transport=httpx.MockTransport(google))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        if observer is not None:
            app.state.services.gemini.observe(observer)
        yield client


async def ask(google: Google, path: str = "/v1/chat/completions", body: Json = CHAT, **settings: Any) -> httpx.Response:
    async with gateway(google, **settings) as client:
        return await client.post(path, json=body)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_name_is_asked_of_its_first_model_and_answered_under_its_own(stream: bool) -> None:
    google = Google(gemini_2_5_flash=GOOD)
    response = await ask(google, body={**CHAT, "stream": stream})
    assert google.asked == [FLASH]
    assert response.headers["x-gemgate-model"] == FLASH
    first = response.text.partition("\n")[0].removeprefix("data: ") if stream else response.text
    assert orjson.loads(first)["model"] == "gpt-4o"


async def test_a_model_that_is_named_itself_is_told_too() -> None:
    google = Google(gemini_2_5_pro=GOOD)
    response = await ask(google, body={**CHAT, "model": f"models/{PRO}"})
    assert (google.asked, response.headers["x-gemgate-model"]) == ([PRO], PRO)


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
    google = Google(gemini_2_5_flash=fault, gemini_2_5_flash_lite=GOOD)
    response = await ask(google, body={**CHAT, "stream": stream})
    assert response.status_code == 200
    assert google.asked == [FLASH] * calls + [LITE]
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
    google, seen = Google(gemini_2_5_flash=fault, gemini_2_5_flash_lite=GOOD), Seen()
    async with gateway(google, seen) as client:
        response = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert response.status_code == status
    assert google.asked == [FLASH]
    assert seen.fell_back == []


async def test_every_key_is_asked_before_the_next_model() -> None:
    google = Google(gemini_2_5_flash=quota("48s"), gemini_2_5_flash_lite=GOOD)
    response = await ask(google, gemini_api_key="key-one,key-two")
    assert google.asked == [FLASH, FLASH, LITE]
    assert response.status_code == 200


async def test_a_model_that_is_known_to_be_without_quota_is_not_asked() -> None:
    google = Google(gemini_2_5_flash=quota("48s"), gemini_2_5_flash_lite=GOOD)
    async with gateway(google) as client:
        for _ in range(3):
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert google.asked == [FLASH, LITE, LITE, LITE]


async def test_the_request_is_translated_anew_for_the_model_that_stands_in() -> None:
    google = Google(gemini_3_5_flash=overloaded(), gemini_2_5_flash_lite=GOOD)
    response = await ask(google, body={**CHAT, "model": "three", "reasoning_effort": "low"}, retries=0)
    assert response.status_code == 200
    first, second = (sent["generationConfig"]["thinkingConfig"] for sent in google.bodies)
    assert (list(first), list(second)) == (["thinkingLevel"], ["thinkingBudget"])


async def test_when_none_can_the_error_of_the_first_is_told() -> None:
    google = Google(gemini_2_5_pro=quota("48s"), gemini_2_5_flash=overloaded(), gemini_2_5_flash_lite=failure(400))
    response = await ask(google, body={**CHAT, "model": "big"}, retries=0)
    assert google.asked == [PRO, FLASH, LITE]
    assert response.status_code == 429
    assert response.headers["retry-after"] == "48"
    assert response.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_first_model_that_does_not_exist_hides_no_other_error() -> None:
    google = Google(gemini_2_5_flash=MISSING, gemini_2_5_flash_lite=overloaded())
    response = await ask(google, retries=0)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "server_overloaded")


async def test_a_stream_that_has_begun_stays_with_its_model() -> None:
    start = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}]}
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}

    async def google(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return sse(start, error)

    asked: list[str] = []
    app = create_app(
        Settings(_env_file=None, gemini_api_key="key-one", client_keys=(), models=MODELS),
        transport=httpx.MockTransport(google),
    )
    with serve(app) as origin:
        async with httpx.AsyncClient() as client:
            response = await client.post(f"{origin}/v1/chat/completions", json={**CHAT, "stream": True})
    assert len(asked) == 1
    assert response.headers["x-gemgate-model"] == FLASH
    *_, last = response.text.strip().split("\n\n")
    assert orjson.loads(last.removeprefix("data: "))["error"]["code"] == "server_overloaded"


async def test_a_stream_in_several_calls_falls_back_as_one() -> None:
    google = Google(gemini_3_5_flash=quota("48s"), gemini_2_5_flash_lite=GOOD)
    response = await ask(google, body={**CHAT, "model": "three", "n": 2, "stream": True})
    assert set(google.asked[:-1]) == {FLASH_35}
    assert google.asked[-1] == LITE
    assert google.bodies[-1]["generationConfig"]["candidateCount"] == 2
    assert response.headers["x-gemgate-model"] == LITE


async def test_a_cache_belongs_to_one_model() -> None:
    google = Google(gemini_2_5_flash=overloaded(), gemini_2_5_flash_lite=GOOD)
    body = {**CHAT, "extra_body": {"google": {"cached_content": "cachedContents/abc"}}}
    response = await ask(google, body=body, retries=0)
    assert (response.status_code, google.asked) == (503, [FLASH])


async def test_embeddings_have_no_stand_in() -> None:
    google = Google(gemini_embedding_001=overloaded(), gemini_embedding_2=GOOD)
    response = await ask(google, "/v1/embeddings", {"model": "small-vectors", "input": "hi"}, retries=0)
    assert response.status_code == 503
    assert set(google.asked) == {"gemini-embedding-001"}
    vectors = httpx.Response(200, json={"embeddings": [{"values": [1.0, 0.0]}], "totalTokens": 1})
    google = Google(gemini_embedding_001=vectors)
    response = await ask(google, "/v1/embeddings", {"model": "small-vectors", "input": "hi"})
    assert response.json()["model"] == "small-vectors"
    assert response.headers["x-gemgate-model"] == "gemini-embedding-001"


@pytest.mark.parametrize("stream", [False, True])
async def test_images_have_stand_ins(stream: bool) -> None:
    google = Google(gemini_2_5_flash_image=overloaded(), gemini_3_pro_image=PICTURE)
    body = {"model": "draw", "prompt": "a cat", "n": 2, "stream": stream}
    response = await ask(google, "/v1/images/generations", body, retries=0)
    assert google.asked == ["gemini-2.5-flash-image"] * 2 + ["gemini-3-pro-image"] * 2
    assert response.headers["x-gemgate-model"] == "gemini-3-pro-image"
    assert response.text.count(PNG) == 2


async def test_images_are_told_the_error_of_the_first_model() -> None:
    google = Google(gemini_2_5_flash_image=quota("48s"), gemini_3_pro_image=overloaded())
    response = await ask(google, "/v1/images/generations", {"model": "draw", "prompt": "a cat"}, retries=0)
    assert (response.status_code, response.headers["retry-after"]) == (429, "48")


async def test_a_blocked_image_is_not_asked_of_another_model() -> None:
    blocked = httpx.Response(200, json={"promptFeedback": {"blockReason": "SAFETY"}})
    google = Google(gemini_2_5_flash_image=blocked, gemini_3_pro_image=PICTURE)
    response = await ask(google, "/v1/images/generations", {"model": "draw", "prompt": "a cat"})
    assert (response.status_code, google.asked) == (400, ["gemini-2.5-flash-image"])


async def test_a_dry_run_shows_the_first_model() -> None:
    google = Google()
    async with gateway(google) as client:
        response = await client.post("/v1/chat/completions", json=CHAT, headers={"x-gemgate-dry-run": "true"})
    assert response.json()["path"] == f"/v1beta/models/{FLASH}:generateContent"
    assert google.asked == []


async def test_a_stand_in_is_told_in_the_log_and_to_observers() -> None:
    google, seen = Google(gemini_2_5_flash=quota("48s"), gemini_2_5_flash_lite=GOOD), Seen()
    async with gateway(google, seen) as client:
        with capture_logs() as logs:
            await client.post("/v1/chat/completions", json=CHAT)
    assert seen.fell_back == [("gpt-4o", LITE, "429")]
    (line,) = (line for line in logs if line["event"] == "another model is asked")
    assert (line["asked"], line["failed"], line["model"], line["reason"]) == ("gpt-4o", FLASH, LITE, "429")
