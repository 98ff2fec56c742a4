from typing import Any

import pytest
from tests.emulator.support import config, functions, said

from gemgate.emulator.validation import (
    Violation,
    decode_base64,
    parse,
    violations,
)

REQUEST = "GenerateContentRequest"


def sentences(body: Any, message: str = REQUEST) -> list[str]:
    return [found.description for found in violations(message, body)]


def test_a_plain_request_has_no_violations() -> None:
    assert violations(REQUEST, said("Hi")) == []


def test_an_unknown_message_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        violations("NoSuchRequest", {})


def test_an_unknown_field_is_named_with_its_place() -> None:
    assert violations(REQUEST, config(foo=1)) == [
        Violation(
            "generation_config",
            "Invalid JSON payload received. Unknown name \"foo\" at 'generation_config': Cannot find field.",
        )
    ]


def test_an_unknown_field_at_the_top_has_no_place() -> None:
    assert violations(REQUEST, said("Hi", frequency_penalty=1)) == [
        Violation("", 'Invalid JSON payload received. Unknown name "frequency_penalty": Cannot find field.')
    ]


def test_an_unknown_keyword_in_parameters_is_placed_by_entry_number() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "STRING", "oneOf": []}}}
    (found,) = violations(REQUEST, said("Hi", tools=functions({"name": "f", "parameters": schema})))
    assert found.field == "tools[0].function_declarations[0].parameters.properties[1].value"


def test_every_violation_is_found() -> None:
    assert len(sentences(said("Hi", a=1, b=2, generationConfig={"temperature": "hot", "c": 3}))) == 4


GOOGLE = "type.googleapis.com/google.ai.generativelanguage.v1beta."
STRUCT = "type.googleapis.com/google.protobuf.Struct"
NO_LIST = "Proto field is not repeating, cannot start list."


def part(**fields: Any) -> dict[str, Any]:
    return {"contents": [{"parts": [fields]}]}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (config(temperature="hot"), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\""),
        (config(temperature=True), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), true"),
        (config(temperature="inf"), "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"inf\""),
        (config(topK=1.5), "Invalid value at 'generation_config.top_k' (TYPE_INT32), 1.5"),
        (config(seed=2**31), "Invalid value at 'generation_config.seed' (TYPE_INT32), 2147483648"),
        (config(responseLogprobs="yes"), "Invalid value at 'generation_config.response_logprobs' (TYPE_BOOL), \"yes\""),
        (part(text=5), "Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), 5"),
        ({"contents": "Hi"}, f"Invalid value at 'contents' ({GOOGLE}Content), \"Hi\""),
        (
            config(thinkingConfig={"thinkingLevel": "huge"}),
            (
                "Invalid value at 'generation_config.thinking_config.thinking_level' "
                f'({GOOGLE}ThinkingConfig.ThinkingLevel), "huge"'
            ),
        ),
        (
            said("Hi", safetySettings=[{"category": "harm_category_jailbreak", "threshold": "OFF"}]),
            f"Invalid value at 'safety_settings[0].category' ({GOOGLE}HarmCategory), \"harm_category_jailbreak\"",
        ),
        (
            part(inlineData={"mimeType": "image/png", "data": "a b"}),
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"a b\"",
        ),
        (
            part(functionCall={"name": "f", "args": "x"}),
            f"Invalid value at 'contents[0].parts[0].function_call.args' ({STRUCT}), \"x\"",
        ),
        (
            part(text="a", inlineData={"mimeType": "a/b", "data": ""}),
            (
                "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. "
                "Cannot set 'inlineData'"
            ),
        ),
        (
            said("Hi", cachedContent=["a"]),
            f'Invalid JSON payload received. Unknown name "cached_content": {NO_LIST}',
        ),
        (
            config(thinkingConfig=[{}]),
            "Invalid JSON payload received. Unknown name \"thinking_config\" at 'generation_config': " + NO_LIST,
        ),
        (
            said("Hi", tools=functions({"name": "f", "parameters": {"properties": ["a"]}})),
            (
                'Invalid JSON payload received. Unknown name "properties" at '
                f"'tools[0].function_declarations[0].parameters': {NO_LIST}"
            ),
        ),
        (
            part(fileData={"mimeType": "image/png"}),
            "* GenerateContentRequest.contents[0].parts[0].file_data.file_uri: file_uri must be specified.\n",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_googles_words(body: Any, sentence: str) -> None:
    assert sentences(body) == [sentence]


@pytest.mark.parametrize("body", [[], "x", None, 3])
def test_the_root_must_be_an_object(body: Any) -> None:
    assert sentences(body) == ["Invalid JSON payload received. Root element must be a message."]


def test_a_map_must_be_an_object() -> None:
    body = said("Hi", tools=functions({"name": "f", "parameters": {"properties": "a"}}))
    assert sentences(body) == [
        "Invalid value at 'tools[0].function_declarations[0].parameters.properties' (Map), \"a\""
    ]


def test_nesting_without_end_is_refused() -> None:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}
    (sentence,) = sentences(config(responseMimeType="application/json", responseSchema=schema))
    assert "Message too deep" in sentence


def test_everything_comes_out_in_one_spelling() -> None:
    body = {
        "contents": {"role": "user", "parts": {"inline_data": {"mime_type": "image/png", "data": "_-8"}}},
        "system_instruction": {"parts": {"text": "Be brief"}},
        "tool_config": {"function_calling_config": {"mode": "any"}},
        "generationConfig": {
            "topK": 40.0,
            "seed": "7",
            "temperature": "0.5",
            "maxOutputTokens": None,
            "thinking_config": {"thinkingLevel": "low"},
            "responseSchema": {"type": "object", "min_properties": "1", "properties": {"a": {"type": 1}}},
        },
    }
    canonical, found = parse(REQUEST, body)
    assert found == []
    assert canonical == {
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "_-8"}}]}],
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "topK": 40,
            "seed": 7,
            "temperature": 0.5,
            "thinkingConfig": {"thinkingLevel": "LOW"},
            "responseSchema": {"type": "OBJECT", "minProperties": 1, "properties": {"a": {"type": "STRING"}}},
        },
    }


@pytest.mark.parametrize(
    "body",
    [
        said("Hi", store=False, serviceTier="flex"),
        said("Hi", serviceTier="FLEX"),
        config(thinkingConfig={"thinkingLevel": "xhigh"}),
        config(responseMimeType="application/json", _responseJsonSchema={"anything": [1, None]}),
        config(responseMimeType="application/json", responseJsonSchema=True),
        {"contents": [{"parts": [{"videoMetadata": {"startOffset": "1.5s", "endOffset": "20s", "fps": 0.5}}]}]},
        {
            "contents": [
                {"parts": [{"functionResponse": {"name": "f", "parts": [{"file_data": {"file_uri": "https://a"}}]}}]}
            ]
        },
        said("Hi", tools=[{"googleSearch": {"timeRangeFilter": {"startTime": "2026-01-01T00:00:00.123456789Z"}}}]),
    ],
)
def test_what_recordings_and_newer_clients_send_is_taken(body: Any) -> None:
    assert violations(REQUEST, body) == []


def test_durations_and_timestamps_have_a_form() -> None:
    assert sentences({"ttl": "5 minutes"}, "CachedContent") == [
        "Invalid value at 'ttl' (type.googleapis.com/google.protobuf.Duration), \"5 minutes\""
    ]
    assert sentences({"expireTime": "tomorrow"}, "CachedContent") == [
        "Invalid value at 'expire_time' (type.googleapis.com/google.protobuf.Timestamp), \"tomorrow\""
    ]


@pytest.mark.parametrize(("text", "raw"), [("_-8=", b"\xff\xef"), ("/+8", b"\xff\xef"), ("", b""), ("aGk", b"hi")])
def test_base64_comes_in_both_alphabets_padded_or_not(text: str, raw: bytes) -> None:
    assert decode_base64(text) == raw
