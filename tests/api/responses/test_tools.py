"""Tools and the choice among them, and their calls in an answer."""

from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.support.answers import native
from tests.support.chat import chat_options
from tests.support.chat import translate as chat
from tests.support.responses import FLASH_3, FLASH_25, WEATHER, final, kinds, streamed, translate, whole

from gemgate.errors import ApiError

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
SEARCH = {"type": "web_search"}


def declared(*tools: Any, **body: Any) -> list[Any]:
    """The functions that these tools become."""
    entries: list[Any] = translate(tools=list(tools), **body).body.get("tools", [])
    return [each for entry in entries for each in entry.get("functionDeclarations", ())]


def called(name: str, args: Any, *tools: Any, **body: Any) -> Any:
    """The item of a call of Gemini's."""
    answer = native({"functionCall": {"name": name, "args": args}}, finishReason="STOP")
    (item,) = whole(answer, tools=list(tools), **body)["output"]
    del item["id"], item["call_id"]
    return item


def test_a_function_is_flat_and_chats_nesting_is_understood() -> None:
    nested = {"type": "function", "function": {key: value for key, value in WEATHER.items() if key != "type"}}
    assert declared(WEATHER) == declared(nested)
    assert declared(WEATHER)[0]["parametersJsonSchema"]["required"] == ["city"]


def test_strict_functions_are_validated() -> None:
    body = translate(tools=[{**WEATHER, "strict": True}]).body
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def test_a_custom_tool_is_a_function_of_one_text_with_its_grammar() -> None:
    (function,) = declared(PATCH)
    hint = function["parametersJsonSchema"]["properties"]["input"]["description"]
    assert "lark grammar:\nstart: /.+/" in hint


@pytest.mark.parametrize(
    ("args", "text"),
    [({"input": "*** Begin"}, "*** Begin"), ({"patch": "*** Begin"}, "*** Begin"), ({}, ""), ({"a": 1}, '{"a":1}')],
)
def test_a_custom_call_is_its_text_whatever_the_argument_is_called(args: Any, text: str) -> None:
    assert called("apply_patch", args, PATCH) == {
        "type": "custom_tool_call",
        "status": "completed",
        "name": "apply_patch",
        "input": text,
    }


def test_the_events_of_a_custom_call() -> None:
    call = {"functionCall": {"name": "apply_patch", "args": {"input": "x"}}}
    events = streamed(native(call, finishReason="STOP"), tools=[PATCH])
    assert kinds(events)[2:-1] == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done")
    ]
    for event in events:
        EVENT.validate_python(event)
    assert events[2]["item"]["input"] == ""


NAMESPACE = {
    "type": "namespace",
    "name": "mcp_mail",
    "description": "Mail.",
    "tools": [WEATHER, {"type": "custom", "name": "exec"}],
}


def test_members_of_a_namespace_have_its_name_at_gemini_and_their_own_in_the_answer() -> None:
    assert [each["name"] for each in declared(NAMESPACE)] == ["mcp_mail__get_weather", "mcp_mail__exec"]
    item = called("mcp_mail__get_weather", {"city": "Rome"}, NAMESPACE)
    assert (item["name"], item["namespace"], item["type"]) == ("get_weather", "mcp_mail", "function_call")
    item = called("mcp_mail__exec", {"input": "1"}, NAMESPACE)
    assert (item["name"], item["namespace"], item["type"]) == ("exec", "mcp_mail", "custom_tool_call")


def test_calls_of_a_namespace_in_the_history_have_geminis_name() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "namespace": "mcp_mail", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    items = [{"role": "user", "content": "Hi"}, call, output]
    _, asked, answered = translate(tools=[NAMESPACE], input=items).body["contents"]
    assert asked["parts"][0]["functionCall"]["name"] == "mcp_mail__get_weather"
    assert answered["parts"][0]["functionResponse"]["name"] == "mcp_mail__get_weather"


def test_two_namespaces_may_have_a_member_of_one_name_and_names_may_be_long() -> None:
    tools = [{**NAMESPACE, "name": "n" * 60}, {**NAMESPACE, "name": "n" * 61}, NAMESPACE]
    names = [each["name"] for each in declared(*tools)]
    assert len(set(names)) == 6
    assert all(len(name) <= 64 for name in names)
    item = called(names[2], {"city": "Rome"}, *tools)
    assert (item["name"], item["namespace"]) == ("get_weather", "n" * 61)


def test_a_function_may_have_the_name_that_a_member_would_get() -> None:
    plain = {**WEATHER, "name": "mcp_mail__get_weather"}
    names = [each["name"] for each in declared(plain, NAMESPACE)]
    assert len(set(names)) == 3
    assert called(names[0], {"city": "Rome"}, plain, NAMESPACE)["name"] == "mcp_mail__get_weather"
    item = called(names[1], {"city": "Rome"}, plain, NAMESPACE)
    assert (item["name"], item["namespace"]) == ("get_weather", "mcp_mail")


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[WEATHER, {**WEATHER, "description": "Another."}])
    assert caught.value.param == "tools[1].name"


def test_tools_in_items_are_declared_once() -> None:
    user = {"role": "user", "content": "Hi"}
    more = {"type": "additional_tools", "role": "developer", "tools": [NAMESPACE, WEATHER]}
    found = {"type": "tool_search_output", "execution": "client", "tools": [WEATHER]}
    assert [each["name"] for each in declared(input=[more, user, found])] == [
        *("mcp_mail__get_weather", "mcp_mail__exec", "get_weather")
    ]


def test_a_search_of_tools_by_the_client_is_a_function_with_an_item_of_its_own() -> None:
    tool = {"type": "tool_search", "execution": "client", "description": "Finds tools."}
    assert declared(tool)[0]["description"] == "Finds tools."
    item = called("tool_search", {"query": "mail"}, tool)
    assert item == {
        "type": "tool_search_call",
        "status": "completed",
        "execution": "client",
        "arguments": {"query": "mail"},
    }
    translation = translate(tools=[{"type": "tool_search"}, {**WEATHER, "defer_loading": True}])
    assert translation.notes.adjusted == ["tools[0].type=tool_search->all tools"]


@pytest.mark.parametrize(
    ("kind", "args", "fields"),
    [
        (
            "local_shell",
            {"command": ["ls", "-l"], "timeout_ms": 5},
            {"action": {"type": "exec", "command": ["ls", "-l"], "env": {}, "timeout_ms": 5}},
        ),
        (
            "shell",
            {"commands": ["ls"]},
            {"action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}},
        ),
        (
            "apply_patch",
            {"type": "update_file", "path": "a.py", "diff": "+b"},
            {"operation": {"type": "update_file", "path": "a.py", "diff": "+b"}},
        ),
        (
            "apply_patch",
            {"type": "delete_file", "path": "a.py"},
            {"operation": {"type": "delete_file", "path": "a.py"}},
        ),
    ],
)
def test_openais_own_tools_are_functions_with_items_of_their_own(kind: str, args: Any, fields: Any) -> None:
    item = called(kind, args, {"type": kind})
    assert item == {"type": f"{kind}_call", "status": "completed", **fields}


def test_a_shell_in_a_container_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[{"type": "shell", "environment": {"type": "container_auto"}}])
    assert caught.value.param == "tools[0].environment"


def test_a_search_is_left_out_beside_functions_on_gemini_2_and_said() -> None:
    translation = translate(tools=[WEATHER, SEARCH], model=FLASH_25)
    assert [list(tool) for tool in translation.body["tools"]] == [["functionDeclarations"]]
    assert translation.notes.dropped == ["tools[1].type=web_search"]


def test_a_search_is_sent_beside_functions_on_gemini_3() -> None:
    body = translate(tools=[WEATHER, SEARCH], model=FLASH_3).body
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    assert body["toolConfig"]["includeServerSideToolInvocations"] is True


@pytest.mark.parametrize(
    "kind", ["web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11"]
)
def test_searches_of_all_dates_are_google_search(kind: str) -> None:
    options = {"filters": None, "user_location": None, "search_context_size": "medium"}
    translation = translate(tools=[{"type": kind, **options}])
    assert translation.body["tools"] == [{"googleSearch": {}}]
    assert translation.notes.dropped == []


def test_a_search_of_a_cache_is_left_out_and_said() -> None:
    translation = translate(tools=[{**SEARCH, "external_web_access": False}], model=FLASH_3)
    assert "tools" not in translation.body
    assert translation.notes.dropped == ["tools[0].type=web_search"]


def test_a_search_of_a_cache_asks_the_web_where_the_operator_wants_it_and_that_is_said() -> None:
    options = chat_options(cached_search="live", unsupported_params="strict")
    tool = {**SEARCH, "external_web_access": False}
    for translated in (translate(options, tools=[tool], model=FLASH_3), chat(options, tools=[tool], model=FLASH_3)):
        assert translated.body["tools"] == [{"googleSearch": {}}]
        assert translated.notes.adjusted == ["tools[0].external_web_access=false->true"]
    assert chat(tools=[tool], model=FLASH_3).notes.dropped == ["tools[0].type=web_search"]
    assert chat(tools=[{**SEARCH, "external_web_access": True}], model=FLASH_3).notes.dropped == []


def test_options_that_would_change_what_is_found_are_said() -> None:
    options = {"filters": {"allowed_domains": ["a.com"]}, "user_location": {"type": "approximate", "city": "Rome"}}
    assert translate(tools=[{**SEARCH, **options}]).notes.dropped == ["tools[0].filters", "tools[0].user_location"]


def test_code_and_file_search_are_geminis() -> None:
    tools = [
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "file_search", "vector_store_ids": ["fileSearchStores/a"], "max_num_results": 3},
    ]
    assert translate(tools=tools).body["tools"] == [
        {"codeExecution": {}},
        {"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/a"], "topK": 3}},
    ]


def test_images_are_asked_of_models_that_make_them() -> None:
    translation = translate(model="gemini-3-pro-image", tools=[{"type": "image_generation"}])
    assert translation.body["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    assert translation.notes.dropped == []


def drawn(*options: dict[str, Any], model: str = "gemini-3-pro-image", **body: Any) -> Any:
    tools = [{"type": "image_generation", **each} for each in options]
    return translate(model=model, tools=tools, **body)


def test_the_size_and_the_quality_of_images_are_googles() -> None:
    wide = drawn({"size": "1536x1024"})
    assert wide.body["generationConfig"]["imageConfig"] == {"aspectRatio": "3:2", "imageSize": "1K"}
    assert wide.notes.adjusted == ["tools[0].size=1536x1024->3:2,1K"]
    fine = drawn({"quality": "high", "size": "auto"})
    assert fine.body["generationConfig"]["imageConfig"] == {"imageSize": "2K"}
    assert fine.notes.adjusted == ["tools[0].quality=high->2K"]
    own = drawn({"size": "1536x1024"}, image_config={"aspect_ratio": "16:9"})
    assert own.body["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("background", "transparent"),
        ("output_format", "webp"),
        ("output_compression", 50),
        ("input_fidelity", "high"),
        ("input_image_mask", {"file_id": "file-1"}),
        ("model", "gpt-image-1"),
        ("moderation", "low"),
        ("action", "edit"),
        ("an_option_of_tomorrow", 1),
    ],
)
def test_an_option_of_images_that_gemini_lacks_is_dropped_visibly_or_refused(option: str, value: Any) -> None:
    assert drawn({option: value}).notes.dropped == [f"tools[0].{option}"]
    with pytest.raises(ApiError) as caught:
        translate(
            chat_options(unsupported_params="strict"),
            model="gemini-3-pro-image",
            tools=[{"type": "image_generation", option: value}],
        )
    assert caught.value.param == f"tools[0].{option}"


UNREADABLE = [("size", 5), ("size", "large"), ("quality", "best"), ("quality", [])]
UNREADABLE += [("partial_images", value) for value in (4, -1, True, "2", 1.5)]


@pytest.mark.parametrize(("option", "value"), UNREADABLE)
def test_an_option_of_images_that_cannot_be_read_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ApiError) as caught:
        drawn({option: value})
    assert caught.value.param == f"tools[0].{option}"


def test_options_of_images_that_ask_for_nothing_are_no_loss() -> None:
    neutral = {"partial_images": 0, "background": "auto", "moderation": "auto", "size": "auto", "quality": "auto"}
    translation = drawn(neutral)
    assert (translation.notes.dropped, translation.notes.adjusted) == ([], [])
    assert "imageConfig" not in translation.body["generationConfig"]


def test_partial_images_are_noted_because_only_the_final_one_comes() -> None:
    assert drawn({"partial_images": 2}).notes.adjusted == ["tools[0].partial_images=2->the final image"]
    assert drawn({"partial_images": None}).notes.adjusted == []


def test_an_unknown_vector_store_is_a_404() -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}])
    assert (caught.value.status, caught.value.param) == (404, "tools[0].vector_store_ids[0]")


@pytest.mark.parametrize("tool", [{"type": "hologram"}, {"type": "image_generation"}])
def test_an_unknown_tool_is_dropped_visibly_or_refused(tool: Any) -> None:
    translation = translate(tools=[WEATHER, tool])
    assert translation.notes.dropped == [f"tools[1].type={tool['type']}"]
    assert len(declared(WEATHER, tool)) == 1
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), tools=[WEATHER, tool])
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["computer", "computer_use_preview", "programmatic_tool_calling"])
def test_tools_that_the_answer_would_be_made_of_are_refused(kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[{"type": kind}])
    assert (caught.value.param, caught.value.code) == ("tools[0].type", "unsupported_value")


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("none", {"mode": "NONE"}),
        ("auto", None),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "name": "get_weather"}, {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
        ),
        ({"type": "custom", "name": "apply_patch"}, {"mode": "ANY", "allowedFunctionNames": ["apply_patch"]}),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]},
            {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
        ),
        (
            {"type": "allowed_tools", "tools": [{"type": "function", "name": "get_weather"}]},
            {"mode": "VALIDATED", "allowedFunctionNames": ["get_weather"]},
        ),
    ],
)
def test_choices(choice: Any, calling: Any) -> None:
    body = translate(tools=[WEATHER, PATCH], tool_choice=choice).body
    assert body.get("toolConfig", {}).get("functionCallingConfig") == calling


def test_a_choice_of_a_built_in_tool_cannot_be_forced_and_is_said() -> None:
    translation = translate(tools=[SEARCH], tool_choice={"type": "web_search"})
    assert translation.notes.adjusted == ["tool_choice.type=web_search->auto"]


def test_a_choice_that_names_nothing_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[WEATHER], tool_choice={"type": "function", "name": "nothing"})
    assert caught.value.param == "tool_choice.name"


def test_calls_outside_of_the_allowed_tools_are_not_given() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]}
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": {}}} for name in ("apply_patch", "get_weather")
    ]
    response = whole(native(*calls, finishReason="STOP"), tools=[WEATHER, PATCH], tool_choice=choice)
    assert [item["name"] for item in response["output"]] == ["get_weather"]


def test_too_many_tools_are_refused() -> None:
    with pytest.raises(ApiError) as caught:
        translate(chat_options(max_tools=1), tools=[NAMESPACE])
    assert caught.value.code == "array_above_max_length"


def test_the_echo_of_tools_is_what_was_sent() -> None:
    tools = [SEARCH, NAMESPACE]
    events = streamed(native({"text": "Hi"}, finishReason="STOP"), tools=tools, model=FLASH_3)
    assert final(events)["tools"] == events[0]["response"]["tools"] == tools
