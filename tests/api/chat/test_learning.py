"""A gateway that learns from refusals: adjusted once, right at once from then on, and nobody else is touched."""

import base64
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
from tests.api.speech.support import SPEECH_SENTENCES
from tests.support.chat import USER, assistant_calls, function_tool, tool_result
from tests.support.clock import FakeClock
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, json_for

from gemgate.gemini.refusal_lessons import PATTERNS, recognised

pytestmark = pytest.mark.slow

Json = dict[str, Any]

ANSWER: Json = {
    "candidates": [{"content": {"parts": [{"text": "{}"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 1, "totalTokenCount": 3},
    "responseId": "R1",
}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
LIMITED: Json = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "y"]}}, "required": ["a"]}
LIMITED_FORMAT: Json = {"type": "json_schema", "json_schema": {"name": "x", "schema": LIMITED}}
FORMAT: Json = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
SIGNATURE = base64.b64encode(b"a signature of another project").decode()
FLASH, FLASH_25 = "gemini-3.5-flash", "gemini-2.5-flash"


def config(body: Json) -> Json:
    found: Json = body.get("generationConfig", {})
    return found


def thinking(body: Json) -> Json:
    found: Json = config(body).get("thinkingConfig", {})
    return found


def parts(body: Json) -> list[Json]:
    return [part for content in body["contents"] for part in content["parts"]]


def calls_are_displaced(body: Json) -> bool:
    turns = body["contents"]
    return any(
        "functionCall" in part and "text" not in turns[number - 1]["parts"][0]
        for number, turn in enumerate(turns)
        for part in turn["parts"]
    )


class Case(NamedTuple):
    """A refusal, the request that meets it, what Google refuses, the note, and the parameter that `strict` names."""

    sentence: str
    asked: Json
    refuses: Callable[[Json], bool]
    note: str
    param: str
    model: str = FLASH
    streams: bool = True


LOOP = [
    USER,
    assistant_calls(("c1", "get_weather", "{}"), extra_content=None),
    tool_result("c1", "1"),
    assistant_calls(("c2", "get_weather", "{}"), extra_content=None),
    tool_result("c2", "2"),
]
SIGNED = [
    USER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": SIGNATURE}},
            }
        ],
    },
    tool_result("c1", "1"),
]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
PICTURE = [{"role": "user", "content": [IMAGE]}]

CASES = {
    "level": Case(
        "Thinking level MINIMAL is not supported for this model. Please retry with other thinking level",
        {"reasoning_effort": "minimal"},
        lambda body: thinking(body).get("thinkingLevel") == "MINIMAL",
        "reasoning_effort=minimal->low",
        "reasoning_effort",
    ),
    "unknown level": Case(
        "Invalid value at 'generation_config.thinking_config.thinking_level' "
        '(type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), "XHIGH"',
        {"reasoning_effort": "xhigh"},
        lambda body: thinking(body).get("thinkingLevel") == "XHIGH",
        "reasoning_effort=xhigh->high",
        "reasoning_effort",
        "gemini-4-hydrogen",
    ),
    "levels": Case(
        "Thinking level is not supported for this model.",
        {"reasoning_effort": "low"},
        lambda body: "thinkingLevel" in thinking(body),
        "learned=thinkingLevel",
        "reasoning_effort",
    ),
    "thinking": Case(
        "Thinking is not enabled for models/gemini-3.5-flash",
        {"reasoning_effort": "low"},
        lambda body: bool(thinking(body)),
        "learned=thinkingConfig",
        "reasoning_effort",
    ),
    "budgets": Case(
        "Thinking budget is not supported for this model.",
        {"reasoning_effort": "high"},
        lambda body: "thinkingBudget" in thinking(body),
        "learned=thinkingBudget",
        "reasoning_effort",
        FLASH_25,
    ),
    "budget": Case(
        "The thinking budget 1024 is invalid. Please choose a value between 2048 and 8192.",
        {"reasoning_effort": "low"},
        lambda body: thinking(body).get("thinkingBudget", 2048) < 2048,
        "reasoning_effort=low->thinking_budget=2048",
        "reasoning_effort",
        FLASH_25,
    ),
    "budget of 0": Case(
        "Budget 0 is invalid. This model only works in thinking mode.",
        {"reasoning_effort": "none"},
        lambda body: thinking(body).get("thinkingBudget") == 0,
        "reasoning_effort=none->thinking_budget=1",
        "reasoning_effort",
        FLASH_25,
    ),
    "candidates": Case(
        "Multiple candidates is not enabled for this model",
        {"n": 2},
        lambda body: "candidateCount" in config(body),
        "learned=candidateCount",
        "n",
        FLASH_25,
    ),
    "penalties": Case(
        "Penalty is not enabled for models/gemini-2.0-flash",
        {"presence_penalty": 0.5},
        lambda body: "presencePenalty" in config(body),
        "learned=presencePenalty",
        "presence_penalty",
        "gemini-2.0-flash",
    ),
    "logprobs": Case(
        "Logprobs is not enabled for this model",
        {"logprobs": True},
        lambda body: "responseLogprobs" in config(body),
        "learned=responseLogprobs",
        "logprobs",
        FLASH_25,
        streams=False,  # of a stream the gateway refuses them itself
    ),
    "temperature": Case(
        "temperature is not supported for this model",
        {"temperature": 0.5, "top_p": 0.5},
        lambda body: "temperature" in config(body),
        "learned=temperature",
        "temperature",
    ),
    "top_p": Case(
        "top_p is not supported for models/gemini-3.5-flash.",
        {"temperature": 0.5, "top_p": 0.5},
        lambda body: "topP" in config(body),
        "learned=topP",
        "top_p",
    ),
    "top_k": Case(
        "* GenerateContentRequest.generation_config.top_k: top_k is not supported for this model.\n",
        {"top_k": 5},
        lambda body: "topK" in config(body),
        "learned=topK",
        "top_k",
    ),
    "json beside tools": Case(
        "Function calling with a response mime type: 'application/json' is unsupported",
        {"tools": [function_tool()], "response_format": FORMAT},
        lambda body: "responseMimeType" in config(body) and "tools" in body,
        "response_format->function",
        "response_format",
    ),
    "functions": Case(
        "Function calling is not enabled for models/gemma-3-4b-it",
        {"tools": [function_tool()]},
        lambda body: "tools" in body,
        "learned=tools",
        "tools",
        "gemma-3-4b-it",
    ),
    "MCP servers": Case(
        "MCP servers are not enabled for models/gemini-2.5-flash",
        {
            "tools": [
                {
                    "type": "mcp",
                    "server_label": "docs",
                    "server_url": "https://mcp.example/mcp",
                    "require_approval": "never",
                }
            ]
        },
        lambda body: "tools" in body,
        "learned=mcpServers",
        "tools",
        FLASH_25,
    ),
    "system instruction": Case(
        "Developer instruction is not enabled for models/gemma-4-31b-it",
        {"messages": [{"role": "system", "content": "Be kind."}, USER]},
        lambda body: "systemInstruction" in body,
        "messages[0].role=system->user",
        "messages",
        "gemma-4-31b-it",
    ),
    "prefill": Case(
        "Requests ending with a model turn are not supported.",
        {"messages": [USER, {"role": "assistant", "content": "I"}]},
        lambda body: body["contents"][-1]["role"] == "model",
        "messages[1]->none",
        "messages",
    ),
    "a call in the wrong place": Case(
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
        {"messages": LOOP, "tools": [function_tool()]},
        calls_are_displaced,
        "messages=+user",
        "messages",
    ),
    "missing signature": Case(
        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance.",
        {"messages": LOOP, "tools": [function_tool()]},
        lambda body: any("functionCall" in part and "thoughtSignature" not in part for part in parts(body)),
        "learned=thoughtSignature",
        "messages",
        FLASH_25,
    ),
    "bad signature": Case(
        "Thought signature is not valid.",
        {"messages": SIGNED, "tools": [function_tool()]},
        lambda body: any(part.get("thoughtSignature") == SIGNATURE for part in parts(body)),
        "messages[].thought_signature->none",
        "messages",
    ),
    "corrupted signature": Case(
        "Corrupted thought signature.",
        {"messages": SIGNED, "tools": [function_tool()]},
        lambda body: any(part.get("thoughtSignature") == SIGNATURE for part in parts(body)),
        "messages[].thought_signature->none",
        "messages",
    ),
    "media resolution of a part": Case(
        "Per-part media resolution is not enabled for models/gemini-3.5-flash",
        {"messages": PICTURE},
        lambda body: any("mediaResolution" in part for part in parts(body)),
        "learned=mediaResolution",
        "messages",
    ),
    "media resolution": Case(
        "Media resolution is not enabled for models/gemini-2.5-flash",
        {"messages": PICTURE},
        lambda body: "mediaResolution" in config(body),
        "learned=mediaResolution",
        "messages",
        FLASH_25,
    ),
    "large schema": Case(
        "The specified schema produces a constraint that has too many states for serving. Typical causes of this "
        "error are schemas with lots of text.",
        {"response_format": FORMAT},
        lambda body: "responseJsonSchema" in config(body),
        "response_format.json_schema.schema->prompt",
        "response_format",
    ),
    "complex schema": Case(
        "The response schema is too complex. Reduce the number of constraints.",
        {"response_format": LIMITED_FORMAT},
        lambda body: "enum" in orjson.dumps(config(body)).decode(),
        "response_format.json_schema.schema=limits->description",
        "response_format",
    ),
    "complex tools": Case(
        "The specified schema produces a constraint that has too many states for serving. Typical causes of this "
        "error are schemas with lots of text.",
        {"tools": [function_tool("f", parameters=LIMITED)], "tool_choice": "required"},
        lambda body: "enum" in orjson.dumps(body["tools"]).decode(),
        "tools[].function.parameters=limits->description",
        "tools",
    ),
    "unknown field": Case(
        "Invalid JSON payload received. Unknown name \"seed\" at 'generation_config': Cannot find field.",
        {"seed": 7},
        lambda body: "seed" in config(body),
        "learned=seed",
        "seed",
    ),
    "unknown field beside": Case(
        'Invalid JSON payload received. Unknown name "store": Cannot find field.',
        {},
        lambda body: "store" in body,
        "learned=store",
        "store",
    ),
    "unknown value": Case(
        "Invalid value at 'generation_config.media_resolution' "
        '(type.googleapis.com/google.ai.generativelanguage.v1beta.MediaResolution), "MEDIA_RESOLUTION_LOW"',
        {"messages": PICTURE},
        lambda body: "mediaResolution" in config(body),
        "learned=mediaResolution",
        "messages",
        FLASH_25,
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
BOTH = pytest.mark.parametrize("stream", [False, True])


def google_that(case: Case) -> FakeGoogle:
    """Refuses what the case is about, and answers all else."""

    def answer(request: httpx.Request) -> httpx.Response:
        if case.refuses(orjson.loads(request.content)):
            return failure(400, case.sentence, reason="INVALID_ARGUMENT")
        return json_for(request, ANSWER)

    return FakeGoogle(answer)


async def ask(client: httpx.AsyncClient, case: Case, *, stream: bool = False, **more: Any) -> httpx.Response:
    body = {"model": case.model, "messages": [USER], "stream": stream and case.streams, **case.asked, **more}
    return await client.post("/v1/chat/completions", json=body)


def test_each_pattern_of_the_table_has_a_case() -> None:
    sentences = [*(case.sentence for case in CASES.values()), *SPEECH_SENTENCES]
    used = {found[0].sentence.pattern for sentence in sentences if (found := recognised(sentence))}
    assert used == {pattern.sentence.pattern for pattern in PATTERNS}
    assert all(pattern.source for pattern in PATTERNS)


@EACH
@BOTH
async def test_the_first_call_is_adjusted_and_the_second_is_right_at_once(case: Case, stream: bool) -> None:
    google = google_that(case)
    async with in_process(gateway_app(google)) as client:
        first = await ask(client, case, stream=stream)
        tried = len(google.requests)
        second = await ask(client, case, stream=stream)
    assert (first.status_code, second.status_code) == (200, 200), first.text + second.text
    assert case.note in first.headers["x-gemgate-adjusted"]
    assert "learned=" in first.headers["x-gemgate-adjusted"]
    assert "learned=" not in second.headers.get("x-gemgate-adjusted", "")
    assert [case.refuses(body) for body in google.bodies[:tried]].count(True) == 1
    assert not any(case.refuses(body) for body in google.bodies[tried:])


@EACH
async def test_another_model_is_untouched(case: Case) -> None:
    google = google_that(case)
    async with in_process(gateway_app(google)) as client:
        await ask(client, case)
        count = len(google.requests)
        await ask(client, case, model=f"{case.model}-001")
    assert case.refuses(google.bodies[count])


@EACH
@BOTH
async def test_strict_refuses_and_names_the_parameter(case: Case, stream: bool) -> None:
    google = google_that(case)
    async with in_process(gateway_app(google, unsupported_params="strict")) as client:
        for _ in range(2):
            refused = await ask(client, case, stream=stream)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", case.param)
    assert len(google.requests) == 2


EXPLICIT: dict[str, tuple[Case, Json]] = {
    "a level": (
        CASES["level"],
        {"reasoning_effort": None, "extra_body": {"google": {"thinking_config": {"thinking_level": "MINIMAL"}}}},
    ),
    "a level in the generation config": (
        CASES["level"],
        {
            "reasoning_effort": None,
            "extra_body": {"google": {"generation_config": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}},
        },
    ),
    "a temperature": (
        CASES["temperature"],
        {"temperature": None, "extra_body": {"google": {"generation_config": {"temperature": 0.3}}}},
    ),
    "candidates": (CASES["candidates"], {"n": None, "google": {"generation_config": {"candidate_count": 3}}}),
    "a resolution": (
        CASES["media resolution"],
        {"messages": [USER], "google": {"generation_config": {"media_resolution": "MEDIA_RESOLUTION_LOW"}}},
    ),
}


@pytest.mark.parametrize(("case", "asked"), EXPLICIT.values(), ids=EXPLICIT)
async def test_what_the_caller_set_in_googles_own_terms_is_refused_and_teaches_nothing(case: Case, asked: Json) -> None:
    google = google_that(case)
    async with in_process(gateway_app(google)) as client:
        refused = await ask(client, case, **asked)
        assert (refused.status_code, len(google.requests)) == (400, 1)
        assert (await ask(client, case)).status_code == 200
    assert case.refuses(google.bodies[1])


@pytest.mark.parametrize(
    "message",
    [
        "Request contains an invalid argument.",
        "Unknown function: Requests ending with a model turn are not supported.",
        "Duplicate function declaration found: x\nRequests ending with a model turn are not supported.",
        "Penalty is not enabled for models/gemini 3 flash",
        "Thinking level LOW is not supported for this model. It said: yes",
        "temperature must be in the range [0.0, 2.0].",
        "Invalid JSON payload received. Unknown name \"made_up\" at 'generation_config': Cannot find field.",
        "Thinking level HIGH is not supported for this model.",
        "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), 0.2",
        "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), 9007199254740991",
        "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
    ],
)
async def test_other_refusals_are_the_callers(message: str) -> None:
    google = FakeGoogle(failure(400, message, reason="INVALID_ARGUMENT"))
    case = CASES["level"]
    async with in_process(gateway_app(google)) as client:
        assert (await ask(client, case, temperature=0.2)).status_code == 400
        assert (await ask(client, case, temperature=0.2)).status_code == 400
    assert len(google.requests) == 2
    assert google.bodies[0] == google.bodies[1]


@BOTH
async def test_a_schema_that_is_refused_in_its_simpler_form_too_is_said_in_words(stream: bool) -> None:
    case = CASES["large schema"]._replace(asked={"response_format": LIMITED_FORMAT})
    google = google_that(case)
    async with in_process(gateway_app(google)) as client:
        answer = await ask(client, case, stream=stream)
    whole, simple, words = google.bodies
    shown = config(simple)["responseJsonSchema"]["properties"]["a"]
    assert config(whole)["responseJsonSchema"]["properties"]["a"] == {"type": "string", "enum": ["x", "y"]}
    assert shown == {"type": "string", "description": "One of: x, y."}
    assert '"enum":["x","y"]' in words["systemInstruction"]["parts"][-1]["text"]
    assert case.note in answer.headers["x-gemgate-adjusted"]


async def test_a_call_in_the_wrong_place_changes_that_conversation_alone() -> None:
    case = CASES["a call in the wrong place"]
    google = google_that(case)
    others = [USER, *LOOP[1:3], assistant_calls(("c9", "get_weather", '{"city": "Oslo"}')), tool_result("c9", "3")]
    async with in_process(gateway_app(google)) as client:
        await ask(client, case)
        longer = await ask(client, case, messages=[*LOOP, {"role": "assistant", "content": "So."}, USER])
        count = len(google.requests)
        await ask(client, case, messages=others)
    assert (longer.status_code, "learned" in longer.headers["x-gemgate-adjusted"]) == (200, False)
    assert case.refuses(google.bodies[count])


async def test_a_refusal_that_comes_again_is_the_callers() -> None:
    google = FakeGoogle(failure(400, CASES["temperature"].sentence, reason="INVALID_ARGUMENT"))
    async with in_process(gateway_app(google)) as client:
        assert (await ask(client, CASES["temperature"])).status_code == 400
    assert len(google.requests) == 2


async def test_each_refusal_teaches_the_one_fact_that_it_speaks_of() -> None:
    google = google_that(CASES["temperature"])
    async with in_process(gateway_app(google)) as client:
        await ask(client, CASES["temperature"])
    assert config(google.bodies[-1]) == {"topP": 0.5}


async def test_several_refusals_of_one_request_are_met_one_by_one() -> None:
    cases = [CASES["temperature"], CASES["top_p"], CASES["level"]]

    def answer(request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        sentence = next((case.sentence for case in cases if case.refuses(body)), None)
        return json_for(request, ANSWER) if sentence is None else failure(400, sentence, reason="INVALID_ARGUMENT")

    google = FakeGoogle(answer)
    asked: Json = {"temperature": 0.5, "top_p": 0.5, "reasoning_effort": "minimal"}
    async with in_process(gateway_app(google)) as client:
        answered = await ask(client, CASES["level"], **asked)
    assert answered.status_code == 200
    assert answered.headers["x-gemgate-adjusted"].split("; ") == [
        "reasoning_effort=minimal->low",
        "learned=temperature",
        "learned=topP",
        "learned=thinkingLevel",
    ]
    assert len(google.requests) == 4


async def test_a_fact_is_forgotten_after_its_time() -> None:
    case = CASES["temperature"]
    google = google_that(case)
    app, clock = gateway_app(google, learned_facts_ttl=60), FakeClock(time.time())
    async with in_process(app) as client:
        catalog = app.state.services.chat.catalog
        catalog._clock = catalog.learned._clock = clock
        await ask(client, case)
        clock.advance(61)
        await ask(client, case)
    assert [case.refuses(body) for body in google.bodies] == [True, False, True, False]


async def test_nothing_is_learned_where_that_is_switched_off() -> None:
    case = CASES["temperature"]
    google = google_that(case)
    async with in_process(gateway_app(google, learned_facts_ttl=0)) as client:
        assert (await ask(client, case)).status_code == 400
    assert len(google.requests) == 1


async def test_a_model_later_in_a_list_of_models_learns_too() -> None:
    case = CASES["level"]
    google = google_that(case)
    google.by_model["gemini-3.6-flash"] = [failure(503, "The model is overloaded.")]
    models = {"small": ("gemini-3.6-flash", case.model)}
    async with in_process(gateway_app(google, models=models, retries=0)) as client:
        answered = await ask(client, case, model="small")
        streamed = await ask(client, case, model="small", stream=True)
    assert (answered.status_code, streamed.status_code) == (200, 200)
    assert answered.headers["x-gemgate-model"] == streamed.headers["x-gemgate-model"] == case.model
    assert google.models.count(case.model) == 3


async def test_what_was_learned_is_logged_and_counted() -> None:
    case = CASES["temperature"]
    app = gateway_app(google_that(case))
    async with in_process(app) as client:
        for _ in range(3):
            await ask(client, case)
        metrics = (await client.get("/metrics")).text
    assert 'gemgate_learned_facts_total{fact="refused_fields",model="gemini-3.5-flash"} 1.0' in metrics


@pytest.mark.parametrize("stream", [False, True])
async def test_the_responses_api_learns_and_uses_what_chat_has_learned(stream: bool) -> None:
    case = CASES["temperature"]
    google = google_that(case)
    async with in_process(gateway_app(google)) as client:
        asked = {"model": case.model, "input": "Hi", "temperature": 0.5, "top_p": 0.5, "stream": stream}
        first = await client.post("/v1/responses", json=asked)
        assert (first.status_code, "learned=temperature" in first.headers["x-gemgate-adjusted"]) == (200, True)
        await ask(client, case)
    assert [case.refuses(body) for body in google.bodies] == [True, False, False]
