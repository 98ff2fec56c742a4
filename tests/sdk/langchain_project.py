"""LangChain in an environment of its own, made once from the lock and kept in pytest's cache until the lock changes.

Not in the environment of the tests: it brings dozens of packages, and a plugin that every run of pytest would load.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest

LOCK = Path(__file__).parents[2] / "requirements" / "langchain.txt"
_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ProxyError|Connect(ion)?(Timeout|Reset)|ReadTimeout|unreachable|"
    r"(40[134]|5\d\d) (Client|Server) Error"
)


def install(cache: Path) -> Path:
    """The Python of an environment that has `langchain_openai`.

    Skips the test that asks when there is no pip, or when it cannot reach its index.
    """
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    name = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    python = cache / name / "bin" / "python"
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (cache / name / "complete").exists():
            shutil.rmtree(cache / name, ignore_errors=True)
            _install(cache / name, python)
    return python


def _install(folder: Path, python: Path) -> None:
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--retries", "1"]
    done = _run([*pip, "install", "--quiet", "--require-hashes", "--requirement", str(LOCK)])
    if done.returncode and _UNREACHABLE.search(done.stderr):
        pytest.skip("pip cannot reach its index")
    assert done.returncode == 0, done.stderr
    (folder / "complete").touch()


def run(python: Path, program: str, *arguments: str) -> Any:
    """The JSON that a program writes."""
    done = _run([str(python), "-c", program, *arguments])
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENAI_", "LANGCHAIN_", "LANGSMITH_", "TIKTOKEN_", "COV_CORE_", "PYTHON"))
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
