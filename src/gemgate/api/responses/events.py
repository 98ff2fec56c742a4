"""The events of one response as bytes: numbers, heads, silence, and the end, whatever it is."""

import re
import time
from typing import Any

import orjson

from gemgate.api.responses.answer_context import ResponseContext
from gemgate.api.responses.echo import Json, ResponseHead, usage_of
from gemgate.api.responses.open_items import Event, TextDelta
from gemgate.api.responses.output import OutputMachine
from gemgate.errors import ApiError
from gemgate.translation.response_fields import service_tier
from gemgate.web.sse import DONE, KEEP_ALIVE

_RETRY_AFTER = "retry-after-ms"
_SAYS_WHEN = re.compile(r"try again in \d", re.IGNORECASE)

_CODES = frozenset({"rate_limit_exceeded", "insufficient_quota", "context_length_exceeded", "invalid_prompt"})
"""The codes of failed responses that clients act on; every other failure is a `server_error`, which they retry."""


class ResponseEvents:
    """Writes the events of one response, in the order in which they are sent.

    It is the voice of the stream as well: in silence, and for a failure after the stream has begun.

    Attributes:
        head: What the response says from its first event on.
        machine: The answer that is being given; None before Google is asked.
    """

    def __init__(self, head: ResponseHead) -> None:
        self.head = head
        self.machine: OutputMachine | None = None
        self._number = 0

    def write(self, events: list[Event]) -> bytes:
        """Ready bytes; the first time, `response.created` and `response.in_progress` come before."""
        if not events:
            return b""
        pieces = self._begin() if not self._number else []
        for event in events:
            if isinstance(event, TextDelta):
                pieces.append(event.written(self._number))
                self._number += 1
            else:
                pieces.append(self._frame(event))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def silence(self) -> bytes:
        """Clients' clocks count events and not comments: one more `response.in_progress`.

        A comment comes first, so that nobody takes it for a piece of the answer.
        """
        if not self._number:
            return KEEP_ALIVE + b"".join(self._begin())
        return KEEP_ALIVE + self._frame({"type": "response.in_progress", "response": self._progress()})

    def end(self, response: Json) -> bytes:
        """The event that ends a response, and the end of the stream."""
        event = {"type": f"response.{response['status']}", "response": response}
        return b"".join(self._begin()) + self._frame(event) + DONE

    def failure(self, error: ApiError) -> bytes:
        """`error`, and then `response.failed`: some clients read the one and some the other."""
        failed = failed_error(error)
        shown = {"type": error.type, "code": failed["code"], "message": failed["message"], "param": error.param}
        flat = {"code": failed["code"], "message": failed["message"], "param": error.param}
        output = self.machine.unfinished() if self.machine else []
        response = self.head.response("failed", output, error={**failed, "type": error.type, "param": error.param})
        return b"".join(
            [
                *self._begin(),
                self._frame({"type": "error", **flat, "error": shown}),
                self._frame({"type": "response.failed", "response": response}),
                DONE,
            ]
        )

    def _begin(self) -> list[bytes]:
        if self._number:
            return []
        return [
            self._frame({"type": kind, "response": self._progress()})
            for kind in ("response.created", "response.in_progress")
        ]

    def _progress(self) -> Json:
        return self.head.response("in_progress", [])

    def _frame(self, event: Json) -> bytes:
        kind = event["type"]
        data = orjson.dumps({"type": kind, "sequence_number": self._number, **event})
        self._number += 1
        name: str = kind
        return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def ended(head: ResponseHead, machine: OutputMachine, context: ResponseContext, now: float | None = None) -> Json:
    """The response to an answer that has ended, after `machine.finish`."""
    tier = service_tier(machine.usage) or context.tier or "default"
    is_complete = machine.status == "completed"
    return head.response(
        machine.status or "completed",
        machine.output,
        usage=usage_of(machine.usage),
        incomplete=machine.incomplete,
        tier=tier,
        completed_at=int(time.time() if now is None else now) if is_complete else None,
    )


def failed_error(error: ApiError) -> dict[str, Any]:
    """`code` and `message` of a response that failed; a wait is in the words that clients read."""
    code = error.code if error.code in _CODES else "server_error"
    message = error.message
    wait = error.headers.get(_RETRY_AFTER)
    if code in ("rate_limit_exceeded", "server_error") and wait and not _SAYS_WHEN.search(message):
        message = f"{message.rstrip()} Please try again in {int(wait) / 1000:g}s."
    return {"code": code, "message": message}
