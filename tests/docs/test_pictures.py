"""The drawn pictures of the documentation show what the code and the report of the bench have now."""

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from scripts import draw_charts, draw_states
from scripts.draw_states import CLOSED, HALF_OPEN, OPEN, PROBED, USABLE
from tests.support.clock import FakeClock

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.circuit_breaker import FAILURES, PAUSE, Breakers
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.key_pool import COOL_DOWN, NO_QUOTA, REFUSED, Key, KeyPool
from gemgate.upstream.retry import KeyLease
from gemgate.upstream.targets import MethodGroup, Target

ROOT = Path(__file__).parents[2]
TARGET = Target("models/gemini-2.5-flash")
REFUSAL = GeminiError(403, "no", "PERMISSION_DENIED")

PICTURES = {name: draw() for name, draw in draw_states.PICTURES.items()} | dict(draw_charts.pictures())


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_up_to_date_and_on_a_page_with_words_for_it(name: str) -> None:
    assert (draw_states.ASSETS / name).read_text() == PICTURES[name], "run scripts/write_docs.py"
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert re.search(rf"!\[[^\]]{{20,}}\]\(assets/{re.escape(name)}\)", pages)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_can_be_read_in_the_dark_and_asks_no_other_host(name: str) -> None:
    picture = ET.fromstring(PICTURES[name])
    assert picture.get("aria-label") == picture.findtext("{http://www.w3.org/2000/svg}title")
    classes = {word for part in picture.iter() for word in (part.get("class") or "").split()}
    dark = PICTURES[name].partition("@media (prefers-color-scheme:dark){")[2].partition("</style>")[0]
    assert [name for name in classes - {"small"} if f".{name}{{" not in dark] == []
    assert not re.search(r"url\((?!#)|href|@import|https?://(?!www\.w3\.org/2000/svg)", PICTURES[name])


def words_of(name: str) -> list[str]:
    """Each text of a picture."""
    return ["".join(part.itertext()) for part in ET.fromstring(PICTURES[name]).iter() if part.tag[-5:] == "}text"]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("cool-downs.svg", draw_states.COOL_DOWNS),
        ("breaker.svg", draw_states.BREAKER),
        ("batch-life.svg", draw_states.BATCHES),
    ],
)
def test_each_state_and_the_words_of_each_arrow_are_drawn(name: str, table: dict[tuple[str, str], str]) -> None:
    drawn = words_of(name)
    assert {state for step in table for state in step} <= set(drawn)
    assert [words for words in table.values() if words not in " ".join(drawn)] == []


def test_the_states_of_keys_are_the_reasons_for_which_they_cool_down() -> None:
    drawn = {state for step in draw_states.COOL_DOWNS for state in step}
    assert drawn == ({reason.value for reason in CooldownReason} - {CooldownReason.BROKEN}) | {USABLE, PROBED}


def state_of(pool: KeyPool, key: Key, clock: FakeClock) -> str:
    """Where a key is for TARGET, as the picture calls it."""
    if key.is_probed:
        return PROBED
    blocking = key.blocking(TARGET, clock.now, "")
    return USABLE if blocking is None or pool.is_usable(key, TARGET) else blocking.kind.value


@pytest.mark.parametrize(
    ("reason", "error", "seconds"),
    [
        (CooldownReason.RATE_LIMIT, GeminiError(429, "wait"), COOL_DOWN),
        (CooldownReason.QUOTA, GeminiError(429, "none"), NO_QUOTA),
        (CooldownReason.REFUSED, REFUSAL, REFUSED[0]),
    ],
)
def test_a_key_goes_the_ways_that_are_drawn(reason: CooldownReason, error: GeminiError, seconds: float) -> None:
    clock = FakeClock()
    pool = KeyPool(["key-one"], clock=clock)
    key = pool.find("key-one")
    assert key is not None
    assert state_of(pool, key, clock) == USABLE
    pool.cool_down(key, TARGET, reason, error)
    assert (USABLE, state_of(pool, key, clock)) in draw_states.COOL_DOWNS
    clock.advance(seconds - 1)
    assert state_of(pool, key, clock) == reason
    clock.advance(1)
    assert (reason, state_of(pool, key, clock)) in draw_states.COOL_DOWNS


def test_a_refused_key_is_probed_as_it_is_drawn() -> None:
    clock = FakeClock()
    pool, breakers = KeyPool(["key-one"], clock=clock), Breakers(clock=clock)
    key = pool.find("key-one")
    assert key is not None
    states = [state_of(pool, key, clock)]
    pool.cool_down(key, TARGET, CooldownReason.KEY_REFUSED, REFUSAL)
    states.append(state_of(pool, key, clock))
    for seconds, is_refused in ((REFUSED[0], True), (2 * REFUSED[0], False)):
        clock.advance(seconds)
        lease = KeyLease(pool, breakers, TARGET, key, key.secret)
        states.append(state_of(pool, key, clock))
        if is_refused:
            pool.cool_down(key, TARGET, CooldownReason.KEY_REFUSED, REFUSAL)
        else:
            lease.succeeded()
        lease.close()
        states.append(state_of(pool, key, clock))
    refused = CooldownReason.KEY_REFUSED
    assert states == [USABLE, refused, PROBED, refused, PROBED, USABLE]
    assert set(itertools.pairwise(states)) == {step for step in draw_states.COOL_DOWNS if {refused, PROBED} & set(step)}


def test_a_circuit_goes_the_ways_that_are_drawn() -> None:
    clock = FakeClock()
    breakers = Breakers(clock=clock)
    states = [CLOSED]

    def look() -> None:
        found = [shown.state for shown in breakers.snapshot()] or [CLOSED]
        states.extend(found if found != states[-1:] else [])

    def fail(times: int) -> None:
        for _ in range(times):
            breakers.failed(TARGET, "anna")

    fail(FAILURES - 1)
    look()
    fail(1)
    look()
    clock.advance(PAUSE[0])
    look()
    assert breakers.admit(TARGET, "anna")
    fail(1)
    look()
    clock.advance(2 * PAUSE[0])
    look()
    assert breakers.admit(TARGET, "anna")
    breakers.succeeded(TARGET, "anna")
    look()
    assert states == [CLOSED, OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]
    assert set(itertools.pairwise(states)) == set(draw_states.BREAKER)


def test_the_arrows_between_statuses_of_a_batch_are_those_of_the_table_of_states() -> None:
    assert draw_states.statuses() == set(draw_states.BATCHES)


def test_the_page_on_keys_names_each_group_of_methods() -> None:
    page = (ROOT / "docs" / "keys.md").read_text()
    assert [group.value for group in MethodGroup if f"`{group.value}`" not in page] == []


REPORT = """
## Figures

| | load | gateway | CPU | units/s |
|---|---|---|---:|---:|
| 1 | chat | gemgate (peak +29 MB) | 1,200 µs/request | 5 |
| 1 | chat | Another | 2,400 µs/request | 3 |
| 2 | stream | gemgate | 7 µs/event | 5 |

| gateway | first answer | idle |
|---|---:|---:|
| gemgate | 0.98 s | 92 MB |
| Another | 7.60 s | not measured |
"""


def test_the_charts_have_the_figures_of_the_report() -> None:
    chat, stream = draw_charts.cpu(REPORT)
    assert chat.title == "chat: µs of CPU for each request"
    assert chat.bars == [("gemgate", 1200.0, "1,200"), ("Another", 2400.0, "2,400")]
    assert stream.bars == [("gemgate", 7.0, "7")]
    first, idle = draw_charts.standing(REPORT)
    assert [bar.value for bar in first.bars] == [0.98, 7.6]
    assert idle.bars[1] == ("Another", None, "not measured")


def test_bars_are_as_long_as_what_was_measured() -> None:
    drawn = ET.fromstring(draw_charts.chart(draw_charts.cpu(REPORT)[:1], 2, "CPU"))
    widths = [float(part.get("width") or 0) for part in drawn.iter() if part.get("class") in ("ours", "peer", "base")]
    assert widths[0] * 2 == pytest.approx(widths[1], abs=0.2)
