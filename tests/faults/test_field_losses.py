"""What a request says and nobody reads is named, and what goes beyond a model is moved into its range and named."""

from typing import Any

import pytest
from tests.faults.test_field_histories import accepted
from tests.support.chat import FLASH_3, FLASH_20, FLASH_25, PRO_25, USER, assistant_calls, function_tool, translate

from gemgate.errors import ApiError

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def user(**part: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": "x", **part}]}


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"tools": [{**function_tool(), "cache_control": {"type": "ephemeral"}}]}, "tools[0].cache_control"),
        ({"tools": [function_tool(defer_loading=True)]}, "tools[0].function.defer_loading"),
        ({"tools": [function_tool("a"), {**function_tool("b"), "x": 1}]}, "tools[1].x"),
        ({"functions": [{"name": "f", "x": 1}]}, "functions[0].x"),
        ({"tools": [{"type": "custom", "custom": {"name": "c", "x": 1}}]}, "tools[0].custom.x"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}, "x": 1}]}, "tools[0].x"),
        ({"reasoning": {"effort": "low", "made_up": 1}}, "reasoning.made_up"),
        ({"response_format": {"type": "json_object", "strict": True}}, "response_format.strict"),
        ({"response_format": {"type": "text", "json_schema": {"schema": SCHEMA}}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA, "x": 1}}},
            "response_format.json_schema.x",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}, "schema": {}}},
            "response_format.schema",
        ),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"messages": [user(cache_control={})]}, "messages[].content[].cache_control"),
        (
            {"tools": [function_tool()], "tool_choice": {"type": "function", "name": "get_weather", "x": 1}},
            "tool_choice.x",
        ),
        (
            {
                "tools": [function_tool()],
                "tool_choice": {"type": "function", "function": {"name": "get_weather", "x": 1}},
            },
            "tool_choice.function.x",
        ),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options.search_context_size"),
    ],
)
def test_a_key_that_nobody_reads_is_named(body: dict[str, Any], dropped: str) -> None:
    assert translate(**body).notes.dropped == [dropped]


def test_keys_in_calls_and_results_of_the_history_are_named() -> None:
    call = assistant_calls(("c", "f", "{}"))
    call["tool_calls"][0]["made_up"] = 1
    call["tool_calls"][0]["function"]["also"] = 1
    parts = [{"type": "text", "text": "x", "cache_control": {}}]
    messages = [USER, call, {"role": "tool", "tool_call_id": "c", "content": parts}]
    assert translate(messages=messages).notes.dropped == [
        "messages[].tool_calls[].made_up",
        "messages[].tool_calls[].function.also",
        "messages[].content[].cache_control",
    ]


def test_what_clients_echo_of_our_calls_is_not_named() -> None:
    call = assistant_calls(("c", "f", "{}"))
    call["tool_calls"][0] |= {"index": 0, "provider_specific_fields": None, "thought_signature": "c2ln"}
    messages = [USER, call, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    assert translate(messages=messages).notes.dropped == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_object", "schema": SCHEMA},
        {"type": "json_object", "json_schema": {"schema": SCHEMA}},
        {"type": "json_schema", "schema": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    ],
)
def test_a_schema_is_used_wherever_the_format_has_it(wanted: dict[str, Any]) -> None:
    translation = translate(response_format=wanted)
    assert translation.body["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert translation.notes.headers() == {}


def thinking(**body: Any) -> tuple[Any, list[str]]:
    translation = accepted(translate(**body))
    return translation.body.get("generationConfig", {}).get("thinkingConfig"), translation.notes.adjusted


@pytest.mark.parametrize(
    ("model", "reasoning", "native", "notes"),
    [
        (FLASH_25, {"enabled": False}, {"thinkingBudget": 0}, []),
        (PRO_25, {"enabled": False}, {"thinkingBudget": 128}, ["reasoning.enabled=false->128"]),
        (
            FLASH_3,
            {"enabled": False},
            {"thinkingLevel": "MINIMAL", "includeThoughts": False},
            ["reasoning.enabled=false->minimal"],
        ),
        (FLASH_20, {"enabled": False}, None, []),
        (FLASH_25, {"enabled": True}, {"thinkingBudget": -1}, []),
        (FLASH_3, {"enabled": True}, None, []),
        (FLASH_25, {"enabled": True, "effort": "low"}, {"thinkingBudget": 1024}, []),
        (FLASH_25, {"max_tokens": 50000}, {"thinkingBudget": 24576}, ["reasoning.max_tokens=50000->24576"]),
        (FLASH_25, {"max_tokens": 2**40}, {"thinkingBudget": 24576}, [f"reasoning.max_tokens={2**40}->24576"]),
        (PRO_25, {"max_tokens": 50}, {"thinkingBudget": 128}, ["reasoning.max_tokens=50->128"]),
        (PRO_25, {"max_tokens": 0}, {"thinkingBudget": 128}, ["reasoning.max_tokens=0->128"]),
        (PRO_25, {"max_tokens": 32768}, {"thinkingBudget": 32768}, []),
        (PRO_25, {"max_tokens": 40000}, {"thinkingBudget": 32768}, ["reasoning.max_tokens=40000->32768"]),
        ("gemini-2.5-flash-lite", {"max_tokens": 50}, {"thinkingBudget": 512}, ["reasoning.max_tokens=50->512"]),
        (FLASH_25, {"max_tokens": 0}, {"thinkingBudget": 0}, []),
        (FLASH_25, {"max_tokens": -1}, {"thinkingBudget": -1}, []),
        (FLASH_3, {"max_tokens": 900}, {"thinkingLevel": "LOW"}, ["reasoning.max_tokens=900->low"]),
        (FLASH_3, {"max_tokens": 50000}, {"thinkingLevel": "HIGH"}, ["reasoning.max_tokens=50000->high"]),
    ],
)
def test_reasoning_goes_as_far_as_the_model_does(
    model: str, reasoning: dict[str, Any], native: Any, notes: list[str]
) -> None:
    assert thinking(model=model, reasoning=reasoning) == (native, notes)


def test_reasoning_is_named_on_a_model_that_does_not_think() -> None:
    assert translate(model=FLASH_20, reasoning={"max_tokens": 100}).notes.dropped == ["reasoning.max_tokens"]
    assert translate(model=FLASH_20, reasoning={"enabled": True}).notes.dropped == ["reasoning.enabled"]


@pytest.mark.parametrize(
    ("body", "native", "notes"),
    [
        (
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}},
            {"thinkingBudget": 1024},
            ["reasoning.effort=high->low"],
        ),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, {"thinkingBudget": 1024}, []),
        (
            {"reasoning_effort": "low", "reasoning": {"max_tokens": 5}},
            {"thinkingBudget": 1024},
            ["reasoning.max_tokens->reasoning_effort=low"],
        ),
        (
            {"reasoning_effort": "low", "reasoning": {"enabled": False}},
            {"thinkingBudget": 1024},
            ["reasoning.enabled->reasoning_effort=low"],
        ),
        (
            {"reasoning": {"max_tokens": 5}, "google": {"thinking_config": {"thinking_budget": 7}}},
            {"thinkingBudget": 7},
            ["reasoning.max_tokens->extra_body.google.thinking_config"],
        ),
        (
            {"reasoning": {"exclude": True}, "google": {"thinking_config": {"include_thoughts": True}}},
            {"includeThoughts": True},
            ["reasoning.exclude->extra_body.google.thinking_config.include_thoughts"],
        ),
    ],
)
def test_two_words_about_thinking_that_differ_are_named(body: dict[str, Any], native: Any, notes: list[str]) -> None:
    assert thinking(**body) == (native, notes)


@pytest.mark.parametrize(
    "reasoning", [{"enabled": "no"}, {"max_tokens": "many"}, {"max_tokens": True}, {"max_tokens": -5}, {"effort": 3}]
)
def test_a_field_of_reasoning_of_a_wrong_type_is_refused_by_name(reasoning: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        translate(reasoning=reasoning)
    assert caught.value.param == f"reasoning.{next(iter(reasoning))}"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [9007199254740991, 2**31, 2**31 - 1, 100_000, 65_537])
def test_a_limit_beyond_the_models_is_lowered_to_it(name: str, limit: int) -> None:
    limits: dict[str, Any] = {name: limit}
    translation = translate(**limits)
    assert translation.body["generationConfig"]["maxOutputTokens"] == 65_536
    assert translation.notes.adjusted == [f"{name}={limit}->65536"]


@pytest.mark.parametrize("limit", [2**40, 100_000])
@pytest.mark.parametrize(
    "spelled",
    [
        lambda limit: {"generationConfig": {"maxOutputTokens": limit}},
        lambda limit: {"google": {"generation_config": {"max_output_tokens": limit}}},
        lambda limit: {"max_tokens": 5, "extra_body": {"google": {"generation_config": {"maxOutputTokens": limit}}}},
    ],
)
def test_a_limit_in_googles_words_is_lowered_too(limit: int, spelled: Any) -> None:
    translation = translate(**spelled(limit))
    assert translation.body["generationConfig"]["maxOutputTokens"] == 65_536
    assert f"extra_body.google.generation_config.max_output_tokens={limit}->65536" in translation.notes.adjusted


def test_a_limit_within_the_models_is_kept() -> None:
    assert translate(max_tokens=65_536).notes.adjusted == []
    assert translate(model=FLASH_20, max_tokens=9_000).notes.adjusted == ["max_tokens=9000->8192"]


@pytest.mark.parametrize("name", ["获取天气", "get_天气", "поиск", "x" * 70, "café"])
def test_a_name_that_is_lost_is_in_the_description(name: str) -> None:
    (declaration,) = translate(tools=[function_tool(name, description="Does it.")]).body["tools"][0][
        "functionDeclarations"
    ]
    assert declaration["description"] == f"Does it.\nThe conversation calls this function {name!r}."


@pytest.mark.parametrize("name", ["get weather", "get/weather", "1st", "get_weather"])
def test_a_name_that_can_still_be_read_leaves_the_description_alone(name: str) -> None:
    (declaration,) = translate(tools=[function_tool(name, description="Does it.")]).body["tools"][0][
        "functionDeclarations"
    ]
    assert declaration["description"] == "Does it."


def test_names_that_become_one_are_in_their_descriptions() -> None:
    tools = [function_tool(name, description="Does it.") for name in ("a b", "a?b")]
    first, second = translate(tools=tools).body["tools"][0]["functionDeclarations"]
    assert (first["name"], first["description"]) == ("a_b", "Does it.")
    assert "'a?b'" in second["description"]


@pytest.mark.parametrize("model", ["gemma-4-31b-it", "gemma-4-26b-a4b-it"])
@pytest.mark.parametrize(
    ("effort", "level", "is_exact"),
    [
        ("none", "MINIMAL", False),
        ("minimal", "MINIMAL", True),
        ("low", "MINIMAL", False),
        ("medium", "HIGH", False),
        ("high", "HIGH", True),
    ],
)
def test_gemma_4_thinks_at_the_nearer_of_its_levels(model: str, effort: str, level: str, is_exact: bool) -> None:
    native, notes = thinking(model=model, reasoning_effort=effort)
    assert native["thinkingLevel"] == level
    assert notes == ([] if is_exact else [f"reasoning_effort={effort}->{level.lower()}"])


def test_a_budget_for_gemma_4_is_a_level() -> None:
    native, notes = thinking(model="gemma-4-31b-it", reasoning={"max_tokens": 20_000})
    assert (native, notes) == ({"thinkingLevel": "HIGH"}, ["reasoning.max_tokens=20000->high"])
