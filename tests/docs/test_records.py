"""The decision records: numbered without a gap, of one form, and in the site's order."""

import re
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"
RECORDS = sorted((DOCS / "adr").glob("[0-9]*.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_has_its_number_and_says_what_was_decided_why_and_what_follows(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert [part for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:] if len(part.split()) < 15] == []
    assert len(text.splitlines()) <= 30


def test_the_numbers_have_no_gap_and_the_index_and_the_site_name_each_record() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert len(RECORDS) >= 10
    names = [record.name for record in RECORDS]
    assert re.findall(r"\]\((\d+-[^)]+)\)", (DOCS / "adr" / "index.md").read_text()) == names
    sections = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text())["nav"]
    internals = next(section["Internals"] for section in sections if "Internals" in section)
    listed = next(page["Decision records"] for page in internals if "Decision records" in page)
    assert [path for page in listed if isinstance(page, dict) for path in page.values()] == [
        f"adr/{name}" for name in names
    ]
