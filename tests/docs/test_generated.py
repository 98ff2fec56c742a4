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
    others = ["settings", "figures", "batch-figures", "exchanges", "spellings", "signed", "batch-life"]
    others += ["embedding-spellings", "image-spellings", "response-spellings"]
    others += ["response-items", "response-tools", "response-events"]
    for name in (*others, *SCRIPT["_FATES"]):
        assert f"<!-- begin generated: {name} -->" in text


def test_every_exchange_is_named_on_the_page_and_those_in_full_are_there() -> None:
    page = (ROOT / "docs" / "exchanges.md").read_text()
    for path in (ROOT / "tests" / "exchanges").glob("*.json"):
        assert f"`{path.stem}`" in page
    for name in SCRIPT["_IN_FULL"]:
        assert f"\n### {name}\n" in page


def test_data_is_cut_on_the_page_and_text_is_not() -> None:
    sentence, address = "a word " * 20, f"https://example.com/{'a' * 100}"
    whole = {"text": sentence, "url": address, "few": [0.5] * 3, "bytes": [1] * 20}
    assert SCRIPT["_shortened"](whole) == whole
    assert SCRIPT["_shortened"]({"data": "A" * 100}) == {"data": f"{'A' * 40}… (100 characters)"}
    assert SCRIPT["_shortened"]([0.5] * 128) == [0.5, 0.5, 0.5, "… 125 more"]
