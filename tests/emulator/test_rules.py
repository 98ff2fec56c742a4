from typing import Any, ClassVar

import pytest
from tests.emulator.support import TIME, WEATHER, config, functions, said

from gemgate.emulator import signatures
from gemgate.emulator.families import find
from gemgate.emulator.rules import refusal
from gemgate.emulator.validation import parse

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def refused(model: str, body: dict[str, Any], *, streaming: bool = False) -> str:
    """The message of the refusal, or "" if the request is taken."""
    found = find(model)
    assert found is not None
    canonical, wrong = parse("GenerateContentRequest", body)
    assert wrong == []
    error = refusal(found, canonical, streaming=streaming)
    assert error is None or error.status == 400
    return error.message if error else ""


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model_turn(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def call(name: str = "get_weather", signature: str | None = None) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"name": name, "args": {}}}
    return part | ({"thoughtSignature": signature} if signature else {})


def result(name: str = "get_weather", **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"ok": True}, **more}}


def conversation(*contents: dict[str, Any]) -> dict[str, Any]:
    return {"contents": list(contents)}


HELLO = user({"text": "Hello"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        (conversation({"role": "system", "parts": [{"text": "x"}]}), "Please use a valid role: user, model."),
        (conversation({"role": "user"}), "contents[0].parts: contents.parts must not be empty."),
        (conversation(user({"functionCall": {"name": ""}})), "function_call.name: Name cannot be empty."),
        (conversation(HELLO, user(result(""))), "function_response.name: Name cannot be empty."),
        (conversation(user({"inlineData": {"mimeType": "image/png", "data": ""}})), "Unable to process input image"),
        (conversation(user({"inlineData": {"data": "AAAA"}})), "mime_type must be specified"),
        (config(stopSequences=list("abcdef")), "must not exceed 5"),
        (config(stopSequences=[""]), "stop sequence must not be empty"),
        (config(temperature=2.5), "temperature must be in the range [0.0, 2.0]."),
        (config(topP=1.1), "top_p must be in the range [0.0, 1.0]."),
        (config(maxOutputTokens=0), "max_output_tokens must be positive"),
        (config(candidateCount=9), "candidate_count must be in the range [1, 8]"),
        (config(presencePenalty=0.5), "Penalty is not enabled for models/gemini-2.5-flash"),
        (config(responseModalities=["AUDIO"]), "This model only supports text output."),
        (config(responseMimeType="text/html"), "allowed mimetypes are"),
        (config(responseJsonSchema={}), "response_mime_type must be set"),
        (config(imageConfig={"aspectRatio": "1:1"}), "Image config is not enabled"),
        (config(logprobs=3), "response_logprobs must be true"),
        (config(responseLogprobs=True, logprobs=21), "logprobs must be in the range [0, 20]"),
        (
            config(responseMimeType="application/json", responseJsonSchema={}, responseSchema={"type": "STRING"}),
            "only one of response_schema and response_json_schema",
        ),
    ],
)
def test_gemini_25_flash_refuses(body: dict[str, Any], message: str) -> None:
    assert message in refused("gemini-2.5-flash", body)


def test_every_setting_in_its_range_is_taken() -> None:
    settings = {"temperature": 2, "topP": 1, "maxOutputTokens": 1, "stopSequences": list("abcde"), "seed": 1}
    assert refused("gemini-2.5-flash", config(**settings, candidateCount=8)) == ""


class TestFunctions:
    def test_the_name_has_an_alphabet_and_a_length(self) -> None:
        for name in ("1st", "a b", "é", "x" * 129, ""):
            assert "Invalid function name" in refused("gemini-2.5-flash", said("Hi", tools=functions({"name": name})))
        assert refused("gemini-2.5-flash", said("Hi", tools=functions({"name": "_a.b:c-" + "x" * 121}))) == ""

    def test_a_name_is_declared_once(self) -> None:
        body = said("Hi", tools=[*functions(WEATHER), *functions(WEATHER)])
        assert refused("gemini-2.5-flash", body) == "Duplicate function declaration found: get_weather"

    @pytest.mark.parametrize("mode", ["ANY", "VALIDATED"])
    def test_a_function_has_a_schema_where_the_mode_holds_calls_to_one(self, mode: str) -> None:
        def with_schema(**schema: Any) -> dict[str, Any]:
            tools = functions(WEATHER, {"name": "ping", **schema})
            return said("Hi", tools=tools, toolConfig={"functionCallingConfig": {"mode": mode}})

        assert refused("gemini-2.5-flash", with_schema()) == "Request contains an invalid argument."
        assert refused("gemini-2.5-flash", with_schema(parametersJsonSchema={"type": "object", "properties": {}})) == ""
        assert refused("gemini-2.5-flash", said("Hi", tools=functions({"name": "ping"}))) == ""

    def test_parameters_are_given_in_one_way(self) -> None:
        both = WEATHER | {"parameters": {"type": "OBJECT"}}
        assert "only one of parameters" in refused("gemini-2.5-flash", said("Hi", tools=functions(both)))

    def test_allowed_names_need_a_mode_and_a_declaration(self) -> None:
        def with_mode(mode: str, name: str) -> dict[str, Any]:
            calling = {"mode": mode, "allowedFunctionNames": [name]}
            return said("Hi", tools=functions(WEATHER), toolConfig={"functionCallingConfig": calling})

        assert "without ANY or VALIDATED mode" in refused("gemini-2.5-flash", with_mode("AUTO", "get_weather"))
        assert "not present in the tools" in refused("gemini-2.5-flash", with_mode("ANY", "other"))
        assert refused("gemini-2.5-flash", with_mode("ANY", "get_weather")) == ""

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ({"type": "STRING"}, "parameters: schema at top-level must be of type OBJECT"),
            ({"type": "OBJECT", "properties": {"a": {"type": "ARRAY"}}}, "properties[a].items: missing field."),
            ({"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "enum": ["1"]}}}, "only allowed for STRING"),
            (
                {"type": "OBJECT", "properties": {"a": {"type": "STRING", "format": "uuid"}}},
                "only 'enum' and 'date-time'",
            ),
            ({"type": "OBJECT", "required": ["b"]}, "parameters.required[0]: property is not defined"),
            (
                {"type": "OBJECT", "properties": {"a": {"anyOf": [{"type": "ARRAY"}]}}},
                "any_of[0].items: missing field.",
            ),
            (
                {"type": "OBJECT", "properties": {"a": {"type": "ARRAY", "items": {"type": "ARRAY"}}}},
                "properties[a].items.items: missing field.",
            ),
        ],
    )
    def test_parameters_follow_googles_schema(self, schema: dict[str, Any], message: str) -> None:
        assert message in refused("gemini-2.5-flash", said("Hi", tools=functions({"name": "f", "parameters": schema})))

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ({"type": "array"}, "must be of type OBJECT"),
            ("object", "must be a JSON object"),
            ({"properties": {"a": {"type": "nothing"}}}, "Invalid JSON schema"),
            ({"properties": {"a": {"$ref": "#/$defs/None"}}}, "can not be resolved"),
            ({"properties": {"a": {"$ref": ""}}, "required": ["a"]}, "cyclic reference `` is only allowed"),
            (
                {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
                "cyclic reference `#` is only allowed within non-required properties",
            ),
            (
                {
                    "$defs": {
                        "A": {"properties": {"b": {"$ref": "#/$defs/B"}}, "required": ["b"]},
                        "B": {
                            "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
                            "required": ["a"],
                        },
                    },
                    "properties": {"a": {"$ref": "#/$defs/A"}},
                },
                "cyclic reference `#/$defs/",
            ),
            (
                {"$defs": {"A": {}}, "properties": {"a": {"$ref": "#/$defs/A", "description": "x"}}},
                "`$ref` can not be used together with `description`",
            ),
        ],
    )
    def test_parameters_as_json_schema_are_one(self, schema: Any, message: str) -> None:
        body = said("Hi", tools=functions({"name": "f", "parametersJsonSchema": schema}))
        assert message in refused("gemini-2.5-flash", body)

    def test_a_property_may_be_called_as_a_keyword(self) -> None:
        schema = {"type": "object", "properties": {"$ref": {"type": "string"}, "type": {"enum": [{"$ref": "x"}]}}}
        assert (
            refused("gemini-2.5-flash", said("Hi", tools=functions({"name": "f", "parametersJsonSchema": schema})))
            == ""
        )

    def test_a_circle_may_pass_an_optional_property(self) -> None:
        schema = {"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}, "required": ["value"]}
        assert (
            refused("gemini-2.5-flash", said("Hi", tools=functions({"name": "f", "parametersJsonSchema": schema})))
            == ""
        )

    def test_a_title_may_stand_beside_a_reference(self) -> None:
        schema = {"$defs": {"A": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/A", "title": "x"}}}
        body = config(responseMimeType="application/json", responseJsonSchema=schema)
        assert refused("gemini-2.5-flash", body) == ""


class TestMixtures:
    JSON: ClassVar[dict[str, Any]] = {"responseMimeType": "application/json"}
    SEARCH: ClassVar[dict[str, Any]] = {"googleSearch": {}}

    def test_json_and_functions_go_together_from_gemini_3(self) -> None:
        body = said("Hi", tools=functions(WEATHER), generationConfig=self.JSON)
        assert refused("gemini-2.5-flash", body) == (
            "Function calling with a response mime type: 'application/json' is unsupported"
        )
        assert refused("gemini-3-flash-preview", body) == ""

    def test_json_and_search_go_together_from_gemini_3(self) -> None:
        body = said("Hi", tools=[self.SEARCH], generationConfig=self.JSON)
        assert refused("gemini-2.5-flash", body) == (
            "Tool use with a response mime type: 'application/json' is unsupported"
        )
        assert refused("gemini-3-flash-preview", body) == ""

    def test_functions_and_search_go_together_from_gemini_3_with_a_flag(self) -> None:
        body = said("Hi", tools=[*functions(WEATHER), self.SEARCH])
        flagged = body | {"toolConfig": {"includeServerSideToolInvocations": True}}
        assert refused("gemini-2.5-flash", body) == "Tool use with function calling is unsupported"
        assert "include_server_side_tool_invocations" in refused("gemini-3-flash-preview", body)
        assert refused("gemini-3-flash-preview", flagged) == ""


class TestResults:
    def test_there_are_as_many_results_as_calls(self) -> None:
        two_calls = model_turn(call(), call())
        assert "equal to the number of function call parts" in refused(
            "gemini-2.5-flash", conversation(HELLO, two_calls, user(result()))
        )
        assert refused("gemini-2.5-flash", conversation(HELLO, two_calls, user(result(), result()))) == ""

    def test_results_may_come_in_several_turns(self) -> None:
        body = conversation(HELLO, model_turn(call(), call()), user(result()), user(result()))
        assert refused("gemini-2.5-flash", body) == ""

    def test_calls_may_come_in_several_turns(self) -> None:
        body = conversation(HELLO, model_turn(call()), model_turn(call()), user(result(), result()))
        assert refused("gemini-2.5-flash", body) == ""

    @pytest.mark.parametrize(
        "before",
        [
            [],
            [model_turn({"text": "Let me see."})],
            [HELLO, model_turn({"text": "Let me see."})],
            [HELLO, model_turn(call()), user(result()), model_turn({"text": "Once more."})],
        ],
    )
    def test_calls_follow_a_turn_of_the_users(self, before: list[dict[str, Any]]) -> None:
        body = conversation(*before, model_turn(call()), user(result()))
        assert "immediately after a user turn" in refused("gemini-2.5-flash", body)
        assert refused("gemini-2.5-flash", conversation(*before, HELLO, model_turn(call()), user(result()))) == ""

    def test_text_may_stand_before_a_call_in_one_turn(self) -> None:
        body = conversation(HELLO, model_turn({"text": "Let me see."}, call()), user(result()))
        assert refused("gemini-2.5-flash", body) == ""

    def test_results_follow_calls(self) -> None:
        assert "immediately after a function call turn" in refused(
            "gemini-2.5-flash", conversation(HELLO, user(result()))
        )

    def test_a_call_may_stay_without_result(self) -> None:
        assert refused("gemini-2.5-flash", conversation(HELLO, model_turn(call()), HELLO)) == ""

    def test_media_in_results_are_for_gemini_3(self) -> None:
        image = [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]
        body = conversation(HELLO, model_turn(call(signature=signatures.make("x"))), user(result(parts=image)))
        assert "Multimodal function responses" in refused("gemini-2.5-flash", body)
        assert refused("gemini-3-flash-preview", body) == ""

    @pytest.mark.parametrize(
        ("part", "message"),
        [
            ({}, "required oneof field 'data' must have one initialized field"),
            ({"inlineData": {"data": PIXEL}}, "mime_type must be specified"),
            ({"inlineData": {"mimeType": "image/png"}}, "Unable to process input image"),
        ],
    )
    def test_media_in_results_are_whole(self, part: dict[str, Any], message: str) -> None:
        called = model_turn(call(signature=signatures.make("x")))
        body = conversation(HELLO, called, user(result(parts=[part])))
        assert message in refused("gemini-3-flash-preview", body)

    def test_resolution_of_a_part_is_for_gemini_3(self) -> None:
        part = {
            "inlineData": {"mimeType": "image/png", "data": PIXEL},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
        }
        assert "Per-part media resolution" in refused("gemini-2.5-flash", conversation(user(part)))
        assert refused("gemini-3-flash-preview", conversation(user(part))) == ""


class TestSignatures:
    def body(self, signature: str | None, *, then: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
        return conversation(HELLO, model_turn(call(signature=signature), call()), user(result(), result()), *then)

    def test_gemini_3_wants_the_first_call_signed(self) -> None:
        message = refused("gemini-3-flash-preview", self.body(None))
        assert message.startswith("Function call is missing a thought_signature in functionCall parts.")
        assert "function call `default_api:get_weather` , position 2." in message

    def test_every_step_of_the_turn_wants_a_signature(self) -> None:
        step = (model_turn(call("second")), user(result("second")))
        assert "default_api:second` , position 4" in refused(
            "gemini-3-flash-preview", self.body(signatures.make("x"), then=step)
        )

    def test_earlier_turns_want_no_signature(self) -> None:
        assert refused("gemini-3-flash-preview", self.body(None, then=(HELLO,))) == ""

    def test_gemini_25_wants_no_signature(self) -> None:
        assert refused("gemini-2.5-flash", self.body(None)) == ""

    @pytest.mark.parametrize(
        "signature",
        [
            "skip_thought_signature_validator",
            "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
            "context_engineering_is_the_way_to_go",
            "EpIDCo8DAb4xyz00",
            signatures.make("x"),
        ],
    )
    def test_real_signatures_and_the_documented_words_are_taken(self, signature: str) -> None:
        assert refused("gemini-3-flash-preview", self.body(signature)) == ""

    def test_a_signature_that_was_doubled_or_changed_is_refused(self) -> None:
        ours = signatures.make("x")
        for wrong in (ours * 2, ours[:-4], ours[:-1] + ("A" if ours[-1] != "A" else "B")):
            assert refused("gemini-2.5-flash", self.body(wrong)) == "Thought signature is not valid."


@pytest.mark.parametrize(
    ("model", "config_", "message"),
    [
        ("gemini-2.0-flash", {"includeThoughts": True}, "Thinking is not enabled for models/gemini-2.0-flash"),
        ("gemini-2.0-flash", {"thinkingBudget": 0}, ""),
        ("gemini-2.0-flash", {}, ""),
        ("gemini-2.5-flash", {"thinkingLevel": "LOW"}, "Thinking level is not supported for this model."),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, ""),
        ("gemini-2.5-flash", {"thinkingBudget": -1}, ""),
        ("gemini-2.5-flash", {"thinkingBudget": 24577}, "The thinking budget 24577 is invalid."),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 511}, "choose a value between 512 and 24576"),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, "Budget 0 is invalid. This model only works in thinking mode."),
        ("gemini-2.5-pro", {"thinkingBudget": 128}, ""),
        ("gemini-3-pro-preview", {"thinkingLevel": "MEDIUM"}, "Thinking level MEDIUM is not supported for this model."),
        ("gemini-3-flash-preview", {"thinkingLevel": "minimal"}, ""),
        ("gemini-3-flash-preview", {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": 5}, ""),
        (
            "gemini-3-flash-preview",
            {"thinkingLevel": "LOW", "thinkingBudget": 5},
            "only set only one of thinking budget",
        ),
        ("gemini-3.7-flash", {"thinkingLevel": "MINIMAL"}, "Thinking level MINIMAL is not supported"),
        ("gemini-3.5-flash", {"thinkingLevel": "XHIGH"}, "Thinking level XHIGH is not supported"),
    ],
)
def test_thinking_is_set_by_the_ways_of_the_family(model: str, config_: dict[str, Any], message: str) -> None:
    found = refused(model, config(thinkingConfig=config_))
    assert found.startswith(message) or message in found
    assert bool(found) == bool(message)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("gemini-3-flash-preview", {"candidateCount": 2}, "Multiple candidates is not enabled for this model"),
        ("gemini-3-flash-preview", {"responseLogprobs": True}, "Logprobs is not enabled for this model"),
        ("gemini-2.0-flash", {"presencePenalty": 1, "frequencyPenalty": 1}, ""),
        ("gemini-2.5-flash", {"responseLogprobs": True, "logprobs": 5}, ""),
        ("gemini-2.5-flash-preview-tts", {}, "combination of response modalities (TEXT) is not supported"),
        ("gemini-2.5-flash-preview-tts", {"responseModalities": ["AUDIO"]}, ""),
        ("gemini-2.5-flash-image", {"imageConfig": {"aspectRatio": "16:9"}}, ""),
        ("gemini-2.5-flash-image", {"imageConfig": {"imageSize": "1K"}}, "Image size 1K is not supported"),
        ("gemini-3-pro-image", {"imageConfig": {"imageSize": "4K"}}, ""),
        ("gemini-3-pro-image", {"imageConfig": {"aspectRatio": "2:1"}}, "aspect_ratio must be one of"),
    ],
)
def test_settings_that_depend_on_the_model(model: str, settings: dict[str, Any], message: str) -> None:
    found = refused(model, config(**settings))
    assert message in found
    assert bool(found) == bool(message)


def test_log_probabilities_do_not_stream() -> None:
    body = config(responseLogprobs=True)
    assert refused("gemini-2.5-flash", body, streaming=True) == "LogProbs is not supported in streaming mode"


@pytest.mark.parametrize(("model", "taken"), [("gemini-3.5-flash", True), ("gemini-3.6-flash", False)])
def test_the_last_turn_is_the_users_from_gemini_36(model: str, taken: bool) -> None:
    message = refused(model, conversation(HELLO, model_turn({"text": "Well,"})))
    assert message == ("" if taken else "Requests ending with a model turn are not supported.")


def test_models_without_system_instruction_say_so() -> None:
    body = said("Hi", systemInstruction={"parts": [{"text": "Be brief"}]})
    assert refused("gemma-3-27b-it", body) == "Developer instruction is not enabled for models/gemma-3-27b-it"


def test_declared_functions_of_both_kinds_are_taken() -> None:
    assert refused("gemini-2.5-flash", said("Hi", tools=functions(WEATHER, TIME))) == ""


@pytest.mark.parametrize("model", ["gemma-4-31b-it", "gemma-4-26b-a4b-it"])
def test_gemma_4_takes_two_levels_and_no_budget(model: str) -> None:
    def thinking(**settings: Any) -> str:
        return refused(model, config(thinkingConfig=settings))

    assert thinking(thinkingBudget=1024) == "Thinking budget is not supported for this model."
    assert "LOW is not supported" in thinking(thinkingLevel="LOW")
    assert [thinking(thinkingLevel=level) for level in ("MINIMAL", "HIGH")] == ["", ""]
