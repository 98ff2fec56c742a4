"""Writes the expected halves of the golden exchanges: what Google is asked, and what the caller is answered.

A change of what goes over the wire is then one diff to review.
"""

import sys
from pathlib import Path

from tests.exchanges.exchange import FOLDER, load, written
from tests.exchanges.run import Runner, runner


def write(running: Runner, folder: Path = FOLDER) -> list[str]:
    """Write the files of a folder; gives the names of those that changed."""
    changed = []
    for exchange in load(folder):
        text = written(running.run(exchange))
        if text != exchange.path.read_text():
            exchange.path.write_text(text)
            changed.append(exchange.name)
    return changed


def main() -> int:
    """Write all files, and say which ones changed."""
    with runner() as running:
        sys.stdout.write(f"changed: {', '.join(write(running)) or 'nothing'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
