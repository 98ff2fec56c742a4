"""Pixels as ratios and sizes."""

from typing import Any

import pytest
from tests.api.images.support import FLASH_25, FLASH_31, IMAGEN, IMAGEN_4, OLD_20, PRO_3

from gemgate.api.images.wire import GenerationRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.image_frame import Frame, frame, nearest_ratio, nearest_size
from gemgate.translation.notes import Notes

LITE = "gemini-3.1-flash-lite-image"


def framed(model: str, google: dict[str, object] | None = None, **body: Any) -> tuple[Frame, Notes]:
    notes = Notes()
    request = GenerationRequest(model=model, prompt="p", **body)
    return frame(request.size, request.quality, google or {}, Catalog().facts(model), notes), notes


@pytest.mark.parametrize(
    ("model", "size", "ratio", "native", "note"),
    [
        (PRO_3, "1024x1024", "1:1", "1K", None),
        (PRO_3, "2048x2048", "1:1", "2K", None),
        (PRO_3, "4096x4096", "1:1", "4K", None),
        (FLASH_31, "512x512", "1:1", "512", None),
        (FLASH_31, "256x256", "1:1", "512", "size=256x256->1:1,512"),
        (PRO_3, "512x512", "1:1", "1K", "size=512x512->1:1,1K"),
        (PRO_3, "1792x1024", "16:9", "2K", "size=1792x1024->16:9,2K"),
        (PRO_3, "1024x1792", "9:16", "2K", "size=1024x1792->9:16,2K"),
        (PRO_3, "1536x1024", "3:2", "1K", "size=1536x1024->3:2,1K"),
        (PRO_3, "1024x1536", "2:3", "1K", "size=1024x1536->2:3,1K"),
        (PRO_3, "640x480", "4:3", "1K", "size=640x480->4:3,1K"),
        (FLASH_31, "640x480", "4:3", "512", "size=640x480->4:3,512"),
        (PRO_3, "3072x3072", "1:1", "2K", "size=3072x3072->1:1,2K"),
        (PRO_3, "3073x3073", "1:1", "4K", "size=3073x3073->1:1,4K"),
        (FLASH_31, "4000x1000", "4:1", "4K", "size=4000x1000->4:1,4K"),
        (PRO_3, "4000x1000", "21:9", "4K", "size=4000x1000->21:9,4K"),
        (FLASH_25, "1024x1024", "1:1", None, None),
        (FLASH_25, "1792x1024", "16:9", None, "size=1792x1024->16:9,1K"),
        (LITE, "2048x2048", "1:1", None, "size=2048x2048->1:1,1K"),
        (IMAGEN, "1536x1024", "4:3", None, "size=1536x1024->4:3,1K"),
        (IMAGEN_4, "4096x4096", "1:1", "2K", "size=4096x4096->1:1,2K"),
        ("imagen-4.0-fast-generate-001", "2048x2048", "1:1", None, "size=2048x2048->1:1,1K"),
    ],
)
def test_pixels_become_what_the_model_has_and_a_note_says_when_they_differ(
    model: str, size: str, ratio: str, native: str | None, note: str | None
) -> None:
    found, notes = framed(model, size=size)
    assert found == Frame(ratio, native)
    assert notes.adjusted == ([note] if note else [])
    assert not notes.dropped


@pytest.mark.parametrize(
    ("model", "size", "ratio", "adjusted", "dropped"),
    [
        (PRO_3, "16:9", "16:9", [], []),
        (PRO_3, "1:1", "1:1", [], []),
        (PRO_3, "2:1", "16:9", ["size=2:1->16:9"], []),
        (OLD_20, "16:9", None, [], ["size"]),
    ],
)
def test_a_ratio_in_the_place_of_the_size_is_the_ratio(
    model: str, size: str, ratio: str | None, adjusted: list[str], dropped: list[str]
) -> None:
    found, notes = framed(model, size=size)
    assert found == Frame(ratio)
    assert (notes.adjusted, notes.dropped) == (adjusted, dropped)


@pytest.mark.parametrize("size", [None, "auto"])
def test_no_size_leaves_the_choice_to_the_model(size: str | None) -> None:
    found, notes = framed(PRO_3, size=size)
    assert found == Frame()
    assert notes.headers() == {}


@pytest.mark.parametrize(
    "size",
    [
        "",
        "big",
        "1024",
        "0x1024",
        "1024x0",
        "-1x5",
        "1024 x 1024",
        "100000x1",
        "1024x1024x3",
        "0:9",
        "16:0",
        "16:9:1",
        "\uff11x\uff11",
    ],
)
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(ApiError, match="WIDTHxHEIGHT") as refused:
        framed(PRO_3, size=size)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, "size", "invalid_value")


def test_a_model_without_ratios_and_sizes_drops_the_size() -> None:
    found, notes = framed(OLD_20, size="1024x1024")
    assert found == Frame()
    assert notes.dropped == ["size"]


@pytest.mark.parametrize(
    ("model", "body", "native", "dropped", "adjusted"),
    [
        (FLASH_31, {"quality": "low"}, "512", [], ["quality=low->512"]),
        (PRO_3, {"quality": "low"}, "1K", [], ["quality=low->1K"]),
        (PRO_3, {"quality": "medium"}, "1K", [], ["quality=medium->1K"]),
        (PRO_3, {"quality": "standard"}, "1K", [], ["quality=standard->1K"]),
        (PRO_3, {"quality": "high"}, "2K", [], ["quality=high->2K"]),
        (PRO_3, {"quality": "hd", "size": "auto"}, "2K", [], ["quality=hd->2K"]),
        (PRO_3, {"quality": "xhigh"}, "4K", [], ["quality=xhigh->4K"]),
        (IMAGEN_4, {"quality": "max"}, "2K", [], ["quality=max->2K"]),
        (PRO_3, {"quality": "high", "size": "1024x1024"}, "1K", ["quality"], []),
        (FLASH_25, {"quality": "high"}, None, ["quality"], []),
        (FLASH_25, {"quality": "high", "size": "1024x1024"}, None, ["quality"], []),
        (PRO_3, {"quality": "auto"}, None, [], []),
    ],
)
def test_quality_is_the_size_where_nothing_else_says_it(
    model: str, body: Any, native: str | None, dropped: list[str], adjusted: list[str]
) -> None:
    found, notes = framed(model, **body)
    assert found.size == native
    assert (notes.dropped, notes.adjusted) == (dropped, adjusted)


def test_googles_options_win_and_are_sent_as_they_are() -> None:
    found, notes = framed(FLASH_25, {"aspect_ratio": "7:5", "image_size": "8k"}, size="1024x1024", quality="low")
    assert found == Frame("7:5", "8K")
    assert notes.adjusted == ["size=1024x1024->7:5,8K"]
    assert notes.dropped == ["quality"]


def test_an_option_alone_is_no_adjustment() -> None:
    found, notes = framed(PRO_3, {"aspect_ratio": "21:9"})
    assert found == Frame("21:9")
    assert notes.headers() == {}


def test_a_ratio_that_is_the_models_own_choice_is_told_as_such() -> None:
    found, notes = framed(OLD_20, {"image_size": "2K"}, size="2048x2048")
    assert found == Frame(None, "2K")
    assert notes.adjusted == ["size=2048x2048->auto,2K"]


@pytest.mark.parametrize("name", ["aspect_ratio", "image_size"])
def test_an_option_that_is_no_text_is_refused_by_name(name: str) -> None:
    with pytest.raises(ApiError) as refused:
        framed(PRO_3, {name: 5})
    assert (refused.value.param, refused.value.code) == (f"extra_body.google.{name}", "invalid_type")


def test_the_nearest_ratio_is_nearest_in_proportion() -> None:
    ratios = ("1:1", "2:1", "1:2")
    assert nearest_ratio(141, 100, ratios) == "1:1"
    assert nearest_ratio(142, 100, ratios) == "2:1"
    assert nearest_ratio(100, 142, ratios) == "1:2"


def test_of_two_sizes_that_are_as_near_the_larger_is_taken() -> None:
    assert nearest_size("1K", ("512", "2K")) == "2K"


@pytest.mark.parametrize(
    ("model", "method", "modalities"),
    [
        (FLASH_25, "generateContent", ("IMAGE",)),
        (OLD_20, "generateContent", ("TEXT", "IMAGE")),
        ("gemini-9-ultra-image", "generateContent", ("IMAGE",)),
        ("gemini-nano-banana-2.1", "generateContent", ("IMAGE",)),
        ("nano-banana-pro-preview", "generateContent", ("IMAGE",)),
        ("gemini-2.5-flash", "generateContent", ("TEXT", "IMAGE")),
        (IMAGEN, "predict", ("TEXT", "IMAGE")),
        ("painter-1", None, ("TEXT", "IMAGE")),
    ],
)
def test_the_catalog_knows_how_a_model_makes_images(
    model: str, method: str | None, modalities: tuple[str, ...]
) -> None:
    facts = Catalog().facts(model)
    assert (facts.image_method, facts.image_modalities) == (method, modalities)


def test_the_newest_family_has_long_ratios_and_small_images() -> None:
    assert Catalog().facts(FLASH_31).image_sizes == ("512", "1K", "2K", "4K")
    assert "8:1" in Catalog().facts("nano-banana-2.1").aspect_ratios
    assert "8:1" not in Catalog().facts("nano-banana-pro-preview").aspect_ratios
