"""Work that should meet the same key again and again, because Google shows its files to that key only."""

import pytest

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.key_affinity import resources_of
from gemgate.upstream.key_pool import KeyPool, label_of
from gemgate.upstream.targets import Target

KEYS = ("key-one", "key-two", "key-three")
MODEL = "models/gemini-2.5-flash"


def affinity(pool: KeyPool, name: str) -> str | None:
    key = pool.choose_by_affinity(Target(MODEL), name)
    return key.secret if key else None


def test_the_same_work_meets_the_same_key_whatever_the_load_and_the_order_of_the_keys() -> None:
    pool, other = KeyPool(KEYS), KeyPool(KEYS[::-1])
    for name in map(str, range(20)):
        first = affinity(pool, name)
        found = pool.find(first or "")
        assert found is not None
        found.in_flight = 9
        assert affinity(pool, name) == affinity(other, name) == first
    assert {affinity(pool, str(number)) for number in range(20)} == set(KEYS)


def test_another_key_is_taken_only_while_it_rests() -> None:
    pool = KeyPool(KEYS, clock=lambda: 100.0)
    first = affinity(pool, "a")
    assert first is not None
    pool.apply(Cooldown(label_of(first), MODEL, CooldownReason.RATE_LIMIT, 200.0))
    assert affinity(pool, "a") not in (None, first)
    pool.apply(Cooldown(label_of(first), MODEL, CooldownReason.RATE_LIMIT, 0.0))
    assert affinity(pool, "a") == first


def test_when_all_rest_there_is_none() -> None:
    pool = KeyPool(KEYS[:1], clock=lambda: 100.0)
    pool.apply(Cooldown(label_of(KEYS[0]), MODEL, CooldownReason.RATE_LIMIT, 200.0))
    assert affinity(pool, "a") is None
    with pytest.raises(GeminiError):
        raise pool.exhausted(Target(MODEL))


def test_the_files_of_contents_to_embed_are_seen() -> None:
    part = {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}
    body = {"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [part]}}, "odd", {}]}
    assert resources_of(body) == ["files/abc"]
