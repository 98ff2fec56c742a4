"""The search for bytes that spares most bodies a reading: it misses nothing that the reading would find."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.gemini.named_resources import LONGEST, may_name, named_in

MEDIA = "QUJD" * 300_000
"""A string that is longer than what is searched at once, and names nothing."""

NAME = "files/abc-123"
NAMES = [
    NAME,
    "cachedContents/c1",
    "batches/b1",
    "fileSearchStores/s1",
    "tunedModels/t1",
    "corpora/c1",
    "models/gemini-x/operations/o1",
    "projects/p/locations/l/cachedContents/c",
    "https://generativelanguage.googleapis.com/v1beta/files/abc",
    "gs://bucket/object",
    "files%2Fabc",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["before", "between", "after", "key"])
def test_a_name_beside_large_media_is_seen(name: str, place: str) -> None:
    file = {"fileData": {"fileUri": name}}
    media = {"inlineData": {"data": MEDIA}}
    parts = {"before": [file, media], "between": [media, file, media], "after": [media, media, file]}
    body: object = {"contents": [{"parts": parts[place]}]} if place in parts else {"x": MEDIA, "file_name": name}
    assert named_in(body).names
    assert may_name(orjson.dumps(body))


@pytest.mark.parametrize("sign", ["x", '"', "\\", "é", "\U0001f600", "\n"])
@pytest.mark.parametrize("is_escaped", [False, True])
def test_a_name_is_seen_as_far_as_a_string_is_looked_at(sign: str, is_escaped: bool) -> None:
    text = sign * (LONGEST - len(NAME) - 1) + " " + NAME
    raw = orjson.dumps({"media": MEDIA, "fileUri": text, "more": MEDIA})
    if is_escaped:
        escaped = "".join(f"\\u{unit:04x}" for unit in _units(sign * (LONGEST - len(NAME) - 1)))
        raw = raw.replace(orjson.dumps(text)[1:-1], f"{escaped} {NAME}".encode())
    assert orjson.loads(raw)["fileUri"] == text
    assert may_name(raw)


def _units(text: str) -> list[int]:
    encoded = text.encode("utf-16-be")
    return [int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2)]


def test_media_alone_name_nothing() -> None:
    body = {"contents": [{"parts": [{"inlineData": {"data": MEDIA}}, {"text": "Hi"}]}], "stopSequences": [MEDIA]}
    assert not may_name(orjson.dumps(body))
    assert not may_name(orjson.dumps({"data": MEDIA + NAME}))  # nor is it looked for so far behind


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fileUri", "file_name", "data", "cachedContent", "anything"]),
            st.one_of(st.sampled_from(NAMES), st.text(max_size=40)),
            st.integers(0, 2 * LONGEST),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_what_a_reading_finds_the_search_does_not_miss(
    fields: list[tuple[str, str, int]],
    is_large: bool,
) -> None:
    body = [{field: " " * pad + text} for field, text, pad in fields]
    given_body: list[object] = [MEDIA, *body, MEDIA] if is_large else list(body)
    if named_in(given_body).names:
        assert may_name(orjson.dumps(given_body))
