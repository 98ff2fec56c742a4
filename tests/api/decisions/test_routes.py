"""`POST /decisions`, from the caller to Google and back."""

from typing import Any, get_type_hints

import httpx
import pytest
from openai.types import Decision
from openai.types.decision_create_params import DecisionCreateParams
from tests.api.moderations.test_routes import IMAGE, NO_API, PNG
from tests.support.decisions import DECIDER, USAGE, decides
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle, overloaded
from tests.support.vertex import vertex_gateway

from gemgate.api.decisions.wire import PARAMETERS, DecisionRequest

pytestmark = pytest.mark.slow

Json = dict[str, Any]
YES = {"type": "predicate", "name": "polite", "instructions": "The text is polite."}
PICK = {
    "type": "choice",
    "instructions": [{"type": "input_text", "text": "Which?"}, {"type": "input_json", "data": {"a": 1}}],
    "choices": [{"value": "refund", "description": "Money back"}, {"value": "replace"}],
}
BOTH: Json = {"upstream": "gemini,vertex", "gemini_api_key": "key-of-the-gateway"}
RATE = {
    "type": "score",
    "name": "mood",
    "instructions": "How is the mood?",
    "levels": [{"label": "low"}, {"label": "high", "description": "Very good"}],
}


async def ask(google: FakeGoogle | Answer, body: Json | None = None, **settings: Any) -> httpx.Response:
    fake = google if isinstance(google, FakeGoogle) else FakeGoogle(google)
    async with in_process(gateway_app(fake, **settings)) as client:
        asked = {"model": "gpt-6-luna", "input": "Dear Sir", "questions": [YES], **(body or {})}
        return await client.post("/v1/decisions", json=asked)


async def asked(body: Json) -> Json:
    """The native request."""
    google = FakeGoogle(decides())
    response = await ask(google, body)
    assert response.status_code == 200, response.text
    return dict(google.bodies[0])


def error_of(response: httpx.Response) -> tuple[int, Any, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def test_every_field_has_a_fate_and_the_official_client_is_known() -> None:
    assert set(PARAMETERS) == set(DecisionRequest.model_fields)
    assert set(get_type_hints(DecisionCreateParams)) <= set(PARAMETERS)


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_questions_go_by_their_places_and_come_back_in_order(prefix: str) -> None:
    google = FakeGoogle(decides(lambda *_: 0.97))
    async with in_process(gateway_app(google)) as client:
        body = {"model": DECIDER, "input": "Dear Sir", "questions": [YES, PICK, RATE]}
        response = await client.post(f"{prefix}/decisions", json=body)
    ((path, native),) = google.calls
    assert path == "decisions"
    assert native == {
        "model": DECIDER,
        "input": "Dear Sir",
        "questions": {
            "q0": {"type": "noul", "instructions": "The text is polite."},
            "q1": {
                "type": "choice",
                "instructions": 'Which?\n{"a":1}',
                "criteria": {"refund": "Money back", "replace": ""},
            },
            "q2": {"type": "score", "instructions": "How is the mood?", "criteria": ["low", "high: Very good"]},
        },
    }
    Decision.model_validate(response.json())
    assert response.headers["x-gemgate-model"] == DECIDER
    assert response.json() == {
        "model": DECIDER,
        "answers": [
            {"type": "predicate", "name": "polite", "probability": 0.97},
            {
                "type": "choice",
                "name": None,
                "choice": "refund",
                "confidence": 0.9,
                "probabilities": [{"value": "refund", "probability": 0.9}, {"value": "replace", "probability": 0.1}],
            },
            {
                "type": "score",
                "name": "mood",
                "score": 0.1,
                "confidence": 0.9,
                "probabilities": [
                    {"label": "low", "value": 0, "probability": 0.9},
                    {"label": "high", "value": 1, "probability": 0.1},
                ],
            },
        ],
        "usage": {
            "input_tokens": 40,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 40,
        },
    }


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ([True, False], ["true", "false"]),
        ([True, "true"], ["option_0", "option_1"]),
        ([" a", "b"], ["option_0", "option_1"]),
        (["", "b"], ["option_0", "option_1"]),
        (["a\n", "b"], ["option_0", "option_1"]),
    ],
)
async def test_options_keep_their_types(values: list[Any], ids: list[str]) -> None:
    question = {**PICK, "choices": [{"value": value} for value in values]}
    google = FakeGoogle(decides())
    answer = (await ask(google, {"questions": [question]})).json()["answers"][0]
    assert list(google.bodies[0]["questions"]["q0"]["criteria"]) == ids
    assert answer["choice"] is values[0] or answer["choice"] == values[0]
    assert [each["value"] for each in answer["probabilities"]] == values
    assert [type(each["value"]) for each in answer["probabilities"]] == [type(value) for value in values]


async def test_messages_become_text_with_roles_and_images_stay_images() -> None:
    image = {"type": "input_image", "image_url": IMAGE["image_url"]["url"]}  # type: ignore[index]
    native = await asked(
        {
            "input": [
                {"role": "developer", "content": "Be fair"},
                {"role": "user", "content": [{"type": "input_text", "text": "See"}, image]},
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
                {"type": "function_call_output", "call_id": "c", "output": "done"},
            ]
        }
    )
    assert native["input"] == [
        {"type": "text", "text": "developer: Be fair\nuser:\nSee"},
        {"type": "image", "data": PNG, "mime_type": "image/png"},
        {"type": "text", "text": 'assistant:\nNo\nassistant calls f: {"a":1}\noutput of c: done'},
    ]


async def test_what_has_no_counterpart_is_dropped_visibly() -> None:
    part = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}
    body = {
        "input": [{"role": "user", "content": [part]}],
        "prompt_cache_key": "k",
        "prompt_cache_options": {"ttl": "30m"},
        "safety_identifier": "s",
    }
    response = await ask(decides(), body)
    dropped = set(response.headers["x-gemgate-dropped-params"].split(","))
    assert dropped == {
        "prompt_cache_key", "prompt_cache_options", "safety_identifier", "input[].content[].prompt_cache_breakpoint",
    }  # fmt: skip


async def test_a_blocked_input_is_a_refusal_of_each_question_with_googles_reason() -> None:
    blocked = {"prompt_feedback": {"block_reason": "safety"}, "usage": USAGE}
    body = (await ask(blocked, {"questions": [YES, PICK]})).json()
    assert body["answers"] == [{"type": "refusal", "name": "polite"}, {"type": "refusal", "name": None}]
    assert body["extra_content"]["google"]["prompt_feedback"] == {"block_reason": "safety"}


async def test_a_question_without_an_answer_is_a_refusal() -> None:
    answers = {"q1": {"type": "noul", "noul": 0.3, "confidence": 0.7}}
    body = (await ask({"answers": answers}, {"questions": [YES, {**YES, "name": "b"}]})).json()
    assert [each["type"] for each in body["answers"]] == ["refusal", "predicate"]


@pytest.mark.parametrize(
    "answers",
    [{}, {"q0": {"type": "noul"}}, {"q0": {"noul": "much"}}],
)
async def test_an_answer_that_cannot_be_read_is_an_error(answers: Json) -> None:
    assert (await ask({"answers": answers})).status_code == 502
    wrong = {"q0": {"type": "choice", "choice": "other", "probabilities": {}}}
    assert (await ask({"answers": wrong}, {"questions": [PICK]})).status_code == 502


async def test_an_account_without_the_api_is_a_404_that_is_remembered() -> None:
    google = FakeGoogle(NO_API)
    async with in_process(gateway_app(google)) as client:
        body = {"model": DECIDER, "input": "a", "questions": [YES]}
        answers = [await client.post("/v1/decisions", json=body) for _ in range(2)]
    assert [error_of(answer) for answer in answers] == [(404, "model_not_found", "model")] * 2
    assert len(google.requests) == 2  # one for each spelling of the model


async def test_an_overloaded_model_is_asked_again() -> None:
    google = FakeGoogle(overloaded(), decides())
    response = await ask(google, retry_max_wait=0)
    assert (response.status_code, len(google.requests)) == (200, 2)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "gemini-2.5-flash"}, (400, "model_not_supported", "model")),
        ({"questions": []}, (400, "array_below_min_length", "questions")),
        ({"questions": [YES] * 401}, (400, "array_above_max_length", "questions")),
        ({"questions": [{**YES, "instructions": " "}]}, (400, "invalid_value", "questions[0].instructions")),
        (
            {"questions": [{**YES, "instructions": [{"type": "input_image", "image_url": "data:image/png;base64,a"}]}]},
            (400, "unsupported_value", "questions[0].instructions[0]"),
        ),
        ({"questions": [{**PICK, "choices": [{"value": "a"}] * 2}]}, (400, "invalid_value", "questions[0].choices")),
        (
            {"questions": [{**PICK, "choices": [{"value": "a"}]}]},
            (400, "array_below_min_length", "questions[0].choices"),
        ),
        (
            {"questions": [{**RATE, "levels": [{"label": str(n)} for n in range(11)]}]},
            (400, "array_above_max_length", "questions[0].levels"),
        ),
        ({"input": " "}, (400, "invalid_value", "input")),
        ({"input": []}, (400, "invalid_value", "input")),
        (
            {"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]},
            (400, "invalid_value", "input[0].call_id"),
        ),
        ({"input": [{"content": "x"}]}, (400, "missing_required_parameter", "input[0].role")),
    ],
)
async def test_what_cannot_be_decided_is_refused_by_name(body: Json, expected: Any) -> None:
    google = FakeGoogle(decides())
    assert error_of(await ask(google, body)) == expected
    assert google.requests == []


async def test_a_dry_run_shows_the_native_request_and_calls_nobody() -> None:
    google = FakeGoogle()
    async with in_process(gateway_app(google)) as client:
        body = {"model": DECIDER, "input": "a", "questions": [YES]}
        response = await client.post("/v1/decisions", json=body, headers={"x-gemgate-dry-run": "true"})
    assert response.json()["path"] == "/v1beta/decisions"
    assert response.json()["body"]["model"] == DECIDER
    assert google.requests == []


@pytest.mark.parametrize(
    ("settings", "model", "path"),
    [
        ({}, DECIDER, None),
        (BOTH, DECIDER, "/v1beta/decisions"),
        (BOTH, f"vertex/{DECIDER}", None),
    ],
    ids=["Vertex AI alone", "both APIs", "both APIs, a model of Vertex AI's"],
)
async def test_a_dry_run_says_which_api_answers_and_refuses_what_vertex_ai_has_not(
    settings: Json, model: str, path: str | None
) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        pytest.fail(f"{request.url} was asked")

    body = {"model": model, "input": "a", "questions": [YES]}
    async with vertex_gateway(nobody, **settings) as client:
        shown = await client.post("/v1/decisions", json=body, headers={"x-gemgate-dry-run": "true"})
        asked = await client.post("/v1/decisions", json=body) if path is None else shown
    if path is not None:
        assert (shown.status_code, shown.json()["path"], shown.json()["body"]["model"]) == (200, path, model)
        return
    assert error_of(shown) == (404, "model_not_found", "model")
    assert shown.json()["error"]["message"] == asked.json()["error"]["message"]
    assert "Vertex AI has no Decisions API: use a model of the Developer API." in shown.text


async def test_a_file_of_somebody_else_cannot_be_named() -> None:
    google = FakeGoogle(decides())
    url = "https://generativelanguage.googleapis.com/v1beta/files/theirs"
    item = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
    settings: Json = {"gemini_api_key": "key-of-the-gateway", "client_keys": ("caller-key",)}
    response = await ask(google, {"input": [item]}, **settings)
    assert (response.status_code, google.requests) == (404, [])
