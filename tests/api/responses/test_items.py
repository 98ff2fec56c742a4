"""Items of the input as native turns."""

from typing import Any

import pytest
from tests.support.chat import chat_options
from tests.support.responses import FLASH_3, NEWEST, WEATHER, contents, translate

from gemgate.errors import ApiError
from gemgate.translation.thought_signatures import NO_SIGNATURE

USER = {"role": "user", "content": "Hi"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)


def user(text: str) -> Any:
    return {"role": "user", "parts": [{"text": text}]}


def model(text: str) -> Any:
    return {"role": "model", "parts": [{"text": text}]}


def refused(*items: Any, **body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(input=list(items), **body)
    assert caught.value.status == 400
    return caught.value


def test_text_is_a_message_of_the_user() -> None:
    assert translate(input="Hello").body["contents"] == [user("Hello")]


def test_a_type_may_be_left_out_of_messages() -> None:
    assert contents({"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}) == [user("Hi")]


def test_instructions_come_before_the_first_system_and_developer_messages() -> None:
    items = [{"role": "developer", "content": "B"}, {"role": "system", "content": "C"}, USER]
    body = translate(input=items, instructions="A").body
    assert body["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}, {"text": "C"}]}
    assert body["contents"] == [user("Hi")]


def test_a_later_developer_message_stays_in_its_place() -> None:
    items = [USER, {"role": "assistant", "content": "Yes"}, {"role": "developer", "content": "Be brief"}, USER]
    translation = translate(input=items)
    assert translation.body["contents"] == [
        user("Hi"),
        model("Yes"),
        {"role": "user", "parts": [{"text": "[developer message] Be brief"}, {"text": "Hi"}]},
    ]
    assert "systemInstruction" not in translation.body
    assert "input[2].role=developer->user" in translation.notes.adjusted


def test_a_conversation_of_the_system_alone_is_the_users() -> None:
    assert translate(input=[], instructions="Greet me").body["contents"] == [user("Greet me")]


@pytest.mark.parametrize("content", [[], "", None])
def test_an_assistant_message_without_content_leaves_no_empty_part(content: Any) -> None:
    assert contents(USER, {"role": "assistant", "content": content}, CALL, OUTPUT)[1]["parts"] == [
        {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}
    ]


def test_unknown_fields_of_items_never_matter() -> None:
    message = {**USER, "internal_chat_message_metadata_passthrough": {"a": 1}, "phase": "final_answer"}
    translation = translate(options := chat_options(unsupported_params="strict"), input=[message])
    assert options.unsupported_params == "strict"
    assert translation.body["contents"] == [user("Hi")]


def test_images_and_files_are_inline_data() -> None:
    parts = [
        {"type": "input_image", "image_url": PIXEL},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,SGVsbG8="},
    ]
    native = contents({"role": "user", "content": parts})[0]["parts"]
    assert [part["inlineData"]["mimeType"] for part in native] == ["image/png", "text/plain"]


def test_an_error_in_a_part_names_it_as_the_caller_has_it() -> None:
    error = refused({"role": "user", "content": [{"type": "input_image", "image_url": "nonsense"}]})
    assert error.param == "input[0].content[0].image_url"
    assert "'input[0].content[0].image_url'" in error.message


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "message", "content": "Hi"}, "input[0].role"),
        ({"content": "Hi"}, "input[0].type"),
        ({"role": "user", "content": 5}, "input[0].content"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "hologram"}]}, "input[0].content[0].type"),
        ({**CALL, "name": None}, "input[0].name"),
        ({**CALL, "call_id": None}, "input[0].call_id"),
    ],
)
def test_what_cannot_be_read_is_named(item: Any, param: str) -> None:
    assert refused(item).param == param


def test_damaged_arguments_of_an_interrupted_answer_are_repaired_and_said_or_refused() -> None:
    items = [USER, {**CALL, "arguments": '{"city": "Paris"'}, OUTPUT]
    translation = translate(input=items)
    assert translation.body["contents"][1]["parts"][0]["functionCall"]["args"] == {"city": "Paris"}
    assert translation.notes.adjusted == ["input[1].arguments->repaired"]
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), input=items)
    assert caught.value.param == "input[1].arguments"


def test_a_history_that_begins_with_a_call_gets_a_turn_of_the_user() -> None:
    native = contents(CALL, OUTPUT)
    assert [turn["role"] for turn in native] == ["user", "model", "user"]


def test_calls_and_outputs_become_turns_of_their_own() -> None:
    assert contents(USER, CALL, OUTPUT, model=FLASH_3) == [
        user("Hi"),
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"},
                    "thoughtSignature": NO_SIGNATURE,
                }
            ],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "get_weather", "id": "call_1", "response": {"result": "sunny"}}}],
        },
    ]


def test_outputs_of_parallel_calls_come_in_the_order_of_the_calls_in_one_turn() -> None:
    calls = [{**CALL, "call_id": f"call_{number}"} for number in range(3)]
    outputs = [{**OUTPUT, "call_id": f"call_{number}", "output": str(number)} for number in (2, 0, 1)]
    _, asked, answered = contents(USER, *calls, *outputs)
    assert len(asked["parts"]) == 3
    responses = [part["functionResponse"]["response"] for part in answered["parts"]]
    assert responses == [{"result": "0"}, {"result": "1"}, {"result": "2"}]


def test_an_output_that_comes_late_still_follows_its_call() -> None:
    native = contents(USER, CALL, {"role": "user", "content": "Well?"}, OUTPUT)
    assert [turn["role"] for turn in native] == ["user", "model", "user", "user"]
    assert native[2]["parts"][0]["functionResponse"]["response"] == {"result": "sunny"}
    assert native[3] == user("Well?")


def test_calls_of_two_steps_are_two_turns() -> None:
    second = {**CALL, "call_id": "call_2"}
    native = contents(USER, CALL, OUTPUT, second, {**OUTPUT, "call_id": "call_2"})
    assert [turn["role"] for turn in native] == ["user", "model", "user", "model", "user"]


def test_text_of_the_model_before_and_behind_a_call_is_of_the_same_turn() -> None:
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    native = contents(USER, said, CALL, said, OUTPUT)
    assert [len(turn["parts"]) for turn in native] == [1, 3, 1]


def test_an_output_without_its_call_is_refused() -> None:
    error = refused(USER, OUTPUT)
    assert error.message == "No tool call found for function call output with call_id call_1."
    assert error.param == "input[1]"


def test_a_call_without_its_output_is_answered_and_said() -> None:
    translation = translate(input=[USER, CALL, USER])
    assert translation.body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"error": "no output"}
    assert translation.notes.adjusted == ["input[1].output=none->error"]


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ("", {"result": ""}),
        ("42", {"result": "42"}),
        ("007", {"result": "007"}),
        ('{"degrees": 21}', {"degrees": 21}),
        ("[1]", {"result": [1]}),
        (None, {"result": ""}),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], {"result": "a\nb"}),
    ],
)
def test_an_output_is_an_object(output: Any, response: Any) -> None:
    native = contents(USER, CALL, {**OUTPUT, "output": output})
    assert native[2]["parts"] == [{"functionResponse": {"name": "get_weather", "response": response}}]


def test_an_image_in_an_output_is_within_the_response_on_gemini_3_and_behind_it_before() -> None:
    output = {**OUTPUT, "output": [{"type": "input_image", "image_url": PIXEL, "detail": "high"}]}
    inside = contents(USER, CALL, output, model=FLASH_3)[2]["parts"]
    assert inside[0]["functionResponse"]["parts"][0]["inlineData"]["mimeType"] == "image/png"
    behind = contents(USER, CALL, output)
    assert "parts" not in behind[2]["parts"][0]["functionResponse"]
    assert behind[3]["parts"][0]["inlineData"]["mimeType"] == "image/png"


@pytest.mark.parametrize("arguments", ["", "{}", None])
def test_a_call_may_have_no_arguments(arguments: Any) -> None:
    native = contents(USER, {**CALL, "arguments": arguments}, OUTPUT)
    assert native[1]["parts"][0]["functionCall"]["args"] == {}


def test_a_custom_call_and_its_output_are_a_function_of_one_text() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin Patch"}
    output = {"type": "custom_tool_call_output", "call_id": "c", "output": "done"}
    tools = [{"type": "custom", "name": "apply_patch"}]
    _, asked, answered = contents(USER, call, output, tools=tools)
    assert asked["parts"][0]["functionCall"] == {"name": "apply_patch", "args": {"input": "*** Begin Patch"}}
    assert answered["parts"][0]["functionResponse"]["response"] == {"result": "done"}


@pytest.mark.parametrize(
    ("call", "output", "args", "response"),
    [
        (
            {"type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": 5}},
            {"output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
            {"commands": ["ls"], "timeout_ms": 5},
            {"output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": "+b"}},
            {"status": "completed", "output": "ok"},
            {"type": "update_file", "path": "a", "diff": "+b"},
            {"status": "completed", "output": "ok"},
        ),
        (
            {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}}},
            {"output": "a"},
            {"command": ["ls"], "env": {}},
            {"result": "a"},
        ),
        (
            {"type": "tool_search_call", "execution": "client", "arguments": {"query": "mail"}},
            {"tools": [WEATHER]},
            {"query": "mail"},
            {"tools": ["get_weather"]},
        ),
    ],
)
def test_calls_of_openais_own_tools_and_their_outputs_are_functions(
    call: Any, output: Any, args: Any, response: Any
) -> None:
    kind = call["type"].replace("_call", "_call_output") if "search" not in call["type"] else "tool_search_output"
    _, asked, answered = contents(USER, {**call, "call_id": "c"}, {"type": kind, "call_id": "c", **output})
    assert asked["parts"][0]["functionCall"]["args"] == args
    assert answered["parts"][0]["functionResponse"]["response"] == response


def test_the_output_of_a_local_shell_may_name_its_call_by_id() -> None:
    call = {"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}}
    output = {"type": "local_shell_call_output", "id": "c", "output": "a"}
    assert len(contents(USER, call, output)) == 3


def test_code_that_was_run_comes_back_as_text() -> None:
    code = {
        "type": "code_interpreter_call",
        "id": "ci_1",
        "code": "print(1)",
        "outputs": [{"type": "logs", "logs": "1"}],
    }
    assert contents(USER, code, USER)[1]["parts"] == [
        {"text": "```python\nprint(1)\n```"},
        {"text": "Output:\n```\n1\n```"},
    ]


def test_an_image_of_the_models_comes_back_from_the_user() -> None:
    image = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PIXEL.partition(",")[2]}
    native = contents(USER, image, {"role": "user", "content": "Bluer"})
    assert native[0]["parts"][1] == {"text": "Image generated earlier:"}
    assert native[0]["parts"][2]["inlineData"]["mimeType"] == "image/png"


@pytest.mark.parametrize("kind", ["web_search_call", "file_search_call", "mcp_list_tools"])
def test_searches_of_before_leave_nothing(kind: str) -> None:
    item = {"type": kind, "id": "x", "status": "completed", "action": {"type": "search", "query": "q"}}
    assert contents(USER, item, USER) == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Hi"}]}]


def test_an_item_of_tomorrow_is_dropped_visibly_or_refused() -> None:
    translation = translate(input=[USER, {"type": "hologram"}])
    assert translation.notes.dropped == ["input[1].type=hologram"]
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), input=[USER, {"type": "hologram"}])
    assert caught.value.param == "input[1].type=hologram"


def test_the_last_item_may_be_the_models_where_the_model_takes_it() -> None:
    said = {"role": "assistant", "content": "Once upon"}
    assert contents(USER, said)[-1] == model("Once upon")
    translation = translate(input=[USER, said], model=NEWEST)
    assert translation.body["contents"] == [user("Hi")]
    assert translation.notes.adjusted == ["input[1]->none"]


def test_an_input_without_content_is_refused() -> None:
    assert refused({"role": "user", "content": ""}).param == "input"


def test_the_last_configuration_update_holds() -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    body = translate(input=[USER, update], reasoning={"effort": "low"}, model=FLASH_3).body
    assert body["generationConfig"] == {"thinkingConfig": {"thinkingLevel": "HIGH"}}
