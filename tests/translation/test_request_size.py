"""How much a body holds is seen in a moment where it holds little, and as exactly as before where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.errors import ApiError
from gemgate.translation.request_size import CHECKED_BYTES, LIGHT_BYTES, check_values, is_heavy

MEDIA = b'"' + b"QUJD" * 100_000 + b'"'


def counted(raw: bytes) -> bool:
    """Whether a body is heavy, by counting."""
    return len(raw) > LIGHT_BYTES and (raw.count(b"{") > 2_000 or raw.count(b",") > 20_000)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"{", b",", b"[", b"{},", b"x" * 1_000, MEDIA]), st.integers(0, 12_000)), max_size=4
    )
)
def test_a_body_is_heavy_if_it_has_many_objects_or_commas(parts: list[tuple[bytes, int]]) -> None:
    raw = b"".join(part * min(times, 4_000_000 // len(part)) for part, times in parts)
    assert is_heavy(raw) == counted(raw)


@pytest.mark.parametrize("objects", [1_999, 2_000, 2_001])
def test_the_limit_of_what_is_seen_in_a_moment(objects: int) -> None:
    raw = MEDIA + b"{" * objects
    assert is_heavy(raw) == (objects > 2_000)


def test_a_large_body_of_few_values_is_let_through_and_one_of_many_is_not() -> None:
    check_values(b'{"data": %b, "more": [1, 2]}' % MEDIA)
    many = b"[%b{}]" % (b"{}," * 200_000)
    assert len(many) > CHECKED_BYTES
    with pytest.raises(ApiError, match="objects of JSON"):
        check_values(many)
    with pytest.raises(ApiError, match="values of JSON"):
        check_values(b"[%b1]" % (b"1," * 600_000))
