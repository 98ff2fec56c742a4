"""Another file format, where Pillow is installed."""

import base64
import sys
from io import BytesIO
from typing import Any

import pytest
from tests.api.images.support import drawn, opened

from gemgate.api.images.convert import converted
from gemgate.api.images.pictures import Picture


def picture(kind: str = "png", **drawing: Any) -> Picture:
    return Picture(drawn(kind, **drawing), kind, (16, 9), "prompt", {"text": "t"})


@pytest.mark.parametrize("wanted", ["png", "jpeg", "webp", "gif"])
@pytest.mark.parametrize("given", ["png", "jpeg"])
def test_an_image_comes_in_the_format_that_was_asked_for(given: str, wanted: str) -> None:
    made = converted(picture(given), wanted, None)
    image = opened(made.data)
    assert (made.format, image.format, image.size) == (wanted, wanted.upper(), (16, 9))
    assert (made.pixels, made.prompt, made.google) == ((16, 9), "prompt", {"text": "t"})


@pytest.mark.parametrize(("given", "wanted"), [("png", "png"), ("jpeg", "jpeg"), ("png", "svg")])
def test_an_image_that_is_right_or_cannot_be_made_stays(given: str, wanted: str) -> None:
    before = picture(given)
    assert converted(before, wanted, None) is before


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA"])
def test_a_jpeg_has_white_where_the_image_was_transparent(mode: str) -> None:
    drawing = drawn("png", mode=mode) if mode == "RGBA" else drawn("png", mode="L")
    if mode in {"P", "LA"}:
        drawing = _as_mode(drawing, mode)
    image = opened(converted(Picture(drawing, "png"), "jpeg", None).data)
    assert image.format == "JPEG"
    if mode == "RGBA":
        assert image.getpixel((0, 0)) == (255, 255, 255)


def _as_mode(data: str, mode: str) -> str:
    written = BytesIO()
    opened(data).convert(mode).save(written, "png")
    return base64.b64encode(written.getvalue()).decode()


def test_a_lower_quality_is_a_smaller_file() -> None:
    before = picture("jpeg", size=(200, 200))
    good, bad = (converted(before, "jpeg", quality) for quality in (95, 5))
    assert good is not before
    assert len(bad.data) < len(good.data)


@pytest.mark.parametrize("content", [b"nothing", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x89PNG\r\n\x1a\n" + b"\0" * 30])
def test_an_image_that_pillow_cannot_read_stays(content: bytes) -> None:
    before = Picture(base64.b64encode(content).decode(), "png")
    assert converted(before, "webp", None) is before


def test_without_pillow_every_image_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = picture()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert converted(before, "webp", None) is before
