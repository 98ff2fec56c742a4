"""The tool `mcp`: servers that Gemini connects to, its calls there as items, and what cannot be had of them."""

from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.support.answers import native
from tests.support.chat import chat_options
from tests.support.chat import translate as chat
from tests.support.responses import (
    FLASH_3,
    FLASH_25,
    NEWEST,
    WEATHER,
    contents,
    final,
    kinds,
    streamed,
    translate,
    whole,
)

from gemgate.errors import ApiError

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
URL = "https://mcp.example/mcp"
SERVER: dict[str, Any] = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": URL,
    "require_approval": "never",
}
CALL = {"functionCall": {"name": "ask", "args": {"q": "x"}}}
OUTPUT = {"functionResponse": {"name": "ask", "response": {"result": "42"}}}
USER = {"role": "user", "content": "Hi"}
ITEM = {"type": "mcp_call", "id": "mcp_1", "name": "ask", "arguments": '{"q":"x"}', "server_label": "docs"}


def servers(*tools: Any, **body: Any) -> Any:
    """The MCP servers that these tools become."""
    (tool,) = translate(tools=list(tools), **body).body["tools"]
    return tool["mcpServers"]


@pytest.mark.parametrize("model", [FLASH_25, NEWEST])
def test_a_server_is_connected_to_by_gemini(model: str) -> None:
    assert servers(SERVER, model=model) == [{"name": "docs", "streamableHttpTransport": {"url": URL}}]


def test_secrets_go_to_the_server_and_are_not_repeated() -> None:
    tool = {**SERVER, "headers": {"authorization": "Basic no", "X-Team": "a"}, "authorization": "tok"}
    assert servers(tool)[0]["streamableHttpTransport"]["headers"] == {"X-Team": "a", "Authorization": "Bearer tok"}
    (shown,) = whole(native({"text": "Hi"}, finishReason="STOP"), tools=[tool])["tools"]
    assert shown == {**SERVER, "headers": None}


def test_several_servers_are_one_tool_and_labels_have_names_that_google_takes() -> None:
    other = {**SERVER, "server_label": "my-mail", "server_description": "Mail."}
    translation = translate(tools=[SERVER, other])
    assert [each["name"] for each in translation.body["tools"][0]["mcpServers"]] == ["docs", "my_mail"]
    assert translation.notes.adjusted == ["tools[1].server_label=my-mail->my_mail"]
    assert translation.notes.dropped == ["tools[1].server_description"]


@pytest.mark.parametrize(
    ("changes", "model", "named"),
    [
        ({}, FLASH_3, ["tools[0].type=mcp"]),
        ({"require_approval": None}, FLASH_25, ["tools[0].require_approval=always", "tools[0].type=mcp"]),
        ({"require_approval": "always"}, FLASH_25, ["tools[0].require_approval=always", "tools[0].type=mcp"]),
        (
            {"require_approval": {"never": {"tool_names": ["ask"]}}},
            FLASH_25,
            ["tools[0].require_approval=filter", "tools[0].type=mcp"],
        ),
        ({"allowed_tools": ["ask"]}, FLASH_25, ["tools[0].allowed_tools", "tools[0].type=mcp"]),
        ({"allowed_tools": {"read_only": True}}, FLASH_25, ["tools[0].allowed_tools", "tools[0].type=mcp"]),
        (
            {"server_url": None, "connector_id": "connector_gmail"},
            FLASH_25,
            ["tools[0].connector_id", "tools[0].type=mcp"],
        ),
        ({"server_url": None, "tunnel_id": "t"}, FLASH_25, ["tools[0].tunnel_id", "tools[0].type=mcp"]),
    ],
)
def test_a_server_that_cannot_be_had_as_asked_is_left_out_and_said_or_refused(
    changes: Any, model: str, named: list[str]
) -> None:
    tool = {**SERVER, **changes}
    translation = translate(tools=[tool], model=model)
    assert "tools" not in translation.body
    assert translation.notes.dropped == named
    in_chat = chat(tools=[tool], model=model)
    assert "tools" not in in_chat.body
    assert in_chat.notes.dropped == named
    with pytest.raises(ApiError) as caught:
        translate(chat_options(unsupported_params="strict"), tools=[tool], model=model)
    assert (caught.value.status, caught.value.param) == (400, named[0].partition("=")[0])


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"server_label": None}, "tools[0].server_label"),
        ({"server_url": None}, "tools[0].server_url"),
        ({"server_url": "ftp://x"}, "tools[0].server_url"),
        ({"headers": {"a": 1}}, "tools[0].headers"),
        ({"headers": ["a"]}, "tools[0].headers"),
        ({"authorization": 5}, "tools[0].authorization"),
    ],
)
def test_a_server_that_cannot_be_read_is_a_400(changes: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[{**SERVER, **changes}])
    assert (caught.value.status, caught.value.param) == (400, param)


def test_two_servers_of_one_label_are_refused() -> None:
    with pytest.raises(ApiError) as caught:
        translate(tools=[SERVER, SERVER])
    assert caught.value.param == "tools[1].server_label"


def test_functions_stay_and_servers_go_where_the_model_takes_no_mix() -> None:
    translation = translate(tools=[WEATHER, SERVER])
    assert [list(tool) for tool in translation.body["tools"]] == [["functionDeclarations"]]
    assert translation.notes.dropped == ["tools[1].type=mcp"]
    body = translate(tools=[WEATHER, SERVER], model=NEWEST).body
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["mcpServers"]]
    assert body["toolConfig"]["includeServerSideToolInvocations"] is True


def test_allowed_tools_name_servers_by_their_labels() -> None:
    other = {**SERVER, "server_label": "my-mail"}
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "my-mail"}]}
    assert [each["name"] for each in servers(SERVER, other, tool_choice=choice)] == ["my_mail"]
    assert "tools" not in translate(tools=[SERVER], tool_choice=choice).body
    assert "tools" not in translate(tools=[SERVER], tool_choice="none").body


def test_a_choice_of_a_server_cannot_be_forced_and_is_said() -> None:
    translation = translate(tools=[SERVER], tool_choice={"type": "mcp", "server_label": "docs"})
    assert translation.notes.adjusted == ["tool_choice.type=mcp->auto"]


def test_the_events_and_the_item_of_a_call_at_a_server() -> None:
    # As recorded: the call ends a first answer, and Google's own response comes behind it.
    events = streamed(
        native(CALL, finishReason="STOP"), native(OUTPUT), native({"text": "It is 42."}, finishReason="STOP"),
        tools=[SERVER],
    )  # fmt: skip
    assert kinds(events)[2:9] == [
        *("output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done"),
        *("mcp_call.completed", "output_item.done", "output_item.added"),
    ]
    for event in events:
        EVENT.validate_python(event)
    response = final(events)
    Response.model_validate(response, strict=True)
    call, message = response["output"]
    assert call["id"].startswith("mcp_")
    assert {name: call[name] for name in call if name != "id"} == {
        "type": "mcp_call",
        "status": "completed",
        "approval_request_id": None,
        "arguments": '{"q":"x"}',
        "error": None,
        "name": "ask",
        "output": "42",
        "server_label": "docs",
    }
    assert message["content"][0]["text"] == "It is 42."
    assert (events[2]["item"]["arguments"], events[2]["item"]["output"]) == ("", None)


def test_the_whole_answer_has_the_items_of_the_stream() -> None:
    parts: list[Any] = [CALL, OUTPUT, {"text": "It is 42."}]
    told = final(streamed(*(native(part, finishReason="STOP") for part in parts), tools=[SERVER]))
    assert whole(native(*parts, finishReason="STOP"), tools=[SERVER])["output"] == told["output"]


@pytest.mark.parametrize(
    ("response", "output", "error"),
    [
        ({"output": "a"}, "a", None),
        ({"result": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}, "a\nb", None),
        ({"content": [{"type": "text", "text": "a"}]}, "a", None),
        ({"content": [{"type": "image", "data": "x"}]}, '[{"type":"image","data":"x"}]', None),
        ({"a": 1, "result": 2}, '{"a":1,"result":2}', None),
        ({}, "{}", None),
        ({"error": "no"}, None, {"type": "mcp_tool_execution_error", "content": "no"}),
        (
            {"result": {"isError": True, "content": [{"type": "text", "text": "no"}]}},
            None,
            {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": "no"}]},
        ),
    ],
)
def test_the_output_of_a_call_is_its_text_or_an_error(response: Any, output: Any, error: Any) -> None:
    result = {"functionResponse": {"name": "ask", "response": response}}
    events = streamed(native(CALL, result, {"text": "x"}, finishReason="STOP"), tools=[SERVER])
    call, _ = final(events)["output"]
    assert (call["output"], call["error"]) == (output, error)
    assert call["status"] == ("completed" if error is None else "failed")
    assert kinds(events)[6] == f"mcp_call.{call['status']}"


def test_calls_in_parallel_have_their_own_outputs() -> None:
    calls: list[Any] = [{"functionCall": {"name": "ask", "args": {"q": n}, "id": f"i{n}"}} for n in (1, 2)]
    outputs: list[Any] = [
        {"functionResponse": {"name": "ask", "id": f"i{n}", "response": {"result": str(n)}}} for n in (2, 1)
    ]
    response = whole(native(*calls, *outputs, {"text": "x"}, finishReason="STOP"), tools=[SERVER])
    shown = [item for item in response["output"] if item["type"] == "mcp_call"]
    assert [(item["arguments"], item["output"]) for item in shown] == [('{"q":1}', "1"), ('{"q":2}', "2")]


def test_a_call_that_has_no_output_has_failed() -> None:
    call, message = whole(native(CALL, {"text": "Sorry."}, finishReason="STOP"), tools=[SERVER])["output"]
    assert (call["status"], call["output"], call["error"]["type"]) == ("failed", None, "mcp_protocol_error")
    assert message["content"][0]["text"] == "Sorry."


def test_the_callers_own_calls_stay_the_callers_beside_a_server() -> None:
    own = {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}
    answer = native(CALL, OUTPUT, own, finishReason="STOP")
    output = whole(answer, tools=[WEATHER, SERVER], model=NEWEST)["output"]
    assert [item["type"] for item in output if item["type"] != "reasoning"] == ["mcp_call", "function_call"]


def test_of_several_servers_the_label_is_the_one_that_the_name_of_the_tool_begins_with() -> None:
    other = {**SERVER, "server_label": "my-mail"}
    named: list[Any] = [{"functionCall": {"name": name, "args": {}}} for name in ("my_mail_send", "send")]
    output = whole(native(*named, finishReason="STOP"), tools=[SERVER, other])["output"]
    assert [item["server_label"] for item in output] == ["my-mail", "docs"]


def test_a_call_comes_back_as_the_very_parts_where_the_model_signs_them() -> None:
    signed = {**CALL, "thoughtSignature": "c2ln"}
    output = whole(native(signed, OUTPUT, {"text": "x"}, finishReason="STOP"), tools=[SERVER], model=NEWEST)["output"]
    assert [item["type"] for item in output] == ["reasoning", "mcp_call", "message"]
    _, asked, _ = contents(USER, *output, USER, tools=[SERVER], model=NEWEST)
    assert asked["parts"][:2] == [signed, OUTPUT]
    assert asked["parts"][2]["text"] == "x"


@pytest.mark.parametrize(
    ("item", "response"),
    [
        ({**ITEM, "output": "42", "error": None}, {"result": "42"}),
        ({**ITEM, "output": None, "error": {"content": "no"}}, {"error": {"content": "no"}}),
        (ITEM, {"error": "no output"}),
    ],
)
@pytest.mark.parametrize("model", [FLASH_25, FLASH_3, NEWEST])
def test_a_call_of_the_history_alone_is_a_call_with_its_response(item: Any, response: Any, model: str) -> None:
    user, asked, answered, last = contents(USER, item, {"role": "assistant", "content": "42"}, USER, model=model)[:4]
    assert user["role"] == "user"
    call = asked["parts"][0]["functionCall"]
    assert (call["name"], call["args"]) == ("ask", {"q": "x"})
    assert answered["parts"][0]["functionResponse"]["response"] == response
    assert answered["parts"][0]["functionResponse"].get("id") == call.get("id")
    assert ("thoughtSignature" in asked["parts"][0]) is (model != FLASH_25)
    assert last["role"] == "model"


def test_an_approval_has_nothing_to_approve_and_is_said() -> None:
    approval = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert translate(input=[USER, approval]).notes.dropped == ["input[1].type=mcp_approval_response"]


def test_googles_own_form_is_understood() -> None:
    tool = {"mcp_servers": [{"name": "docs", "streamable_http_transport": {"url": URL}}]}
    assert servers(tool) == [{"name": "docs", "streamableHttpTransport": {"url": URL}}]
    output = whole(native(CALL, OUTPUT, {"text": "x"}, finishReason="STOP"), tools=[tool])["output"]
    assert (output[0]["type"], output[0]["server_label"]) == ("mcp_call", "docs")


def test_chat_has_the_same_servers() -> None:
    translation = chat(tools=[SERVER, {**SERVER, "server_label": "b"}])
    assert [each["name"] for each in translation.body["tools"][0]["mcpServers"]] == ["docs", "b"]
    assert translation.context.holds_calls
