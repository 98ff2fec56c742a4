"""A request for images as native requests."""

from typing import Any

import pytest
from tests.api.images.support import FLASH_25, IMAGEN, IMAGEN_4, OLD_20, PRO_3, blob, options

from gemgate.api.images.request import (
    ImagesTranslation,
    Method,
    method_of,
    to_gemini,
)
from gemgate.api.images.wire import EditRequest, GenerationRequest
from gemgate.errors import ApiError


def made(model: str = FLASH_25, method: Method = "generateContent", **body: Any) -> ImagesTranslation:
    return to_gemini(GenerationRequest(model=model, prompt="a cat", **body), options(), method)


def predicted(model: str = IMAGEN, **body: Any) -> ImagesTranslation:
    return made(model, "predict", **body)


def refused(**body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        made(**body)
    assert caught.value.status == 400
    return caught.value


def test_a_prompt_is_the_users_turn_and_asks_for_an_image_alone() -> None:
    translation = made()
    assert translation.model == f"models/{FLASH_25}"
    assert translation.bodies == [
        {
            "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
            "generationConfig": {"responseModalities": ["IMAGE"]},
            "store": False,
        }
    ]
    assert translation.notes.headers() == {}


@pytest.mark.parametrize("name", [f"google/{PRO_3}", f"models/{PRO_3}", PRO_3])
def test_a_model_has_several_spellings(name: str) -> None:
    assert made(name).model == f"models/{PRO_3}"


def test_a_model_that_is_no_name_is_refused() -> None:
    assert refused(model="../files").param == "model"


def test_an_old_model_is_asked_for_text_too_because_it_refuses_images_alone() -> None:
    assert made(OLD_20).bodies[0]["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}


def test_the_frame_is_the_image_config() -> None:
    config = made(PRO_3, size="1792x1024").bodies[0]["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "2K"}


def test_n_is_as_many_calls_of_one_body() -> None:
    translation = made(n=3)
    assert translation.count == 3
    first, *others = translation.bodies
    assert [body is first for body in others] == [True, True]


def test_a_seed_differs_from_call_to_call() -> None:
    google = {"generation_config": {"seed": 2**31 - 1}}
    bodies = made(n=3, google=google).bodies
    assert [body["generationConfig"]["seed"] for body in bodies] == [2**31 - 1, 0, 1]
    assert made(google=google).bodies[0]["generationConfig"]["seed"] == 2**31 - 1


@pytest.mark.parametrize("nesting", ["google", "extra_body"])
def test_googles_options_reach_the_native_request_in_either_spelling(nesting: str) -> None:
    google: dict[str, Any] = {
        "aspectRatio": "9:16",
        "image_size": "4k",
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "tools": [{"google_search": {}}],
        "generationConfig": {"candidate_count": 2, "image_config": {"image_size": "2K"}, "temperature": 0.5},
    }
    body: Any = {nesting: google if nesting == "google" else {"google": google}}
    translation = made(PRO_3, **body)
    body = translation.bodies[0]
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "9:16", "imageSize": "2K"},
        "candidateCount": 2,
        "temperature": 0.5,
    }
    assert body["tools"] == [{"googleSearch": {}}]
    assert body["safetySettings"] == google["safety_settings"]
    assert translation.notes.adjusted == ["generationConfig.imageSize->extra_body.google.generation_config"]


def test_a_generation_config_that_agrees_is_no_adjustment() -> None:
    google = {"generation_config": {"responseModalities": ["IMAGE"]}}
    assert made(google=google).notes.headers() == {}


def test_an_option_that_nobody_knows_and_one_of_imagens_are_named() -> None:
    google = {"person_generation": "allow_all", "shoe_size": 44}
    assert made(google=google).notes.dropped == ["extra_body.google.shoe_size", "extra_body.google.person_generation"]


def test_an_edit_begins_with_its_images() -> None:
    images: Any = [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"fileData": {"fileUri": "u"}}]
    translation = to_gemini(EditRequest(model=FLASH_25, prompt="bluer"), options(), "generateContent", images)
    assert translation.bodies[0]["contents"] == [{"role": "user", "parts": [*images, {"text": "bluer"}]}]


@pytest.mark.parametrize("name", ["mask", "markup"])
def test_what_marks_an_area_is_refused_with_the_way_out(name: str) -> None:
    request = EditRequest.model_validate({"model": FLASH_25, "prompt": "p", name: "x.png"})
    with pytest.raises(ApiError, match="describe the area in the prompt") as caught:
        to_gemini(request, options(), "generateContent", [])
    assert (caught.value.status, caught.value.code) == (400, "unsupported_parameter")
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("body", "wanted", "compression", "dropped"),
    [
        ({}, None, None, []),
        ({"output_format": "webp", "output_compression": 0}, "webp", 0, []),
        ({"output_format": "jpeg", "output_compression": 50}, "jpeg", 50, []),
        ({"output_format": "png", "output_compression": 50}, "png", None, ["output_compression"]),
        ({"output_compression": 50}, None, None, ["output_compression"]),
    ],
)
def test_compression_goes_with_a_lossy_format(body: Any, wanted: Any, compression: Any, dropped: list[str]) -> None:
    translation = made(**body)
    assert (translation.output_format, translation.compression) == (wanted, compression)
    assert translation.notes.dropped == dropped


class TestImagen:
    def test_imagen_takes_the_prompt_and_how_many(self) -> None:
        assert predicted(n=1).bodies == [
            {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1, "includeRaiReason": True}}
        ]

    def test_imagen_makes_four_in_a_call(self) -> None:
        counts = [body["parameters"]["sampleCount"] for body in predicted(n=10).bodies]
        assert counts == [4, 4, 2]

    def test_imagen_has_a_ratio_and_a_size_of_its_own(self) -> None:
        parameters = predicted(IMAGEN_4, size="2048x1152").bodies[0]["parameters"]
        assert (parameters["aspectRatio"], parameters["sampleImageSize"]) == ("16:9", "2K")
        assert "sampleImageSize" not in predicted(size="2048x1152").bodies[0]["parameters"]

    @pytest.mark.parametrize(
        ("body", "output", "compression"),
        [
            ({"output_format": "png"}, {"mimeType": "image/png"}, None),
            ({"output_format": "jpeg"}, {"mimeType": "image/jpeg"}, None),
            (
                {"output_format": "jpeg", "output_compression": 0},
                {"mimeType": "image/jpeg", "compressionQuality": 0},
                None,
            ),
            ({"output_format": "webp", "output_compression": 7}, None, 7),
        ],
    )
    def test_imagen_writes_two_formats_itself(self, body: Any, output: Any, compression: int | None) -> None:
        translation = predicted(**body)
        assert translation.bodies[0]["parameters"].get("outputOptions") == output
        assert translation.compression == compression

    def test_imagen_takes_who_may_be_shown(self) -> None:
        google = {"person_generation": "allow_adult"}
        assert predicted(google=google).bodies[0]["parameters"]["personGeneration"] == "ALLOW_ADULT"
        assert predicted(google={"person_generation": 3}).bodies[0]["parameters"]["personGeneration"] == 3

    def test_imagen_has_one_threshold_for_all_categories(self) -> None:
        same = [{"category": "A", "threshold": "BLOCK_NONE"}, {"category": "B", "threshold": "BLOCK_NONE"}]
        translation = predicted(google={"safety_settings": same})
        assert translation.bodies[0]["parameters"]["safetySetting"] == "BLOCK_NONE"
        assert translation.notes.headers() == {}
        differing = [same[0], {"category": "B", "threshold": "BLOCK_ONLY_HIGH"}]
        translation = predicted(google={"safety_settings": differing})
        assert "safetySetting" not in translation.bodies[0]["parameters"]
        assert translation.notes.dropped == ["extra_body.google.safety_settings"]

    def test_imagen_has_no_tools_and_no_generation_config(self) -> None:
        google = {"tools": [{"google_search": {}}], "generation_config": {"seed": 1}}
        assert predicted(google=google).notes.dropped == [
            "extra_body.google.tools",
            "extra_body.google.generation_config",
        ]

    def test_imagen_edits_nothing(self) -> None:
        with pytest.raises(ApiError) as caught:
            to_gemini(EditRequest(model=IMAGEN, prompt="p"), options(), "predict", [blob("AA==")])  # type: ignore[list-item]
        assert (caught.value.param, caught.value.code) == ("model", "unsupported_value")


@pytest.mark.parametrize(
    ("methods", "method"),
    [
        (["predict"], "predict"),
        (["generateContent", "predict"], "generateContent"),
        (["generateContent"], "generateContent"),
        ([], "generateContent"),
    ],
)
def test_a_models_own_resource_tells_how_it_makes_images(methods: list[str], method: str) -> None:
    assert method_of({"supportedGenerationMethods": methods}) == method


def test_a_model_that_google_does_not_list_is_left_to_google() -> None:
    assert method_of(None) == "generateContent"
