"""The emulator as Vertex AI: its paths, its tokens, its refusals, and the form of its answers."""

from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from tests.emulator.support import TIME, WEATHER, functions, said
from tests.support.clock import FakeClock

PLACE = "/v1/projects/a-project/locations/global"
FLASH = f"{PLACE}/publishers/google/models/gemini-2.5-flash"
PRO = f"{PLACE}/publishers/google/models/gemini-3-flash-preview"


def error(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.json()["error"]
    return found


def reason(response: httpx.Response) -> str:
    return next((str(one["reason"]) for one in error(response).get("details", []) if "reason" in one), "")


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("location", ["global", "us", "eu", "us-central1", "europe-west4"])
async def test_an_answer_has_the_form_of_vertex(vertex: httpx.AsyncClient, version: str, location: str) -> None:
    path = f"/{version}/projects/a-project/locations/{location}/publishers/google/models/gemini-2.5-flash"
    response = await vertex.post(f"{path}:generateContent", json=said("Hello", labels={"team": "a"}))
    assert response.status_code == 200, response.text
    assert "x-gemini-service-tier" not in response.headers
    answer = response.json()
    assert answer["createTime"] == "2026-09-21T14:13:20.000000Z"
    assert answer["usageMetadata"]["trafficType"] == "ON_DEMAND"
    assert "serviceTier" not in answer["usageMetadata"]
    assert "index" not in answer["candidates"][0]


async def test_events_of_a_stream_have_it_too_and_count_tokens_at_the_end(vertex: httpx.AsyncClient) -> None:
    response = await vertex.post(f"{FLASH}:streamGenerateContent?alt=sse", json=said("Tell me a long story"))
    events = [orjson.loads(line.removeprefix("data: ")) for line in response.text.split("\r\n\r\n") if line]
    assert len(events) > 1
    assert all("createTime" in event for event in events)
    assert [set(event["usageMetadata"]) == {"trafficType"} for event in events] == [True] * (len(events) - 1) + [False]


@pytest.mark.parametrize(
    ("location", "asked", "traffic"),
    [("global", "priority", "ON_DEMAND_PRIORITY"), ("global", "flex", "ON_DEMAND_FLEX"), ("us", "flex", "ON_DEMAND")],
)
async def test_a_header_asks_for_another_lane_which_is_there_at_the_global_endpoint(
    vertex: httpx.AsyncClient, location: str, asked: str, traffic: str
) -> None:
    response = await vertex.post(
        FLASH.replace("global", location) + ":generateContent",
        json=said("Hello"),
        headers={"X-Vertex-AI-LLM-Shared-Request-Type": asked},
    )
    assert response.json()["usageMetadata"]["trafficType"] == traffic


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/projects/a-project/locations/us-central9/publishers/google/models/gemini-2.5-flash:generateContent", 404),
        ("/v1beta/projects/a-project/locations/global/publishers/google/models/gemini-2.5-flash:generateContent", 404),
        ("/v1/projects/a-project/locations/global/publishers/google/models/gemini-2.5-flash:guess", 404),
    ],
)
async def test_a_wrong_path_is_a_page_of_html(vertex: httpx.AsyncClient, path: str, status: int) -> None:
    response = await vertex.post(path, json=said("Hello"))
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=UTF-8")


@pytest.mark.parametrize("model", ["gemini-9-nonsense", "gemini-3-flash-preview"])
async def test_a_model_that_is_not_in_a_region_is_not_found_there(vertex: httpx.AsyncClient, model: str) -> None:
    resource = f"projects/a-project/locations/us-central1/publishers/google/models/{model}"
    response = await vertex.post(f"/v1/{resource}:generateContent", json=said("Hello"))
    assert response.status_code == 404
    assert error(response)["message"].startswith(f"Publisher Model `{resource}` was not found")


async def test_an_endpoint_of_the_project_answers_in_its_region_only(vertex: httpx.AsyncClient) -> None:
    path = "/v1/projects/a-project/locations/{}/endpoints/1234567890:generateContent"
    assert (await vertex.post(path.format("us-central1"), json=said("Hello"))).status_code == 200
    assert (await vertex.post(path.format("global"), json=said("Hello"))).status_code == 404


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": ""}, "CREDENTIALS_MISSING"),
        ({"authorization": "", "x-goog-api-key": "AIzaSomething"}, "CREDENTIALS_MISSING"),
        ({"authorization": "Bearer AIzaSomething"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ({"authorization": "Bearer ya29.emulator-7-nobody-issued-it"}, "ACCESS_TOKEN_EXPIRED"),
    ],
)
async def test_what_is_no_good_token_is_a_401_with_its_reason(
    vertex: httpx.AsyncClient, headers: dict[str, str], expected: str
) -> None:
    response = await vertex.post(f"{FLASH}:generateContent", json=said("Hello"), headers=headers)
    assert (response.status_code, error(response)["status"], reason(response)) == (401, "UNAUTHENTICATED", expected)
    info = error(response)["details"][0]
    assert info["metadata"] == {
        "method": "google.cloud.aiplatform.v1.PredictionService.GenerateContent",
        "service": "aiplatform.googleapis.com",
    }


@pytest.mark.parametrize(
    ("scenario", "status", "expected"),
    [("401", 401, "ACCESS_TOKEN_EXPIRED"), ("403", 403, "SERVICE_DISABLED"), ("403-iam", 403, "IAM_PERMISSION_DENIED")],
)
async def test_refusals_of_a_scenario_are_in_vertexs_words(
    vertex: httpx.AsyncClient, scenario: str, status: int, expected: str
) -> None:
    response = await vertex.post(
        f"{FLASH}:generateContent", json=said("Hello"), headers={"x-emulator-scenario": scenario}
    )
    assert (response.status_code, reason(response)) == (status, expected)
    assert "generativelanguage" not in response.text


async def test_a_busy_pool_is_a_429_without_quotas(vertex: httpx.AsyncClient) -> None:
    response = await vertex.post(f"{FLASH}:generateContent", json=said("[[emulator: 429]]"))
    assert (response.status_code, "details" in error(response)) == (429, False)
    assert error(response)["message"].startswith("Resource exhausted")


CALL = {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}, "id": "a"}}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {}, "id": "a"}}]}
ASKED = {"role": "user", "parts": [{"text": "The weather?"}]}


@pytest.mark.parametrize(
    ("body", "name", "place"),
    [
        (said("Hello", store=True), "store", ""),
        ({"contents": [ASKED, CALL]}, "id", "contents[1].parts[0].function_call"),
        ({"contents": [ASKED, RESULT]}, "id", "contents[1].parts[0].function_response"),
        (
            said("Hello", toolConfig={"includeServerSideToolInvocations": True}),
            "includeServerSideToolInvocations",
            "tool_config",
        ),
        (
            said("Hello", tool_config={"include_server_side_tool_invocations": True}),
            "include_server_side_tool_invocations",
            "tool_config",
        ),
        (said("Hello", tools=[{"fileSearch": {"fileSearchStoreNames": ["a"]}}]), "fileSearch", "tools[0]"),
        ({"contents": [{"parts": [{"text": "a", "partMetadata": {}}]}]}, "partMetadata", "contents[0].parts[0]"),
    ],
)
async def test_names_of_the_developer_api_are_unknown(
    vertex: httpx.AsyncClient, body: dict[str, Any], name: str, place: str
) -> None:
    response = await vertex.post(f"{FLASH}:generateContent", json=body)
    assert response.status_code == 400
    where = f" at '{place}'" if place else ""
    said_first = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
    assert error(response)["message"].split("\n")[0] == said_first


async def test_calls_have_no_ids_and_signatures_come_back(vertex: httpx.AsyncClient) -> None:
    body = said("What is the weather in Paris?", tools=functions(WEATHER))
    answer = (await vertex.post(f"{PRO}:generateContent", json=body)).json()
    turn = answer["candidates"][0]["content"]
    call = next(part for part in turn["parts"] if "functionCall" in part)
    assert "id" not in call["functionCall"]
    result = {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 21}}}]}
    body["contents"] += [turn, result]
    assert (await vertex.post(f"{PRO}:generateContent", json=body)).status_code == 200


async def test_signatures_are_good_where_they_were_made_and_nowhere_else(
    app: Starlette, vertex: httpx.AsyncClient
) -> None:
    body = said("What is the weather in Paris?", tools=functions(WEATHER))
    developer = "/v1beta/models/gemini-3-flash-preview:generateContent"
    key = {"authorization": "", "x-goog-api-key": "k"}
    here = (await vertex.post(f"{PRO}:generateContent", json=body)).json()["candidates"][0]["content"]
    there = (await vertex.post(developer, json=body, headers=key)).json()["candidates"][0]["content"]
    for part in there["parts"]:
        part.get("functionCall", {}).pop("id", None)
    result = {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 21}}}]}
    foreign = await vertex.post(f"{PRO}:generateContent", json={**body, "contents": [*body["contents"], there, result]})
    assert (foreign.status_code, "Thought signature is not valid" in foreign.text) == (400, True)
    back = await vertex.post(developer, json={**body, "contents": [*body["contents"], here, result]}, headers=key)
    assert (back.status_code, "Thought signature is not valid" in back.text) == (400, True)


@pytest.mark.parametrize(
    ("signature", "status"), [("skip_thought_signature_validator", 200), ("context_engineering_is_the_way_to_go", 400)]
)
async def test_one_placeholder_for_a_signature_is_taken(vertex: httpx.AsyncClient, signature: str, status: int) -> None:
    call = {"functionCall": {"name": "get_weather", "args": {}}, "thoughtSignature": signature}
    result = {"functionResponse": {"name": "get_weather", "response": {"t": 21}}}
    body = {
        "contents": [ASKED, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}],
        "tools": functions(WEATHER),
    }
    assert (await vertex.post(f"{PRO}:generateContent", json=body)).status_code == status
    del call["thoughtSignature"]
    missing = await vertex.post(f"{PRO}:generateContent", json=body)
    assert "function call `get_weather` in the 2. content block is missing a `thought_signature`" in missing.text


async def test_built_in_tools_go_with_functions_unasked(vertex: httpx.AsyncClient) -> None:
    tools = [*functions(TIME), {"googleSearch": {"excludeDomains": ["a.example"]}}]
    response = await vertex.post(f"{PRO}:generateContent", json=said("Who won?", tools=tools))
    assert response.status_code == 200, response.text
    assert "toolCall" not in response.text


async def test_tokens_are_counted_with_the_system_instruction_at_the_top(vertex: httpx.AsyncClient) -> None:
    plain = (await vertex.post(f"{FLASH}:countTokens", json=said("Hello"))).json()
    more = said("Hello", systemInstruction={"parts": [{"text": "Be brief."}]}, generationConfig={})
    assert (await vertex.post(f"{FLASH}:countTokens", json=more)).json()["totalTokens"] > plain["totalTokens"]
    wrapped = {"generateContentRequest": {"model": "models/gemini-2.5-flash", **said("Hello")}}
    refused = await vertex.post(f"{FLASH}:countTokens", json=wrapped)
    assert 'Unknown name "generateContentRequest"' in error(refused)["message"]


async def test_texts_are_embedded_by_predict_and_by_embed_content(vertex: httpx.AsyncClient) -> None:
    models = f"{PLACE}/publishers/google/models"
    body = {
        "instances": [{"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "t"}, {"content": "b"}],
        "parameters": {"outputDimensionality": 256, "autoTruncate": True},
    }
    predicted = (await vertex.post(f"{models}/gemini-embedding-001:predict", json=body)).json()["predictions"]
    assert [len(one["embeddings"]["values"]) for one in predicted] == [256, 256]
    assert predicted[0]["embeddings"]["statistics"] == {"truncated": False, "token_count": 1}
    content = {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": 256}}
    one = await vertex.post(f"{models}/gemini-embedding-2:embedContent", json=content)
    assert len(one.json()["embedding"]["values"]) == 256
    many = await vertex.post(f"{models}/gemini-embedding-2:batchEmbedContents", json={"requests": [content, content]})
    assert len(many.json()["embeddings"]) == 2
    old = await vertex.post(f"{models}/gemini-embedding-001:embedContent", json=content)
    assert len(old.json()["embedding"]["values"]) == 256
    assert (await vertex.post(f"{models}/gemini-embedding-2:predict", json=body)).status_code == 404


async def test_imagen_paints_by_predict(vertex: httpx.AsyncClient) -> None:
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1, "addWatermark": True}}
    path = f"{PLACE}/publishers/google/models/imagen-4.0-generate-001:predict"
    found = await vertex.post(path, json=body)
    assert [one["mimeType"] for one in found.json()["predictions"]] == ["image/png"], found.text


async def test_express_mode_takes_a_key_and_no_project(vertex: httpx.AsyncClient) -> None:
    path = "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    with_key = {"authorization": "", "x-goog-api-key": "AIzaSomething"}
    assert (await vertex.post(path, json=said("Hello"), headers=with_key)).status_code == 200
    assert (await vertex.post(path, json=said("Hello"), headers={"authorization": ""})).status_code == 401


async def test_the_list_of_models_has_names_and_no_limits(vertex: httpx.AsyncClient) -> None:
    listed = (await vertex.get("/v1beta1/publishers/google/models")).json()["publisherModels"]
    assert "publishers/google/models/gemini-2.5-flash" in [one["name"] for one in listed]
    assert "inputTokenLimit" not in listed[0]


async def test_a_machine_gets_its_token_until_it_nears_its_end(
    app: Starlette, vertex: httpx.AsyncClient, clock: FakeClock
) -> None:
    path, flavor = "/computeMetadata/v1/instance/service-accounts/default/token", {"metadata-flavor": "Google"}
    assert (await vertex.get(path)).status_code == 403
    first = (await vertex.get(path, headers=flavor)).json()
    clock.advance(3200)
    second = (await vertex.get(path, headers=flavor)).json()
    assert (second["access_token"], second["expires_in"]) == (first["access_token"], 399)
    bearer = {"authorization": f"Bearer {first['access_token']}"}
    assert (await vertex.post(f"{FLASH}:generateContent", json=said("Hello"), headers=bearer)).status_code == 200
    clock.advance(399)
    assert (await vertex.post(f"{FLASH}:generateContent", json=said("Hello"), headers=bearer)).status_code == 401
    assert (await vertex.get(path, headers=flavor)).json()["access_token"] != first["access_token"]
    root = await vertex.get("/", headers=flavor)
    assert (root.status_code, root.headers["metadata-flavor"]) == (200, "Google")
    assert (await vertex.get("/")).status_code == 404


async def test_the_token_endpoint_reads_assertions(vertex: httpx.AsyncClient) -> None:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "not-one"}
    refused = await vertex.post("/token", data=grant)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    refreshed = await vertex.post("/token", data={"grant_type": "refresh_token", "refresh_token": "r"})
    assert refreshed.json()["access_token"].startswith("ya29.")


async def test_a_cache_is_of_its_place_and_has_a_whole_name(vertex: httpx.AsyncClient) -> None:
    contents = [{"role": "user", "parts": [{"text": "The sky is blue. " * 500}]}]
    body = {"model": FLASH.removeprefix("/v1/"), "contents": contents, "ttl": "60s"}
    made = await vertex.post(f"{PLACE}/cachedContents", json=body)
    name, number = made.json()["name"], made.json()["name"].split("/")[1]
    assert number.isdecimal()
    assert (await vertex.get(f"/v1/{name}")).json() == (await vertex.get(f"/v1beta1/{name}")).json() == made.json()
    for elsewhere in (name.replace("/global/", "/us/"), name.replace(number, "another-project")):
        refused = await vertex.get(f"/v1/{elsewhere}")
        assert (refused.status_code, error(refused)["status"]) == (404, "NOT_FOUND")
    used = await vertex.post(f"{FLASH}:generateContent", json=said("What colour?", cachedContent=name))
    assert used.json()["usageMetadata"]["cachedContentTokenCount"] > 1000
    assert (await vertex.post(f"{FLASH}:generateContent", json=said("?", cachedContent="cachedContents/1"))).is_error
    assert [each["name"] for each in (await vertex.get(f"{PLACE}/cachedContents")).json()["cachedContents"]] == [name]
    listed = await vertex.get("/v1beta/cachedContents", headers={"x-goog-api-key": "AIza-any"})
    assert name.rpartition("/")[2] not in listed.text
    assert (await vertex.delete(f"/v1/{name}")).json() == {}
    assert (await vertex.get(f"{PLACE}/cachedContents")).json() == {}


@pytest.mark.parametrize("model", ["models/gemini-2.5-flash", "", FLASH.removeprefix("/v1/").replace("global", "eu")])
async def test_the_model_of_a_cache_is_named_whole_and_in_its_place(vertex: httpx.AsyncClient, model: str) -> None:
    refused = await vertex.post(f"{PLACE}/cachedContents", json={"model": model, **said("The sky. " * 2000)})
    assert (refused.status_code, error(refused)["status"]) == (400, "INVALID_ARGUMENT")
