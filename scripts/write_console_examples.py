"""Writes the examples of the console's inspector: the requests of the golden exchanges.

Those of the errors are left out, whose requests are ordinary, forms, and those with more than a screen of JSON.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "src" / "gemgate" / "api" / "console" / "static" / "examples.json"

_LONGEST = 2000


def written() -> bytes:
    """The file as it must be: for each example its name, what it teaches, its path and its body."""
    examples: list[dict[str, Any]] = []
    for path in sorted((ROOT / "tests" / "exchanges").glob("*.json")):
        exchange = orjson.loads(path.read_bytes())
        request = exchange["openai_request"]
        if path.stem.startswith("errors-") or request.get("method") != "POST" or "body" not in request:
            continue
        if len(orjson.dumps(request["body"])) <= _LONGEST:
            shown = {"name": path.stem, "teaches": exchange["teaches"], "path": request["path"]}
            examples.append(shown | {"body": request["body"]})
    return b"[\n" + b",\n".join(map(orjson.dumps, examples)) + b"\n]\n"


def main() -> int:
    """Write the file."""
    EXAMPLES.write_bytes(written())
    return 0


if __name__ == "__main__":
    sys.exit(main())
