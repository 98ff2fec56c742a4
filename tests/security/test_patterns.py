"""No regular expression of the gateway's takes time that grows with the square of a text, or worse: see `patterns`."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.security.patterns import Finding, check
from tests.security.timing import cpu_of

import gemgate
from gemgate.emulator import batches, hints
from gemgate.emulator.builtins import supports
from gemgate.emulator.prompt import scenario_in

SOURCE = Path(gemgate.__file__).parent
ANCHORED = {"match", "fullmatch"}
SEARCHED = {"search", "sub", "subn", "findall", "finditer", "split"}

# Of these no text is a caller's or Google's.
_OURS = {
    "gemgate.settings._ORIGIN": "a setting of the operator's",
    "gemgate.observability.multiprocess._LIVE": "names of files that the process has made",
}


MODULES = {
    ".".join(("gemgate", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): source
    for path in sorted(SOURCE.rglob("*.py"))
    if "re." in (source := path.read_text()) and not path.is_relative_to(SOURCE / "store" / "migrations")
}
"""What each module that may have a pattern is made of."""


def held(value: Any, depth: int = 4) -> Iterator[re.Pattern[Any]]:
    """The patterns in a value of a module, also in tables."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        yield value.__self__
    elif depth and isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from held(item, depth - 1)


def uses(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """How each name is used: the methods that are called on it."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def inline(nodes: list[ast.AST]) -> Iterator[tuple[str, str | bytes, bool]]:
    """The patterns of `re.sub("…", …)` and its like: where, what, and whether it is looked for."""
    for node in nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in ANCHORED | SEARCHED
        ):
            assert isinstance(node.args[0], ast.Constant), f"line {node.lineno}: give the pattern a name at the top"
            text = node.args[0].value
            assert isinstance(text, str | bytes)
            yield f"line {node.lineno}", text, node.func.attr in SEARCHED


def patterns(name: str) -> Iterator[tuple[str, str | bytes, int, bool]]:
    """The patterns of a module: where, what, its flags, and whether it is looked for."""
    nodes = list(ast.walk(ast.parse(MODULES[name])))
    used = uses(nodes)
    for attribute, value in vars(importlib.import_module(name)).items():
        calls = used.get(attribute, set()) & (ANCHORED | SEARCHED)
        is_table = isinstance(value, dict | list | tuple)
        for number, pattern in enumerate(held(value)):
            anchored = (calls and calls <= ANCHORED) or (is_table and "fullmatch" in str(used.values()))
            yield f"{name}.{attribute}" + f"#{number}" * is_table, pattern.pattern, pattern.flags, not anchored
    for place, text, is_searched in inline(nodes):
        yield f"{name}, {place}", text, 0, is_searched


@pytest.mark.parametrize("name", MODULES)
def test_no_pattern_goes_back_without_end(name: str) -> None:
    found = {where: (text, flags, searched) for where, text, flags, searched in patterns(name) if where not in _OURS}
    named = re.findall(r"^(\w+)[^=\n]* = re\.compile\(", MODULES[name], re.MULTILINE)
    assert {f"{name}.{attribute}" for attribute in named} <= found.keys() | _OURS.keys()
    for where, (text, flags, is_searched) in found.items():
        try:
            check(text, flags & ~re.UNICODE if isinstance(text, bytes) else flags, is_searched=is_searched)
        except Finding as finding:
            finding.add_note(where)
            raise


def test_no_pattern_is_held_by_a_module_that_is_not_looked_at() -> None:
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"^from re import|^import re as", path.read_text(), re.MULTILINE), path


BAD = [
    r"_+([a-z0-9])",
    r"_++([a-z0-9])",
    r"\S*/\S*",
    r"\[.*?\]",
    r"(a|a)*b",
    r"(a+)+b",
    r"(ab|[a-c]b)*c",
    r"x\s*(\d{0,18})\s*-",
    r"<title[^>]*>",
    r"\d+s",
    r"(?:a+b?)+c",
]
GOOD = [
    r"(?<!_)_++([a-z0-9])",
    r"\[[^\[\]]*+\]",
    r"\[[^\[\]]*\]",
    r'"(?:[^"\\]++|\\.)*+"?',
    r"<title[^<>]*+>",
    r"[a-z]+",
    r"a{1,80}b",
    r"(?<!\d)\d++s",
    r"^\s*+x",
    r"(?:/[a-z]+)+",
]


@pytest.mark.parametrize("pattern", BAD)
def test_what_goes_back_is_found(pattern: str) -> None:
    with pytest.raises(Finding):
        check(pattern)


@pytest.mark.parametrize("pattern", GOOD)
def test_what_does_not_is_let_be(pattern: str) -> None:
    check(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(ab|[a-c]b)*c", r"\s*(\d*)\s*-", r".*x.*y"])
def test_a_pattern_that_is_tried_at_one_place_must_not_go_back_either(pattern: str) -> None:
    with pytest.raises(Finding):
        check(pattern, is_searched=False)


@pytest.mark.parametrize("text", ["[[emulator:" + " " * 200_000, "[[" + " " * 200_000, "[[" * 100_000])
def test_a_mark_for_the_emulator_that_has_no_end_is_read_in_a_moment(text: str) -> None:
    assert cpu_of(lambda: (scenario_in(text), batches._MARK.search(text.encode())), times=1) < 2
    assert scenario_in(text) == ""


@pytest.mark.parametrize("unit", ["Ab, AB, ", "What ", "I'm Paris ", "1111.", "A.", ". a", '."', "Rome. ", " "])
def test_the_emulator_reads_eight_times_the_text_in_about_eight_times_the_time(unit: str) -> None:
    def work(size: int) -> None:
        text = unit * (size // len(unit))
        hints.read(text)
        supports(text, 2)

    # Eight times, because a busy machine makes a measure three times another: what is quadratic takes 64.
    less, more = (cpu_of(partial(work, size), times=2) for size in (25_000, 200_000))
    assert more < 24 * less + 0.05, (less, more)
