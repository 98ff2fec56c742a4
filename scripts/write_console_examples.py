"""Writes the examples of the console's inspector: the requests of the golden exchanges.

Those of the errors are left out, whose requests are ordinary, those with more than a screen of JSON, and uploads.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "src" / "gemgate" / "api" / "console" / "static" / "examples.json"

_LONGEST = 2000


def written() -> bytes:
    """The file as it must be: for each example its name, what it teaches, its path, and its `body` or its `form`."""
    examples: list[dict[str, Any]] = []
    for path in sorted((ROOT / "tests" / "exchanges").glob("*.json")):
        exchange = orjson.loads(path.read_bytes())
        request = exchange["openai_request"]
        kind = "form" if "/audio/" in request.get("path", "") and "form" in request else "body"
        if path.stem.startswith("errors-") or request.get("method") != "POST" or kind not in request:
            continue
        if len(orjson.dumps(request[kind])) <= _LONGEST:
            shown = {"name": path.stem, "teaches": exchange["teaches"], "path": request["path"]}
            examples.append(shown | {kind: request[kind]})
    return b"[\n" + b",\n".join(map(orjson.dumps, examples)) + b"\n]\n"


def main() -> int:
    """Write the file."""
    EXAMPLES.write_bytes(written())
    return 0


if __name__ == "__main__":
    sys.exit(main())
