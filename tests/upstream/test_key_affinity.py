"""What belongs to the FakeGoogle project of one key stays with that key."""

import httpx
import pytest
from tests.support.google import FakeGoogle, bad_key, failure, quota
from tests.upstream.support import BODY, HELLO, MODEL, upstream

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.key_affinity import (
    KeyAffinity,
    resources_in_path,
    resources_made,
    resources_of,
)

ONE, TWO, THREE = "key-one", "key-two", "key-three"
GOOD = httpx.Response(200, json=HELLO)
CACHE = {**BODY, "cachedContent": "cachedContents/abc"}
NO_CACHE = failure(403, "CachedContent not found (or permission denied)", reason="PERMISSION_DENIED")
FILE_URI = "https://generativelanguage.googleapis.com/v1beta/files/xyz"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (BODY, []),
        (CACHE, ["cachedContents/abc"]),
        ({"contents": [{"parts": [{"fileData": {"fileUri": FILE_URI}}, {"text": "x"}]}]}, ["files/xyz"]),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "files/xyz"}}]}]}, ["files/xyz"]),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "https://youtu.be/x"}}]}]}, []),
        ({"contents": ["odd", {"parts": ["odd"]}], "cachedContent": 5}, []),
        ({"contents": None}, []),
        (b'{"contents":[{"parts":[{"text":"files/no"}]}]}', []),
        (
            b'{"cachedContent": "cachedContents/abc", "contents":[{"parts":[{"file_data":{"file_uri":"files/x"}}]}]}',
            ["cachedContents/abc", "files/x"],
        ),
        (b'{"cachedContent": 5}', []),
    ],
)
def test_the_resources_of_a_request(body: dict[str, object] | bytes, found: list[str]) -> None:
    assert resources_of(body) == found


def test_the_resources_of_a_path_and_of_an_answer() -> None:
    assert resources_in_path("/v1beta/files/abc") == ["files/abc"]
    assert resources_in_path("/v1beta/batches/abc:cancel") == ["batches/abc"]
    assert resources_in_path("/v1beta/models") == []
    assert resources_made({"name": "cachedContents/abc"}) == ["cachedContents/abc"]
    assert resources_made({"file": {"name": "files/abc"}}) == ["files/abc"]
    assert resources_made({"embeddings": []}) == []


def test_what_is_remembered_is_bounded_and_forgets_what_was_not_asked_for_longest() -> None:
    places = KeyAffinity()
    places.learn((f"files/f{number}" for number in range(10_000)), "one")
    assert places.find(["files/f0"]) == "one"
    places.learn(["files/new"], "two")
    assert places.find(["files/f0"]) == "one"
    assert places.find(["files/f1"]) is None
    assert places.find(["files/f1", "files/new"]) == "two"


async def test_a_cache_is_used_with_the_key_that_made_it() -> None:
    google = FakeGoogle(httpx.Response(200, json={"name": "cachedContents/abc"}), GOOD)
    async with upstream(google, ONE, TWO, THREE) as way:
        await way.request("POST", "/v1beta/cachedContents", key=None, json={"model": MODEL})
        for _ in range(3):
            await way.generate(MODEL, CACHE, None)
        await way.request("DELETE", "/v1beta/cachedContents/abc", key=None)
        await way.generate(MODEL, BODY, None)
    assert google.keys[:5] == [ONE] * 5
    assert google.keys[5] != ONE


async def test_a_cache_made_while_there_was_one_key_stays_with_it_when_others_come() -> None:
    google = FakeGoogle(httpx.Response(200, json={"name": "cachedContents/abc"}), GOOD)
    async with upstream(google, ONE) as way:
        await way.request("POST", "/v1beta/cachedContents", key=None, json={"model": MODEL})
        way.shared.pool.replace((TWO, ONE))
        for _ in range(3):
            await way.generate(MODEL, CACHE, None)
    assert google.keys == [ONE] * 4


async def test_a_cache_that_nobody_here_made_is_looked_for_with_each_key_and_then_remembered() -> None:
    google = FakeGoogle(NO_CACHE)
    google.by_key[THREE] = [GOOD]
    async with upstream(google, ONE, TWO, THREE) as way:
        assert await way.generate(MODEL, CACHE, None) == HELLO
        assert await way.generate(MODEL, CACHE, None) == HELLO
        assert all(key.cooldown is None and key.models == () for key in way.snapshot().keys)
    assert google.keys == [ONE, TWO, THREE, THREE]


async def test_a_cache_that_no_key_knows_is_refused_and_harms_no_key() -> None:
    google = FakeGoogle(NO_CACHE)
    async with upstream(google, ONE, TWO, THREE) as way:
        with pytest.raises(GeminiError, match="CachedContent not found"):
            await way.generate(MODEL, CACHE, None)
        assert all(key.cooldown is None and key.models == () for key in way.snapshot().keys)
    assert google.keys == [ONE, TWO, THREE]


async def test_what_is_remembered_wrongly_is_forgotten_and_found_elsewhere() -> None:
    google = FakeGoogle(NO_CACHE)
    google.by_key[TWO] = [GOOD]
    async with upstream(google, ONE, TWO, THREE) as way:
        way.shared.affinity.learn(["cachedContents/abc"], way.snapshot().keys[0].label)
        assert await way.generate(MODEL, CACHE, None) == HELLO
        assert await way.generate(MODEL, CACHE, None) == HELLO
    assert google.keys == [ONE, TWO, TWO]


async def test_a_cache_that_is_gone_is_refused_once_every_key_was_asked() -> None:
    google = FakeGoogle(GOOD)
    async with upstream(google, ONE, TWO) as way:
        await way.generate(MODEL, CACHE, None)
        google.answers = [NO_CACHE]
        with pytest.raises(GeminiError, match="CachedContent not found"):
            await way.generate(MODEL, CACHE, None)
    assert google.keys == [ONE, ONE, TWO]


async def test_while_the_key_of_a_cache_rests_no_other_can_stand_in() -> None:
    google = FakeGoogle(GOOD)
    async with upstream(google, ONE, TWO) as way:
        await way.generate(MODEL, CACHE, None)
        google.answers = [quota("48s")]
        for _ in range(2):
            with pytest.raises(GeminiError) as caught:
                await way.generate(MODEL, CACHE, None)
            assert (caught.value.status, caught.value.available_in) == (429, 48)
    assert google.keys == [ONE, ONE]


async def test_with_one_key_nothing_is_looked_up() -> None:
    google = FakeGoogle(NO_CACHE)
    async with upstream(google, ONE) as way:
        with pytest.raises(GeminiError):
            await way.generate(MODEL, CACHE, None)
    assert google.keys == [ONE]


async def test_work_that_must_stay_with_one_key_gets_the_least_busy_one() -> None:
    google = FakeGoogle(GOOD)
    async with upstream(google, ONE, TWO) as way:
        assert way.pin_key("callers-own") == "callers-own"
        busy = way.shared.pool.find(ONE)
        assert busy is not None
        busy.in_flight = 3
        assert way.pin_key(None) == TWO
        google.answers = [bad_key()]
        with pytest.raises(GeminiError):
            await way.generate(MODEL, BODY, None)
        with pytest.raises(GeminiError, match="rejects the gateway's"):
            way.pin_key(None)
