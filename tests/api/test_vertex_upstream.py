"""The same requests to both of Google's APIs: what is sent differs as the table of differences says, not elsewhere."""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, json_for, overloaded, quota
from tests.support.vertex import PROJECT, TOKEN, FakeTokens, holding, vertex_gateway

from gemgate.gemini.usage import Counts
from gemgate.gemini.vertex.differences import REQUEST, TIER_HEADER, fitted
from gemgate.observability.pricing import cost_of
from gemgate.translation.thought_signatures import NO_SIGNATURE

pytestmark = pytest.mark.slow

Json = dict[str, Any]

HELLO: Json = {"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}
ASKED: Json = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}]}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
LOOP: list[Json] = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"id": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
]
BOTH: Json = {"upstream": "gemini,vertex", "gemini_api_key": "AIza-key", "google_cloud_project": PROJECT}


def test_the_module_names_each_difference() -> None:
    assert {difference.becomes for difference in REQUEST} == {"left out", "left out with its holder", "a header"}


async def developer(google: FakeGoogle, path: str, body: Mapping[str, Any]) -> httpx.Response:
    async with in_process(gateway_app(google, gemini_api_key="AIza-key")) as client:
        return await client.post(path, json=body)


async def vertex(google: FakeGoogle, path: str, body: Mapping[str, Any]) -> httpx.Response:
    async with vertex_gateway(google) as client:
        return await client.post(path, json=body)


def without_unknown_ids(body: Json) -> Any:
    return fitted(body).body


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"temperature": 0.5, "reasoning_effort": "low", "max_tokens": 9, "stop": ["x"]}),
        ("/v1/chat/completions", {"messages": LOOP, "tools": [WEATHER], "tool_choice": "required"}),
        ("/v1/chat/completions", {"response_format": {"type": "json_object"}, "service_tier": "flex"}),
        ("/v1/chat/completions", {"tools": [{"type": "google_search"}], "n": 2, "store": True}),
        ("/v1/responses", {"input": "Hi", "tools": [{"type": "web_search"}], "service_tier": "priority"}),
    ],
)
async def test_chat_and_responses_differ_as_the_table_says(path: str, more: Json) -> None:
    body: Json = {**(ASKED if path.endswith("completions") else {"model": ASKED["model"]}), **more}
    here, there = FakeGoogle(HELLO), FakeGoogle(HELLO)
    one, two = await developer(here, path, body), await vertex(there, path, body)
    assert (one.status_code, two.status_code) == (200, 200), two.text
    assert there.bodies == [without_unknown_ids(sent) for sent in here.bodies]
    tier = body.get("service_tier")
    assert [request.headers.get(TIER_HEADER) for request in there.requests] == [tier] * len(there.requests)
    assert there.methods == here.methods


async def test_what_a_caller_asked_for_and_vertex_ai_lacks_is_named_in_a_header() -> None:
    body = {**ASKED, "store": True, "tools": [{"type": "file_search", "vector_store_ids": ["fileSearchStores/x"]}]}
    google = FakeGoogle(HELLO)
    answered = await vertex(google, "/v1/chat/completions", body)
    assert answered.headers["x-gemgate-dropped-params"] == "store,tools.file_search"
    assert "tools" not in google.bodies[0]


async def test_ids_of_calls_stay_the_callers_own() -> None:
    call = {"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": "c2ln"}
    google = FakeGoogle({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]})
    answered = await vertex(google, "/v1/chat/completions", {**ASKED, "tools": [WEATHER]})
    (made,) = answered.json()["choices"][0]["message"]["tool_calls"]
    assert isinstance(made["id"], str)
    assert made["id"]


async def test_embeddings_come_by_prediction() -> None:
    answer = {"predictions": [{"embeddings": {"values": [1.0, 0.0], "statistics": {"token_count": 2}}}]}
    google = FakeGoogle(answer)
    body = {"model": "gemini-embedding-001", "input": ["a", "b"], "dimensions": 2}
    answered = await vertex(google, "/v1/embeddings", body)
    assert answered.status_code == 200, answered.text
    assert [item["embedding"] for item in answered.json()["data"]] == [[1.0, 0.0], [1.0, 0.0]]
    assert answered.json()["usage"]["prompt_tokens"] == 4
    assert google.methods == ["predict", "predict"]


async def test_models_and_counts_of_tokens_come_from_vertex_ai() -> None:
    listed = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-flash", "versionId": "1"}]}
    google = FakeGoogle(lambda request: listed if request.method == "GET" else {"totalTokens": 7})
    async with vertex_gateway(google) as client:
        models = (await client.get("/v1/models")).json()["data"]
        counted = await client.post("/v1/responses/input_tokens", json={"model": "gemini-2.5-flash", "input": "Hi"})
    assert [(model["id"], model["capabilities"]["chat"]) for model in models] == [("gemini-2.5-flash", True)]
    assert counted.json()["input_tokens"] == 7


async def test_images_of_imagen_and_speech_are_asked_for_in_vertex_ai() -> None:
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    google = FakeGoogle({"predictions": [{"bytesBase64Encoded": png, "mimeType": "image/png"}]})
    answered = await vertex(google, "/v1/images/generations", {"model": "imagen-4.0-generate-001", "prompt": "a cat"})
    assert answered.status_code == 200, answered.text
    assert google.paths[0].endswith("/publishers/google/models/imagen-4.0-generate-001:predict")
    sound = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAAAAAA"}}
    google = FakeGoogle({"candidates": [{"content": {"parts": [sound]}, "finishReason": "STOP"}]})
    body = {"model": "gemini-3.8-flash-tts", "input": "Hi", "voice": "alloy", "response_format": "pcm"}
    answered = await vertex(google, "/v1/audio/speech", body)
    assert answered.status_code == 200, answered.text
    assert "store" not in google.bodies[0]


@pytest.mark.integration
async def test_a_batch_is_refused_where_it_is_created() -> None:
    async with vertex_gateway(FakeGoogle(HELLO)) as client:
        line = orjson.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": ASKED})
        file = await client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("b.jsonl", line)})
        assert file.status_code == 200, file.text
        body = {"input_file_id": file.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        refused = await client.post("/v1/batches", json=body)
    assert refused.status_code == 400
    assert "Developer API" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (failure(400, 'Unknown name "x": Cannot find field.', reason="INVALID_ARGUMENT"), 400, "unknown_parameter"),
        (failure(404, "Publisher Model `projects/p/x` was not found or your project …"), 404, "model_not_found"),
        (failure(429, "Resource exhausted. Please try again later."), 429, "rate_limit_exceeded"),
        (failure(401, "Request had invalid authentication credentials."), 503, "upstream_key_rejected"),
        (httpx.Response(404, content=b"<html><title>404</title>", headers={"content-type": "text/html"}), 502, None),
    ],
)
async def test_refusals_are_openais(answer: httpx.Response, status: int, code: str | None) -> None:
    async with vertex_gateway(FakeGoogle(answer), retries=0) as client:
        refused = await client.post("/v1/chat/completions", json=ASKED)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), refused.text
    assert PROJECT not in refused.text
    assert TOKEN not in refused.text


async def test_a_blocked_prompt_of_model_armor_is_a_filtered_answer() -> None:
    feedback = {"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "No."}}
    answered = await vertex(FakeGoogle(feedback), "/v1/chat/completions", ASKED)
    assert answered.json()["choices"][0]["finish_reason"] == "content_filter"


def both(google: FakeGoogle, **settings: Any) -> Any:
    return in_process(gateway_app(google, **BOTH, **settings))


def hosts(google: FakeGoogle) -> list[str]:
    return ["vertex" if "aiplatform" in request.url.host else "gemini" for request in google.requests]


async def test_the_name_of_a_model_chooses_the_api_and_a_fallback_goes_across() -> None:
    google = FakeGoogle(HELLO)
    with holding(FakeTokens(TOKEN)):
        async with both(google, models="mixed=vertex/gemini-3.8-flash,gemini-3.8-flash", retries=0) as client:
            for model in ("gemini-3.8-flash", "vertex/gemini-3.8-flash", "mixed"):
                answered = await client.post("/v1/chat/completions", json={**ASKED, "model": model})
                assert answered.status_code == 200, answered.text
            assert hosts(google) == ["gemini", "vertex", "vertex"]
            assert answered.headers["x-gemgate-model"] == "vertex/gemini-3.8-flash"
            google.requests.clear()
            google.answers = [overloaded(), HELLO]
            answered = await client.post("/v1/chat/completions", json={**ASKED, "model": "mixed"})
    assert answered.status_code == 200, answered.text
    assert hosts(google) == ["vertex", "gemini"]
    assert [("store" in body) for body in google.bodies] == [False, True]


async def test_a_tool_loop_stays_where_it_began_and_elsewhere_the_placeholder_is_sent() -> None:
    call = {"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": "dmVydGV4"}
    google = FakeGoogle({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}, HELLO)
    table = "there=vertex/gemini-3.8-flash; mixed=gemini-3.8-flash,vertex/gemini-3.8-flash"
    with holding(FakeTokens(TOKEN)):
        async with both(google, models=table, retries=0) as client:
            begun = await client.post("/v1/chat/completions", json={**ASKED, "model": "there", "tools": [WEATHER]})
            message = begun.json()["choices"][0]["message"]
            (made,) = message["tool_calls"]
            bare = {"id": made["id"], "type": "function", "function": made["function"]}
            loop = [
                ASKED["messages"][0],
                {"role": "assistant", "tool_calls": [bare]},
                {"role": "tool", "tool_call_id": made["id"], "content": "sunny"},
            ]
            body = {**ASKED, "model": "mixed", "messages": loop, "tools": [WEATHER]}
            stays = await client.post("/v1/chat/completions", json=body)
            google.answers = [quota(), HELLO]
            leaves = await client.post("/v1/chat/completions", json=body)
            echoed = [loop[0], message, loop[2]]
            other = await client.post(
                "/v1/chat/completions", json={**body, "model": ASKED["model"], "messages": echoed}
            )
    assert [answer.status_code for answer in (stays, leaves, other)] == [200, 200, 200]
    assert hosts(google) == ["vertex", "vertex", "vertex", "gemini", "gemini"]
    signatures = [body["contents"][1]["parts"][0]["thoughtSignature"] for body in google.bodies[1:]]
    assert signatures == ["dmVydGV4", "dmVydGV4", NO_SIGNATURE, NO_SIGNATURE]
    assert "thought_signature" not in stays.headers.get("x-gemgate-adjusted", "")
    for answer in (leaves, other):
        assert "thought_signature=vertex->placeholder" in answer.headers["x-gemgate-adjusted"]


async def test_models_of_both_are_one_list_and_prices_are_the_same() -> None:
    there = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-flash"}]}
    here = {"models": [{"name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["generateContent"]}]}
    google = FakeGoogle(lambda request: there if "aiplatform" in request.url.host else here)
    with holding(FakeTokens(TOKEN)):
        async with both(google) as client:
            listed = (await client.get("/v1/models")).json()["data"]
            one = await client.get("/v1/models/vertex/gemini-2.5-flash")
    assert [model["id"] for model in listed] == ["gemini-2.5-flash", "vertex/gemini-2.5-flash"]
    assert one.json()["capabilities"]["chat"]
    assert one.json()["facts"]["call_ids"]["value"] is False
    usage = Counts(prompt=1000, candidates=1000)
    prices = [cost_of(model, None, usage, {}) for model in ("gemini-2.5-flash", "vertex/gemini-2.5-flash")]
    assert prices[0]
    assert prices[0] == prices[1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {**ASKED, "service_tier": "flex", "messages": LOOP, "tools": [WEATHER]}),
        ("/v1/chat/completions", {**ASKED, "stream": True, "cached_content": "cachedContents/1"}),
        ("/v1/responses", {"model": ASKED["model"], "input": "Hi"}),
        ("/v1/responses/input_tokens", {"model": ASKED["model"], "input": "Hi", "instructions": "Be brief."}),
        ("/v1/completions", {"model": ASKED["model"], "prompt": "Hi"}),
        ("/v1/embeddings", {"model": "gemini-embedding-001", "input": ["one", "two", "three"]}),
        ("/v1/embeddings", {"model": "gemini-embedding-2", "input": ["one", "two"]}),
    ],
)
@pytest.mark.parametrize("settings", [{}, BOTH], ids=["alone", "beside the Developer API"])
async def test_a_dry_run_shows_what_vertex_ai_would_get(path: str, body: Json, settings: Json) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(":countTokens"):
            return httpx.Response(200, json={"totalTokens": 3})
        if request.url.path.endswith(":predict"):
            return httpx.Response(200, json={"predictions": [{"embeddings": {"values": [0.5]}}]})
        if request.url.path.endswith(":embedContent"):
            return httpx.Response(200, json={"embedding": {"values": [0.5]}})
        return json_for(request, HELLO)

    google = FakeGoogle(answer)
    asked = {**body, "model": f"vertex/{body['model']}"} if settings else body
    async with vertex_gateway(google, **settings) as client:
        shown = (await client.post(path, json=asked, headers={"x-gemgate-dry-run": "true"})).json()
        assert google.requests == []
        answered = await client.post(path, json=asked)
    assert answered.status_code == 200, answered.text
    assert shown["path"] in google.paths
    assert shown["body"] in google.bodies
    counts = "countTokens" in shown["path"]
    assert shown["calls"] == len([each for each in google.methods if counts or each != "countTokens"])
    assert shown["path"].startswith(f"/v1/projects/{PROJECT}/locations/global/")


async def test_a_dry_run_of_the_developer_api_beside_vertex_ai_is_its_own() -> None:
    async with vertex_gateway(FakeGoogle(HELLO), **BOTH) as client:
        shown = (await client.post("/v1/chat/completions", json=ASKED, headers={"x-gemgate-dry-run": "true"})).json()
    assert shown["path"] == f"/v1beta/models/{ASKED['model']}:generateContent"
