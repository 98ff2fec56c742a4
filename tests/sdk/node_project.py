"""openai-node, installed once from the lockfile and kept in pytest's cache until the lockfile changes."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest

SOURCES = Path(__file__).parent / "node"
LEAST_NODE = 20
_UNREACHABLE = re.compile(
    r"\bE(NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETWORK|40[134]|5\d\d|RR_SOCKET_\w+)\b"
)


def install(cache: Path, sources: Path = SOURCES, scripts: Path | None = None) -> Path:
    """The folder that holds `node_modules` of the project in `sources`, and its scripts, or those in `scripts`.

    Skips the test that asks when node or npm is absent or too old, or when npm cannot reach its registry.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    version = _run(["node", "--version"], cache).stdout
    if int(re.sub(r"\D.*", "", version.lstrip("v"))) < LEAST_NODE:
        pytest.skip(f"openai-node needs node {LEAST_NODE}, and this is {version.strip()}")
    lock = (sources / "package-lock.json").read_bytes()
    project = cache / hashlib.sha256(lock).hexdigest()[:16]
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not project.exists():
            _install(project, sources)
        for script in (scripts or sources).glob("*.mjs"):
            _put(project / script.name, script.read_text())
    return project


def _install(project: Path, sources: Path) -> None:
    with tempfile.TemporaryDirectory(dir=project.parent) as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(sources / name, folder)
        done = _run(["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1"], Path(folder))
        if done.returncode and _UNREACHABLE.search(done.stderr):
            pytest.skip("npm cannot reach its registry")
        assert done.returncode == 0, done.stderr
        shutil.copytree(folder, project)


def run(project: Path, *arguments: str, given: bytes = b"") -> list[Any]:
    """What `node` with these arguments writes: each line is JSON. It can read what is `given`."""
    done = _run(["node", *arguments], project, given)
    assert done.returncode == 0, done.stderr
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def run_javascript(project: Path, code: str) -> list[Any]:
    """What a snippet logs."""
    name = f"snippet-{hashlib.sha256(code.encode()).hexdigest()[:16]}.mjs"
    _put(project / name, code)
    try:
        return run(project, "--import", "./json-console.mjs", name)
    finally:
        (project / name).unlink()


def _put(path: Path, text: str) -> None:
    """Writes a file at once, as other test processes may be reading it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def _run(command: list[str], folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"):
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
