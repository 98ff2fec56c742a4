"""Ids."""

import re

import pytest

from gemgate.store.ids import Kind, new_id, second_of


@pytest.mark.parametrize("kind", ["file-", "upload_", "part_", "batch_"])
def test_an_id_is_safe_in_a_url_and_tells_its_second(kind: Kind) -> None:
    made = new_id(kind, 1_800_000_000.9)
    assert re.fullmatch(kind + "[0-9a-f]{32}", made)
    assert second_of(made) == 1_800_000_000


def test_ids_of_one_second_differ() -> None:
    assert len({new_id("file-", 5) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "file-", "file-xyz", "file-" + "0" * 33, "file-" + "0" * 32 + "\n"])
def test_what_is_no_id_has_no_second(text: str) -> None:
    assert second_of(text) is None


def test_ids_of_one_process_are_in_the_order_of_their_making() -> None:
    made = [new_id("file-", 1_800_000_000.5) for _ in range(100)]
    made += [new_id("file-", 1_800_000_000.25), new_id("file-", 1_800_000_000.75), new_id("file-", 1_800_000_001.0)]
    assert made == sorted(made)
