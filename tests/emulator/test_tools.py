from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.emulator.support import (
    TIME,
    WEATHER,
    Emulator,
    calls,
    functions,
    needs_recordings,
    parts,
    recorded,
    said,
    text,
)

from gemgate.emulator.answers import compose
from gemgate.emulator.families import find
from gemgate.emulator.stream import unary
from gemgate.emulator.validation import parse

MODEL = "gemini-2.5-flash"


def asked(prompt: str, *declared: dict[str, Any], **calling: Any) -> dict[str, Any]:
    body = said(prompt, tools=functions(*(declared or (WEATHER, TIME))))
    return body | ({"toolConfig": {"functionCallingConfig": calling}} if calling else {})


async def named(emulator: Emulator, body: dict[str, Any], model: str = MODEL) -> list[tuple[str, Any]]:
    return [(call["name"], call["args"]) for call in calls(await emulator.generate(model, body))]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What's the weather like in Chicago today?", [("get_weather", {"location": "Chicago"})]),
        ("weather in Boston, MA in fahrenheit", [("get_weather", {"location": "Boston, MA", "unit": "fahrenheit"})]),
        ("How warm?", [("get_weather", {"location": "Paris"})]),
        ("Which zone? What time?", [("get_time", {"zone": "example zone"})]),
        ("somewhere", [("get_time", {"zone": "example zone"})]),
        (
            "Weather in Paris and Tokyo",
            [("get_weather", {"location": "Paris"}), ("get_weather", {"location": "Tokyo"})],
        ),
        (
            "Compare weather: Rome, Paris and Oslo",
            [("get_weather", {"location": place}) for place in ("Rome", "Paris", "Oslo")],
        ),
        (
            "Weather and time please",
            [("get_weather", {"location": "Paris"}), ("get_time", {"zone": "example zone"})],
        ),
        (
            "Do both at once",
            [("get_weather", {"location": "Paris"}), ("get_time", {"zone": "example zone"})],
        ),
    ],
)
async def test_the_prompt_decides_what_is_called(emulator: Emulator, prompt: str, expected: Any) -> None:
    assert await named(emulator, asked(prompt)) == expected


async def test_a_single_function_is_called_twice_in_parallel(emulator: Emulator) -> None:
    assert len(await named(emulator, asked("Run it in parallel", TIME))) == 2


async def test_mode_none_calls_nothing(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, asked("weather", mode="NONE"))
    assert calls(answer) == []
    assert "weather" in text(answer)


async def test_allowed_names_are_kept_to(emulator: Emulator) -> None:
    found = await named(emulator, asked("weather", mode="ANY", allowedFunctionNames=["get_time"]))
    assert [name for name, _ in found] == ["get_time"]


@pytest.mark.parametrize("mode", ["AUTO", "VALIDATED", "MODE_UNSPECIFIED"])
async def test_other_modes_call_what_fits(emulator: Emulator, mode: str) -> None:
    assert await named(emulator, asked("weather in Oslo", mode=mode)) == [("get_weather", {"location": "Oslo"})]


async def test_functions_without_parameters_are_called_without_arguments(emulator: Emulator) -> None:
    assert await named(emulator, asked("go", {"name": "go"})) == [("go", {})]


async def test_results_are_quoted_in_the_answer(emulator: Emulator) -> None:
    body = asked("weather in Oslo") | {
        "contents": [
            {"role": "user", "parts": [{"text": "weather in Oslo"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"degrees": 7}}}]},
        ]
    }
    answer = await emulator.generate(MODEL, body)
    assert calls(answer) == []
    assert 'The function get_weather answered {"degrees":7}.' in text(answer)
    assert "thoughtSignature" in parts(answer)[0]
    forced = body | {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
    assert [name for name, _ in await named(emulator, forced)] == ["get_time"]
    alone = forced | {"tools": functions(WEATHER)}
    assert await named(emulator, alone) == [("get_weather", {"location": "Oslo"})]


async def test_media_in_results_are_looked_at(emulator: Emulator) -> None:
    picture = [{"inlineData": {"mimeType": "text/plain", "data": "SGk="}}]
    signed = {"functionCall": {"name": "get_weather"}, "thoughtSignature": "skip_thought_signature_validator"}
    body = asked("weather") | {
        "contents": [
            {"role": "user", "parts": [{"text": "weather"}]},
            {"role": "model", "parts": [signed]},
            {"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "parts": picture}}]},
        ]
    }
    answer = text(await emulator.generate("gemini-3-flash-preview", body))
    assert "With it came a text file (text/plain) of 2 characters, beginning “Hi”." in answer


class TestShapes:
    BODY = asked("weather in Oslo and Rome", WEATHER)

    async def test_gemini_25_signs_the_first_call_and_gives_no_ids(self, emulator: Emulator) -> None:
        answer = await emulator.generate("gemini-2.5-flash", self.BODY)
        first, second = parts(answer)
        assert "thoughtSignature" in first
        assert "thoughtSignature" not in second
        assert "id" not in first["functionCall"]
        assert answer["candidates"][0]["finishReason"] == "STOP"
        assert answer["candidates"][0]["finishMessage"] == "Model generated function call(s)."

    @pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-2.5-flash-lite"])
    async def test_small_models_sign_nothing(self, emulator: Emulator, model: str) -> None:
        answer = await emulator.generate(model, self.BODY)
        assert all("thoughtSignature" not in part for part in parts(answer))
        assert ("finishMessage" in answer["candidates"][0]) == (model == "gemini-2.5-flash-lite")

    async def test_gemini_25_without_thinking_signs_nothing(self, emulator: Emulator) -> None:
        body = self.BODY | {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}
        assert all("thoughtSignature" not in part for part in parts(await emulator.generate(MODEL, body)))

    async def test_gemini_3_gives_ids_of_eight_characters(self, emulator: Emulator) -> None:
        found = calls(await emulator.generate("gemini-3-flash-preview", self.BODY))
        assert [len(call["id"]) for call in found] == [8, 8]
        assert found[0]["id"] != found[1]["id"]

    async def test_the_newest_models_give_numbered_ids(self, emulator: Emulator) -> None:
        found = calls(await emulator.generate("gemini-3.6-flash", self.BODY))
        assert all(call["id"].startswith("call_") and call["id"][5:].isdigit() for call in found)

    async def test_a_cut_call_is_no_call(self, emulator: Emulator) -> None:
        answer = await emulator.generate("gemini-2.0-flash", self.BODY | {"generationConfig": {"maxOutputTokens": 2}})
        assert answer["candidates"][0]["content"] == {"role": "model"}
        assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"


@needs_recordings
def test_arguments_satisfy_every_recorded_schema() -> None:
    checked = 0
    for exchange in recorded():
        model, (body, _) = find(exchange.model), parse("GenerateContentRequest", exchange.body)
        schemas = {
            function["name"]: function["parametersJsonSchema"]
            for tool in body.get("tools") or ()
            for function in tool.get("functionDeclarations") or ()
            if "parametersJsonSchema" in function
        }
        if model and schemas:
            for call in calls(unary(compose(model, body))):
                if call["name"] in schemas:
                    Draft202012Validator(schemas[call["name"]]).validate(call["args"])
                    checked += 1
    assert checked > 50
