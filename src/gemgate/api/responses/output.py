"""A native answer as items and their events: the one machine of whole answers and of streams."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from gemgate.api.responses.answer_context import ResponseContext
from gemgate.api.responses.carrier import Carried, SignedCall, in_clear
from gemgate.api.responses.citations import GroundedText
from gemgate.api.responses.history import text_key
from gemgate.api.responses.hosted_items import (
    PREFIXES,
    begins_call,
    events_of,
    image_item,
    is_server_side,
    late_items,
    tool_items,
)
from gemgate.api.responses.mcp_items import native_call
from gemgate.api.responses.open_items import Event, OpenMessage, OpenReasoning
from gemgate.api.responses.tool_kinds import KINDS, call_events
from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError
from gemgate.gemini.parts import DecodedCall, Media, decoded_in_order
from gemgate.gemini.types import Candidate, GenerateContentResponse, Part, UsageMetadata
from gemgate.gemini.usage import web_searches
from gemgate.translation.declared_calls import as_declared
from gemgate.translation.lenient_json import exact_numbers, without_fence
from gemgate.translation.response_fields import (
    BROKEN,
    FINISH_REASONS,
    block,
    empty_answer_error,
    refusal,
    token_logprobs,
)
from gemgate.translation.streamed_arguments import CallJoiner
from gemgate.translation.thought_signatures import call_key

Status = Literal["completed", "incomplete"]

MAX_PARTS = 20_000
"""Parts of one answer, or of one event of a stream."""

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(slots=True)
class OutputMachine:
    """Turns the events of one native answer into items and their events, which are yet without numbers.

    Runs of one kind become one item; a change of kind ends the item and begins the next. Items are strictly one after
    the other. A whole answer is a stream of one event.

    Attributes:
        context: What the request asked for.
        seed: What the ids of items start from.
        output: The items that have ended.
        usage: The last token counts.
        served: The `modelVersion`.
        reason: The last native finish reason.
        status: How the answer ended; None before `finish`.
        incomplete: Why it is incomplete.
        kept: By the ids of items, what Gemini must be sent back with them, in clear: for the store alone. Of reasoning,
            what its carrier holds; of a message, its signature `s` for models of the family `m`.
        changes: What was changed in the answer.
    """

    context: ResponseContext
    seed: str
    output: list[Json] = field(default_factory=list)
    usage: UsageMetadata = field(default_factory=UsageMetadata)
    served: str | None = None
    reason: str | None = None
    status: Status | None = None
    incomplete: str | None = None
    kept: dict[str, Json] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    _has_answer: bool = False
    _events: list[Event] = field(default_factory=list)
    _ids: int = 0
    _index: int = 0
    _open: OpenMessage | OpenReasoning | None = None
    _held: list[Part] = field(default_factory=list)
    _joiner: CallJoiner = field(default_factory=CallJoiner)
    _unknown: list[DecodedCall] = field(default_factory=list)
    _aside: list[str] = field(default_factory=list)
    _is_answered: bool = False
    _calls: int = 0
    _text: GroundedText = field(default_factory=GroundedText)
    _pages: object = None
    _finish_message: str | None = None
    _logprobs: list[Json] = field(default_factory=list)
    _blocked: str | None = None
    _spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    _opened: int = 0

    def feed(self, event: GenerateContentResponse) -> list[Event]:
        """The events that one native event gives: none, when there is nothing to show.

        Raises:
            ApiError: 400 `invalid_prompt`, when the prompt was blocked and nothing came before.
        """
        self.served = self.served or event.get("modelVersion")
        if meta := event.get("usageMetadata"):
            # Counts start again between the rounds of built-in tools: an event leaves out what is not of that round.
            self.usage = meta if "totalTokenCount" in meta else {**self.usage, **meta}
        for candidate in event.get("candidates") or ():
            if not candidate.get("index"):
                self._take(candidate)
        if "promptFeedback" in event and (feedback := block(event)) and self.reason is None:
            self._block(feedback.get("blockReason") or "OTHER", feedback.get("blockReasonMessage"))
        return self._taken()

    def finish(self, *, is_whole: bool = False) -> list[Event]:
        """The last events of the items: what can be said only when everything has arrived.

        `is_whole`: the answer came in one piece, so that nothing can be missing, though Google names no reason.

        Raises:
            ApiError: 502 when the answer ended before it was whole (`stream_truncated`), or when Gemini broke off.
        """
        if self.reason is None and self._blocked is None and not is_whole:
            raise truncated()
        if failure := self._failure():
            raise failure
        if self.reason == "STOP":
            self._take_calls(self._joiner.finish())
        if self.reason in BROKEN:  # calls of functions that nobody declared are why Gemini broke off
            self._unknown = []
        for call in self._unknown:
            self._call(call)
        self._settle_held()
        if self._aside and not self._is_answered:
            self._show("".join(self._aside))
        if is_whole and self.context.is_json:
            self._unwrap_fence()
        self._end_status()
        self._cite()
        self._close()
        grounding = self._text.grounding
        seen = frozenset(item["type"] for item in self.output)
        for item in late_items(grounding, self._pages, self.context.include, seen):
            self._show_whole(item)
        return self._taken()

    def unfinished(self) -> list[Json]:
        """The items so far, as a response holds them that fails: an open message is incomplete."""
        if isinstance(self._open, OpenMessage):
            return [*self.output, self._open.item("incomplete")]
        return self.output

    @property
    def finish_reason(self) -> str:
        """Why the answer ended, in the words of chat completions, which logs and metrics have."""
        if self._blocked is not None:
            return "content_filter"
        reason = FINISH_REASONS.get(self.reason or "", "stop")
        return "tool_calls" if reason == "stop" and self._calls else reason

    @property
    def searches(self) -> int:
        """The queries that the web was searched for."""
        return web_searches(self._text.grounding) if self._text.grounding else 0

    def _take(self, candidate: Candidate) -> None:
        parts = (candidate.get("content") or {}).get("parts") or []
        if len(parts) > MAX_PARTS:
            raise _too_many_parts(len(parts))
        if candidate.get("groundingMetadata"):
            self._text.note_starts(parts)
        # Most events are one piece of text and nothing else.
        if len(parts) == 1 and len(parts[0]) == 1 and (text := parts[0].get("text")):
            self._say(text)
        else:
            self._take_parts(parts)
        if reason := candidate.get("finishReason"):
            self.reason = reason
        if grounding := candidate.get("groundingMetadata"):
            self._text.grounding = grounding
        self._pages = candidate.get("urlContextMetadata") or self._pages
        self._finish_message = candidate.get("finishMessage") or self._finish_message
        if result := candidate.get("logprobsResult"):
            self._logprobs.extend(token_logprobs(result))

    def _take_parts(self, parts: list[Part]) -> None:
        for found in decoded_in_order(parts):
            if isinstance(found, DecodedCall):
                self._take_calls(self._joiner.feed([found]))
            elif isinstance(found, Media):
                self._image(found)
            elif is_server_side(found):
                self._hold(found)
            elif "text" in found:
                if found.get("thought"):
                    self._think(found["text"])
                elif found["text"]:
                    self._say(found["text"])
                signature = found.get("thoughtSignature")
                if signature and not found.get("thought") and isinstance(self._open, OpenMessage):
                    self._open.signature = signature

    def _say(self, text: str) -> None:
        if self.context.hidden is not None:
            self._aside.append(text)
        else:
            self._show(text)

    def _show(self, text: str) -> None:
        self._settle_held()
        message = self._open
        if not isinstance(message, OpenMessage):
            self._close()
            message = self._open = OpenMessage(self._id("msg_"), self._index, self._text.length)
            self._events += message.begin()
        self._text.add(text)
        self._events.append(message.add(text))

    def _think(self, text: str) -> None:
        if not text:
            return
        self._settle_held()
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            self._close()
            reasoning = self._begin_reasoning()
        self._events += reasoning.add(text)

    def _begin_reasoning(self) -> OpenReasoning:
        reasoning = self._open = OpenReasoning(self._id("rs_"), self._index)
        self._events.append(reasoning.begin())
        return reasoning

    def _take_calls(self, whole: list[DecodedCall]) -> None:
        """Calls as they were declared; those of other functions wait for the end, where Gemini may break off.

        Where there are MCP servers, those are of their tools.
        """
        functions, servers = self.context.functions, self.context.tools.servers
        for call in whole:
            declared, changes = as_declared(call, functions)
            if servers and declared.name not in functions:
                self._hold(native_call(call))
                continue
            self.changes += [f"output.{change}" for change in changes]
            if declared.name in functions or not functions:
                self._has_answer = self._has_answer or declared.name in functions
                self._call(declared)
            else:
                self._unknown.append(declared)

    def _call(self, call: DecodedCall) -> None:
        hidden = self.context.hidden
        if hidden is not None and call.name == hidden.name:
            if not self._is_answered:
                self._show(hidden.content(call.args))
            self._is_answered = True
            return
        allowed = self.context.tools.allowed
        if (allowed is not None and call.name not in allowed) or (self._calls and self.context.first_call_only):
            return
        self._settle_held()
        self._calls += 1
        identity = self.context.tools.identity(call.name)
        call_id = self._id("call_", 12)
        if call.signature:
            key = call_key(self.context.caller_id, call_id, identity.key, exact_numbers(call.args))
            self.context.signatures.put(key, call.signature)
            self._carry(Carried([SignedCall(call_id, call.id, call.signature)]))
        self._close()
        kind = KINDS[identity.kind]
        item = {
            "id": self._id(kind.prefix),
            "type": kind.item,
            "status": "completed",
            "call_id": call_id,
            **kind.write(identity, call.args),
        }
        self._events += call_events(item, self._index, kind.events)
        self._end_item(item)

    def _carry(self, carried: Carried) -> None:
        """Give out what the next item needs in the reasoning item before it, which is created where it is missing."""
        sealed = self.context.codec.seal(carried, self.context.family)
        if sealed is None and not self.context.is_stored:
            return
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            self._close()
            reasoning = self._begin_reasoning()
        reasoning.carrier = sealed
        self.kept[reasoning.id] = in_clear(carried, self.context.family)

    def _hold(self, part: Part) -> None:
        """Keep a part until all of its tool's are there: its carrier goes out before its item."""
        if self._held and begins_call(part) and not begins_call(self._held[-1]):
            self._settle_held()
        self._held.append(part)

    def _settle_held(self) -> None:
        if not self._held:
            return
        held, self._held = self._held, []
        if self.context.carries_parts:
            self._carry(Carried(parts=held))
        self._close()
        for item in tool_items(held, self.context.include, self.context.tools.server_label):
            self._show_whole(item)

    def _image(self, media: Media) -> None:
        kind = media.blob.get("mimeType", "")
        if kind.startswith("image/"):
            self._settle_held()
            self._close()
            self._has_answer = True
            self._show_whole(image_item(kind, media.blob.get("data", "")))

    def _show_whole(self, item: Json) -> None:
        shown = {"id": self._id(PREFIXES[item["type"]]), **item}
        if "container_id" in shown:
            shown["container_id"] = self._id("cntr_")
        self._events += events_of(shown, self._index, shows_partial_images=self.context.tools.shows_partial_images)
        self._end_item(shown)

    def _cite(self) -> None:
        """Citations of the message that is open, and of those before, which have ended without."""
        for place, item in enumerate(self.output):
            if place in self._spans and (found := self._text.citations(*self._spans[place])):
                content = [{**item["content"][0], "annotations": found}]
                self.output[place] = {**item, "content": content}
        message = self._open
        if isinstance(message, OpenMessage):
            message.logprobs = self._logprobs
            self._events += message.cite(self._text.citations(message.start, self._text.length))

    def _close(self) -> None:
        """End the item that is open."""
        found, self._open = self._open, None
        if found is None:
            return
        if isinstance(found, OpenMessage) and found.signature:
            key = text_key(self.context.caller_id, self.context.family, found.text)
            self.context.signatures.put(key, found.signature)
            self.kept[found.id] = {"m": self.context.family, "s": found.signature}
        status = "incomplete" if self.status == "incomplete" and isinstance(found, OpenMessage) else "completed"
        self._events += found.end(status)
        item = found.item(status)
        if isinstance(found, OpenMessage) and self.status is None:
            self._spans[len(self.output)] = (found.start, self._text.length)
        self._end_item(item)

    def _end_item(self, item: Json) -> None:
        self.output.append(item)
        self._index += 1

    def _unwrap_fence(self) -> None:
        """Give the JSON of a message that is one Markdown fence, and all of the text."""
        message = self._open
        if not isinstance(message, OpenMessage) or message.start or self._text.grounding:
            return
        if inner := without_fence(message.text):
            message.replace(inner)
            self.changes.append("output.content=fence->JSON")

    def _end_status(self) -> None:
        why = _INCOMPLETE.get(self.finish_reason)
        self.status, self.incomplete = ("incomplete", why) if why else ("completed", None)

    def _block(self, reason: str, message: str | None) -> None:
        if len(self.output) == self._opened and self._open is None:
            raise ApiError(400, refusal(reason, message), param="input", code="invalid_prompt")
        self._blocked = reason

    def _failure(self) -> ApiError | None:
        """The error that this answer is, when Gemini broke off without one."""
        if self._blocked is not None:
            return None
        has_items = len(self.output) > self._opened
        is_empty = not (has_items or self._open or self._held or self._aside or self._unknown)
        if self.reason in BROKEN:  # the text and the whole calls that came before are the answer
            is_empty = not (self._text.length or self._aside or self._has_answer)
            if not is_empty:
                self.changes.append(f"output.finish_reason={self.reason}->completed")
        return empty_answer_error(self.reason, self._finish_message) if is_empty else None

    def _id(self, prefix: str, size: int = 24) -> str:
        digest = hashlib.blake2b(f"{self.seed}:{self._ids}".encode(), digest_size=size).hexdigest()
        self._ids += 1
        return prefix + digest

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def truncated() -> ApiError:
    """The error for an answer that ended before it was whole."""
    return ApiError(
        502,
        "Gemini's stream ended before the answer did. What arrived so far is not the whole answer.",
        type="server_error",
        code="stream_truncated",
    )


def _too_many_parts(count: int) -> ApiError:
    msg = f"Gemini's answer holds {count:,} parts, and at most {MAX_PARTS:,} are read."
    return ApiError(502, msg, type="server_error", code="answer_too_large")
