"""The suite itself: what `make test-fast` leaves out, tests that hang, and runs that a script starts."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import lanes

from gemgate.emulator.server import serve_in_thread

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
OUTSIDE = """
import socket, subprocess, sys
import pytest
from tests.support import lanes

lanes.install_guard()

def test_listens():
    socket.create_server(("127.0.0.1", 0)).close()

def test_starts():
    subprocess.run([sys.executable, "-c", ""], check=True)

@pytest.mark.integration
def test_says_so():
    socket.create_server(("127.0.0.1", 0)).close()

def test_neither():
    socket.socket().close()
"""
HANGS = """
import threading

def test_waits_for_ever():
    threading.Event().wait()

def test_next():
    pass
"""


def pytest_run(*arguments: str | Path, before: str = "") -> str:
    """What a run of pytest says, with this project's settings; `before` is what the shell does first."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        f"{ROOT}/pyproject.toml",
        f"--rootdir={ROOT}",
        "-p",
        "no:cacheprovider",
    ]
    command = ["sh", "-c", f'{before}\nexec "$@"', "sh", *words, *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["COLUMNS"] = "200"
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.stdout + done.stderr


def listens() -> None:
    socket.create_server(("127.0.0.1", 0)).close()


class Served:
    def __init__(self) -> None:
        self.serving = serve_in_thread()


def by_a_helper() -> None:
    def inner() -> None:
        listens()

    inner()


def by_a_class() -> None:
    Served()


def neither() -> None:
    assert socket.AF_INET
    in_a_circle()


def in_a_circle() -> None:
    neither()


@pytest.mark.parametrize("function", [listens, by_a_helper, by_a_class, pytest_run])
def test_a_test_that_listens_or_starts_a_process_through_its_helpers_is_left_out(function: Callable[[], None]) -> None:
    assert lanes.reaches_outside(function)


def test_a_test_that_does_neither_is_not_left_out() -> None:
    assert not lanes.reaches_outside(neither)


@pytest.mark.integration
def test_a_fast_test_that_listens_or_starts_a_process_fails(tmp_path: Path) -> None:
    (tmp_path / "test_outside.py").write_text(OUTSIDE)
    said = pytest_run("-p", "tests.support.lanes", "-m", "not soak", tmp_path / "test_outside.py")
    assert "4 passed, 2 errors" in said
    for name in ("test_listens", "test_starts"):
        assert f"::{name} - AssertionError: mark this test `integration`" in said


@pytest.mark.integration
def test_a_test_that_hangs_fails_with_its_stack_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    said = pytest_run("--timeout=1", tmp_path / "test_hangs.py")
    assert "1 failed, 1 passed" in said
    assert "threading.Event().wait()" in said
    assert "Timeout (>1.0s)" in said


def test_every_test_has_a_time_limit(request: pytest.FixtureRequest) -> None:
    interrupted, ended = request.config.getini("timeout"), request.config.getini("faulthandler_timeout")
    assert 0 < float(interrupted) < float(ended)
    assert request.config.getini("faulthandler_exit_on_timeout")


@pytest.mark.integration
def test_tests_that_press_ctrl_c_pass_where_a_script_has_it_ignored() -> None:
    ctrl_c = ROOT / "tests" / "cli" / "test_main.py"
    said = pytest_run(f"{ctrl_c}::test_ctrl_c_ends_the_emulator_too", "--timeout=60", before="trap '' INT TERM")
    assert "1 passed" in said
