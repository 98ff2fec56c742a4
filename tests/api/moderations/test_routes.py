"""`POST /moderations`, from the caller to Google and back."""

import base64
from typing import Any

import httpx
import orjson
import pytest
from openai.types import ModerationCreateResponse
from openai.types.moderation import Moderation
from openai.types.moderation_create_params import ModerationCreateParams
from openai.types.moderation_model import ModerationModel
from tests.support.decisions import DECIDER, USAGE, decides
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle, failure, overloaded
from tests.support.vertex import vertex_gateway

from gemgate.api.moderations.categories import CATEGORIES
from gemgate.api.moderations.wire import OPENAI_MODELS, PARAMETERS, ModerationRequest
from gemgate.emulator.validation import violations

pytestmark = pytest.mark.slow

Json = dict[str, Any]
GENERAL = "gemini-3.5-flash-lite"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
NO_API = failure(404, "models/gemini-decision-1 is not found.", reason="NOT_FOUND")
BLOCKED_METHOD = failure(
    403,
    "Requests to this API generativelanguage.googleapis.com method google.x are blocked.",
    reason="PERMISSION_DENIED",
)
MANY = {"input": ["a", "b", "c"]}


def scores(value: float = 0.2, **others: float) -> Json:
    """What a general model says, as the JSON that was asked for."""
    text = orjson.dumps({category.id: others.get(category.id, value) for category in CATEGORIES}).decode()
    return {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 8, "totalTokenCount": 17},
        "modelVersion": GENERAL,
    }


def without_decisions(refusal: httpx.Response, answer: Answer) -> Any:
    """An account that has a general model alone."""

    def google(request: httpx.Request) -> Any:
        is_decision = request.url.path.endswith("/decisions")
        return httpx.Response(refusal.status_code, content=refusal.content) if is_decision else answer

    return google


async def judge(google: FakeGoogle | Answer, *bodies: Json, **settings: Any) -> list[httpx.Response]:
    fake = google if isinstance(google, FakeGoogle) else FakeGoogle(google)
    async with in_process(gateway_app(fake, **settings)) as client:
        return [await client.post("/v1/moderations", json={"input": "Hello", **body}) for body in bodies]


async def judged(google: FakeGoogle | Answer, body: Json | None = None, **settings: Any) -> Json:
    (response,) = await judge(google, body or {}, **settings)
    assert response.status_code == 200, response.text
    ModerationCreateResponse.model_validate(response.json())
    return dict(response.json())


def error_of(response: httpx.Response) -> tuple[int, Any, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def test_every_field_has_a_fate_and_the_official_client_is_known() -> None:
    assert set(PARAMETERS) == set(ModerationRequest.model_fields)
    assert set(ModerationCreateParams.__annotations__) <= set(PARAMETERS)
    assert set(ModerationModel.__args__) <= set(OPENAI_MODELS)  # type: ignore[attr-defined]


def test_the_categories_are_openais() -> None:
    official = [field.alias or name for name, field in type_of("categories").model_fields.items()]
    assert sorted(official) == sorted(category.name for category in CATEGORIES)
    applied = type_of("category_applied_input_types").model_fields
    for category in CATEGORIES:
        field = next(field for name, field in applied.items() if (field.alias or name) == category.name)
        assert tuple(field.annotation.__args__[0].__args__) == category.kinds


def type_of(name: str) -> Any:
    return Moderation.model_fields[name].annotation


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_a_text_is_thirteen_questions_and_one_result(prefix: str) -> None:
    google = FakeGoogle(decides(lambda _, name: 0.93 if name == "violence_graphic" else 0.01))
    async with in_process(gateway_app(google)) as client:
        response = await client.post(f"{prefix}/moderations", json={"input": "Blood everywhere"})
    ((path, asked),) = google.calls
    assert path == "decisions"
    assert (asked["model"], asked["input"]) == (DECIDER, "Blood everywhere")
    assert len(asked["questions"]) == 13
    assert all(each["type"] == "noul" and each["instructions"] for each in asked["questions"].values())
    body = response.json()
    (result,) = body["results"]
    assert response.headers["x-gemgate-model"] == DECIDER
    assert "x-gemgate-adjusted" not in response.headers
    assert (body["model"], body["id"][:5]) == ("omni-moderation-latest", "modr-")
    assert result["flagged"] is True
    assert [name for name, is_true in result["categories"].items() if is_true] == ["violence/graphic"]
    assert result["category_scores"]["violence/graphic"] == 0.93
    assert set(map(tuple, result["category_applied_input_types"].values())) == {("text",)}


async def test_each_text_is_judged_alone_and_results_are_in_order() -> None:
    google = FakeGoogle(decides(lambda text, _: 0.9 if text == "b" else 0.01))
    results = (await judged(google, MANY))["results"]
    assert [result["flagged"] for result in results] == [False, True, False]
    assert [body["input"] for body in google.bodies] == ["a", "b", "c"]


async def test_no_more_than_eight_texts_are_judged_at_once() -> None:
    google = FakeGoogle(decides())
    assert len((await judged(google, {"input": [f"t{number}" for number in range(30)]}))["results"]) == 30
    assert google.max_at_once <= 8


async def test_parts_are_one_input_with_an_image() -> None:
    google = FakeGoogle(decides())
    body = await judged(google, {"input": [{"type": "text", "text": "Look"}, IMAGE]})
    assert google.bodies[0]["input"] == [
        {"type": "text", "text": "Look"},
        {"type": "image", "data": PNG, "mime_type": "image/png"},
    ]
    (result,) = body["results"]
    applied = result["category_applied_input_types"]
    assert (applied["violence"], applied["hate"]) == (["text", "image"], ["text"])


async def test_an_image_alone_is_judged_by_the_categories_for_images() -> None:
    google = FakeGoogle(decides(lambda *_: 0.9))
    (result,) = (await judged(google, {"input": [IMAGE]}))["results"]
    assert sorted(google.bodies[0]["questions"]) == [
        "self-harm", "self-harm_instructions", "self-harm_intent", "sexual", "violence", "violence_graphic",
    ]  # fmt: skip
    assert result["category_applied_input_types"]["hate"] == []
    assert (result["category_scores"]["hate"], result["categories"]["hate"]) == (0.0, False)
    assert result["category_scores"]["sexual"] == 0.9


@pytest.mark.parametrize(("threshold", "flagged"), [(0.4, True), (0.6, False)])
async def test_the_threshold_is_the_operators(threshold: float, flagged: bool) -> None:
    (result,) = (await judged(decides(lambda *_: 0.5), moderation_threshold=threshold))["results"]
    assert result["flagged"] is flagged


@pytest.mark.parametrize("refusal", [NO_API, BLOCKED_METHOD])
@pytest.mark.parametrize("settings", [{}, {"gemini_api_key": "key-of-the-gateway", "client_keys": ("caller-key",)}])
async def test_without_the_api_a_general_model_judges_which_is_told_and_remembered(
    refusal: httpx.Response, settings: Json
) -> None:
    google = FakeGoogle(without_decisions(refusal, scores(0.2, sexual=0.8)))
    first, second = await judge(google, MANY, {"input": "d"}, **settings)
    assert [response.status_code for response in (first, second)] == [200, 200], first.text
    paths = [path for path, _ in google.calls]
    decisions = paths.count("decisions")
    assert decisions <= 2
    assert paths[decisions:] == [f"models/{GENERAL}:generateContent"] * 4
    for response in (first, second):
        assert response.headers["x-gemgate-adjusted"] == "moderation=prompted"
        assert response.headers["x-gemgate-model"] == GENERAL
    assert [result["categories"]["sexual"] for result in first.json()["results"]] == [True] * 3
    assert second.json()["results"][0]["category_scores"]["hate"] == 0.2


async def test_a_prompted_judgement_is_a_schema_with_filters_off() -> None:
    google = FakeGoogle(scores())
    await judged(google, {"model": GENERAL, "input": [{"type": "text", "text": "Look"}, IMAGE]})
    (body,) = google.bodies
    assert violations("GenerateContentRequest", body) == []
    assert len(body["generationConfig"]["responseJsonSchema"]["required"]) == 13
    assert {each["threshold"] for each in body["safetySettings"]} == {"BLOCK_NONE"}
    assert body["contents"][0]["parts"][1]["inlineData"]["data"] == PNG
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "MINIMAL"}


async def test_the_lack_of_one_callers_account_concerns_no_other() -> None:
    def google(request: httpx.Request) -> Any:
        if request.headers["x-goog-api-key"] == "poor":
            return without_decisions(NO_API, scores())(request)
        return decides()(request)

    async with in_process(gateway_app(FakeGoogle(google))) as client:
        models = []
        for key in ("poor", "rich", "poor"):
            headers = {"authorization": f"Bearer {key}"}
            response = await client.post("/v1/moderations", json={"input": "a"}, headers=headers)
            models.append(response.headers["x-gemgate-model"])
    assert models == [GENERAL, DECIDER, GENERAL]


async def test_the_other_spelling_of_the_model_is_found_once() -> None:
    def google(request: httpx.Request) -> Any:
        if orjson.loads(request.content)["model"] != f"models/{DECIDER}":
            return failure(
                400, "* CreateDecisionRequest.model: unexpected model name format", reason="INVALID_ARGUMENT"
            )
        return decides()(request)

    fake = FakeGoogle(google)
    answers = await judge(fake, MANY, {})
    assert {answer.headers["x-gemgate-model"] for answer in answers} == {DECIDER}
    assert [body["model"] for body in fake.bodies] == [DECIDER, *[f"models/{DECIDER}"] * 4]


async def test_an_overloaded_judge_is_an_error_and_no_other_judge() -> None:
    google = FakeGoogle(overloaded())
    (response,) = await judge(google, {}, retries=0)
    assert response.status_code == 503
    assert {path for path, _ in google.calls} == {"decisions"}


async def test_the_operators_table_goes_before_openais_names() -> None:
    google = FakeGoogle(without_decisions(overloaded(), scores()))
    (response,) = await judge(google, {}, models=f"omni-moderation-latest={DECIDER},{GENERAL}", retries=0)
    assert response.headers["x-gemgate-model"] == GENERAL


@pytest.mark.parametrize("model", [None, GENERAL])
async def test_what_google_blocks_is_flagged_with_its_reason(model: str | None) -> None:
    blocked = {"prompt_feedback": {"block_reason": "prohibited_content"}, "usage": USAGE}
    if model:
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    (result,) = (await judged(blocked, {"model": model}))["results"]
    assert result["flagged"] is True
    assert set(result["category_scores"].values()) == {0.0}
    assert "prohibited_content" in orjson.dumps(result["extra_content"]["google"]).decode().lower()


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (None, {"answers": {}}),
        (None, {"answers": {"hate": {"type": "noul", "noul": 0.4}}}),
        (None, {"answers": {"hate": {"type": "noul", "noul": "high"}}}),
        (GENERAL, {"candidates": [{"content": {"parts": [{"text": "I cannot"}]}, "finishReason": "STOP"}]}),
        (GENERAL, {"candidates": [{"content": {"parts": [{"text": '{"hate": "much"}'}]}, "finishReason": "STOP"}]}),
        (GENERAL, {"candidates": [{"content": {"parts": []}, "finishReason": "MAX_TOKENS"}]}),
    ],
)
async def test_a_judgement_that_cannot_be_read_is_an_error(model: str | None, answer: Json) -> None:
    (response,) = await judge(answer, {"model": model}, retry_empty=False)
    assert response.status_code == 502


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": ""}, (400, "invalid_value", "input")),
        ({"input": [" "]}, (400, "invalid_value", "input[0]")),
        ({"input": []}, (400, "array_below_min_length", "input")),
        ({"input": ["a"] * 257}, (400, "array_above_max_length", "input")),
        ({"input": {"a": 1}}, (400, "invalid_type", "input")),
        ({"input": [{"type": "input_audio", "input_audio": {"data": "x"}}]}, (400, "invalid_value", "input[0].type")),
        ({"input": [{"type": "text", "text": ""}]}, (400, "invalid_value", "input")),
        ({"model": ""}, (400, "string_below_min_length", "model")),
        ({"model": "gemini-embedding-001"}, (400, "model_not_supported", "model")),
        ({"input": [{"type": "image_url", "image_url": {"url": "data:text/plain,x"}}]}, (400, None, None)),
    ],
)
async def test_what_cannot_be_judged_is_refused_by_name(body: Json, expected: Any) -> None:
    google = FakeGoogle(decides())
    (response,) = await judge(google, body)
    found = error_of(response)
    assert found[0] == expected[0]
    assert expected[2] is None or found == expected
    assert google.requests == []


@pytest.mark.parametrize(("model", "path"), [(None, "/v1beta/decisions"), (GENERAL, f"/v1beta/models/{GENERAL}")])
async def test_a_dry_run_shows_the_native_request_and_calls_nobody(model: str | None, path: str) -> None:
    google = FakeGoogle()
    async with in_process(gateway_app(google)) as client:
        body = {"model": model, **MANY}
        response = await client.post("/v1/moderations", json=body, headers={"x-gemgate-dry-run": "true"})
    shown = response.json()
    assert shown["path"].startswith(path)
    assert (shown["calls"], google.requests) == (3, [])
    assert bool(shown["body"].get("questions")) is (model is None)


async def test_before_vertex_ai_the_general_model_judges_and_a_dry_run_says_so() -> None:
    seen: list[str] = []

    def google(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(503, json={"error": {"code": 503, "message": "Later.", "status": "UNAVAILABLE"}})

    async with vertex_gateway(google, retries=0) as client:
        shown = await client.post("/v1/moderations", json=MANY, headers={"x-gemgate-dry-run": "true"})
        assert seen == []
        await client.post("/v1/moderations", json=MANY)
    assert shown.json()["path"].startswith("/v1/projects/my-project/locations/global/publishers/google/models/gemini-")
    assert set(seen) == {shown.json()["path"]}


async def test_a_file_of_somebody_else_cannot_be_named() -> None:
    google = FakeGoogle(decides())
    url = "https://generativelanguage.googleapis.com/v1beta/files/theirs"
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    settings: Json = {"gemini_api_key": "key-of-the-gateway", "client_keys": ("caller-key",)}
    (response,) = await judge(google, {"input": parts}, **settings)
    assert (response.status_code, google.requests) == (404, [])
