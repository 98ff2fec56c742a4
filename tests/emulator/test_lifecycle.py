"""The emulator on a day: which models it serves, as whom, and what each family refuses."""

from typing import Any

import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, config, functions, said

CLOCK = "/emulator/clock"
BEFORE, AFTER = "2026-11-30", "2026-12-01"


async def day(emulator: Emulator, text: str) -> None:
    answered = await emulator.client.post(CLOCK, json={"date": text})
    assert answered.json().get("date", "") == text


async def test_a_day_is_asked_for_over_http(emulator: Emulator, app: Starlette) -> None:
    await day(emulator, AFTER)
    assert app.state.emulator.day == AFTER
    await day(emulator, "")
    assert app.state.emulator.day == ""


@pytest.mark.parametrize("wrong", ["soon", 3, "2026-13-01"])
async def test_what_is_not_a_day_is_refused(emulator: Emulator, wrong: Any) -> None:
    refused = await emulator.client.post(CLOCK, json={"date": wrong})
    assert (refused.status_code, "2026-12-01" in refused.text) == (400, True)


@pytest.mark.parametrize(
    ("model", "successor", "refused"),
    [
        ("gemini-2.5-flash", "gemini-3.5-flash-lite", {"candidateCount": 2}),
        ("gemini-2.5-pro", "gemini-3.8-flash", {"responseLogprobs": True}),
        ("gemini-2.5-pro", "gemini-3.8-flash", {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}),
    ],
)
async def test_from_december_a_name_of_2_5_answers_as_another_by_its_rules(
    emulator: Emulator, model: str, successor: str, refused: dict[str, Any]
) -> None:
    for when, version, is_taken in (("", model, True), (BEFORE, model, True), (AFTER, successor, False)):
        await day(emulator, when)
        assert (await emulator.generate(model, said("Hi")))["modelVersion"] == version
        if "thinkingConfig" not in refused:
            assert ((await emulator.post(model, config(**refused))).status_code == 200) is is_taken
    assert (await emulator.post(model, config(**refused))).status_code == 400


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-1.5-flash", "gemini-3-pro-preview"])
async def test_a_retired_name_is_a_404_once_it_has_a_day(emulator: Emulator, model: str) -> None:
    assert (await emulator.post(model, said("Hi"))).status_code == 200
    await day(emulator, BEFORE)
    refused = await emulator.post(model, said("Hi"))
    assert (refused.status_code, "is no longer available" in refused.text) == (404, True)
    listed = (await emulator.client.get("/v1beta/models", params={"pageSize": 1000})).json()["models"]
    assert f"models/{model}" not in [found["name"] for found in listed]


@pytest.mark.parametrize(
    ("model", "body", "sentence"),
    [
        (
            "gemma-4-31b-it",
            config(thinkingConfig={"thinkingBudget": 100}),
            "Thinking budget is not supported for this model.",
        ),
        ("gemma-4-31b-it", config(thinkingConfig={"thinkingLevel": "LOW"}), "Thinking level LOW is not supported"),
        ("gemini-3.8-flash", config(thinkingConfig={"thinkingLevel": "MINIMAL"}), "Thinking level MINIMAL is not"),
        ("gemini-3.1-flash-image", config(thinkingConfig={"thinkingLevel": "LOW"}), "Thinking level LOW is not"),
        ("gemini-4-argon", config(thinkingConfig={"thinkingLevel": "XHIGH"}), "Thinking level XHIGH is not"),
        (
            "gemini-3.8-flash-tts",
            config(responseModalities=["AUDIO"], temperature=0.5),
            "temperature is not supported for models/gemini-3.8-flash-tts",
        ),
        ("gemini-3.8-flash-tts", config(responseModalities=["AUDIO"], topK=3), "top_k is not supported"),
    ],
)
async def test_a_family_refuses_what_its_table_says(
    emulator: Emulator, model: str, body: dict[str, Any], sentence: str
) -> None:
    refused = await emulator.post(model, body)
    assert (refused.status_code, refused.json()["error"]["message"][: len(sentence)]) == (400, sentence)


@pytest.mark.parametrize(
    ("model", "level"),
    [
        ("gemma-4-31b-it", "HIGH"),
        ("gemma-4-31b-it", "MINIMAL"),
        ("gemini-4-hydrogen", "XHIGH"),
        ("gemini-3.1-flash-image", "HIGH"),
        ("gemini-flash-latest", "LOW"),
    ],
)
async def test_a_family_takes_its_levels(emulator: Emulator, model: str, level: str) -> None:
    assert (await emulator.post(model, config(thinkingConfig={"thinkingLevel": level}))).status_code == 200


async def test_gemma_4_takes_a_system_instruction(emulator: Emulator) -> None:
    body = said("Hi", systemInstruction={"parts": [{"text": "Be kind."}]})
    assert (await emulator.post("gemma-4-31b-it", body)).status_code == 200


async def test_a_scenario_refuses_the_thinking_level_medium(emulator: Emulator) -> None:
    for name in ("refuses-thinking-level", "refuses thinking level"):
        body = said(f"[[emulator: {name}]] Hi", generationConfig={"thinkingConfig": {"thinkingLevel": "MEDIUM"}})
        assert (await emulator.post("gemini-3.5-flash", body)).status_code == 400
    body["generationConfig"]["thinkingConfig"]["thinkingLevel"] = "HIGH"
    assert (await emulator.post("gemini-3.5-flash", body)).status_code == 200


async def test_a_scenario_refuses_sampling(emulator: Emulator) -> None:
    body = said("[[emulator: refuses-sampling]] Hi", generationConfig={"topP": 0.5})
    assert "top_p is not supported" in (await emulator.post("gemini-3.5-flash", body)).text
    assert (await emulator.post("gemini-3.5-flash", said("[[emulator: refuses-sampling]] Hi"))).status_code == 200


async def test_a_scenario_answers_as_another_model(emulator: Emulator) -> None:
    body = said("[[emulator: answers-as-another-model]] Hi", tools=functions())
    assert (await emulator.generate("gemini-2.5-flash", body))["modelVersion"] == "gemini-3.8-flash"


async def test_speech_of_3_8_is_a_wav_file_where_it_comes_whole(emulator: Emulator) -> None:
    body = said("Hello", generationConfig={"responseModalities": ["AUDIO"]})
    new = (await emulator.generate("gemini-3.8-flash-tts", body))["candidates"][0]["content"]["parts"][0]["inlineData"]
    old = (await emulator.generate("gemini-3.1-flash-tts-preview", body))["candidates"][0]["content"]["parts"][0]
    assert (new["mimeType"], new["data"][:5]) == ("audio/wav", "UklGR")
    assert not old["inlineData"]["data"].startswith("UklGR")
