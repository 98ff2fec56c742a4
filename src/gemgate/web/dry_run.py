"""`x-gemgate-dry-run`: what would be sent to Google, and to nobody."""

from collections.abc import Mapping

from starlette.responses import Response

from gemgate.gemini.client.client import encode
from gemgate.translation.notes import Notes
from gemgate.web.json_response import WrittenJson


def dry_run(
    path: str, body: Mapping[str, object] | None, calls: int, notes: Notes, *, method: str = "POST"
) -> Response:
    """The native request (of the first call, when there are several), and what was dropped and adjusted.

    Raises:
        GeminiError: 400, it cannot be written as JSON.
    """
    shown = {
        "object": "gemgate.dry_run",
        "method": method,
        "path": path,
        "body": body,
        "calls": calls,
        "dropped_params": notes.dropped,
        "adjusted": notes.adjusted,
    }
    return WrittenJson(encode(shown), notes.headers())
