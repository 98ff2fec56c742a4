"""predict: Imagen."""

from typing import Any

import httpx
import pytest
from tests.emulator.support import Emulator, picture

IMAGEN = "imagen-4.0-generate-001"


def asked(prompt: str = "A cat", **parameters: Any) -> dict[str, Any]:
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


async def predict(emulator: Emulator, body: dict[str, Any], model: str = IMAGEN) -> list[dict[str, Any]]:
    response = await emulator.post(model, body, "predict")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json().get("predictions", [])
    return found


def opened(prediction: dict[str, Any]) -> Any:
    return picture({"inlineData": {"mimeType": prediction["mimeType"], "data": prediction["bytesBase64Encoded"]}})


@pytest.mark.parametrize(
    "model",
    [
        "imagen-3.0-generate-002",
        "imagen-4.0-generate-001",
        "imagen-4.0-ultra-generate-001",
        "imagen-4.0-fast-generate-001",
    ],
)
async def test_imagen_answers_with_png_files(emulator: Emulator, model: str) -> None:
    (prediction,) = await predict(emulator, asked(sampleCount=1), model)
    assert prediction.keys() == {"mimeType", "bytesBase64Encoded"}
    assert opened(prediction).format == "PNG"
    assert opened(prediction).size == (1024, 1024)


async def test_four_different_pictures_come_unasked(emulator: Emulator) -> None:
    found = await predict(emulator, {"instances": [{"prompt": "A cat"}]})
    assert len({each["bytesBase64Encoded"] for each in found}) == 4
    assert found == await predict(emulator, {"instances": [{"prompt": "A cat"}]})


@pytest.mark.parametrize(
    ("ratio", "size", "pixels"),
    [
        ("3:4", "1K", (896, 1280)),
        ("4:3", "1K", (1280, 896)),
        ("9:16", "1K", (768, 1408)),
        ("16:9", "1K", (1408, 768)),
        ("1:1", "2K", (2048, 2048)),
    ],
)
async def test_pictures_have_the_asked_ratio_and_size(
    emulator: Emulator, ratio: str, size: str, pixels: tuple[int, int]
) -> None:
    (found,) = await predict(emulator, asked(sampleCount=1, aspectRatio=ratio, sampleImageSize=size))
    assert opened(found).size == pixels


async def test_jpeg_comes_on_demand_in_the_asked_quality(emulator: Emulator) -> None:
    fine, coarse = [
        (await predict(emulator, asked(sampleCount=1, outputOptions=options)))[0]
        for options in ({"mimeType": "image/jpeg", "compressionQuality": 95}, {"mimeType": "image/jpeg"})
    ]
    assert opened(fine).format == opened(coarse).format == "JPEG"
    assert len(fine["bytesBase64Encoded"]) != len(coarse["bytesBase64Encoded"])


async def test_everything_that_googles_sdk_sends_is_taken(emulator: Emulator) -> None:
    body = asked(
        sampleCount=2,
        aspectRatio="1:1",
        sampleImageSize="1K",
        personGeneration="ALLOW_ADULT",
        guidanceScale=7.5,
        safetySetting="BLOCK_LOW_AND_ABOVE",
        includeRaiReason=True,
        includeSafetyAttributes=True,
        language="auto",
        outputOptions={"mimeType": "image/png", "compressionQuality": 75},
    )
    found = await predict(emulator, body)
    assert [each["safetyAttributes"]["scores"] for each in found] == [[0.1], [0.1]]


async def test_parameters_nobody_knows_are_ignored(emulator: Emulator) -> None:
    assert len(await predict(emulator, asked(sampleCount=1, newParameter="x"))) == 1


class TestFiltered:
    async def test_fewer_pictures_come_without_a_reason(self, emulator: Emulator) -> None:
        found = await predict(emulator, asked("A cat [[emulator: rai-filtered 1]]", sampleCount=3))
        assert len(found) == 2
        assert all("bytesBase64Encoded" in each for each in found)

    async def test_the_last_entry_says_why_when_it_is_asked_to(self, emulator: Emulator) -> None:
        body = asked("A cat [[emulator: rai-filtered 2]]", sampleCount=3, includeRaiReason=True)
        good, reason = await predict(emulator, body)
        assert "bytesBase64Encoded" in good
        assert reason["raiFilteredReason"].startswith("Your current safety filter threshold filtered out 2 generated")

    async def test_all_pictures_can_be_filtered(self, emulator: Emulator) -> None:
        named = "emulator-rai-filtered"
        response = await emulator.post(named, asked(sampleCount=2), "predict")
        assert response.json() == {}
        (reason,) = await predict(emulator, asked(sampleCount=2, includeRaiReason=True), named)
        assert reason.keys() == {"raiFilteredReason"}
        assert "All images were filtered out" in reason["raiFilteredReason"]

    async def test_the_name_of_the_scenario_is_listed_for_predict(self, emulator: Emulator) -> None:
        model = (await emulator.client.get("/v1beta/models/emulator-rai-filtered")).json()
        assert model["supportedGenerationMethods"] == ["predict"]

    async def test_a_prompt_can_be_blocked(self, emulator: Emulator) -> None:
        message = await emulator.refused(IMAGEN, asked("A cat [[emulator: blocked-prompt]]"), "predict")
        assert message.startswith(
            "Image generation failed with the following error: The prompt could not be submitted."
        )


class TestRefusals:
    @pytest.mark.parametrize("model", ["imagen-3.0-generate-001", "gemini-2.5-flash", "veo-3.1-generate-preview"])
    async def test_a_model_that_is_switched_off_or_of_another_kind_is_not_found(
        self, emulator: Emulator, model: str
    ) -> None:
        assert await emulator.refused(model, asked(), "predict", status=404) == (
            f"models/{model} is not found for API version v1beta, or is not supported for predict. "
            "Call ModelService.ListModels to see the list of available models and their supported methods."
        )

    async def test_a_name_that_is_switched_off_is_not_listed(self, emulator: Emulator) -> None:
        listed = (await emulator.client.get("/v1beta/models?pageSize=1000")).json()["models"]
        assert "models/imagen-3.0-generate-001" not in {model["name"] for model in listed}
        assert (await emulator.client.get("/v1beta/models/imagen-3.0-generate-001")).status_code == 404

    async def test_imagen_has_no_conversations(self, emulator: Emulator) -> None:
        body = {"contents": [{"parts": [{"text": "A cat"}]}]}
        assert "not supported for generateContent" in await emulator.refused(IMAGEN, body, status=404)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "The number of instances must be 1."),
            ({"instances": [{"prompt": "a"}, {"prompt": "b"}]}, "The number of instances must be 1."),
            ({"instances": [{}]}, "must be a text that is not empty"),
            ({"instances": ["a"]}, "must be a text that is not empty"),
            (asked(" "), "must be a text that is not empty"),
            ({"instances": [{"prompt": "a"}], "parameters": []}, "The parameters must be an object."),
            ({"instances": [{"prompt": "a"}], "parameters": "x"}, "The parameters must be an object."),
            ({"instances": [{"prompt": "a"}], "prompt": "a"}, 'Unknown name "prompt": Cannot find field.'),
            (asked(sampleCount=0), "sampleCount must be between 1 and 4, not 0."),
            (asked(sampleCount=5), "sampleCount must be between 1 and 4, not 5."),
            (asked(sampleCount=True), "sampleCount must be between 1 and 4, not true."),
            (asked(aspectRatio="2:3"), 'aspectRatio "2:3" is not supported. Possible values are: 1:1, 3:4,'),
            (asked(aspectRatio=1), "aspectRatio 1 is not supported."),
            (asked(sampleImageSize="4K"), 'sampleImageSize "4K" is not supported.'),
            (asked(personGeneration="never"), 'personGeneration "never" is not supported.'),
            (asked(safetySetting="x"), 'safetySetting "x" is not supported.'),
            (asked(language="xx"), 'language "xx" is not supported.'),
            (asked(outputOptions={"mimeType": "image/webp"}), 'outputOptions.mimeType "image/webp" is not supported.'),
            (asked(outputOptions=["image/png"]), 'outputOptions ["image/png"] is not an object.'),
            (asked(outputOptions={"compressionQuality": 101}), "compressionQuality must be between 0 and 100"),
            (asked(seed=1), "`seed` isn't supported by this model."),
            (asked(negativePrompt="dogs"), "`negativePrompt` isn't supported by this model."),
        ],
    )
    async def test_a_wrong_request_is_refused(self, emulator: Emulator, body: Any, message: str) -> None:
        assert message in await emulator.refused(IMAGEN, body, "predict")

    async def test_the_older_model_has_one_size(self, emulator: Emulator) -> None:
        message = await emulator.refused("imagen-3.0-generate-002", asked(sampleImageSize="2K"), "predict")
        assert message == 'sampleImageSize "2K" is not supported. Possible values are: 1K.'


@pytest.mark.parametrize(("name", "status"), [("429", 429), ("403", 403), ("html-502", 502)])
async def test_scenarios_work_by_name_and_by_prompt(emulator: Emulator, name: str, status: int) -> None:
    by_prompt = await emulator.post(IMAGEN, asked(f"A cat [[emulator: {name}]]"), "predict")
    by_name = await emulator.post(f"emulator-{name}", asked(), "predict")
    assert by_prompt.status_code == by_name.status_code == status


def test_the_connection_can_break(served: httpx.Client) -> None:
    with pytest.raises(httpx.TransportError):
        served.post(f"/v1beta/models/{IMAGEN}:predict", json=asked("[[emulator: reset-before-headers]]"))
