"""Which tests `make test-fast` leaves out: those that start a process or listen on a socket, and those that search.

The code of a test, of its fixtures and of all helpers in `tests` that they name is read for what does either, and the
test is marked `integration`. What this does not see, the test says itself with the mark; `no_process_and_no_listener`
fails a test without the mark that starts or listens after all.
"""

import multiprocessing.process
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, ModuleType
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

from gemgate.emulator.server import serve_in_thread

MARK = "integration"
SLOW = "slow"
SEARCHES = ("properties", "faults", "recorded", "security", "docs", "exchanges", "conformance")
"""Folders of tests that search, or read the project's pages: each test of theirs is slow, or one of hundreds."""

_OBJECTS = (subprocess, subprocess.Popen, multiprocessing, serve_in_thread)
_NAMES = frozenset({"create_server", "start_server", "create_subprocess_exec", "ProcessPoolExecutor"})

_reaches: dict[CodeType, bool] = {}
_seen: list[str] = []


def mark_integration(items: Iterable[pytest.Item]) -> None:
    """Mark the tests that start a process, or listen."""
    for item in items:
        if isinstance(item, pytest.Function) and any(map(reaches_outside, _functions_of(item))):
            item.add_marker(MARK)


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of `SEARCHES` and those of properties; others say it themselves."""
    for item in items:
        folder = item.nodeid.removeprefix("tests/").partition("/")[0]
        if folder in SEARCHES or is_hypothesis_test(getattr(item, "function", None)):
            item.add_marker(SLOW)


def _functions_of(item: pytest.Function) -> Iterator[Callable[..., Any]]:
    """The test, and each of its fixtures."""
    yield item.function
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield from (definition.func for definition in definitions)


def reaches_outside(function: Callable[..., Any]) -> bool:
    """Whether a function of the tests, or one that it names, starts a process or listens."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    function = getattr(function, "__func__", function)
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None or not function.__module__.startswith(("tests.", "conftest")):
        return False
    if code not in _reaches:
        _reaches[code] = False  # where functions call each other in a circle
        names = _names_in(code)
        _reaches[code] = not _NAMES.isdisjoint(names) or any(map(_is_outside, _named(names, function.__globals__)))
    return _reaches[code]


def _names_in(code: CodeType) -> set[str]:
    """Every global and attribute that the code names, in inner functions too."""
    inner = (_names_in(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def _named(names: set[str], namespace: dict[str, Any]) -> Iterator[Any]:
    """What the names stand for, as globals and as attributes of modules that are globals."""
    for name in names & namespace.keys():
        yield namespace[name]
        if isinstance(namespace[name], ModuleType) and namespace[name].__name__.startswith("tests."):
            yield from (vars(namespace[name])[each] for each in names & vars(namespace[name]).keys())


def _is_outside(found: Any) -> bool:
    """Whether it is one of the roots, or leads to one."""
    if any(found is root for root in _OBJECTS):
        return True
    if isinstance(found, type):
        return found.__module__.startswith("tests.") and any(map(_is_outside, _members(found)))
    return callable(found) and reaches_outside(found)


def _members(kind: type) -> Iterator[Any]:
    """The functions of a class and of its bases."""
    for member in (member for base in kind.__mro__ for member in vars(base).values()):
        if isinstance(member, property):
            yield member.fget
        elif not isinstance(member, type):
            yield member


def install_guard() -> None:
    """From here on, it is noted when this process starts another or listens."""
    platform.processor()  # asks `uname` once in a process: SDKs do at their first call
    for owner, name in ((subprocess.Popen, "__init__"), (multiprocessing.process.BaseProcess, "start")):
        _note_calls(owner, name)
    _note_calls(socket.socket, "listen")


def _note_calls(owner: type, name: str) -> None:
    original = getattr(owner, name)

    def noted(self: Any, *arguments: Any, **options: Any) -> Any:
        _seen.append(f"{owner.__name__}.{name} {_caller()}")
        return original(self, *arguments, **options)

    setattr(owner, name, noted)


def _caller() -> str:
    """Where in the project or its tests the call comes from."""
    frame = sys._getframe(2)
    while frame.f_back and "/lib/python" in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@pytest.fixture(autouse=True)
def no_process_and_no_listener(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that starts a process or listens, and is not marked so."""
    _seen.clear()  # what fixtures of earlier tests did in their ends
    yield
    seen = _seen[:]
    _seen.clear()
    if not any(request.node.get_closest_marker(mark) for mark in (MARK, "soak")):
        assert not seen, f"mark this test `{MARK}`: make test-fast leaves it out; seen: {seen}"
