"""The comparison with other gateways: each cell of gemgate's names a test that exists, and each other cell a source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "comparison.md"]
PROOF = re.compile(r"\(`([a-z_/]+)`\)")
SOURCE = re.compile(r"\[[^\]]+\](?:\((https://[^)\s]+)\)|\[([a-z-]+)\])")
UNKNOWN = "not verified"


def rows(page: Path) -> list[list[str]]:
    """The cells of each row of the tables that compare."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    found: list[list[str]] = []
    compares = False
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[1:2] == ["gemgate"]:
            compares = True
        elif cells[0] == "" and len(cells) == 2:
            compares = False
        elif compares and not set(cells[0]) <= {"-"}:
            found.append(cells)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_prove_a_row_exist(page: Path) -> None:
    compared = rows(page)
    assert len(compared) >= 10
    for name, ours, *_ in compared:
        proofs = PROOF.findall(ours)
        assert proofs or ours == "no", name
        for proof in proofs:
            assert (ROOT / "tests" / proof).is_dir() or (ROOT / "tests" / f"{proof}.py").is_file(), (name, proof)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_cell_of_another_gateway_has_its_source_or_says_that_it_has_none(page: Path) -> None:
    links = dict(re.findall(r"^\[([a-z-]+)\]: (https://\S+)$", page.read_text(), re.MULTILINE))
    used: set[str] = set()
    for name, _, *others in rows(page):
        assert len(others) >= 3, name
        for cell in others:
            found = SOURCE.fullmatch(cell)
            assert found or cell == UNKNOWN, (name, cell)
            if found and found[2]:
                assert found[2] in links, (name, cell)
                used.add(found[2])
    assert used == set(links)


def test_the_short_table_says_what_the_long_one_says() -> None:
    def texts(page: Path) -> dict[str, list[str]]:
        return {name: [SOURCE.sub(text_of, cell) for cell in cells[:4]] for name, *cells in rows(page)}

    def text_of(found: re.Match[str]) -> str:
        return found[0][1:].partition("]")[0]

    short, long = (texts(page) for page in PAGES)
    assert short == {name: long[name] for name in short}
