"""Environments for clients, each made once from its lock and kept until the lock changes.

Not in the environment of the tests: together they bring hundreds of packages, plugins for pytest among them, and some
do not go with others.
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

import pytest
from tests.sdk.node_project import install

LOCKS = Path(__file__).parents[2] / "requirements"
_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ProxyError|Connect(ion)?(Timeout|Reset)|ReadTimeout|unreachable|"
    r"(40[134]|5\d\d) (Client|Server) Error"
)
_OTHERS = ("OPENAI_", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "TIKTOKEN_", "COV_CORE_", "PYTHON", "GEMINI_", "GOOGLE_")


def python_of(lock: str, cache: Path) -> Path:
    """The Python of an environment that has what `requirements/{lock}.txt` lists.

    Skips the test that asks when there is no pip, or when it cannot reach its index.
    """
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    locked = LOCKS / f"{lock}.txt"
    name = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache / f"{lock}-{name}"
    with (cache / f"{lock}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(locked, folder)
    return folder / "bin" / "python"


def start_of(program: Path, cache: Path, node: Path, lock: str = "clients") -> tuple[list[str], Path | None]:
    """What runs a client's program, and the folder to run it in; the ending of its name says what that is.

    Args:
        program: A script for Node, Python or bash.
        cache: Where environments are kept.
        node: The project of npm whose packages a script for Node has.
        lock: The environment of a script for Python: `requirements/{lock}.txt`.
    """
    match program.suffix:
        case ".mjs":
            return ["node", program.name], install(cache, node, program.parent)
        case ".py":
            return [str(python_of(lock, cache)), "-W", "ignore", str(program)], None
        case _:
            return ["bash", str(program)], None


def run(command: list[str], *, folder: Path | None = None, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a client's program, with nothing of the environment that would tell it of another service."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def _install(locked: Path, folder: Path) -> None:
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    # The lock is whole: without its resolver pip is done in a fraction of the time.
    done = run([*pip, "--retries", "1", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(locked)])
    if done.returncode and _UNREACHABLE.search(done.stderr):
        pytest.skip("pip cannot reach its index")
    assert done.returncode == 0, done.stderr
    (folder / "complete").touch()
