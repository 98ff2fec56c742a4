"""Values as proto-JSON writes them: times, 64-bit integers as text, and `google.rpc.Status`. No I/O."""

import re
from collections.abc import Iterable
from datetime import datetime

from gemgate.gemini.errors import GeminiError, error_in

CANCELLED = 1

# HTTP mapping of google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_CODES: dict[int, tuple[int, str]] = {
    CANCELLED: (499, "CANCELLED"),
    2: (500, "UNKNOWN"),
    3: (400, "INVALID_ARGUMENT"),
    4: (504, "DEADLINE_EXCEEDED"),
    5: (404, "NOT_FOUND"),
    6: (409, "ALREADY_EXISTS"),
    7: (403, "PERMISSION_DENIED"),
    8: (429, "RESOURCE_EXHAUSTED"),
    9: (400, "FAILED_PRECONDITION"),
    10: (409, "ABORTED"),
    11: (400, "OUT_OF_RANGE"),
    12: (501, "UNIMPLEMENTED"),
    13: (500, "INTERNAL"),
    14: (503, "UNAVAILABLE"),
    15: (500, "DATA_LOSS"),
    16: (401, "UNAUTHENTICATED"),
}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = re.compile(r"\d{1,19}", re.ASCII)


def unix_seconds(value: object) -> int | None:
    """Whole Unix seconds of an RFC 3339 time, which has up to nine decimals; None when it is invalid."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return int(datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp())
    except ValueError:
        return None


def whole_number(value: object) -> int:
    """`"18810"` and `18810`; 0 for what is absent or no count."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def inner_values(values: Iterable[object]) -> list[object]:
    """The values one level deeper: what is in those of `values` that are objects or lists."""
    containers = (value for value in values if isinstance(value, dict | list))
    return [inner for value in containers for inner in (value.values() if isinstance(value, dict) else value)]


def text(value: object) -> str:
    """A string as it is; empty for anything else."""
    return value if isinstance(value, str) else ""


def error_of_status(value: object) -> GeminiError | None:
    """The error in a `google.rpc.Status`; None for what is absent or empty.

    Its `code` is a `google.rpc.Code`, 1 to 16, and in the lines of a batch an HTTP status too (wire.md A.11).
    """
    if not value:
        return None
    status = value if isinstance(value, dict) else {"message": str(value)}
    code = whole_number(status.get("code"))
    http, reason = _CODES.get(code, (code if 400 <= code < 600 else 500, ""))
    return error_in({"error": {**status, "status": text(status.get("status")) or reason}}, http)
