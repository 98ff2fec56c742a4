"""The page on files says what the code does."""

import re
from pathlib import Path
from typing import get_args

import pytest
from tests.support.package import arguments_in

from gemgate.api.files.wire import (
    BATCH_LIFETIME,
    FILES,
    MAX_LISTED,
    MAX_PART_BYTES,
    Purpose,
)
from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.translation.options import FileOptions

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "files.md").read_text()


def rows(heading: str) -> list[list[str]]:
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]


def test_the_page_names_every_field_and_every_purpose() -> None:
    fields = {row[0].strip("`").partition("[")[0]: row[1] for row in rows("Uploading")}
    assert set(fields) == set(FILES)
    assert set(re.findall(r"`([^`]+)`", fields["purpose"])) == set(get_args(Purpose))


def test_the_page_tells_the_limits() -> None:
    options = FileOptions()
    told = [int(found[1]) << {"K": 10, "M": 20, "G": 30}[found[2]] for found in re.finditer(r"(\d+) ([KMG])iB", PAGE)]
    assert told[:4] == [options.max_bytes, options.uploads_max_bytes, MAX_PART_BYTES, MAX_BATCH_BYTES]
    assert f"{MAX_LISTED:,}" in PAGE
    assert BATCH_LIFETIME == 30 * 86_400


@pytest.mark.slow
def test_the_page_names_only_codes_that_there_are() -> None:
    codes = arguments_in("gemgate", "code", without="gemgate.emulator")
    for row in (*rows("Limits"), *rows("Uploads in parts")):
        for name in re.findall(r"`([a-z_]{9,})`", " ".join(row[:3])):
            assert name in codes
