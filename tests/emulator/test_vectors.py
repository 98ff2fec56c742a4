import math
import time
from operator import mul

import pytest

from gemgate.emulator.vectors import (
    BUCKETS,
    LANES,
    media_features,
    setting_features,
    text_features,
    vector,
)

pytestmark = pytest.mark.slow


def embed(text: str, size: int = LANES, *, unit: bool = False) -> list[float]:
    return vector(text_features(text), size, unit=unit)


def cosine(first: list[float], second: list[float]) -> float:
    dot: float = sum(map(mul, first, second))
    return dot / math.hypot(*first) / math.hypot(*second)


def test_the_same_text_gives_the_same_vector_on_every_machine() -> None:
    assert embed("Hello, world!") == embed("Hello, world!")
    assert embed("Hello")[:3] == pytest.approx([0.041902896, -0.044583314, -0.025152648], abs=1e-8)


def test_any_two_texts_differ() -> None:
    assert embed("hello") != embed("Hello") != embed("Hello!")


@pytest.mark.parametrize("size", [256, 768, LANES])
@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("The cat sat on the mat", "A cat is sitting on a mat", "Stock markets fell sharply today"),
        ("What is photosynthesis?", "Photosynthesis is how plants make food", "The capital of France is Paris"),
        ("ruby", "Ruby is great", "Python"),
        ("programming", "programmer", "gardening"),
        ("东京的天气", "东京今天天气怎么样", "股票市场"),
        ("Größe der Straße", "die größte Straße", "Musik und Tanz"),
    ],
)
def test_similar_texts_are_nearer_than_different_ones(size: int, text: str, near: str, far: str) -> None:
    origin = embed(text, size)
    assert cosine(origin, embed(near, size)) > cosine(origin, embed(far, size)) + 0.1


@pytest.mark.parametrize(("size", "length"), [(128, 0.296), (256, 0.386), (768, 0.588), (1536, 0.767), (LANES, 1.0)])
def test_reduced_vectors_are_the_beginning_of_the_whole_and_shorter(size: int, length: float) -> None:
    whole = embed("Ruby is a programmer's best friend")
    reduced = embed("Ruby is a programmer's best friend", size)
    assert reduced == whole[:size]
    assert math.hypot(*reduced) == pytest.approx(length, rel=0.05)


@pytest.mark.parametrize("size", [1, 128, 768, LANES])
def test_unit_vectors_have_length_1(size: int) -> None:
    assert math.hypot(*embed("Ruby", size, unit=True)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", ["a", "?!", "\ud800", "x " * 60_000, " ".join(f"word{n}" for n in range(30_000))])
def test_every_text_has_a_vector_of_length_1(text: str) -> None:
    assert math.hypot(*embed(text)) == pytest.approx(1, abs=1e-6)


def test_texts_that_use_every_direction_do_not_overflow() -> None:
    features = text_features(" ".join(f"word{n}" for n in range(30_000)))
    assert len(features) == BUCKETS
    assert cosine(vector(features, LANES, unit=True), embed("cat")) < 0.2


def test_files_are_told_apart_by_bytes_and_nearer_when_of_one_type() -> None:
    first, second, third = (
        vector(media_features(kind, data), LANES, unit=True)
        for kind, data in [("image/png", b"1"), ("image/png", b"2"), ("audio/wav", b"3")]
    )
    assert first != second
    assert cosine(first, second) > cosine(first, third) + 0.1


def test_a_setting_moves_a_vector_a_little() -> None:
    plain = text_features("The cat sat on the mat")
    moved = vector(plain + setting_features("taskType RETRIEVAL_QUERY"), LANES, unit=True)
    assert 0.8 < cosine(vector(plain, LANES, unit=True), moved) < 0.9999


def test_a_thousand_texts_take_a_second_or_two() -> None:
    start = time.process_time()
    for number in range(1000):
        embed(f"This is input number {number} about topic {number % 17}.")
    assert time.process_time() - start < 5
