"""Every client with every feature, against gateway and emulator: prints tables, ends with 1 if a cell failed.

One table is of chat completions, one of the Responses API, whose compliance suite is run after them if it is there.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from tests.conformance.environments import LOCKS
from tests.conformance.matrix import CLIENTS, FEATURES, NODE, Client, Feature, NonconformingError, attempt
from tests.conformance.responses import COLUMNS, RESPONSES_CLIENTS, ResponsesClient, attempt_responses
from tests.conformance.responses import NODE as RESPONSES_NODE
from tests.support.stack import KEY, OPENAI, Stack, stack

from gemgate.observability.logs import configure_logging
from gemgate.settings import Settings

CACHE = Path(".conformance")


def cell(client: Client, feature: Feature, servers: Stack) -> tuple[str, str]:
    """`yes`, `-` or `NO`, and why if it is not `yes`."""
    if feature in client.without:
        return "-", client.without[feature]
    try:
        attempt(client, feature, servers, CACHE)
    except NonconformingError as error:
        return "NO", str(error)
    except pytest.skip.Exception as skipped:
        return "NO", f"not run: {skipped}"
    return "yes", ""


def version(client: Client) -> str:
    """The version in the lock."""
    if client.program.endswith(".mjs"):
        return str(orjson.loads((NODE / "package.json").read_bytes())["dependencies"][client.package])
    locked = (LOCKS / f"{client.lock}.txt").read_text()
    found = re.search(rf"^{re.escape(client.package)}(?:\[.*?\])?==(\S+)", locked, re.MULTILINE)
    return found[1] if client.package and found else ""


def responses_cell(client: ResponsesClient, column: str, servers: Stack) -> tuple[str, str]:
    """The same, for a client of the Responses API."""
    feature, _ = COLUMNS[column]
    if feature in client.without:
        return "-", client.without[feature]
    if client.named_by and client.named_by not in os.environ:
        return "-", f"not run: {client.named_by} names its command"
    try:
        attempt_responses(client, column, servers, CACHE)
    except NonconformingError as error:
        return "NO", str(error)
    except pytest.skip.Exception as skipped:
        return "NO", f"not run: {skipped}"
    return "yes", ""


def responses_version(client: ResponsesClient) -> str:
    """The version in the lock."""
    if client.named_by:
        return ""
    if client.program.endswith(".mjs"):
        return str(orjson.loads((RESPONSES_NODE / "package.json").read_bytes())["dependencies"][client.package])
    return version(Client(client.program, package=client.package))


def table(rows: Iterable[tuple[str, str, Iterable[tuple[str, str, str]]]], columns: Iterable[str]) -> list[str]:
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
        chat = (
            (name, version(client), ((feature, *cell(client, feature, servers)) for feature in FEATURES))
            for name, client in CLIENTS.items()
        )
        notes = table(chat, FEATURES)
        responses = (
            (
                name,
                responses_version(client),
                ((column, *responses_cell(client, column, servers)) for column in COLUMNS),
            )
            for name, client in RESPONSES_CLIENTS.items()
        )
        notes += table(responses, tuple(COLUMNS))
        print(*notes, sep="\n")
        failed = suite(servers)
    return int(failed != 0 or any(note.startswith("NO") for note in notes))


if __name__ == "__main__":
    sys.exit(main())
