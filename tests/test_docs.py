"""The documentation says what the code does."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_compatibility_page_is_generated_from_the_table_of_fates() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_compatibility.py"))
    assert (ROOT / "docs" / "compatibility.md").read_text() == script["page"](), "run scripts/write_compatibility.py"
