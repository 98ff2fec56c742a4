"""openai-node, as a project of npm with the scripts that drive it."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
from tests.support import npm

SOURCES = Path(__file__).parent / "node"


def install(cache: Path, sources: Path = SOURCES, scripts: Path | None = None) -> Path:
    """The folder that holds `node_modules` of the project in `sources`, and its scripts, or those in `scripts`.

    May skip, as `npm.install`.
    """
    project = npm.install(sources, cache)
    for script in (scripts or sources).glob("*.mjs"):
        npm.put(project / script.name, script.read_text())
    return project


def run(project: Path, *arguments: str, given: bytes = b"") -> list[Any]:
    """What `node` with these arguments writes: each line is JSON. It can read what is `given`."""
    done = npm.run(["node", *arguments], project, given)
    assert done.returncode == 0, done.stderr
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def run_javascript(project: Path, code: str) -> list[Any]:
    """What a snippet logs."""
    name = f"snippet-{hashlib.sha256(code.encode()).hexdigest()[:16]}.mjs"
    npm.put(project / name, code)
    try:
        return run(project, "--import", "./json-console.mjs", name)
    finally:
        (project / name).unlink()
