import re
from pathlib import Path

from gemgate.emulator.caches import EXAMPLE
from gemgate.emulator.scenarios import HEADER, SCENARIOS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "emulator.md").read_text()


def test_the_page_names_every_scenario_and_no_other() -> None:
    table = PAGE.split("| scenario |")[1].split("\n\n")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)} == SCENARIOS.keys()


def test_the_page_names_what_users_type() -> None:
    assert HEADER in PAGE
    assert EXAMPLE in PAGE
