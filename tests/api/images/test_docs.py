"""The page on images says what the code does."""

import re
from pathlib import Path

import pytest
from tests.api.images.support import native

from gemgate.api.images.pictures import from_generate
from gemgate.api.images.request import GOOGLE_OPTIONS
from gemgate.errors import ApiError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "images.md").read_text()


def rows(heading: str) -> list[list[str]]:
    table = PAGE.split(f"## {heading}\n")[1].split("|\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]


def test_the_page_names_every_option_and_no_other() -> None:
    named = {name for row in rows("Options of Gemini only") for name in re.findall(r"`([^`]+)`", row[0])}
    assert named == GOOGLE_OPTIONS


@pytest.mark.parametrize("row", rows("Refusals")[:2], ids=lambda row: row[1])
def test_the_page_names_the_code_of_each_reason(row: list[str]) -> None:
    status, code, when = row
    reasons = re.findall(r"`([A-Z_]+)`", when)
    assert len(reasons) > 4
    for reason in reasons:
        with pytest.raises(ApiError) as refused:
            from_generate(native(finish=reason))  # type: ignore[arg-type]
        assert (str(refused.value.status), f"`{refused.value.code}`") == (status, code)
