"""Messages become turns."""

from typing import Any, ClassVar

import pytest
from tests.support.chat import (
    FLASH_3,
    FLASH_35,
    FLASH_37,
    USER,
    assistant_calls,
    chat_options,
    contents,
    function_tool,
    tool_result,
    translate,
)

from gemgate.errors import ApiError


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text} for text in texts]}


def error(*messages: dict[str, Any], **body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(messages=list(messages), **body)
    assert caught.value.status == 400
    return caught.value


def test_all_leading_system_and_developer_messages_are_the_system_instruction() -> None:
    translation = translate(
        messages=[
            {"role": "system", "content": "One."},
            {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
            USER,
        ]
    )
    assert translation.body["systemInstruction"] == {"parts": [{"text": "One."}, {"text": "Two."}]}
    assert translation.body["contents"] == [turn("user", "Hi")]
    assert translation.notes.adjusted == []


def test_a_later_system_message_keeps_its_place_as_user_text() -> None:
    translation = translate(messages=[USER, {"role": "system", "content": "Be terse."}, user("Go")])
    assert translation.body["contents"] == [turn("user", "Hi", "Be terse.", "Go")]
    assert "systemInstruction" not in translation.body
    assert translation.notes.adjusted == ["messages[1].role=system->user"]


def test_a_conversation_of_system_messages_only_is_a_user_turn() -> None:
    translation = translate(messages=[{"role": "system", "content": "Tell a joke."}])
    assert translation.body["contents"] == [turn("user", "Tell a joke.")]
    assert "systemInstruction" not in translation.body
    assert translation.notes.adjusted == ["messages[0].role=system->user"]


def test_a_model_without_system_instructions_reads_them_as_user_text() -> None:
    translation = translate(model="gemma-3-27b-it", messages=[{"role": "system", "content": "Be kind."}, USER])
    assert translation.body["contents"] == [turn("user", "Be kind.", "Hi")]


def test_a_system_message_cannot_hold_media() -> None:
    image = {"type": "image_url", "image_url": {"url": "gs://bucket/cat.png"}}
    assert error({"role": "system", "content": [image]}, USER).param == "messages[0].content"


def test_neighbours_of_one_role_become_one_turn() -> None:
    assert contents(USER, user("there"), {"role": "assistant", "content": "Yes?"}, user("Bye")) == [
        turn("user", "Hi", "there"),
        turn("model", "Yes?"),
        turn("user", "Bye"),
    ]


@pytest.mark.parametrize("content", ["", None, [], [{"type": "text", "text": ""}]])
def test_a_message_without_content_sends_no_empty_part(content: Any) -> None:
    assert contents(USER, {"role": "user", "content": content}) == [turn("user", "Hi")]


def test_a_conversation_without_any_content_is_refused() -> None:
    assert error({"role": "user", "content": ""}).param == "messages"


def test_names_of_participants_are_dropped_visibly() -> None:
    translation = translate(messages=[{"role": "user", "content": "Hi", "name": "ann"}])
    assert translation.notes.headers() == {"x-gemgate-dropped-params": "messages[].name"}


def test_unknown_fields_of_messages_and_parts_are_dropped_visibly() -> None:
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    translation = translate(messages=[{"role": "user", "content": [part], "weight": 1}])
    assert translation.notes.dropped == ["messages[].weight", "messages[].content[].cache_control"]


def test_what_clients_echo_of_an_answer_is_said_but_never_refused() -> None:
    echo = {"role": "assistant", "content": "Yo", "reasoning_content": "hm", "annotations": [], "parsed": {"a": 1}}
    translation = translate(chat_options(unsupported_params="strict"), messages=[USER, echo, USER])
    assert translation.notes.adjusted == ["messages[].reasoning_content->none"]
    assert translation.notes.dropped == []


class TestThoughtTags:
    HISTORY: ClassVar = [USER, {"role": "assistant", "content": "<thought>hm\nhm</thought>Yo <thought>"}, USER]

    def test_thought_tags_do_not_go_back_as_the_models_own_words(self) -> None:
        translation = translate(dialect="google", messages=self.HISTORY)
        assert translation.body["contents"][1] == turn("model", "Yo <thought>")
        assert translation.notes.adjusted == ["messages[].content=<thought>->none"]

    def test_thought_tags_are_plain_text_where_no_answer_holds_them(self) -> None:
        assert translate(messages=self.HISTORY).body["contents"][1] == turn("model", self.HISTORY[1]["content"])


class TestAssistantTurns:
    def test_text_comes_before_calls_in_one_turn(self) -> None:
        native = contents(USER, assistant_calls(("a", "f", '{"x":1}'), content="Let me see."), tool_result("a", "ok"))
        assert native[1]["parts"] == [{"text": "Let me see."}, {"functionCall": {"name": "f", "args": {"x": 1}}}]

    def test_a_refusal_is_text(self) -> None:
        native = contents(USER, {"role": "assistant", "content": None, "refusal": "No."}, USER)
        assert native[1] == turn("model", "No.")
        part = {"type": "refusal", "refusal": "No."}
        assert contents(USER, {"role": "assistant", "content": [part]}, USER)[1] == turn("model", "No.")

    def test_an_image_of_its_own_goes_back_with_its_signature(self) -> None:
        image = {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        }
        native = contents(USER, {"role": "assistant", "content": "Here.", "images": [image, {"type": "other"}]}, USER)
        assert native[1]["parts"][1:] == [
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "thoughtSignature": "c2ln"}
        ]

    def test_parts_without_a_counterpart_go_back_as_they_came(self) -> None:
        code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "c2ln"}
        message = {"role": "assistant", "content": "1", "extra_content": {"google": {"parts": [code]}}}
        assert contents(USER, message, USER)[1]["parts"] == [code, {"text": "1"}]

    def test_a_trailing_turn_stays_where_the_model_takes_it(self) -> None:
        assert contents(USER, {"role": "assistant", "content": "Once"})[-1] == turn("model", "Once")

    def test_a_trailing_turn_is_trimmed_visibly_where_the_model_refuses_it(self) -> None:
        translation = translate(model=FLASH_37, messages=[USER, {"role": "assistant", "content": "Once"}])
        assert translation.body["contents"] == [turn("user", "Hi")]
        assert translation.notes.adjusted == ["messages[1]->none"]

    def test_a_trailing_turn_can_be_continued_or_rejected(self) -> None:
        messages = [USER, {"role": "assistant", "content": "Once"}]
        continued = translate(chat_options(trailing_assistant="continue"), model=FLASH_37, messages=messages)
        assert [content["role"] for content in continued.body["contents"]] == ["user", "model", "user"]
        with pytest.raises(ApiError) as caught:
            translate(chat_options(trailing_assistant="reject"), model=FLASH_37, messages=messages)
        assert caught.value.param == "messages[1]"

    @pytest.mark.parametrize(
        ("arguments", "args"), [("", {}), ("null", {}), ("{}", {}), ({"x": 1}, {"x": 1}), (None, {})]
    )
    def test_arguments_may_be_empty(self, arguments: Any, args: dict[str, Any]) -> None:
        native = contents(USER, assistant_calls(("a", "f", arguments)), tool_result("a", "ok"))
        assert native[1]["parts"][0]["functionCall"]["args"] == args

    @pytest.mark.parametrize("arguments", ['{"x":', "[1]", '"text"', "not json"])
    def test_malformed_arguments_are_refused_by_name_under_the_strict_policy(self, arguments: str) -> None:
        strict = chat_options(unsupported_params="strict")
        caught = error(USER, assistant_calls(("a", "f", arguments)), tool_result("a", "ok"), options=strict)
        assert caught.param == "messages[1].tool_calls[0].function.arguments"

    def test_a_call_without_a_function_is_refused_by_name(self) -> None:
        message = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}
        assert error(USER, message).param == "messages[1].tool_calls[0].function"


class TestToolResults:
    def test_results_of_one_turn_stand_in_one_content_in_the_order_of_the_calls(self) -> None:
        native = contents(
            USER, assistant_calls(("a", "f", ""), ("b", "g", "")), tool_result("b", "2"), tool_result("a", "1"), USER
        )
        responses = [part["functionResponse"] for part in native[2]["parts"]]
        assert [(one["name"], one["response"]) for one in responses] == [("f", {"result": "1"}), ("g", {"result": "2"})]
        assert native[2]["role"] == "user"
        assert native[3] == turn("user", "Hi")

    @pytest.mark.parametrize(
        ("content", "response"),
        [
            ('{"ok": true}', {"ok": True}),
            ({"ok": True}, {"ok": True}),
            ("sunny", {"result": "sunny"}),
            ("42", {"result": "42"}),
            ("[1, 2]", {"result": [1, 2]}),
            ("{broken", {"result": "{broken"}),
            ("", {"result": ""}),
            (None, {"result": ""}),
            ([{"type": "text", "text": '{"a":'}, {"type": "text", "text": "1}"}], {"a": 1}),
            ('{"schema": {"$ref": "#/x"}}', {"result": '{"schema":{"$ref":"#/x"}}'}),
            ('[{"$ref": "x"}]', {"result": '[{"$ref":"x"}]'}),
        ],
    )
    def test_the_response_is_always_an_object(self, content: Any, response: dict[str, Any]) -> None:
        native = contents(USER, assistant_calls(("a", "f", "")), tool_result("a", content))
        assert native[2]["parts"] == [{"functionResponse": {"name": "f", "response": response}}]

    def test_media_goes_into_the_response_on_gemini_3_and_behind_it_before(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        blob = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
        messages = [USER, assistant_calls(("a", "f", "")), tool_result("a", [{"type": "text", "text": "seen"}, image])]
        response = contents(*messages, model=FLASH_3)[2]["parts"][0]["functionResponse"]
        assert response["response"] == {"result": "seen"}
        assert response["parts"] == [blob]
        before = contents(*messages)
        assert "parts" not in before[2]["parts"][0]["functionResponse"]
        assert before[3] == {"role": "user", "parts": [blob]}

    def test_ids_travel_on_gemini_3_only(self) -> None:
        messages = [USER, assistant_calls(("call_1", "f", "")), tool_result("call_1", "ok")]
        native = contents(*messages, model=FLASH_3)
        assert native[1]["parts"][0]["functionCall"]["id"] == "call_1"
        assert native[2]["parts"][0]["functionResponse"]["id"] == "call_1"
        assert "id" not in contents(*messages)[1]["parts"][0]["functionCall"]

    def test_an_orphan_is_refused_by_name(self) -> None:
        caught = error(USER, assistant_calls(("a", "f", "")), tool_result("zzz", "x"))
        assert caught.param == "messages[2].tool_call_id"
        assert "'zzz'" in caught.message
        assert "'a'" in caught.message
        assert error(tool_result("a", "x")).param == "messages[0].tool_call_id"

    def test_a_second_result_is_refused_by_name(self) -> None:
        caught = error(USER, assistant_calls(("a", "f", "")), tool_result("a", "1"), tool_result("a", "2"))
        assert caught.param == "messages[3].tool_call_id"

    @pytest.mark.parametrize("after", [[], [USER]])
    def test_a_missing_result_is_refused_by_name(self, after: list[dict[str, Any]]) -> None:
        caught = error(USER, assistant_calls(("a", "f", ""), ("b", "g", "")), tool_result("a", "1"), *after)
        assert "b" in caught.message
        assert caught.param == "messages"

    def test_two_calls_with_one_id_are_refused(self) -> None:
        assert error(USER, assistant_calls(("a", "f", ""), ("a", "g", ""))).param == "messages[1].tool_calls[1].id"

    def test_an_id_may_come_back_in_a_later_turn(self) -> None:
        round_trip = [assistant_calls(("a", "f", "")), tool_result("a", "1")]
        assert len(contents(USER, *round_trip, *round_trip)) == 5

    def test_the_legacy_function_role_is_found_by_its_name(self) -> None:
        call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x":1}'}}
        native = contents(USER, call, {"role": "function", "name": "f", "content": "ok"})
        assert native[1]["parts"] == [{"functionCall": {"name": "f", "args": {"x": 1}}}]
        assert native[2]["parts"] == [{"functionResponse": {"name": "f", "response": {"result": "ok"}}}]
        assert error(USER, call, {"role": "function", "name": "g", "content": ""}).param == "messages[2].name"

    def test_malformed_legacy_arguments_are_refused_by_name_under_the_strict_policy(self) -> None:
        call = {"role": "assistant", "function_call": {"name": "f", "arguments": "{"}}
        strict = chat_options(unsupported_params="strict")
        assert error(USER, call, options=strict).param == "messages[1].function_call.arguments"

    def test_a_call_of_a_custom_tool_carries_its_input(self) -> None:
        call = {"id": "a", "type": "custom", "custom": {"name": "run", "input": "ls"}}
        native = contents(USER, {"role": "assistant", "tool_calls": [call]}, tool_result("a", "."))
        assert native[1]["parts"][0]["functionCall"] == {"name": "run", "args": {"input": "ls"}}

    def test_names_are_changed_in_history_as_in_the_declarations(self) -> None:
        body = translate(
            messages=[USER, assistant_calls(("a", "1 f", "")), tool_result("a", "x")], tools=[function_tool("1 f")]
        ).body
        assert body["tools"][0]["functionDeclarations"][0]["name"] == "_1_f"
        assert body["contents"][1]["parts"][0]["functionCall"]["name"] == "_1_f"
        assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == "_1_f"


class TestTextSignatures:
    def test_the_signature_of_a_message_goes_back_on_its_text(self) -> None:
        message = {"role": "assistant", "content": "Hello", "extra_content": {"google": {"thought_signature": "c2ln"}}}
        assert contents(USER, message, USER, model=FLASH_35)[1]["parts"] == [
            {"text": "Hello", "thoughtSignature": "c2ln"}
        ]

    def test_a_signature_without_text_has_no_place(self) -> None:
        message = {"role": "assistant", "content": "", "extra_content": {"google": {"thought_signature": "c2ln"}}}
        assert contents(USER, message, USER, model=FLASH_35) == [turn("user", "Hi", "Hi")]
