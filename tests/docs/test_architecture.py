"""ARCHITECTURE.md against the code: its picture of imports, the files it names, and the names of classes."""

import importlib
import inspect
import pkgutil
import re
import runpy
from collections import Counter
from pathlib import Path
from types import ModuleType

import gemgate

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gemgate"
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
DRAWING = runpy.run_path(str(ROOT / "scripts" / "draw_imports.py"))

_RIDDLE = re.compile(r"\bis none\b|\bis no \w+")


def modules() -> list[ModuleType]:
    names = [found.name for found in pkgutil.walk_packages([str(PACKAGE)], "gemgate.")]
    left_out = ("gemgate.__main__", "gemgate.store.migrations")  # they run something when they are imported
    return [gemgate, *(importlib.import_module(name) for name in names if not name.startswith(left_out))]


def own_classes() -> list[type]:
    return [
        found
        for module in modules()
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and found.__qualname__ == found.__name__
    ]


def documented() -> list[tuple[str, str]]:
    """Every module, class, function and method of the package with its docstring."""
    found: list[tuple[str, str]] = []
    for module in modules():
        found.append((module.__name__, module.__doc__ or ""))
        for name, member in inspect.getmembers(module):
            if getattr(member, "__module__", None) != module.__name__:
                continue
            parts = [(name, member)]
            if inspect.isclass(member):
                parts += [(f"{name}.{key}", value) for key, value in vars(member).items()]
            found += [(f"{module.__name__}.{key}", getattr(value, "__doc__", None) or "") for key, value in parts]
    return found


def test_the_picture_of_imports_is_what_the_code_imports() -> None:
    assert DRAWING["rewritten"](PAGE) == PAGE, "run scripts/draw_imports.py"


def test_no_import_goes_up() -> None:
    assert DRAWING["upward"](DRAWING["imports"]()) == []


def test_an_import_that_goes_up_or_sideways_would_be_found() -> None:
    assert DRAWING["upward"]({"gemini": ["auth", "store"], "auth": ["gemini"]}) == [
        ("gemini", "auth"),
        ("gemini", "store"),
    ]


def test_few_modules_are_loose() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 9


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", PAGE)
    assert len(named) > 50
    roots = (PACKAGE, PACKAGE / "api", ROOT)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_a_class_name_exists_once_in_the_package() -> None:
    count = Counter(found.__name__ for found in own_classes())
    assert len(count) > 400
    assert [name for name, times in count.items() if times > 1] == []


def test_docstrings_say_what_is_there_in_place_of_what_is_none() -> None:
    found = documented()
    assert len(found) > 2000
    assert [(name, text) for name, text in found if _RIDDLE.search(text)] == []
