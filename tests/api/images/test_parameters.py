"""Every parameter of the images endpoints has one fate."""

from typing import Any, get_type_hints

import pytest
from openai.types import image_edit_params, image_generate_params
from tests.api.images.support import FLASH_25, options

from gemgate.api.images.request import to_gemini
from gemgate.api.images.wire import DROPPED, EDITS, GENERATIONS, EditRequest, GenerationRequest, ImageRequest
from gemgate.errors import ApiError


def test_every_field_of_the_wire_models_has_a_fate() -> None:
    assert set(GENERATIONS) == set(GenerationRequest.model_fields)
    assert set(EDITS) == set(EditRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    assert set(get_type_hints(image_generate_params.ImageGenerateParamsStreaming)) <= set(GENERATIONS)
    assert set(get_type_hints(image_edit_params.ImageEditParamsStreaming)) <= set(EDITS)


VALUES: dict[str, Any] = {
    "complexity": "low",
    "frame_count": 3,
    "frame_duration_ms": 100,
    "input_fidelity": "high",
    "moderation": "low",
    "partial_images": 2,
    "safety_identifier": "s",
    "style": "vivid",
    "svg": {"model": "x"},
    "user": "u",
}


def test_every_dropped_parameter_is_tested() -> None:
    assert set(VALUES) == DROPPED


def request_with(name: str, value: Any) -> ImageRequest:
    kind = GenerationRequest if name in GENERATIONS else EditRequest
    return kind.model_validate({"model": FLASH_25, "prompt": "p", name: value})


@pytest.mark.parametrize("name", sorted(VALUES))
def test_a_parameter_without_a_counterpart_is_named(name: str) -> None:
    request = request_with(name, VALUES[name])
    translation = to_gemini(request, options(), "generateContent")
    assert translation.notes.headers() == {"x-gemgate-dropped-params": name}
    with pytest.raises(ApiError) as refused:
        to_gemini(request, options(unsupported_params="strict"), "generateContent")
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background", "auto"),
        ("background", "opaque"),
        ("moderation", "auto"),
        ("partial_images", 0),
        ("quality", "auto"),
        ("response_format", "b64_json"),
        ("size", "auto"),
        ("stream", False),
        ("user", None),
    ],
)
def test_a_value_that_asks_for_nothing_is_no_loss(name: str, value: Any) -> None:
    translation = to_gemini(request_with(name, value), options(unsupported_params="strict"), "generateContent")
    assert translation.notes.headers() == {}


def test_a_transparent_background_is_named_as_dropped() -> None:
    translation = to_gemini(request_with("background", "transparent"), options(), "generateContent")
    assert translation.notes.dropped == ["background"]


def test_a_parameter_that_nobody_knows_is_named() -> None:
    translation = to_gemini(request_with("shoe_size", 44), options(), "generateContent")
    assert translation.notes.dropped == ["shoe_size"]
