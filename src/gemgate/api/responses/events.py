"""The events of one response as bytes: numbers, heads, silence, and the end, whatever it is."""

import re
import time
from typing import NamedTuple

import orjson

from gemgate.api.responses.answer_context import ResponseContext
from gemgate.api.responses.echo import ResponseHead, usage_of
from gemgate.api.responses.open_items import Event, TextDelta
from gemgate.api.responses.output import OutputMachine
from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError
from gemgate.gemini.usage import total
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
        machine: The answer that is being given; None before Google answers.
        failure_kept: The response as it was kept when it failed.
    """

    def __init__(self, head: ResponseHead) -> None:
        self.head = head
        self.machine: OutputMachine | None = None
        self.failure_kept: Json | None = None
        self._number = 0
        self._has_ended = False

    @property
    def number(self) -> int:
        """The number of the next event: 0 before the first."""
        return self._number

    @property
    def is_open(self) -> bool:
        """Whether the response has begun, and has not ended."""
        return self._number > 0 and not self._has_ended

    def begin(self) -> bytes:
        """The events before the first of the answer, if they were not sent yet."""
        return b"".join(self._begin())

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

        A comment comes first, so that nobody takes it for a piece of the answer. After the last event it comes alone.
        """
        return KEEP_ALIVE if self._has_ended else KEEP_ALIVE + self.heartbeat()

    def heartbeat(self) -> bytes:
        """One more `response.in_progress`."""
        if not self._number:
            return self.begin()
        return self._frame({"type": "response.in_progress", "response": self.progress()})

    def end(self, response: Json) -> bytes:
        """The event that ends a response, and the end of the stream."""
        begun = self.begin()
        ending = last_events(response, self._number)
        self._number += ending.amount
        self._has_ended = True
        return begun + ending.data + DONE

    def failure(self, error: ApiError) -> bytes:
        """`error`, and then `response.failed`: some clients read the one and some the other."""
        return self.end(self.failure_kept or self.failed(error))

    def failed(self, error: ApiError) -> Json:
        """The response where it fails: with what was said before."""
        output = self.machine.unfinished() if self.machine else []
        return self.head.response("failed", output, error=error_of_response(error))

    def _begin(self) -> list[bytes]:
        if self._number:
            return []
        begun = self.progress()
        if not self.head.background:
            return [
                self._frame({"type": kind, "response": begun}) for kind in ("response.created", "response.in_progress")
            ]
        queued = self.head.response("queued", [])
        return [
            self._frame({"type": "response.created", "response": queued}),
            self._frame({"type": "response.queued", "response": queued}),
            self._frame({"type": "response.in_progress", "response": begun}),
        ]

    def progress(self) -> Json:
        """The response before its end."""
        return self.head.response("in_progress", [])

    def _frame(self, event: Json) -> bytes:
        self._number += 1
        return _frame(event, self._number - 1)


class LastEvents(NamedTuple):
    """The events that end a response, and how many they are."""

    data: bytes
    amount: int


def last_events(response: Json, number: int) -> LastEvents:
    """The last events of a response that has ended, from the number `number` on.

    A failure is an `error` before it is a `response.failed`. OpenAI has no event for a response that was cancelled, and
    its clients stop at one that they do not know: it is a `response.incomplete`, whose response says `cancelled`.
    """
    status = response["status"]
    frames = [_error(response["error"], number)] if status == "failed" else []
    kind = "response.incomplete" if status == "cancelled" else f"response.{status}"
    frames.append(_frame({"type": kind, "response": response}, number + len(frames)))
    return LastEvents(b"".join(frames), len(frames))


def error_events(error: ApiError, number: int) -> bytes:
    """What ends a stream that cannot go on, though its response may."""
    return _error(error_of_response(error), number) + DONE


def _error(error: Json, number: int) -> bytes:
    """OpenAI's types have an error flat, its service sends one nested: this is both."""
    shown = {name: error[name] for name in ("code", "message", "param")}
    return _frame({"type": "error", **shown, "error": {"type": error["type"], **shown}}, number)


def _frame(event: Json, number: int) -> bytes:
    name: str = event["type"]
    data = orjson.dumps({"type": name, "sequence_number": number, **event})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def ended(head: ResponseHead, machine: OutputMachine, context: ResponseContext, now: float | None = None) -> Json:
    """The response to an answer that has ended, after `machine.finish`."""
    tier = service_tier(machine.usage) or context.tier or "default"
    is_complete = machine.status == "completed"
    usage = machine.usage if context.opening is None else total((context.opening.usage, machine.usage))
    return head.response(
        machine.status or "completed",
        machine.output,
        usage=usage_of(usage),
        incomplete=machine.incomplete,
        tier=tier,
        completed_at=int(time.time() if now is None else now) if is_complete else None,
    )


def error_of_response(error: ApiError) -> Json:
    """`error` of a response that failed, with the fields that strict readers want."""
    return {**failed_error(error), "type": error.type, "param": error.param}


def failed_error(error: ApiError) -> dict[str, object]:
    """`code` and `message` of a response that failed; a wait is in the words that clients read."""
    code = error.code if error.code in _CODES else "server_error"
    message = error.message
    wait = error.headers.get(_RETRY_AFTER)
    if code in ("rate_limit_exceeded", "server_error") and wait and not _SAYS_WHEN.search(message):
        message = f"{message.rstrip()} Please try again in {int(wait) / 1000:g}s."
    return {"code": code, "message": message}
