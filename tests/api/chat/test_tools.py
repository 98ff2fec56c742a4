"""Tools, tool choice and structured output."""

from typing import Any

import pytest
from tests.support.chat import FLASH_3, FLASH_20, FLASH_25, FLASH_35, function_tool, translate

from gemgate.errors import ApiError
from gemgate.translation.function_names import NameMap

SCHEMA = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}


def json_format(schema: Any = SCHEMA, **extra: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **extra}}


def error(**body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(**body)
    assert caught.value.status == 400
    return caught.value


def calling(**body: Any) -> Any:
    tool_config: Any = translate(**{"tools": [function_tool("f"), function_tool("g")], **body}).body.get("toolConfig")
    return tool_config and tool_config.get("functionCallingConfig")


class TestFunctions:
    def test_all_functions_stand_in_one_entry_with_json_schema(self) -> None:
        body = translate(tools=[function_tool("f", description="does f"), function_tool("g", strict=False)]).body
        parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        assert body["tools"] == [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "does f", "parametersJsonSchema": parameters},
                    {"name": "g", "description": "g", "parametersJsonSchema": parameters},
                ]
            }
        ]
        assert "toolConfig" not in body

    @pytest.mark.parametrize("parameters", [None, {}, {"type": "object", "properties": {}}])
    def test_a_function_without_parameters_takes_an_empty_object(self, parameters: Any) -> None:
        tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
        empty = {"type": "object", "properties": {}}
        assert translate(tools=[tool]).body["tools"][0]["functionDeclarations"] == [
            {"name": "f", "description": "f", "parametersJsonSchema": empty}
        ]

    def test_what_a_schema_loses_is_told_by_each_request(self) -> None:
        tool = function_tool(
            "f", parameters={"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}
        )
        told = "function.parameters.properties.a: pattern moved to the description"
        assert translate(tools=[tool]).notes.adjusted == [f"tools[0].{told}"]
        assert translate(tools=[function_tool("g"), tool]).notes.adjusted == [f"tools[1].{told}"]

    def test_legacy_functions_are_tools(self) -> None:
        translation = translate(functions=[{"name": "f"}], function_call={"name": "f"})
        assert translation.body["toolConfig"] == {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}
        }
        assert translation.context.legacy_functions

    def test_names_outside_geminis_alphabet_are_changed_visibly(self) -> None:
        translation = translate(
            tools=[function_tool("2 go")], tool_choice={"type": "function", "function": {"name": "2 go"}}
        )
        assert translation.body["tools"][0]["functionDeclarations"][0]["name"] == "_2_go"
        assert translation.body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["_2_go"]
        assert translation.context.names.from_gemini("_2_go") == "2 go"
        assert translation.notes.adjusted == ["tools[0].function.name=2 go->_2_go"]

    @pytest.mark.parametrize(
        ("tools", "param"),
        [
            ([{"type": "function"}], "tools[0].function"),
            ([{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
            ([function_tool("f"), function_tool("f", strict=True)], "tools[1].function.name"),
            ([{"type": "custom", "custom": {}}], "tools[0].custom.name"),
            ([{"type": "computer"}], "tools[0].type"),
            ([{"type": "function", "function": {"name": "f", "parameters": 5}}], "tools[0].function.parameters"),
            (
                [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}],
                "tools[0].function.parameters",
            ),
        ],
    )
    def test_bad_tools_are_refused_by_name(self, tools: list[Any], param: str) -> None:
        assert error(tools=tools).param == param

    def test_what_a_schema_loses_is_said(self) -> None:
        schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^a"}}}
        translation = translate(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
        assert any("pattern" in change for change in translation.notes.adjusted)

    def test_a_custom_tool_is_a_function_of_one_text(self) -> None:
        custom = {
            "name": "run",
            "description": "runs",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}},
        }
        translation = translate(
            tools=[{"type": "custom", "custom": custom}], tool_choice={"type": "custom", "custom": {"name": "run"}}
        )
        declaration = translation.body["tools"][0]["functionDeclarations"][0]
        assert declaration["name"] == "run"
        schema: Any = declaration["parametersJsonSchema"]
        assert "start: WORD" in schema["properties"]["input"]["description"]
        assert translation.context.custom == {"run"}

    @pytest.mark.parametrize(
        "tool",
        [
            {"type": "function", "function": {"name": "f", "custom": True}},
            {"type": "function", "name": "f", "custom": {"name": "f"}},
            {"type": "function", "function": {"name": "f"}, "custom": {"name": "f"}},
        ],
        ids=["in the function", "flat", "beside the function"],
    )
    def test_no_word_of_a_callers_makes_a_function_a_custom_tool(self, tool: dict[str, Any]) -> None:
        translation = translate(tools=[tool])
        assert translation.context.custom == set()
        assert [name.rpartition(".")[2] for name in translation.notes.dropped] == ["custom"]

    def test_a_custom_tool_says_where_its_description_is_no_text(self) -> None:
        tool = {"type": "custom", "custom": {"name": "run", "description": ["runs"]}}
        assert error(tools=[tool]).param == "tools[0].custom.description"


class TestBuiltInTools:
    @pytest.mark.parametrize(
        ("tool", "native"),
        [
            ({"type": "web_search"}, {"googleSearch": {}}),
            ({"type": "web_search_preview_2025_03_11"}, {"googleSearch": {}}),
            ({"type": "google_search"}, {"googleSearch": {}}),
            ({"type": "url_context"}, {"urlContext": {}}),
            ({"type": "code_interpreter", "container": {"type": "auto"}}, {"codeExecution": {}}),
            ({"type": "code_execution"}, {"codeExecution": {}}),
            ({"type": "google_maps", "enable_widget": True}, {"googleMaps": {"enableWidget": True}}),
            (
                {"type": "file_search", "file_search_store_names": ["fileSearchStores/x"]},
                {"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/x"]}},
            ),
        ],
    )
    def test_built_in_tools_are_known_by_their_type(self, tool: dict[str, Any], native: dict[str, Any]) -> None:
        assert translate(tools=[tool]).body["tools"] == [native]

    def test_options_that_only_openai_has_are_dropped_visibly(self) -> None:
        tool = {"type": "web_search", "search_context_size": "low"}
        assert translate(tools=[tool]).notes.dropped == ["tools[0].search_context_size"]

    def test_web_search_options_switch_search_on_once(self) -> None:
        translation = translate(web_search_options={"search_context_size": "low"}, tools=[{"type": "web_search"}])
        assert translation.body["tools"] == [{"googleSearch": {}}]
        assert translation.notes.dropped == ["web_search_options.search_context_size"]
        assert translate(web_search_options={}).body["tools"] == [{"googleSearch": {}}]

    def test_native_tools_pass_as_they_are(self) -> None:
        native: list[dict[str, Any]] = [
            {"url_context": {}},
            {
                "function_declarations": [
                    {"name": "f", "parameters": {"type": "OBJECT", "properties": {"my_x": {"type": "STRING"}}}}
                ]
            },
        ]
        body = translate(model=FLASH_35, google={"tools": native}).body
        assert body["tools"] == [{"functionDeclarations": native[1]["function_declarations"]}, {"urlContext": {}}]

    def test_calls_are_held_where_google_runs_them(self) -> None:
        server = {"mcp_servers": [{"name": "m", "streamable_http_transport": {"url": "https://mcp.example"}}]}
        assert translate(model=FLASH_35, google={"tools": [server]}).context.holds_calls

    def test_the_model_is_told_of_built_in_tools_beside_functions_on_gemini_3(self) -> None:
        body = translate(model=FLASH_3, tools=[function_tool("f"), {"type": "web_search"}]).body
        assert body["toolConfig"] == {
            "functionCallingConfig": {"mode": "VALIDATED"},
            "includeServerSideToolInvocations": True,
        }

    def test_built_in_tools_beside_functions_are_refused_before_gemini_3_with_the_reason(self) -> None:
        caught = error(tools=[function_tool("f"), {"type": "web_search"}])
        assert caught.param == "tools"
        assert "googleSearch" in caught.message


class TestToolChoice:
    @pytest.mark.parametrize(
        ("choice", "native"),
        [
            (None, None),
            ("auto", None),
            ("none", {"mode": "NONE"}),
            ("required", {"mode": "ANY"}),
            ({"type": "function", "function": {"name": "f"}}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
            ({"type": "function", "name": "f"}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
            (
                {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]},
                },
                {"mode": "VALIDATED", "allowedFunctionNames": ["g"]},
            ),
            (
                {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]},
                {"mode": "ANY", "allowedFunctionNames": ["g"]},
            ),
        ],
    )
    def test_tool_choice_becomes_a_function_calling_config(self, choice: Any, native: Any) -> None:
        assert calling(tool_choice=choice) == native

    def test_strict_functions_are_validated(self) -> None:
        assert calling(tools=[function_tool("f", strict=True)]) == {"mode": "VALIDATED"}
        assert calling(model=FLASH_20, tools=[function_tool("f", strict=True)]) is None

    def test_allowed_tools_narrow_the_declarations_on_old_models(self) -> None:
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "g"}}]}}
        body = translate(model=FLASH_20, tools=[function_tool("f"), function_tool("g")], tool_choice=choice).body
        assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == ["g"]
        assert "toolConfig" not in body

    def test_a_choice_of_none_or_auto_needs_no_tools(self) -> None:
        assert "toolConfig" not in translate(tool_choice="none").body
        assert "toolConfig" not in translate(tool_choice="auto").body

    @pytest.mark.parametrize(
        ("choice", "param"),
        [
            ("sometimes", "tool_choice"),
            ({"type": "function"}, "tool_choice.name"),
            ({"type": "function", "function": {"name": "zzz"}}, "tool_choice.function.name"),
            ({"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}, "tool_choice.allowed_tools.tools"),
            (
                {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [5]}},
                "tool_choice.allowed_tools.tools[0].name",
            ),
        ],
    )
    def test_a_bad_choice_is_refused_by_name(self, choice: Any, param: str) -> None:
        assert error(tools=[function_tool("f")], tool_choice=choice).param == param

    def test_a_required_call_without_functions_is_refused(self) -> None:
        assert error(tool_choice="required").param == "tool_choice"

    def test_parallel_calls_can_be_switched_off(self) -> None:
        assert translate(tools=[function_tool("f")], parallel_tool_calls=False).context.first_call_only
        assert not translate(tools=[function_tool("f")], parallel_tool_calls=True).context.first_call_only


class TestStructuredOutput:
    def test_a_text_format_says_nothing(self) -> None:
        assert "generationConfig" not in translate(response_format={"type": "text"}).body

    def test_a_json_object_is_a_mime_type_alone(self) -> None:
        body = translate(response_format={"type": "json_object"}).body
        assert body["generationConfig"] == {"responseMimeType": "application/json"}

    def test_a_json_schema_goes_with_its_description(self) -> None:
        native = translate(response_format=json_format(description="An answer.")).body["generationConfig"]
        assert native == {
            "responseMimeType": "application/json",
            "responseJsonSchema": {**SCHEMA, "description": "An answer."},
        }

    def test_references_in_a_schema_are_kept(self) -> None:
        schema = {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/node"}},
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        }
        native = translate(response_format=json_format(schema)).body["generationConfig"]["responseJsonSchema"]
        assert native == schema

    @pytest.mark.parametrize(
        "response_format", [{"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "x"}}]
    )
    def test_a_missing_schema_is_refused_by_name(self, response_format: dict[str, Any]) -> None:
        assert error(response_format=response_format).param == "response_format.json_schema.schema"

    def test_a_bad_schema_is_refused_by_name(self) -> None:
        caught = error(response_format=json_format({"$ref": "https://example.com/x"}))
        assert (caught.param, caught.code) == ("response_format.json_schema.schema", "invalid_json_schema")

    def test_tools_and_a_schema_go_together_on_gemini_3(self) -> None:
        translation = translate(model=FLASH_35, tools=[function_tool("f")], response_format=json_format())
        assert translation.body["generationConfig"]["responseJsonSchema"] == SCHEMA
        assert translation.context.hidden is None

    def test_before_gemini_3_a_hidden_function_carries_the_schema(self) -> None:
        translation = translate(tools=[function_tool("f")], response_format=json_format())
        f, hidden = translation.body["tools"][0]["functionDeclarations"]
        assert (f["name"], hidden["name"]) == ("f", "final_answer")
        assert hidden["parametersJsonSchema"] == SCHEMA
        assert translation.body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
        assert "generationConfig" not in translation.body
        assert translation.notes.adjusted == ["response_format->function"]
        assert translation.context.hidden is not None
        assert translation.context.hidden.content({"answer": 42}) == '{"answer":42}'
        assert translation.context.is_json

    def test_the_hidden_functions_name_collides_with_no_other(self) -> None:
        translation = translate(tools=[function_tool("final_answer")], response_format=json_format())
        names = [one["name"] for one in translation.body["tools"][0]["functionDeclarations"]]
        assert names == ["final_answer", "final_answer_"]

    def test_a_schema_that_is_no_object_is_wrapped(self) -> None:
        schema = {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
        translation = translate(tools=[function_tool("f")], response_format=json_format(schema))
        parameters = translation.body["tools"][0]["functionDeclarations"][1]["parametersJsonSchema"]
        assert parameters["properties"] == {"value": {"type": "array", "items": {"$ref": "#/$defs/n"}}}
        assert parameters["$defs"] == schema["$defs"]
        assert translation.context.hidden is not None
        assert translation.context.hidden.content({"value": [1]}) == "[1]"

    def test_a_json_object_travels_as_text(self) -> None:
        translation = translate(tools=[function_tool("f")], response_format={"type": "json_object"})
        hidden = translation.context.hidden
        assert hidden is not None
        assert hidden.content({"json": '{"a": 1}'}) == '{"a": 1}'
        assert hidden.content({"json": {"a": 1}}) == '{"a":1}'

    def test_the_choice_of_tools_decides_on_the_hidden_function_too(self) -> None:
        tools = [function_tool("f"), function_tool("g")]
        required = translate(tools=tools, tool_choice="required", response_format=json_format())
        assert required.context.hidden is None
        assert required.notes.adjusted == ["response_format->none"]
        none = translate(tools=tools, tool_choice="none", response_format=json_format())
        assert none.body["generationConfig"]["responseJsonSchema"] == SCHEMA
        assert "tools" not in none.body
        assert none.notes.adjusted == ["tools->none"]
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "g"}}]}}
        some = translate(tools=tools, tool_choice=allowed, response_format=json_format())
        assert some.body["toolConfig"]["functionCallingConfig"] == {
            "mode": "ANY",
            "allowedFunctionNames": ["g", "final_answer"],
        }

    def test_a_model_with_json_and_tools_can_be_named_by_the_operator(self) -> None:
        assert translate(model=FLASH_25, response_format=json_format()).context.hidden is None


class TestNames:
    @pytest.mark.parametrize(
        ("name", "native"),
        [
            ("get_weather", "get_weather"),
            ("a.b:c-d", "a.b:c-d"),
            ("1st", "_1st"),
            ("-x", "_-x"),
            ("mcp::tool name", "mcp::tool_name"),
            ("größe", "gr__e"),
            ("x" * 70, "x" * 64),
            ("", "_"),
        ],
    )
    def test_names_are_brought_into_geminis_alphabet(self, name: str, native: str) -> None:
        names = NameMap()
        assert names.to_gemini(name) == native
        assert names.from_gemini(native) == name

    def test_changed_names_never_collide(self) -> None:
        names = NameMap()
        names.reserve("a_b")
        natives = [names.to_gemini(name) for name in ("a b", "a/b", "a_b", "a b", "y" * 70, "y" * 71)]
        assert natives == ["a_b_2", "a_b_3", "a_b", "a_b_2", "y" * 64, "y" * 62 + "_2"]
        assert [names.from_gemini(native) for native in natives[:3]] == ["a b", "a/b", "a_b"]

    def test_a_name_of_the_models_own_stays(self) -> None:
        assert NameMap().from_gemini("surprise") == "surprise"
