"""Every client with every feature, against gateway and emulator: prints tables, ends with 1 if a cell failed.

One table is of chat completions, one of the Responses API, whose compliance suite is run after them if it is there, and
one of transcriptions. The core of the first two is run before Vertex AI as well, under both prefixes.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest
from tests.conformance.environments import LOCKS
from tests.conformance.matrix import CLIENTS, CORE, FEATURES, NODE, NonconformingError, attempt
from tests.conformance.responses import COLUMNS, RESPONSES_CLIENTS, attempt_responses
from tests.conformance.responses import CORE as RESPONSES_CORE
from tests.conformance.responses import NODE as RESPONSES_NODE
from tests.conformance.transcriptions import (
    TRANSCRIPTION_CLIENTS,
    TRANSCRIPTION_FEATURES,
    attempt_transcription,
    speech_file,
)
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack, stack
from tests.support.vertex_stack import vertex_stack

from gemgate.observability.logs import configure_logging
from gemgate.settings import Settings

CACHE = Path(".conformance")
Row = tuple[str, str, Iterable[tuple[str, str, str]]]
"""A client, its version, and its cells: the column, the mark, and why."""


def cell(attempted: Callable[[], None], without: str | None) -> tuple[str, str]:
    """`yes`, `-` or `NO`, and why if it is not `yes`: the client is `without` the feature, or the attempt failed."""
    if without:
        return "-", without
    try:
        attempted()
    except NonconformingError as error:
        return "NO", str(error)
    except pytest.skip.Exception as skipped:
        return "NO", f"not run: {skipped}"
    return "yes", ""


def version(package: str, program: str, lock: str = "clients", node: Path = RESPONSES_NODE) -> str:
    """The package's version in the lock of what runs the program: `lock`, or the project of npm in `node`."""
    if program.endswith(".mjs"):
        dependencies = orjson.loads((node / "package.json").read_bytes())["dependencies"]
        return str(dependencies[package]) if package else ""
    locked = (LOCKS / f"{lock}.txt").read_text()
    found = re.search(rf"^{re.escape(package)}(?:\[.*?\])?==(\S+)", locked, re.MULTILINE)
    return found[1] if package and found else ""


def chat_rows(servers: Stack, names: Iterable[str] = CLIENTS, prefix: str = OPENAI) -> Iterator[Row]:
    """Clients of chat completions."""
    for name in names:
        client = CLIENTS[name]
        cells = (
            (feature, *cell(partial(attempt, client, feature, servers, CACHE, prefix), client.without.get(feature)))
            for feature in FEATURES
        )
        yield name, version(client.package, client.program, client.lock, NODE), cells


def responses_rows(servers: Stack, names: Iterable[str] = RESPONSES_CLIENTS, prefix: str = OPENAI) -> Iterator[Row]:
    """Clients of the Responses API."""
    for name in names:
        client = RESPONSES_CLIENTS[name]
        cells = (
            (column, *cell(partial(attempt_responses, client, column, servers, CACHE, prefix), client.lacks(column)))
            for column in COLUMNS
        )
        yield name, version(client.package, client.program), cells


def transcription_rows(servers: Stack, speech: Path) -> Iterator[Row]:
    """The clients of transcriptions, with a file of speech."""
    for name, client in TRANSCRIPTION_CLIENTS.items():
        cells = (
            (
                feature,
                *cell(
                    partial(attempt_transcription, client, feature, speech, servers, CACHE), client.without.get(feature)
                ),
            )
            for feature in TRANSCRIPTION_FEATURES
        )
        yield name, version(client.package, client.program, client.lock), cells


def table(rows: Iterable[Row], columns: Iterable[str]) -> list[str]:
    """Print rows of a name, a version, and cells of a column, a mark and why; what is to be noted about them."""
    width = max(12, *map(len, columns))
    print(f"| {'client':18} | {'version':8} | " + " | ".join(f"{name:{width}}" for name in columns) + " |")
    print(f"|{'-' * 20}|{'-' * 10}|" + f"{'-' * (width + 2)}|" * len(list(columns)))
    notes = []
    for name, shown, cells in rows:
        print(f"| {name:18} | {shown:8} |", end="", flush=True)
        for column, mark, why in cells:
            notes += [f"{mark} {name}, {column}: {why}"] if why else []
            print(f" {mark:{width}} |", end="", flush=True)
        print()
    print()
    return notes


def before_vertex() -> list[str]:
    """Print the tables of the core before an emulator that is Vertex AI, under both prefixes; what is to be noted."""
    notes = []
    with vertex_stack() as servers:
        for prefix in (OPENAI, GOOGLE):
            print(f"Before Vertex AI, under {prefix}:\n")
            notes += table(chat_rows(servers, CORE, prefix), FEATURES)
            notes += table(responses_rows(servers, RESPONSES_CORE, prefix), tuple(COLUMNS))
    return notes


def suite(servers: Stack) -> int:
    """Run the Open Responses compliance suite, which is not part of this project, where its folder is named.

    It needs `bun`, and the suite's own dependency `zod`, in that folder or on the path.
    """
    folder = os.environ.get("OPEN_RESPONSES_SUITE")
    if not folder:
        print("Open Responses: not run; OPEN_RESPONSES_SUITE names the folder of its repository.")
        return 0
    # Where npm installs no scripts, `.bin/bun` is a text that says so; the program itself is in a package of its own.
    bun = next((str(found) for found in Path(folder).glob("node_modules/@oven/bun-*/bin/bun")), "bun")
    asked = ["--base-url", servers.base(OPENAI), "--api-key", KEY, "--model", "gemini-2.5-flash"]
    return subprocess.run([bun, "run", "bin/compliance-test.ts", *asked], cwd=folder, check=False).returncode


def main() -> int:
    """Print the tables; the exit code."""
    configure_logging(Settings(_env_file=None, log_level="error"))
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, stack(data_dir=Path(data)) as servers:
        notes = table(chat_rows(servers), FEATURES)
        notes += table(responses_rows(servers), tuple(COLUMNS))
        notes += table(transcription_rows(servers, speech_file(servers, Path(data))), TRANSCRIPTION_FEATURES)
        notes += before_vertex()
        print(*notes, sep="\n")
        failed = suite(servers)
    return int(failed != 0 or any(note.startswith("NO") for note in notes))


if __name__ == "__main__":
    sys.exit(main())
