"""The generated parts of the documentation are what the code says."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "write_docs.py"))


@pytest.mark.parametrize("page", SCRIPT["pages"](), ids=lambda page: page.name)
def test_the_page_is_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert text == SCRIPT["rewritten"](text), "run scripts/write_docs.py"


def test_every_generated_part_is_on_a_page() -> None:
    text = "".join(page.read_text() for page in SCRIPT["pages"]())
    for name in ("settings", "figures", *SCRIPT["_FATES"]):
        assert f"<!-- begin generated: {name} -->" in text
