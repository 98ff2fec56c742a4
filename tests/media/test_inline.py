"""Base64 text and data URLs."""

import base64
import time
from contextlib import suppress
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.media.inline import (
    Inline,
    MediaError,
    from_bytes,
    inline,
    parse_data_url,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\xfb\xff\xfe"
PNG_64 = base64.b64encode(PNG).decode()
PNG_URL_SAFE = base64.urlsafe_b64encode(PNG).decode()


def spaced(text: str) -> str:
    return "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\n"


def refusal(text: str) -> MediaError:
    with pytest.raises(MediaError) as caught:
        parse_data_url(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        PNG_64,
        PNG_64.rstrip("="),
        spaced(PNG_64),
        PNG_URL_SAFE,
        PNG_URL_SAFE.rstrip("="),
        f"  {PNG_64}\t",
        PNG_64 + "==",
    ],
)
def test_base64_is_brought_to_its_standard_spelling(text: str) -> None:
    assert inline(text) == Inline("image/png", PNG_64)


def test_sound_base64_is_not_copied() -> None:
    assert inline(PNG_64).data is PNG_64


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("====", "is empty"),
        ("abcde", "5 characters cannot be a whole number of bytes"),
        ("ab!d", "'!' is not a base64 character"),
        ("YQ==YQ==", "'=' is not a base64 character"),
        ("über", r"'\xfc' is not a base64 character"),
        ("ab\0d", r"'\x00' is not a base64 character"),
        ("https://example.com/a.png", "':' is not a base64 character"),
        ("\ud800abc", r"'\ud800' is not a base64 character"),
    ],
)
def test_what_is_not_base64_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(MediaError) as caught:
        inline(text)
    assert caught.value.code == "invalid_base64"
    assert complaint in str(caught.value)


def test_the_error_keeps_the_content_to_itself() -> None:
    with pytest.raises(MediaError) as caught:
        inline("c2VjcmV0" * 100 + "!")
    assert "c2VjcmV0" not in str(caught.value)


def test_the_end_of_the_text_is_checked_too() -> None:
    with pytest.raises(MediaError, match="base64"):
        inline(PNG_64 * 1000 + "!")


def test_the_content_stays_out_of_the_repr() -> None:
    assert repr(inline(PNG_64)) == "Inline(mime='image/png')"


def test_five_megabytes_are_checked_in_milliseconds() -> None:
    text = base64.b64encode(PNG[:8] + bytes(5_000_000)).decode()
    started = time.thread_time()
    inline(text)
    assert time.thread_time() - started < 0.25  # of this thread; 1 ms in fact


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{PNG_64}",
        f"DATA:IMAGE/PNG;BASE64,{PNG_64}",
        f"data:image/png;charset=utf-8;base64,{PNG_64}",
        f"data:image/png; charset=utf-8; base64 ,{PNG_64}",
        f"data:image/png;name=a.png;base64,{spaced(PNG_64)}",
        f"data:image/jpg;base64,{PNG_64}",
        f"data:;base64,{PNG_64}",
        f"data:base64,{PNG_64}",
        f" \ndata:image/png;base64, {PNG_64}",
        f"data:image/png;base64,{PNG_URL_SAFE}",
        f"data:image/png;base64,{PNG_64.rstrip('=')}",
        "data:image/png;base64," + PNG_64.replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"),
        f"data:image/png,{quote_from_bytes(PNG)}",
        f"data:,{quote_from_bytes(PNG)}",
    ],
)
def test_every_spelling_of_a_data_url_is_read(url: str) -> None:
    assert parse_data_url(url) == Inline("image/png", PNG_64)


@pytest.mark.parametrize(
    ("url", "filename", "mime"),
    [
        ("data:,Hello%2C%20world", None, "text/plain"),
        ("data:text/html;charset=utf-8,<h1>Hi</h1>", None, "text/html"),
        ("data:application/octet-stream;base64,YSxiCjEsMgo=", "table.csv", "text/csv"),
        ("data:;base64,IyBUaXRsZQo=", "README.MD", "text/markdown"),
        ("data:text/csv;base64,YSxiCjEsMgo=", "notes.md", "text/csv"),
    ],
)
def test_text_has_the_declared_type_then_the_type_of_its_name(url: str, filename: str | None, mime: str) -> None:
    assert parse_data_url(url, filename).mime == mime


def test_percent_encoded_text_becomes_base64() -> None:
    assert base64.b64decode(parse_data_url("data:,caf%C3%A9 ☕").data) == "café ☕".encode()


@pytest.mark.parametrize(
    "url", ["", "data:", "data:image/png;base64", "image/png;base64,AAAA", "data:" + "a" * 2000 + ",A"]
)
def test_a_data_url_without_its_parts_is_refused(url: str) -> None:
    error = refusal(url)
    assert error.code == "invalid_image_url"
    assert "data:<MIME type>;base64," in error.message


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refusal("data:,a\ud800").code == "invalid_image_url"
    assert refusal("data:;base64,%41\ud800").code == "invalid_image_url"


def test_a_data_url_without_content_is_refused() -> None:
    assert refusal("data:image/png;base64,").code == "invalid_base64"
    assert refusal("data:,").code == "unsupported_media_type"


@given(st.binary(), st.booleans(), st.booleans())
def test_any_bytes_come_through_unchanged(content: bytes, url_safe: bool, padded: bool) -> None:
    content = PNG[:8] + content
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(content).decode()
    found = inline(text if padded else text.rstrip("="))
    assert base64.b64decode(found.data, validate=True) == content
    assert found == from_bytes(content) == parse_data_url(f"data:,{quote_from_bytes(content)}")


@given(st.text(st.characters()), st.none() | st.text(st.characters()), st.none() | st.text(st.characters()))
def test_any_text_is_read_or_refused(text: str, declared: str | None, filename: str | None) -> None:
    for attempt in (text, f"data:{text}", f"data:{declared};base64,{text}", f"data:,{text}"):
        with suppress(MediaError):
            assert inline(attempt, declared, filename).data
        with suppress(MediaError):
            assert parse_data_url(attempt, filename).data
