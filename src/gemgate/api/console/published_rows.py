"""The form in which a process publishes its requests to other replicas, and reads those of others.

A row has the fields of its line of the log, without secrets, never a body, and long texts cut. Anything that can write
to the Redis may have written an entry, so fields are left out that a page does not expect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter

import orjson

from gemgate.api.console.activity import Activity
from gemgate.shared_state.request_feed import MAX_ENTRY

AT_FIRST = 50
"""The last requests of a process that a new watcher gets."""

AT_ONCE = 50
"""Requests of one entry: of more in half a second, the newest."""

_LONGEST = 300
_MOST_WORDS = 30
_MOST_FIELDS = 60


@dataclass(frozen=True, slots=True)
class Published:
    """What one process has published.

    Attributes:
        replica: The name of its replica.
        process: Its id.
        rows: Requests that have ended, oldest first: the number of each, and its fields, of which `number`, `at`,
            `request_id`, `path` and `status` are always there.
    """

    replica: str
    process: int
    rows: list[tuple[int, dict[str, object]]]


def published(activity: Activity, replica: str, process: int, number: int) -> tuple[bytes, int]:
    """An entry with the requests that ended after that of this number, and the number of the last.

    Without a number (0), it has the last ones.
    """
    found = activity.after(number, AT_ONCE if number else AT_FIRST, bodies=False)
    last = found[-1]["number"] if found else number
    rows = [_cut(row) for row in found]
    while True:
        entry = orjson.dumps({"replica": replica, "process": process, "rows": rows})
        if len(entry) <= MAX_ENTRY:
            return entry, last if isinstance(last, int) else number
        rows = rows[len(rows) // 2 + 1 :]


def _cut(row: Mapping[str, object]) -> dict[str, object]:
    return {name: _short(value) for name, value in row.items()}


def _short(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, list | tuple):
        return [_short(each) if isinstance(each, str) else str(each)[:_LONGEST] for each in value[:_MOST_WORDS]]
    return value


def read(entry: bytes) -> Published | None:
    """What was published; None if it is something else."""
    try:
        found = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return None
    match found:
        case {"replica": str(replica), "process": int(process), "rows": list(rows)} if 0 < len(replica) <= _LONGEST:
            sound = [known for row in rows[: max(AT_FIRST, AT_ONCE)] if (known := _known(row)) is not None]
            return Published(replica, process, sorted(sound, key=itemgetter(0)))
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST + 1


def _are_words(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MOST_WORDS and all(map(_is_text, value))


_NEEDED: Mapping[str, Callable[[object], bool]] = {
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "at": _is_number,
    "request_id": _is_text,
    "path": _is_text,
    "status": _is_number,
}
_KINDS: Mapping[str, Callable[[object], bool]] = {
    **_NEEDED,
    **dict.fromkeys(("dropped", "adjusted"), _are_words),
    **dict.fromkeys(("ms", "first_token_ms", "cost_usd", "prompt_tokens", "completion_tokens", "retries"), _is_number),
}
"""What a page relies on. It shows other fields as they are, if they are texts, numbers or lists of texts."""


def _known(row: object) -> tuple[int, dict[str, object]] | None:
    """The number of a row, and its fields that a page can show; None if it lacks what each row has."""
    if not isinstance(row, dict) or len(row) > _MOST_FIELDS:
        return None
    if not all(is_so(row.get(name)) for name, is_so in _NEEDED.items()):
        return None
    shown = {name: value for name, value in row.items() if _KINDS.get(name, _is_plain)(value) and name not in _OURS}
    return row["number"], shown


_OURS = frozenset({"bodies", "replica", "process"})


def _is_plain(value: object) -> bool:
    return isinstance(value, bool) or _is_number(value) or _is_text(value) or _are_words(value)
