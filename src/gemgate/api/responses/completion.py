"""One response: what is translated, what a failure changes about it, and its answer as a whole or as a stream."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from gemgate.api.generation import ModelCall
from gemgate.api.responses.answer_context import Opening
from gemgate.api.responses.compaction import CompactionMachine, OpenedMachine, request_for_summary
from gemgate.api.responses.events import ResponseEvents, ended
from gemgate.api.responses.items import Item, inline_media_of, media_of, named_as_sent
from gemgate.api.responses.kept_streams import KeptStreams
from gemgate.api.responses.output import OutputMachine
from gemgate.api.responses.request import Conversation, ResponseTranslation, to_gemini
from gemgate.api.responses.state import ResolvedRequest
from gemgate.api.responses.truncation import without_oldest_turns
from gemgate.api.responses.wire import Json
from gemgate.encryption import Encryptor
from gemgate.errors import ApiError, shutting_down
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentResponse
from gemgate.media.references import InlineRef, Ref, Resolved
from gemgate.observability.record import AnswerSummary, current
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.options import Options
from gemgate.web.disconnect import Disconnect
from gemgate.web.error_handlers import as_api_error
from gemgate.web.sse import EventBatches

_BAD_SIGNATURE = re.compile(r"thought.{0,3}signature", re.IGNORECASE)

Keep = Callable[[Json, Mapping[str, Json]], Awaitable[None]]
"""Keeps a response that has ended, before its caller can know its end, with what belongs to its items by their ids."""


@dataclass(slots=True)
class ResponseSource:
    """A request with its conversation, and how it is translated.

    Attributes:
        items: The conversation; the oldest turns go where it is too long and the caller allows it.
        use_signatures: Whether signatures are sent; Google may refuse those of another model.
        is_revisable: Always: Google may refuse signatures, or the length.
        compacts: The answer is to be a summary of the conversation.
        threshold: The tokens above which the conversation is compacted first; None: it is as long as it may be.
        opening: What it was compacted to.
        changes: What was changed since, for the caller.
    """

    resolved: ResolvedRequest
    options: Options
    encryptor: Encryptor | None
    caller_id: str
    compacts: bool = False
    items: list[Item] = field(init=False)
    use_signatures: bool = True
    is_revisable: bool = True
    changes: list[str] = field(default_factory=list)
    threshold: int | None = None
    opening: Opening | None = None

    def __post_init__(self) -> None:
        self.items = self.resolved.items

    def media(self) -> list[Ref]:
        """The remote media and the files that the items name."""
        return media_of(self.items)

    def inline_media(self) -> list[InlineRef]:
        """The media that the items hold themselves."""
        return inline_media_of(self.items)

    def translate(self, model: str, media: Resolved) -> ResponseTranslation:
        """The native request to `model`, with the media that were found."""
        request, items = self.resolved.request, self.items
        if self.compacts:
            request, items = request_for_summary(request, items)
        conversation = Conversation(items, self.resolved.is_stored, self.use_signatures, self.compacts, self.opening)
        try:
            translation = to_gemini(
                request,
                conversation,
                self.options,
                self.encryptor,
                model=model,
                caller_id=self.caller_id,
                media=media,
            )
        except ApiError as error:
            raise named_as_sent(error) from error.__cause__
        for change in self.changes:
            translation.notes.adjust(change)
        return translation

    def revise(self, error: GeminiError) -> bool:
        """Change what is translated so that `error` does not come again; False where that cannot be done."""
        if error.status != 400:
            return False
        if self.use_signatures and _BAD_SIGNATURE.search(error.message):
            self.use_signatures = False
            self.changes.append("thought_signatures->none")
            return True
        if self.resolved.request.truncation != "auto" or "truncation->auto" in self.changes:
            return False
        if error_from_gemini(error).code != "context_length_exceeded":
            return False
        shorter = without_oldest_turns(self.items, error.message)
        if len(shorter) == len(self.items):
            return False
        self.changes += ["truncation->auto", f"input=-{len(self.items) - len(shorter)} items"]
        self.items = shorter
        return True


class ResponseStream:
    """One response from Google's first event to the last of its own.

    Args:
        events: Writes its events, whichever model answers.
        keep: What becomes of the response once it has ended.
    """

    def __init__(self, events: ResponseEvents, keep: Keep) -> None:
        self._events = events
        self._keep = keep

    async def pieces(
        self, call: ModelCall[ResponseTranslation], translation: ResponseTranslation
    ) -> AsyncGenerator[bytes, None]:
        """The answer of one model as ready bytes: all events of one read from Google in one piece."""
        current().on_finish(self.summary)
        translation, batches = await call.begin(translation)
        machine, context = new_machine(self._events, translation), translation.context
        del call, translation  # what was asked may be long, and is needed no more
        async with aclosing(batches) as source:
            async for _, batch in source:
                if piece := self._events.write([event for native in batch for event in machine.feed(native)]):
                    yield piece
        last = machine.finish()
        response = ended(self._events.head, machine, context)
        await self._keep(response, machine.kept)
        yield self._events.write(last) + self._events.end(response)

    async def with_failure_kept(
        self, pieces: EventBatches, streams: KeptStreams, disconnect: Disconnect | None
    ) -> AsyncGenerator[bytes, None]:
        """`pieces`; where they fail after the response has begun, it is kept as failed: its caller knows its id.

        So is one that a shutdown cuts off; but not one that its caller leaves, of which `disconnect` reports.
        """
        with streams.one():
            try:
                async for piece in pieces:
                    yield piece
            except Exception as error:
                if not self._events.number:
                    raise
                failure = as_api_error(error)
                await self._keep_failed(failure)
                raise failure from error
            except (asyncio.CancelledError, GeneratorExit):
                if self._events.is_open and disconnect is not None and not disconnect.is_set:
                    await self._keep_failed(shutting_down())
                raise
            finally:
                await pieces.aclose()

    async def _keep_failed(self, failure: ApiError) -> None:
        failed = self._events.failed(failure)
        machine = self._events.machine
        await self._keep(failed, machine.kept if machine else {})
        self._events.failure_kept = failed

    def summary(self) -> AnswerSummary:
        """What is known by now of the model, the tokens and the end."""
        return summary_of(self._events)


def new_machine(events: ResponseEvents, translation: ResponseTranslation) -> OutputMachine:
    """The machine for the answer to a native request, as the one whose items `events` writes."""
    context = translation.context
    kind = CompactionMachine if context.compacts else OutputMachine if context.opening is None else OpenedMachine
    events.machine = kind(context, events.head.id)
    return events.machine


def whole_response(
    events: ResponseEvents,
    translation: ResponseTranslation,
    answers: Sequence[GenerateContentResponse],
    now: float | None = None,
) -> Json:
    """The response to a whole answer, which ended `now` (Unix seconds; None: just now).

    Raises:
        ApiError: 400 when the prompt was blocked, 502 when Gemini broke off without an answer.
    """
    machine = new_machine(events, translation)
    for answer in answers:
        machine.feed(answer)
    machine.finish(is_whole=True)
    for change in machine.changes:
        translation.notes.adjust(change)
    return ended(events.head, machine, translation.context, now)


def summary_of(events: ResponseEvents) -> AnswerSummary:
    """What the log and the metrics are to know."""
    machine = events.machine
    if machine is None:
        return AnswerSummary(None, {}, events.head.id)
    reasons = [machine.finish_reason] if machine.reason is not None else []
    return AnswerSummary(machine.served, machine.usage, events.head.id, reasons, machine.searches, machine.changes)
