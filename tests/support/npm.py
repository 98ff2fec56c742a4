"""Projects of npm, installed once from their lock file and kept in pytest's cache until the lock file changes."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

LEAST_NODE = 20
_UNREACHABLE = re.compile(
    r"\bE(NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETWORK|40[134]|5\d\d|RR_SOCKET_\w+)\b"
)
_OPENAI = ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG")


def install(sources: Path, cache: Path) -> Path:
    """The folder that holds `node_modules` of the project at `sources`.

    Skips the test that asks when node or npm is absent or too old, or when npm cannot reach its registry.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    version = run(["node", "--version"], cache).stdout
    if int(re.sub(r"\D.*", "", version.lstrip("v"))) < LEAST_NODE:
        pytest.skip(f"node {LEAST_NODE} is needed, and this is {version.strip()}")
    lock = (sources / "package-lock.json").read_bytes()
    project = cache / hashlib.sha256(lock).hexdigest()[:16]
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not project.exists():
            _install(sources, project)
    return project


def _install(sources: Path, project: Path) -> None:
    with tempfile.TemporaryDirectory(dir=project.parent) as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(sources / name, folder)
        done = run(["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1"], Path(folder))
        if done.returncode and _UNREACHABLE.search(done.stderr):
            pytest.skip("npm cannot reach its registry")
        assert done.returncode == 0, done.stderr
        shutil.copytree(folder, project)


def put(path: Path, text: str) -> None:
    """Writes a file at once, as other test processes may be reading it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def run(command: list[str], folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command in `folder`, without proxies for the loopback, and without settings of OpenAI's client."""
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    for name in _OPENAI:
        environment.pop(name, None)
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=given.decode(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
