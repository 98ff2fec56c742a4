"""Every client with every feature, against gateway and emulator: prints a table, ends with 1 if a cell failed."""

import re
import sys
import tempfile
from pathlib import Path

import orjson
import pytest
from tests.conformance.environments import LOCKS
from tests.conformance.matrix import CLIENTS, FEATURES, NODE, Client, Feature, NonconformingError, attempt
from tests.support.stack import Stack, stack

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


def main() -> int:
    """Print the table; the exit code."""
    configure_logging(Settings(_env_file=None, log_level="error"))
    CACHE.mkdir(exist_ok=True)
    notes, failed = [], False
    print(f"| {'client':18} | {'version':8} | " + " | ".join(f"{name:10}" for name in FEATURES) + " |")
    print(f"|{'-' * 20}|{'-' * 10}|" + f"{'-' * 12}|" * len(FEATURES))
    with tempfile.TemporaryDirectory() as data, stack(data_dir=Path(data)) as servers:
        for name, client in CLIENTS.items():
            print(f"| {name:18} | {version(client):8} |", end="", flush=True)
            for feature in FEATURES:
                mark, why = cell(client, feature, servers)
                failed |= mark == "NO"
                notes += [f"{name}, {feature}: {why}"] if why else []
                print(f" {mark:10} |", end="", flush=True)
            print()
    print(*notes, sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
