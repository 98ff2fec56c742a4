"""Image models on generateContent."""

from typing import Any

import pytest
from tests.emulator.support import Emulator, inline, parts, picture, png, said, text

from gemgate.emulator.families import FAMILIES
from gemgate.emulator.pictures import GEMINI_SIZES, first_image

NANO = "gemini-2.5-flash-image"
PRO = "gemini-3-pro-image"
FLASH = "gemini-3.1-flash-image"


def drawn(prompt: str = "A cat", *, only: bool = False, thoughts: bool = False, **image: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"responseModalities": ["IMAGE"] if only else ["TEXT", "IMAGE"], "imageConfig": image}
    if thoughts:
        settings["thinkingConfig"] = {"includeThoughts": True}
    return said(prompt, generationConfig=settings)


def edit(*images: bytes, prompt: str = "Make it blue", **config: Any) -> dict[str, Any]:
    given = [inline("image/png", image) for image in images]
    return {"contents": [{"role": "user", "parts": [{"text": prompt}, *given]}], **config}


@pytest.mark.parametrize("ratio", FAMILIES["3.1-flash-image"].image_ratios)
async def test_pictures_have_the_asked_ratio(emulator: Emulator, ratio: str) -> None:
    (part,) = parts(await emulator.generate(FLASH, drawn(only=True, aspectRatio=ratio)))
    width, height = (int(side) for side in ratio.split(":"))
    image = picture(part)
    assert image.size == GEMINI_SIZES[ratio]
    assert image.width / image.height == pytest.approx(width / height, rel=0.03)


@pytest.mark.parametrize(("size", "pixels"), [("512", 512), ("1K", 1024), ("2K", 2048), ("4K", 4096)])
async def test_pictures_have_the_asked_size(emulator: Emulator, size: str, pixels: int) -> None:
    (part,) = parts(await emulator.generate(FLASH, drawn(only=True, imageSize=size)))
    assert picture(part).size == (pixels, pixels)


async def test_the_old_model_answers_in_png_and_unsigned(emulator: Emulator) -> None:
    answer = await emulator.generate(NANO, said("Draw a cat"))
    words, image = parts(answer)
    assert words.keys() == {"text"}
    assert image.keys() == {"inlineData"}
    assert picture(image).format == "PNG"
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1290}]
    assert answer["usageMetadata"]["candidatesTokenCount"] > 1290


@pytest.mark.parametrize("model", [PRO, FLASH, "gemini-3.1-flash-lite-image", "gemini-nano-banana-2.1"])
async def test_newer_models_answer_in_jpeg_and_sign_it(emulator: Emulator, model: str) -> None:
    answer = await emulator.generate(model, drawn(only=True))
    (image,) = parts(answer)
    assert image.keys() == {"inlineData", "thoughtSignature"}
    assert picture(image).format == "JPEG"
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1120}]
    assert ("thoughtsTokenCount" in answer["usageMetadata"]) == ("lite" not in model)


async def test_words_come_alone_when_only_words_are_asked_for(emulator: Emulator) -> None:
    answer = await emulator.generate(NANO, said("A cat", generationConfig={"responseModalities": ["TEXT"]}))
    (part,) = parts(answer)
    assert "“A cat”" in part["text"]
    assert "candidatesTokensDetails" not in answer["usageMetadata"]


async def test_different_prompts_give_different_pictures_and_the_same_one_the_same(emulator: Emulator) -> None:
    cat, dog, again = [parts(await emulator.generate(NANO, said(f"A {name}")))[1] for name in ("cat", "dog", "cat")]
    assert cat == again != dog


async def test_a_draft_comes_before_the_picture_when_thoughts_are_shown(emulator: Emulator) -> None:
    answer = await emulator.generate(PRO, drawn(only=True, thoughts=True))
    thought, draft, image = parts(answer)
    assert thought["thought"] is True
    assert draft["thought"] is True
    assert picture(draft).width < picture(image).width
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1120}]


async def test_a_stream_brings_the_draft_the_words_and_the_picture(emulator: Emulator) -> None:
    found = await emulator.stream(PRO, drawn(thoughts=True))
    kinds = [
        ("thought " if part.get("thought") else "") + ("picture" if "inlineData" in part else "text")
        for event in found
        for part in parts(event)
        if part.get("text") != ""
    ]
    assert list(dict.fromkeys(kinds)) == ["thought text", "thought picture", "text", "picture"]
    whole = await emulator.generate(PRO, drawn(thoughts=True))
    assert found[-1]["usageMetadata"] == whole["usageMetadata"]


class TestEdits:
    async def test_an_edit_keeps_the_ratio_of_the_picture(self, emulator: Emulator) -> None:
        answer = await emulator.generate(NANO, edit(png(160, 90)))
        assert text(answer).startswith("Here is a picture of 1344x768 pixels for “Make it blue”.")
        assert "I started from an image (image/png) of 160x90 pixels." in text(answer)
        assert picture(parts(answer)[1]).size == (1344, 768)

    async def test_another_ratio_may_be_asked_for(self, emulator: Emulator) -> None:
        body = edit(png(160, 90), generationConfig={"imageConfig": {"aspectRatio": "2:3"}})
        assert picture(parts(await emulator.generate(NANO, body))[1]).size == (832, 1248)

    async def test_the_picture_is_seen_in_the_middle(self, emulator: Emulator) -> None:
        image = picture(parts(await emulator.generate(NANO, edit(png(300, 300))))[1])
        assert image.getpixel((512, 512)) == (0, 0, 0)
        assert image.getpixel((100, 512)) != (0, 0, 0)

    async def test_several_pictures_are_taken(self, emulator: Emulator) -> None:
        answer = await emulator.generate(NANO, edit(png(), png(100, 100), png(200, 100)))
        assert text(answer).count("I started from an image") == 3
        assert {"modality": "IMAGE", "tokenCount": 3 * 258} in answer["usageMetadata"]["promptTokensDetails"]

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "I;16", "1"])
    async def test_pictures_of_every_mode_are_taken(self, emulator: Emulator, mode: str) -> None:
        assert picture(parts(await emulator.generate(PRO, edit(png(mode=mode))))[1]).mode == "RGB"

    def test_what_cannot_be_read_is_passed_over(self) -> None:
        broken = png()[:60] + b"rubbish"
        images = [{"text": "a"}, inline("audio/wav", b"x"), inline("image/heic", b"x"), inline("image/png", broken)]
        assert first_image(images) is None
        found = first_image([*images, inline("image/png", png(8, 4))])
        assert found is not None
        assert found.size == (8, 4)


class TestRefusals:
    @pytest.mark.parametrize(
        ("model", "image", "message"),
        [
            (NANO, {"imageSize": "1K"}, f"Image size 1K is not supported for models/{NANO}"),
            (PRO, {"imageSize": "512"}, "Image size 512 is not supported"),
            (FLASH, {"imageSize": "2k"}, "Image size 2k is not supported"),
            (NANO, {"aspectRatio": "1:4"}, "aspect_ratio must be one of 1:1, 2:3,"),
            (FLASH, {"aspectRatio": "7:5"}, "aspect_ratio must be one of 1:1, 2:3,"),
            (FLASH, {"size": "1024x1024"}, "Unknown name \"size\" at 'generation_config.image_config'"),
            ("gemini-2.5-flash", {"aspectRatio": "1:1"}, "Image config is not enabled"),
        ],
    )
    async def test_what_the_model_cannot_draw_is_refused(
        self, emulator: Emulator, model: str, image: dict[str, str], message: str
    ) -> None:
        body = said("A cat", generationConfig={"imageConfig": image})
        assert message in await emulator.refused(model, body)

    async def test_an_image_model_has_no_vectors_and_no_predictions(self, emulator: Emulator) -> None:
        for method in ("embedContent", "predict"):
            assert f"not supported for {method}" in await emulator.refused(NANO, {}, method, status=404)


class TestScenarios:
    @pytest.mark.parametrize(("name", "reason"), [("image-safety", "IMAGE_SAFETY"), ("no-image", "NO_IMAGE")])
    async def test_a_picture_can_be_refused(self, emulator: Emulator, name: str, reason: str) -> None:
        for model, prompt in ((PRO, f"A cat [[emulator: {name}]]"), (f"emulator-{name}", "A cat")):
            (candidate,) = (await emulator.generate(model, drawn(prompt, thoughts=True)))["candidates"]
            assert candidate["finishReason"] == reason
            assert candidate["finishMessage"].startswith("Unable to show the generated image.")
            assert candidate["content"] == {}

    async def test_words_can_come_instead_of_a_picture(self, emulator: Emulator) -> None:
        answer = await emulator.generate("emulator-text-only", drawn(only=True))
        assert text(answer) == "I can describe that for you, but I cannot draw it."
        assert answer["candidates"][0]["finishReason"] == "STOP"
        assert all("inlineData" not in part for part in parts(answer))

    async def test_a_stream_can_be_refused(self, emulator: Emulator) -> None:
        (event,) = await emulator.stream("emulator-image-safety", drawn())
        assert event["candidates"][0]["finishReason"] == "IMAGE_SAFETY"

    async def test_names_of_image_scenarios_have_an_image_models_methods(self, emulator: Emulator) -> None:
        model = (await emulator.client.get("/v1beta/models/emulator-no-image")).json()
        assert model["supportedGenerationMethods"] == ["generateContent", "countTokens", "batchGenerateContent"]
