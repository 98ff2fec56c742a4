"""Writes docs/compatibility.md from the table of fates; `--check` only says whether the page is up to date."""

import sys
from pathlib import Path

from gemgate.batches.fates import FATES as BATCHES
from gemgate.chat.fates import FATES as CHAT
from gemgate.embeddings.fates import FATES as EMBEDDINGS
from gemgate.fates import Fate
from gemgate.files.fates import COMPLETE, FILES, UPLOADS
from gemgate.images.fates import EDITS, GENERATIONS

PAGE = Path(__file__).parents[1] / "docs" / "compatibility.md"

_HEAD = """# Compatibility

This page is generated from the tables that the code and the tests use (`src/gemgate/*/fates.py`).

Every parameter has one fate. *mapped*: it reaches Gemini. *answered*: the gateway does it itself. *dropped*: Gemini has
nothing like it, so it is left out, and the response header `x-gemgate-dropped-params` names it. With
`GEMGATE_UNSUPPORTED_PARAMS=strict` a dropped parameter is a 400 instead; with `ignore` nothing is said. *refused*: a
400 that names it. What reaches Gemini in another form is named in `x-gemgate-adjusted`.
"""

_TABLES: dict[str, dict[str, Fate]] = {
    "chat/completions": CHAT,
    "embeddings": EMBEDDINGS,
    "images/generations": GENERATIONS,
    "images/edits": EDITS,
    "files": FILES,
    "uploads": UPLOADS,
    "uploads/{id}/complete": COMPLETE,
    "batches": BATCHES,
}


def page() -> str:
    """The text of the page."""
    return _HEAD + "".join(_table(path, fates) for path, fates in _TABLES.items())


def _table(path: str, fates: dict[str, Fate]) -> str:
    head = f"\n## `POST /v1/{path}`\n\n| parameter | fate | where it goes, or why not |\n|---|---|---|\n"
    return head + "".join(f"| `{name}` | {fate.kind} | {fate.text} |\n" for name, fate in fates.items())


def main() -> int:
    """Write the page, or check it; the exit code."""
    if "--check" in sys.argv:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
