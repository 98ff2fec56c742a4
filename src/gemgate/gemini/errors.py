"""What Google, or the way to Google, says when something fails."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class GeminiError(Exception):
    """A failed call: `status` is the HTTP status, `reason` the `google.rpc` code such as `INVALID_ARGUMENT`."""

    status: int
    message: str
    reason: str = ""
    details: list[dict[str, Any]] = field(default_factory=list)
