from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from tests.support.google import FakeGoogle, detail, failure
from tests.support.vertex import FRESH, PROJECT, TOKEN, FakeTokens

from gemgate.gemini.client.client import ClientOptions
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.caller_tokens import placed, token_key
from gemgate.gemini.vertex.client import GoogleClient, VertexClient
from gemgate.gemini.vertex.lanes import Lanes
from gemgate.upstream.client import Upstream
from gemgate.upstream.targets import method_call

LANE = f"{PROJECT}/global"
BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
HELLO = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
PARENT = f"/v1/projects/{PROJECT}/locations/global/publishers/google/models"


@asynccontextmanager
async def vertex(google: FakeGoogle, tokens: FakeTokens | None = None) -> AsyncIterator[VertexClient]:
    held = FakeTokens(TOKEN) if tokens is None else tokens
    async with VertexClient(ClientOptions(), Lanes(PROJECT), held, httpx.MockTransport(google)) as client:
        yield client


def bearers(google: FakeGoogle) -> list[str]:
    return [request.headers["authorization"] for request in google.requests]


async def test_a_call_bears_the_token_and_the_quota_project_and_no_key() -> None:
    google = FakeGoogle(HELLO)
    async with vertex(google, FakeTokens(TOKEN, quota_project="payer")) as client:
        assert await client.generate("gemini-2.5-flash", BODY, LANE) == HELLO
    headers = google.last.headers
    assert (headers["authorization"], headers["x-goog-user-project"]) == (f"Bearer {TOKEN}", "payer")
    assert "x-goog-api-key" not in headers


async def test_a_token_that_was_refreshed_is_used_from_the_next_call_on() -> None:
    google, tokens = FakeGoogle(HELLO), FakeTokens(TOKEN)
    async with vertex(google, tokens) as client:
        await client.generate("gemini-2.5-flash", BODY, LANE)
        tokens.tokens = [FRESH]
        await client.generate("gemini-2.5-flash", BODY, LANE)
    assert bearers(google) == [f"Bearer {TOKEN}", f"Bearer {FRESH}"]


async def test_a_second_401_is_the_answer() -> None:
    google, tokens = FakeGoogle(failure(401, f"bad token {FRESH}")), FakeTokens(TOKEN, FRESH, "third")
    async with vertex(google, tokens) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("gemini-2.5-flash", BODY, LANE)
    assert caught.value.status == 401
    assert FRESH not in str(caught.value)
    assert len(google.requests) == 2


async def test_where_no_other_token_comes_the_401_is_the_answer() -> None:
    google = FakeGoogle(failure(401, "bad token"))
    async with vertex(google, FakeTokens(TOKEN)) as client:
        with pytest.raises(GeminiError, match="bad token"):
            await client.generate("gemini-2.5-flash", BODY, LANE)
    assert len(google.requests) == 1


async def test_a_body_that_can_be_sent_once_is_not_sent_again() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    class Once(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return pieces()

    google = FakeGoogle(failure(401, "bad token"), HELLO)
    async with vertex(google, FakeTokens(TOKEN, FRESH)) as client:
        url = client.url("/v1beta/models/x:generateContent")
        with pytest.raises(GeminiError, match="bad token"):
            await client.open("POST", url, key=LANE, body=Once())
    assert len(google.requests) == 1


async def test_without_a_token_nothing_is_sent_and_the_gateway_is_at_fault() -> None:
    google = FakeGoogle(HELLO)
    async with vertex(google, FakeTokens()) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("gemini-2.5-flash", BODY, LANE)
    assert caught.value.status == 503
    assert not google.requests


async def test_the_page_of_a_wrong_host_is_no_missing_model() -> None:
    page = b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"
    google = FakeGoogle(httpx.Response(404, content=page, headers={"content-type": "text/html"}))
    async with vertex(google) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("gemini-2.5-flash", BODY, LANE)
    assert (caught.value.status, caught.value.is_missing_model) == (502, False)
    assert "location" in caught.value.message


async def test_a_model_that_is_not_in_the_location_is_missing_and_the_project_is_not_named() -> None:
    name = f"projects/{PROJECT}/locations/global/publishers/google/models/gemini-9"
    google = FakeGoogle(failure(404, f"Publisher Model `{name}` was not found or your project does not have access."))
    async with vertex(google) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("gemini-9", BODY, LANE)
    assert caught.value.is_missing_model
    assert PROJECT not in caught.value.message


async def test_a_permission_that_is_missing_blames_neither_another_resource_nor_the_whole_lane() -> None:
    resource = "//aiplatform.googleapis.com/x"
    text = f"Permission 'aiplatform.endpoints.predict' denied on resource '{resource}' (or it may not exist)."
    info = detail("ErrorInfo", reason="IAM_PERMISSION_DENIED", domain="aiplatform.googleapis.com")
    async with vertex(FakeGoogle(failure(403, text, info, reason="PERMISSION_DENIED"))) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("gemini-2.5-flash", BODY, LANE)
    meaning = caught.value.meaning
    assert (meaning.is_foreign, meaning.is_refused_key) == (False, False)


async def test_the_tier_is_a_header_of_the_call() -> None:
    google = FakeGoogle(HELLO)
    async with vertex(google) as client:
        await client.generate("gemini-2.5-flash", {**BODY, "serviceTier": "flex"}, LANE)
        await client.generate("gemini-2.5-flash", BODY, LANE)
    name = "x-vertex-ai-llm-shared-request-type"
    assert [request.headers.get(name) for request in google.requests] == ["flex", None]
    assert google.bodies == [BODY, BODY]


async def test_texts_are_embedded_by_as_many_calls_as_it_takes_in_their_order() -> None:
    def answer(request: httpx.Request) -> Any:
        (instance,) = orjson.loads(request.content)["instances"]
        values = [float(instance["content"])]
        return {"predictions": [{"embeddings": {"values": values, "statistics": {"token_count": 1}}}]}

    google = FakeGoogle(answer)
    body = {"requests": [{"model": "models/m", "content": {"parts": [{"text": str(n)}]}} for n in range(20)]}
    async with vertex(google) as client:
        path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        found: Any = await client.request("POST", path, key=LANE, json=orjson.dumps(body))
    assert [embedding["values"] for embedding in found["embeddings"]] == [[float(n)] for n in range(20)]
    assert found["usageMetadata"] == {"promptTokenCount": 20}
    assert google.max_at_once <= 8
    assert set(google.paths) == {f"{PARENT}/gemini-embedding-001:predict"}


async def test_tokens_are_counted_and_models_listed_by_vertex_ais_own_methods() -> None:
    google = FakeGoogle({"totalTokens": 3}, {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]})
    async with vertex(google) as client:
        body = {"generateContentRequest": {"model": "models/x", **BODY}}
        assert await client.request("POST", "/v1beta/models/x:countTokens", key=LANE, json=body) == {"totalTokens": 3}
        listed: Any = await client.request("GET", "/v1beta/models", key=LANE, params={"pageSize": "9"})
    assert google.bodies[0] == BODY
    assert google.paths == [f"{PARENT}/x:countTokens", "/v1beta1/publishers/google/models?pageSize=9"]
    assert listed["models"][0]["name"] == "models/gemini-2.5-pro"


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("/v1beta/files/x", "gs://"),
        ("/upload/v1beta/files", "gs://"),
        ("/v1beta/batches/x", "Developer API"),
        ("/v1beta/models/x:batchGenerateContent", "Developer API"),
        ("/v1beta/cachedContents", "its own paths"),
        ("/v1beta/fileSearchStores/x", "Developer API"),
        ("/v1beta/decisions", "Developer API"),
        ("/v1beta/tunedModels", "endpoints/ID"),
    ],
)
async def test_what_vertex_ai_lacks_is_refused_without_a_call_and_names_the_way_out(path: str, instead: str) -> None:
    google = FakeGoogle(HELLO)
    async with vertex(google) as client:
        with pytest.raises(GeminiError, match=instead):
            await client.request("POST", path, key=LANE, json={})
        with pytest.raises(GeminiError, match=instead):
            await client.open("POST", client.url(path), key=LANE, body={})
    assert not google.requests


async def test_a_client_of_both_asks_by_the_key() -> None:
    google = FakeGoogle(HELLO)
    transport = httpx.MockTransport(google)
    there = VertexClient(ClientOptions(), Lanes(PROJECT), FakeTokens(TOKEN), transport)
    async with GoogleClient(ClientOptions(), there, transport) as client:
        for key in ("AIza-key", LANE):
            await client.generate("gemini-2.5-flash", BODY, key)
            await client.request("POST", "/v1beta/models/gemini-2.5-flash:countTokens", key=key, json=BODY)
            async with client.stream("gemini-2.5-flash", BODY, key) as batches:
                assert [batch async for batch in batches] == [[HELLO]]
            answer = await client.open("POST", client.url("/v1beta/models/x:generateContent"), key=key, body=BODY)
            await answer.aclose()
    hosts = [request.url.host for request in google.requests]
    assert hosts == ["generativelanguage.googleapis.com"] * 4 + ["aiplatform.googleapis.com"] * 4
    assert ["authorization" in request.headers for request in google.requests] == [False] * 4 + [True] * 4


async def test_models_of_vertex_ai_are_missing_where_the_developer_api_alone_is_asked() -> None:
    google = FakeGoogle(HELLO)
    there = VertexClient(ClientOptions(), Lanes(PROJECT), FakeTokens(TOKEN), httpx.MockTransport(google))
    async with GoogleClient(ClientOptions(), there, httpx.MockTransport(google)) as client:
        with pytest.raises(GeminiError) as caught:
            await client.generate("vertex/gemini-2.5-flash", BODY, "AIza-key")
        with pytest.raises(GeminiError):
            await client.request("POST", "/v1beta/vertex/x:batchGenerateContent", key="AIza-key", json=BODY)
    assert caught.value.is_missing_model
    assert not google.requests


async def test_a_callers_token_is_used_where_its_path_leads_and_no_job_is_pinned_to_it() -> None:
    google, key = FakeGoogle(HELLO), placed(token_key("ya29.callers", "payer"), "another-project", "eu")
    async with vertex(google) as client:
        await client.generate("gemini-2.5-flash", BODY, key)
        gemini = Upstream(client)
        assert gemini.pin_key(key, method_call("models/x", "generateContent")) == key
        with pytest.raises(GeminiError, match="outlives an access token") as caught:
            gemini.pin_key(key)
    assert caught.value.status == 400
    assert google.last.url.host == "aiplatform.eu.rep.googleapis.com"
    assert google.last.url.path.startswith("/v1/projects/another-project/locations/eu/")
    assert (bearers(google), google.last.headers["x-goog-user-project"]) == (["Bearer ya29.callers"], "payer")


@pytest.mark.parametrize(("project", "location"), [("a/b", "eu"), ("another-project", "eu/../us"), ("x y z", "eu")])
def test_a_callers_token_leads_to_places_alone(project: str, location: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        placed(token_key("ya29.callers"), project, location)


async def test_a_lane_that_is_not_there_any_more_is_a_refusal() -> None:
    async with vertex(FakeGoogle(HELLO)) as client:
        with pytest.raises(GeminiError, match="not there any more") as caught:
            await client.generate("gemini-2.5-flash", BODY, "a-project/that-was-left-out")
    assert caught.value.status == 401
