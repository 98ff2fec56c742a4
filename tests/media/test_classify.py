"""Who reads a URL."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.media.classify import LONGEST_URL, classify


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,AAAA", "data"),
        ("DATA:image/png;base64,AAAA", "data"),
        ("\n data:,hello", "data"),
        ("data:", "data"),
        ("gs://bucket/picture.png", "google"),
        ("GS://bucket/picture.png", "google"),
        ("gs://bucket", "unsupported"),
        ("gs:///picture.png", "unsupported"),
        ("files/abc-123", "google"),
        ("files/", "unsupported"),
        ("files/a/b", "unsupported"),
        ("files/../secrets", "unsupported"),
        ("https://generativelanguage.googleapis.com/v1beta/files/abc-123", "google"),
        ("https://generativelanguage.googleapis.com/v1/files/abc", "google"),
        ("https://generativelanguage.googleapis.com/v1alpha/files/abc", "google"),
        ("http://generativelanguage.googleapis.com/v1beta/files/abc", "remote"),
        ("https://generativelanguage.googleapis.com/v1beta/models/x", "remote"),
        ("https://generativelanguage.googleapis.com.evil.test/v1beta/files/abc", "remote"),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "google"),
        ("https://youtube.com/watch?v=dQw4w9WgXcQ&t=10", "google"),
        ("https://m.youtube.com/watch?app=m&v=dQw4w9WgXcQ", "google"),
        ("http://www.youtube.com/watch?v=dQw4w9WgXcQ", "google"),
        ("https://YouTube.com/shorts/abc_DEF-123", "google"),
        ("https://www.youtube.com/live/abc", "google"),
        ("https://youtu.be/dQw4w9WgXcQ?si=x", "google"),
        ("https://youtu.be/", "remote"),
        ("https://www.youtube.com/watch", "remote"),
        ("https://www.youtube.com/@somebody", "remote"),
        ("https://www.youtube.com@evil.test/watch?v=x", "remote"),
        ("https://notyoutube.com/watch?v=x", "remote"),
        ("https://example.com/a.png", "remote"),
        ("HTTP://example.com/a.png", "remote"),
        ("https://", "unsupported"),
        ("https://[::1/", "unsupported"),
        ("https://[]@", "unsupported"),
        ("ftp://example.com/a.png", "unsupported"),
        ("file:///etc/passwd", "unsupported"),
        ("//example.com/a.png", "unsupported"),
        ("iVBORw0KGgo=", "unsupported"),
        ("", "unsupported"),
    ],
)
def test_a_url_has_one_source(url: str, source: str) -> None:
    assert classify(url) == source


def test_a_long_text_is_no_url() -> None:
    assert classify("https://example.com/" + "a" * LONGEST_URL) == "unsupported"


def test_megabytes_in_the_wrong_field_cost_next_to_nothing() -> None:
    text = "A" * 20_000_000
    started = time.thread_time()
    assert classify(text) == "unsupported"
    assert time.thread_time() - started < 0.5


@given(st.text(alphabet=st.characters()) | st.text(alphabet="htps:/@[]%.12#?&").map("https://".__add__))
def test_no_text_crashes_it(url: str) -> None:
    assert classify(url) in {"data", "google", "remote", "unsupported"}
