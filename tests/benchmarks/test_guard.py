import pytest
from benchmarks.guard import BASELINE, NAMES, verdicts

HERE = "CPython 3.11.7 GCC 12.2.0"
KNOWN = {f"instructions, {HERE}": {"feed": 1.0}}


@pytest.mark.parametrize(("ratio", "is_good"), [(0.5, True), (1.149, True), (1.151, False)])
def test_a_rise_of_more_than_15_percent_fails(ratio: float, is_good: bool) -> None:
    ((sentence, good),) = verdicts("instructions", {"feed": ratio}, KNOWN, HERE)
    assert good is is_good
    assert sentence.startswith("feed: ")


@pytest.mark.parametrize(("ratio", "is_good"), [(1.49, True), (1.51, False)])
def test_another_build_of_python_has_more_room(ratio: float, is_good: bool) -> None:
    ((_, good),) = verdicts("instructions", {"feed": ratio}, KNOWN, "CPython 3.13.1 GCC 14")
    assert good is is_good


def test_times_have_more_room_than_instructions() -> None:
    ((_, good),) = verdicts("time", {"feed": 1.49}, {f"time, {HERE}": {"feed": 1.0}}, HERE)
    assert good


def test_without_a_baseline_nothing_is_good() -> None:
    ((sentence, good),) = verdicts("time", {"feed": 1.0}, KNOWN, HERE)
    assert not good
    assert "--write" in sentence


def test_the_baseline_knows_every_piece_of_work() -> None:
    text = BASELINE.read_text()
    assert all(f'"{name}"' in text for name in NAMES if name != "floor")
