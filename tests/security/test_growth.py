"""Twice as much of anything takes about twice as long, and what goes to Google is a small multiple of what came."""

import os
import random
import time
from functools import partial

import orjson
import pytest
from tests.security.growth import ENDPOINTS, FILLINGS, Path, grown, places, tried
from tests.security.timing import cpu_of

from gemgate.gemini.schema import convert_schema

MAX_RATIO = 2.5
NOISE = 0.05
"""Seconds of CPU time that are not looked at: the collector of garbage takes as much now and then."""

MAX_SECONDS = 1.0
MAX_GROWTH = 20
FRAME = 256
"""Bytes of a native request that are there for each input of an embeddings request, which may be one letter."""

MAX_FRAMES = {"embeddings": FRAME * 2_048, "moderations": 4_096 * 256}
"""The same for as many inputs as a request may have: a general model is told how to moderate with each of them."""

ITEMS, CHARACTERS = 800, 40_000
LIST_BYTES = 200_000
"""Of a list that is made longer, as far as its items are large."""


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert_schema, "_KNOWN", convert_schema.KnownSchemas(0))


def value_at(endpoint: str, path: Path) -> object:
    value = ENDPOINTS[endpoint][0]
    for step in path:
        value = value[step]
    return value


def variants(endpoint: str, path: Path) -> list[tuple[int, str, bool]]:
    value = value_at(endpoint, path)
    if isinstance(value, str):  # all fillings are tried somewhere, and each of them in the long search
        chosen = FILLINGS if endpoint == "speech" else [FILLINGS[len(str(path)) % len(FILLINGS)]]
        return [(CHARACTERS, filling, False) for filling in chosen]
    if isinstance(value, list):
        items = min(ITEMS, LIST_BYTES // len(orjson.dumps(value[:1])))
        return [(items, "", False), (items, "", True)]
    return [(ITEMS, "", False)]


def check(endpoint: str, path: Path, size: int, filling: str, *, is_same: bool) -> None:
    """Double it, where it takes long enough to be measured; again, where it seems to take too long."""
    base, work = ENDPOINTS[endpoint]
    raw = grown(base, path, size * 2, filling, is_same=is_same)
    native: list[bytes] = []
    twice = cpu_of(lambda: native.extend(tried(work, raw)), times=1)
    if twice > NOISE:
        half = grown(base, path, size, filling, is_same=is_same)
        once = cpu_of(partial(tried, work, half), times=1)
        if twice >= MAX_RATIO * once + NOISE:
            once, twice = (cpu_of(partial(tried, work, body), times=3) for body in (half, raw))
        assert twice < MAX_RATIO * once + NOISE, (endpoint, path, filling, once, twice)
    frames = FRAME * len(native) * 100 if endpoint == "embeddings" else 0
    assert sum(map(len, native)) < MAX_GROWTH * len(raw) + frames, (endpoint, path)


@pytest.mark.parametrize("endpoint", [name for name in ENDPOINTS if name != "lines"])
def test_twice_as_much_takes_twice_as_long(endpoint: str) -> None:
    for path in places(ENDPOINTS[endpoint][0]):
        if "schema" in path[:-1] or (endpoint == "responses" and "parameters" in path[:-1]):
            continue  # that of the answer is the one of a tool of chat, and converted by the same lines
        for size, filling, is_same in variants(endpoint, path):
            check(endpoint, path, size, filling, is_same=is_same)


def test_a_line_of_a_batch_is_no_other_than_a_live_request() -> None:
    for path in (("body", "messages"), ("body", "tools", 0, "function", "parameters", "required"), ("custom_id",)):
        for size, filling, is_same in variants("lines", path):
            check("lines", path, size, filling, is_same=is_same)


@pytest.mark.soak
def test_no_request_under_a_megabyte_is_found_that_takes_over_a_second_or_grows_twentyfold() -> None:
    """Ten minutes of search: a place of a request is made longer, by any size and filling."""
    seconds = float(os.environ.get("SOAK_SECONDS") or 600)
    seed = int(os.environ.get("SOAK_SEED") or time.time())
    chance = random.Random(seed)
    everywhere = [(name, path) for name, (base, _) in ENDPOINTS.items() for path in places(base)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        endpoint, path = chance.choice(everywhere)
        base, work = ENDPOINTS[endpoint]
        size = int(10 ** chance.uniform(2, 5.7))
        raw = grown(base, path, size, chance.choice(FILLINGS), is_same=chance.random() < 0.3)
        if len(raw) > 1_000_000:
            continue
        began = time.process_time()
        native = tried(work, raw)
        taken = time.process_time() - began
        if taken > MAX_SECONDS:
            taken = cpu_of(partial(tried, work, raw), times=3)
        frames = MAX_FRAMES.get(endpoint, 0)
        assert taken < MAX_SECONDS, (seed, endpoint, path, size, len(raw), taken)
        assert sum(map(len, native)) < MAX_GROWTH * len(raw) + frames, (seed, endpoint, path, size, len(raw))
