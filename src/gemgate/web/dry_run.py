"""`x-gemgate-dry-run`: what would be sent to Google, and to nobody."""

from collections.abc import Mapping

from starlette.responses import Response

from gemgate.gemini.client.client import GeminiClient, encode
from gemgate.translation.notes import Notes
from gemgate.web.json_response import WrittenJson


def dry_run(
    client: GeminiClient,
    path: str,
    body: Mapping[str, object] | None,
    calls: int,
    notes: Notes,
    *,
    method: str = "POST",
) -> Response:
    """The native request (of the first call, when there are several), and what was dropped and adjusted.

    Args:
        client: What would send it: it knows how the API that it asks has it.
        path: The path at the Developer API.
        body: The body there.
        calls: How many calls there would be.
        notes: What was dropped and adjusted.
        method: The HTTP method.

    Raises:
        GeminiError: 400, it cannot be written as JSON.
    """
    native = client.shown(path, body)
    shown = {
        "object": "gemgate.dry_run",
        "method": method,
        "path": native.path,
        "body": native.body,
        "calls": calls + native.calls - 1,
        "dropped_params": notes.dropped,
        "adjusted": notes.adjusted,
    }
    return WrittenJson(encode(shown), notes.headers())
