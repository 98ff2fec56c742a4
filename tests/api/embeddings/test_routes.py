"""`POST /embeddings`, from the caller to Google and back."""

import asyncio
import math
from typing import Any

import httpx
import openai
import orjson
import pytest
from tests.support.gateway import CALLER, gateway_app, in_process
from tests.support.google import FakeGoogle, failure, overloaded
from tests.support.server import serve

pytestmark = pytest.mark.integration

OLD, NEW = "gemini-embedding-001", "gemini-embedding-2"


class Embedder:
    """Embeds the number in a text as the direction `(number, 1, 0, …)`, not of length 1; a token a character.

    Attributes:
        tells_usage: Whether embeddings come with a token count.
        fails: The methods that fail, or the texts whose call does.
    """

    def __init__(self, *, tells_usage: bool, fails: tuple[str, ...]) -> None:
        self.tells_usage = tells_usage
        self.fails = fails

    async def __call__(self, request: httpx.Request) -> Any:
        method, body = request.url.path.partition(":")[2], orjson.loads(request.content)
        contents = body.get("contents") or [item["content"] for item in body["requests"]]
        texts = [content["parts"][0]["text"] for content in contents]
        if method in self.fails or set(self.fails) & set(texts):
            return overloaded()
        if "wait" in texts:
            await asyncio.Event().wait()
        tokens = sum(len(text) for text in texts)
        if method == "countTokens":
            return {"totalTokens": tokens}
        sizes = [item.get("outputDimensionality", 8) for item in body["requests"]]
        vectors = [[float(text), 1.0] + [0.0] * (size - 2) for text, size in zip(texts, sizes, strict=True)]
        answer: dict[str, Any] = {"embeddings": [{"values": values} for values in vectors]}
        return answer | ({"usageMetadata": {"promptTokenCount": tokens}} if self.tells_usage else {})


def embedder(*, tells_usage: bool = False, fails: tuple[str, ...] = ()) -> FakeGoogle:
    """A Google that embeds; see `Embedder`."""
    return FakeGoogle(Embedder(tells_usage=tells_usage, fails=fails))


async def embed(google: FakeGoogle, body: dict[str, Any], **settings: Any) -> httpx.Response:
    async with in_process(gateway_app(google, **settings)) as client:
        return await client.post("/v1/embeddings", json={"model": OLD, **body})


def numbers(answer: dict[str, Any]) -> list[int]:
    """The numbers that the vectors were made of."""
    return [round(item["embedding"][0] / item["embedding"][1]) for item in answer["data"]]


async def test_one_text_is_one_vector_of_length_one() -> None:
    google = embedder()
    response = await embed(google, {"input": "3", "dimensions": 2, "user": "u"})
    assert response.headers["x-gemgate-dropped-params"] == "user"
    answer = response.json()
    assert answer["data"].pop()["embedding"] == pytest.approx([3 / math.sqrt(10), 1 / math.sqrt(10)])
    assert answer == {"object": "list", "data": [], "model": OLD, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_many_texts_are_calls_of_a_hundred_and_one_list_in_order(prefix: str) -> None:
    google = embedder()
    async with in_process(gateway_app(google)) as client:
        body = {"model": OLD, "input": [str(number) for number in range(1000)]}
        response = await client.post(f"{prefix}/embeddings", json=body)
    answer = response.json()
    assert numbers(answer) == list(range(1000))
    assert [item["index"] for item in answer["data"]] == list(range(1000))
    assert sorted(google.methods) == ["batchEmbedContents"] * 10 + ["countTokens"] * 10
    assert answer["usage"]["prompt_tokens"] == sum(len(str(number)) for number in range(1000))


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_only_some_calls_run_at_once(concurrency: int) -> None:
    google = embedder()
    await embed(google, {"input": ["1"] * 1000}, embedding_concurrency=concurrency)
    assert google.max_at_once == concurrency


async def test_one_failed_call_fails_all_and_stops_the_others() -> None:
    google = embedder(fails=("13",))
    response = await embed(google, {"input": ["wait"] * 100 + ["13"]}, embedding_usage="off")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "server_overloaded"
    assert google.cancelled == 1


class TestUsage:
    async def test_usage_is_googles_where_google_tells_it(self) -> None:
        google = embedder(tells_usage=True)
        response = await embed(google, {"model": NEW, "input": ["10"] * 150})
        assert response.json()["usage"] == {"prompt_tokens": 300, "total_tokens": 300}
        assert google.methods == ["batchEmbedContents"] * 2

    async def test_usage_is_googles_even_where_none_was_expected(self) -> None:
        response = await embed(embedder(tells_usage=True, fails=("countTokens",)), {"input": "10"})
        assert response.json()["usage"]["prompt_tokens"] == 2

    async def test_usage_is_counted_where_googles_is_missing(self) -> None:
        google = embedder()
        response = await embed(google, {"model": NEW, "input": ["10"]})
        assert response.json()["usage"]["prompt_tokens"] == 2
        assert google.methods == ["batchEmbedContents", "countTokens"]

    async def test_usage_is_zero_when_it_is_switched_off(self) -> None:
        google = embedder()
        response = await embed(google, {"input": ["10"]}, embedding_usage="off")
        assert response.json()["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
        assert google.methods == ["batchEmbedContents"]

    async def test_usage_that_cannot_be_counted_does_not_cost_the_vectors(self) -> None:
        response = await embed(embedder(fails=("countTokens",)), {"input": ["10"]})
        assert numbers(response.json()) == [10]
        assert response.json()["usage"]["prompt_tokens"] == 0
        assert response.headers["x-gemgate-adjusted"] == "usage=unknown->0"


async def test_a_failed_embedding_is_the_answer_though_it_could_be_counted() -> None:
    response = await embed(embedder(fails=("batchEmbedContents",)), {"input": "1"})
    assert response.status_code == 503


@pytest.mark.parametrize("value", ["true", "1"])
async def test_a_dry_run_shows_the_native_request_and_calls_nobody(value: str) -> None:
    google = embedder()
    body = {"model": NEW, "input": ["1"] * 101, "user": "u", "google": {"task_type": "CLUSTERING"}}
    async with in_process(gateway_app(google)) as client:
        response = await client.post("/v1/embeddings", json=body, headers={"x-gemgate-dry-run": value})
    assert not google.calls
    shown = response.json()
    assert shown.pop("body")["requests"] == [{"model": f"models/{NEW}", "content": {"parts": [{"text": "1"}]}}] * 100
    assert shown == {
        "object": "gemgate.dry_run",
        "method": "POST",
        "path": f"/v1beta/models/{NEW}:batchEmbedContents",
        "calls": 2,
        "dropped_params": ["user", "extra_body.google.task_type"],
        "adjusted": [],
    }


async def test_the_policy_for_unsupported_parameters_is_the_operators() -> None:
    async with in_process(gateway_app(embedder(), unsupported_params="strict")) as client:
        response = await client.post("/v1/embeddings", json={"model": OLD, "input": "1", "user": "u"})
    assert response.json()["error"]["code"] == "unsupported_parameter"


async def test_an_embedding_without_a_key_is_refused_before_anything_is_read() -> None:
    async with in_process(gateway_app(embedder())) as client:
        response = await client.post("/v1/embeddings", content=b"{", headers={"authorization": ""})
    assert response.status_code == 401


async def test_an_unknown_model_is_openais_404() -> None:
    def google(_request: httpx.Request) -> httpx.Response:
        message = (
            "models/x is not found for API version v1beta, or is not supported for embedContent. Call "
            "ModelService.ListModels to see the list of available models and their supported methods."
        )
        return failure(404, message, reason="NOT_FOUND")

    async with in_process(gateway_app(google)) as client:
        response = await client.post("/v1/embeddings", json={"model": "x", "input": "1"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_client_that_leaves_stops_the_calls() -> None:
    google = embedder()
    app = gateway_app(google, embedding_usage="off")
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not left.is_set():
            left.set()
            return {"type": "http.request", "body": orjson.dumps({"model": OLD, "input": "wait"})}
        await google.arrived.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None: ...

    headers = [(b"authorization", CALLER["authorization"].encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "query_string": b"", "headers": headers}
    async with app.router.lifespan_context(app):
        await app({**scope, "asgi": {"version": "3.0"}, "app": app}, receive, send)
    assert google.cancelled == 1


class TestWithTheOfficialClient:
    """Over a real socket: the client asks for base64 unless told otherwise, and decodes it."""

    def embeddings(self, **body: Any) -> openai.types.CreateEmbeddingResponse:
        with serve(gateway_app(embedder())) as origin:
            client = openai.OpenAI(api_key="k", base_url=f"{origin}/v1", max_retries=0)
            with client:
                return client.embeddings.create(model=OLD, **body)

    def test_a_thousand_vectors_are_the_same_in_both_encodings(self) -> None:
        texts = [str(number) for number in range(1000)]
        packed = self.embeddings(input=texts, dimensions=16)
        plain = self.embeddings(input=texts, dimensions=16, encoding_format="float")
        assert [item.index for item in packed.data] == list(range(1000))
        for one, other in zip(packed.data, plain.data, strict=True):
            assert one.embedding == pytest.approx(other.embedding, abs=2**-24)
            assert math.hypot(*one.embedding) == pytest.approx(1, abs=1e-6)
        assert packed.usage == plain.usage

    def test_reduced_vectors_have_length_one(self) -> None:
        answer = self.embeddings(input="3", dimensions=768)
        assert len(answer.data[0].embedding) == 768
        assert math.hypot(*answer.data[0].embedding) == pytest.approx(1, abs=1e-6)
