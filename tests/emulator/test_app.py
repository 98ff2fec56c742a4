from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, config, said

from gemgate.emulator.state import KEPT_BYTES, EmulatorState
from gemgate.emulator.timing import QuotaLimits

MODEL = "gemini-2.5-flash"
URL = f"/v1beta/models/{MODEL}:generateContent"


@pytest.fixture
async def anonymous(app: Starlette) -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://emulator") as client:
        yield client


class TestCredentials:
    @pytest.mark.parametrize(
        ("headers", "query"),
        [
            ({"x-goog-api-key": "k"}, ""),
            ({}, "?key=k"),
            ({"x-goog-api-key": "k"}, "?key=k"),
            ({"authorization": "Bearer ya29.token"}, ""),
        ],
    )
    async def test_one_credential_is_enough(
        self, anonymous: httpx.AsyncClient, headers: dict[str, str], query: str
    ) -> None:
        assert (await anonymous.post(URL + query, json=said("Hi"), headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        ("headers", "query", "status", "message"),
        [
            ({}, "", 403, "Method doesn't allow unregistered callers"),
            ({"x-goog-api-key": "k", "authorization": "Bearer t"}, "", 400, "Multiple authentication credentials"),
            ({"authorization": "Bearer t"}, "?key=k", 400, "Multiple authentication credentials"),
            ({"x-goog-api-key": "a"}, "?key=b", 400, "Multiple authentication credentials"),
            ({"authorization": "Bearer AIzaSomething"}, "", 401, "API keys are not supported by this API."),
            ({"authorization": "Bearer invalid"}, "", 401, "API keys are not supported by this API."),
            ({"authorization": "Basic x"}, "", 401, "invalid authentication credentials"),
            ({"authorization": "Bearer "}, "", 401, "invalid authentication credentials"),
            ({"x-goog-api-key": "invalid"}, "", 400, "API key not valid. Please pass a valid API key."),
            ({"x-goog-api-key": "expired"}, "", 400, "API key expired."),
        ],
    )
    async def test_other_credentials_are_refused(
        self, anonymous: httpx.AsyncClient, headers: dict[str, str], query: str, status: int, message: str
    ) -> None:
        for ask in (anonymous.post(URL + query, json=said("Hi"), headers=headers),):
            response = await ask
            assert response.status_code == status
            assert message in response.json()["error"]["message"]

    async def test_a_wrong_key_says_so_in_details(self, anonymous: httpx.AsyncClient) -> None:
        response = await anonymous.get("/v1beta/models", headers={"x-goog-api-key": "invalid"})
        info, localized = response.json()["error"]["details"]
        assert info["reason"] == "API_KEY_INVALID"
        assert localized["locale"] == "en-US"

    @pytest.mark.parametrize("path", ["models", f"models/{MODEL}", "cachedContents"])
    async def test_every_path_wants_a_credential(self, anonymous: httpx.AsyncClient, path: str) -> None:
        assert (await anonymous.get(f"/v1beta/{path}")).status_code == 403


class TestModels:
    async def test_models_are_listed_in_pages(self, emulator: Emulator) -> None:
        names: list[str] = []
        token = ""
        while True:
            page = (await emulator.client.get(f"/v1beta/models?pageSize=10&pageToken={token}")).json()
            names += [model["name"] for model in page["models"]]
            if not (token := page.get("nextPageToken", "")):
                break
        assert len(names) == len(set(names)) > 30
        assert {"models/gemini-2.5-flash", "models/gemini-flash-latest", "models/gemini-4-argon"} <= set(names)

    async def test_fifty_models_come_unasked_and_a_thousand_at_most(self, emulator: Emulator) -> None:
        first = (await emulator.client.get("/v1beta/models")).json()
        assert len(first["models"]) == 50
        rest = (await emulator.client.get(f"/v1beta/models?pageToken={first['nextPageToken']}")).json()
        whole = (await emulator.client.get("/v1beta/models?pageSize=5000")).json()
        assert first["models"] + rest["models"] == whole["models"]
        assert "nextPageToken" not in rest
        assert "nextPageToken" not in whole

    @pytest.mark.parametrize(
        ("name", "methods"),
        [
            ("gemini-embedding-2", ["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]),
            ("gemini-3-pro-image", ["generateContent", "countTokens", "batchGenerateContent"]),
            ("imagen-4.0-fast-generate-001", ["predict"]),
            ("veo-3.1-generate-preview", ["predictLongRunning"]),
            ("gemini-3.1-flash-live-preview", ["bidiGenerateContent"]),
        ],
    )
    async def test_the_methods_of_models_are_listed(self, emulator: Emulator, name: str, methods: list[str]) -> None:
        model = (await emulator.client.get(f"/v1beta/models/{name}")).json()
        assert model["supportedGenerationMethods"] == methods

    async def test_a_model_is_described(self, emulator: Emulator) -> None:
        model = (await emulator.client.get("/v1beta/models/gemini-2.5-flash")).json()
        assert model["name"] == "models/gemini-2.5-flash"
        assert model["inputTokenLimit"] == 1048576
        assert model["thinking"] is True
        assert "generateContent" in model["supportedGenerationMethods"]

    async def test_vectors_have_no_temperature(self, emulator: Emulator) -> None:
        model = (await emulator.client.get("/v1beta/models/gemini-embedding-001")).json()
        assert "temperature" not in model
        assert "thinking" not in model

    @pytest.mark.parametrize("query", ["pageSize=x", "pageToken=x", "pageToken=²"])
    async def test_pages_have_numbers(self, emulator: Emulator, query: str) -> None:
        assert (await emulator.client.get(f"/v1beta/models?{query}")).status_code == 400

    async def test_an_unknown_model_is_not_found(self, emulator: Emulator) -> None:
        assert (await emulator.client.get("/v1beta/models/none")).status_code == 404
        assert await emulator.refused("none", said("Hi"), status=404) == (
            "models/none is not found for API version v1beta, or is not supported for generateContent. "
            "Call ModelService.ListModels to see the list of available models and their supported methods."
        )

    async def test_a_model_without_the_method_is_not_found_for_it(self, emulator: Emulator) -> None:
        message = await emulator.refused("gemini-embedding-001", said("Hi"), status=404)
        assert "not supported for generateContent" in message

    async def test_the_name_of_a_model_has_a_form(self, emulator: Emulator) -> None:
        assert "unexpected model name format" in await emulator.refused("gemini 2.5", said("Hi"))

    async def test_aliases_are_for_v1beta(self, emulator: Emulator) -> None:
        path = "models/gemini-flash-latest:generateContent"
        assert (await emulator.client.post(f"/v1beta/{path}", json=said("Hi"))).status_code == 200
        assert (await emulator.client.post(f"/v1/{path}", json=said("Hi"))).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v2/models"),
        ("POST", "/v1beta/models/gemini-2.5-flash"),
        ("POST", "/v1beta/models/gemini-2.5-flash:sing"),
        ("DELETE", "/v1beta/models/gemini-2.5-flash"),
    ],
)
async def test_unknown_paths_are_a_page_of_html(emulator: Emulator, method: str, path: str) -> None:
    response = await emulator.client.request(method, path)
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


class TestBodies:
    async def test_what_is_no_json_is_refused(self, emulator: Emulator) -> None:
        response = await emulator.client.post(URL, content=b"{nope")
        assert response.status_code == 400
        assert response.json()["error"]["message"] == "Invalid JSON payload received. Unexpected token.\n{nope\n^"

    @pytest.mark.parametrize("body", [[], None, "x"])
    async def test_what_is_no_object_is_refused(self, emulator: Emulator, body: Any) -> None:
        assert "Root element must be a message" in await emulator.refused(MODEL, body)

    async def test_violations_come_as_text_and_as_details(self, emulator: Emulator) -> None:
        error = (await emulator.post(MODEL, config(foo=1) | {"bar": 2})).json()["error"]
        assert error["message"].count("Cannot find field.") == 2
        assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
        assert [each.get("field") for each in error["details"][0]["fieldViolations"]] == ["generation_config", None]

    async def test_missing_fields_come_as_text_only(self, emulator: Emulator) -> None:
        error = (await emulator.post(MODEL, {"contents": [{"parts": [{"fileData": {}}]}]})).json()["error"]
        assert error["message"].startswith("* GenerateContentRequest.contents[0].parts[0].file_data.file_uri")
        assert "details" not in error

    async def test_there_is_a_largest_body(self, emulator: Emulator, app: Starlette) -> None:
        app.state.emulator.limits = QuotaLimits(body=100)
        assert "Request payload size exceeds the limit" in await emulator.refused(MODEL, said("x" * 100))


class TestCountTokens:
    async def test_contents_are_counted(self, emulator: Emulator) -> None:
        response = await emulator.post(MODEL, said("Hello, world!"), "countTokens")
        assert response.json() == {"totalTokens": 4, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}]}

    async def test_a_whole_request_counts_instructions_and_tools(self, emulator: Emulator) -> None:
        whole = said(
            "Hi",
            model=f"models/{MODEL}",
            systemInstruction={"parts": [{"text": "Be brief"}]},
            tools=[{"googleSearch": {}}],
        )
        response = await emulator.post(MODEL, {"generateContentRequest": whole}, "countTokens")
        assert response.json()["totalTokens"] == 8

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "contents is not specified"),
            (said("Hi", systemInstruction={}), 'Unknown name "systemInstruction"'),
            (said("Hi", generateContentRequest=said("Hi")), "only one of contents and generate_content_request"),
            ({"generateContentRequest": said("Hi", model=MODEL)}, "unexpected model name format"),
        ],
    )
    async def test_wrong_counts_are_refused(self, emulator: Emulator, body: Any, message: str) -> None:
        assert message in await emulator.refused(MODEL, body, "countTokens")


class TestMemory:
    async def test_requests_are_kept_without_secrets(self, emulator: Emulator, app: Starlette) -> None:
        await emulator.client.post(f"{URL}?key=secret", json=said("Hi"), headers={"authorization": "Bearer secret"})
        (seen,) = app.state.emulator.requests
        assert seen.method == "POST"
        assert seen.path == URL
        assert seen.query == {}
        assert seen.body == said("Hi")
        assert seen.headers["authorization"] == seen.headers["x-goog-api-key"] == "***"
        assert "secret" not in str(seen)

    def test_old_requests_go_when_bodies_grow(self) -> None:
        state = EmulatorState()
        for _ in range(3):
            state.saw("POST", "/", {}, {}, None, KEPT_BYTES // 2)
        assert len(state.requests) == 2
        assert state.wait_for_requests(2)
        assert not state.wait_for_requests(3, timeout=0)
        assert not state.wait_for_disconnects(1, timeout=0)
