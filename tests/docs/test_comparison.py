"""The comparison with other gateways names a test, which exists, for each thing that gemgate does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "comparison.md"]
PROOF = re.compile(r"\(`([a-z_/]+)`\)")


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
