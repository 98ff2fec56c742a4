"""A golden exchange: one request of an OpenAI client, what Google was asked for it, and both answers, in one JSON file.

    {
      "teaches":         one sentence: what a reader learns from it,
      "openai_request":  {"method", "path", "headers"?, "body"? | "form"?},
      "native":          [{"request": {"method", "path", "body"?}, "response": {"status", "body" | "events"}}, ...],
      "openai_response": {"status", "headers", "body" | "events" | "text" | "data"}
    }

`native` has an entry for each call to Google: most exchanges make one, some none, and some several. `events` stands
for a stream: Google's as the JSON of each `data:`, OpenAI's likewise, up to and including `[DONE]`. In a batch, lines
of files take the place of requests: then the four parts are `openai_request.line`, `native[].request.line`,
`native[].response.line` and `openai_response.line`.

`form` has the fields of a form, of which `file` is {"name", "type", "data"}; `text` is an answer in plain text; `data`
is base64, of a file here and of an answer that is sound.

`openai_request` and each native `response` are written by hand. Each native `request` and `openai_response` are what
the gateway makes of them: `make exchanges` writes them, and the tests compare them as wholes. What differs in each run
stands there as a placeholder, in the field or header of this name only, and only where the value is what is said here:

    "<created>"           `created`: the time of the exchange in unix seconds, the same throughout the answer
    "<until midnight>"    `retry-after`, `retry-after-ms`: until midnight in the Pacific time zone, in (milli)seconds

    "<created>"           also `created_at` and `completed_at` of a response, where they are the same
    "<msg 1>"             an id that the gateway makes up: its prefix, and the number of its first place in the answer
    "<encrypted>"         `encrypted_content`

All other values are the same in each run: ids of chat are made of Google's `responseId`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gemgate.upstream.daily_quota import quota_reset

Json = dict[str, Any]

FOLDER = Path(__file__).parent
WIDTH = 110

CREATED = "<created>"
ENCRYPTED = "<encrypted>"
_MADE_UP = re.compile(r"(resp|msg|rs|fc|call|ctc|ws|cmp|modr)[_-][0-9A-Za-z]{20,}")
UNTIL_MIDNIGHT = "<until midnight>"
HEADERS = (
    "cache-control",
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-accel-buffering",
    "x-google-status",
    "x-should-retry",
)
"""The headers of an answer that are compared, with all that begin with one of `HEADER_PREFIXES`."""
HEADER_PREFIXES = ("x-gemgate-", "x-ratelimit-")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One file.

    Attributes:
        path: Where it is kept; its name says what the exchange is about.
        data: What it holds.
    """

    path: Path
    data: Json

    @property
    def name(self) -> str:
        """The name of the file, without its ending."""
        return self.path.stem

    @property
    def is_line(self) -> bool:
        """Whether it is a line of a batch, not a request."""
        return "line" in self.data["openai_request"]

    @property
    def has_random_ids(self) -> bool:
        """Whether the gateway makes ids up: those of the Responses API, and of moderations."""
        path: str = self.data["openai_request"].get("path", "")
        return path.endswith(("/responses", "/moderations"))

    @property
    def native(self) -> list[Json]:
        """The calls to Google."""
        calls: list[Json] = self.data["native"]
        return calls


def load(folder: Path = FOLDER) -> list[Exchange]:
    """All exchanges of a folder, by name."""
    return [Exchange(path, orjson.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


class Placeholders:
    """Puts placeholders into an answer, in place of values that differ in each run.

    A value that is not what its placeholder promises stays as it is, and so differs from the file.
    """

    def __init__(self, started: float, ended: float, *, has_random_ids: bool = False) -> None:
        """When the exchange took place, in unix seconds; and whether ids in its answer are made up each time."""
        self._has_random_ids = has_random_ids
        self._times = range(int(started), int(ended) + 1)
        self._created: int | None = None
        self._ids: dict[str, str] = {}
        wait = quota_reset(started) - ended, quota_reset(ended) - started
        self._waits = {
            name: range(math.floor(wait[0] * unit), math.ceil(wait[1] * unit) + 1)
            for name, unit in (("retry-after", 1), ("retry-after-ms", 1000))
        }

    def put_into(self, value: Any) -> Any:
        """The value with its placeholders."""
        if isinstance(value, list):
            return [self.put_into(item) for item in value]
        if isinstance(value, Mapping):
            return {name: self._field(name, item) for name, item in value.items()}
        return value

    def _field(self, name: str, value: Any) -> Any:
        if name in self._waits and isinstance(value, str) and value.isdecimal():
            return UNTIL_MIDNIGHT if int(value) in self._waits[name] else value
        if name == "encrypted_content" and isinstance(value, str):
            return ENCRYPTED if value.startswith("gg1.") else value
        is_id = self._has_random_ids and isinstance(value, str) and name.endswith("id")
        if is_id and (made_up := _MADE_UP.fullmatch(value)):
            return self._ids.setdefault(value, f"<{made_up[1]} {self._of_kind(made_up[1])}>")
        if name not in ("created", "created_at", "completed_at") or value not in self._times:
            return self.put_into(value)
        if name == "completed_at":
            return CREATED
        self._created = value if self._created is None else self._created
        return CREATED if value == self._created else value

    def _of_kind(self, prefix: str) -> int:
        return 1 + sum(known.startswith((f"{prefix}_", f"{prefix}-")) for known in self._ids)


def compared_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of an answer's headers that an exchange holds."""
    return {
        name: value for name, value in sorted(headers.items()) if name in HEADERS or name.startswith(HEADER_PREFIXES)
    }


def written(data: Json) -> str:
    """The text of a file: what fits stands on one line."""
    return _written(data, 0) + "\n"


def _written(value: Any, depth: int) -> str:
    line = "".join(_on_one_line(value))
    is_data = isinstance(value, list) and all(isinstance(item, int | float) for item in value)
    if not value or not isinstance(value, dict | list) or is_data or (depth and len(line) + 2 * depth <= WIDTH):
        return line
    inner = "  " * (depth + 1)
    if isinstance(value, list):
        rows, ends = [_written(item, depth + 1) for item in value], "[]"
    else:
        rows = [f"{_dumped(name)}: {_written(item, depth + 1)}" for name, item in value.items()]
        ends = "{}"
    return f"{ends[0]}\n" + ",\n".join(inner + row for row in rows) + f"\n{'  ' * depth}{ends[1]}"


def _on_one_line(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{" + ", ".join(f"{_dumped(name)}: {''.join(_on_one_line(item))}" for name, item in value.items()) + "}"
    elif isinstance(value, list):
        yield "[" + ", ".join("".join(_on_one_line(item)) for item in value) + "]"
    else:
        yield _dumped(value)


def _dumped(value: Any) -> str:
    return orjson.dumps(value).decode()
