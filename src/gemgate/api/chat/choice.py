"""One choice of an answer: the decoder that whole answers and streams share."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.answer_media import AnswerMedia
from gemgate.api.chat.answer_text import AnswerText, Delta
from gemgate.errors import ApiError
from gemgate.gemini.parts import DecodedCall, Media, decode
from gemgate.gemini.types import (
    Candidate,
    Part,
    PromptFeedback,
)
from gemgate.translation.declared_calls import as_declared
from gemgate.translation.lenient_json import exact_numbers
from gemgate.translation.response_fields import (
    BROKEN,
    FINISH_REASONS,
    empty_answer_error,
    refusal,
    token_logprobs,
)
from gemgate.translation.streamed_arguments import CallJoiner
from gemgate.translation.thought_signatures import call_key

MAX_PARTS = 20_000
"""Parts of one candidate in an answer, or in one event of a stream."""

# What a candidate says beside its content, and its name under `extra_content.google`.
_BESIDE = {
    "avgLogprobs": "avg_logprobs",
    "citationMetadata": "citation_metadata",
    "finishMessage": "finish_message",
    "groundingMetadata": "grounding_metadata",
    "safetyRatings": "safety_ratings",
    "urlContextMetadata": "url_context_metadata",
}


@dataclass(slots=True)
class Choice:
    """What must be remembered of a choice from one event to the next.

    Attributes:
        context: What the request asked for.
        index: The choice's index, which counts over all native calls.
        seed: What generated ids start from: the `responseId`, or an id of the gateway's.
        answer: The text and the thoughts so far.
        calls: How many tool calls were shown; the next one's `index`.
        held_back: How many were not, because the caller wants one at a time.
        media: The images and the speech so far, once there are any.
        reason: The last native finish reason; streams may have two.
        signature: The last signature on text; it is shown once, at the end.
        others: Parts without a counterpart, shown at the end.
        beside: What is beside the content, by our names, shown at the end.
        logprobs: Of all tokens so far.
        held: Calls that Google may still answer itself.
        aside: Text beside a hidden function, which is the answer only if that function is not called.
        is_answered: The hidden function was called.
        hidden_signature: The signature of that call, for want of one on text.
        is_blocked: A filter took the prompt, or the rest of the answer.
        joiner: Where the frames of a call become one, once there is a call.
        declared: How many calls were of functions that the request declares.
        unknown: Calls of other functions; they are shown at the end, unless they are why Gemini broke off.
        changes: What was changed in the answer.
    """

    context: AnswerContext
    index: int
    seed: str
    answer: AnswerText = field(init=False)
    calls: int = 0
    held_back: int = 0
    media: AnswerMedia | None = None
    reason: str | None = None
    signature: str | None = None
    others: list[Part] = field(default_factory=list)
    beside: dict[str, Any] = field(default_factory=dict)
    logprobs: list[dict[str, object]] = field(default_factory=list)
    held: list[DecodedCall] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    is_answered: bool = False
    hidden_signature: str | None = None
    is_blocked: bool = False
    joiner: CallJoiner | None = None
    declared: int = 0
    unknown: list[DecodedCall] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        is_json = self.context.is_json or self.context.hidden is not None
        self.answer = AnswerText(thinks_apart=self.context.dialect == "openai" or is_json)

    def feed(self, candidate: Candidate) -> dict[str, object]:
        """Take in what a candidate adds, and return the delta of the message: empty when nothing shows."""
        parts = (candidate.get("content") or {}).get("parts") or []
        if candidate.get("groundingMetadata"):
            self.answer.note_starts(parts)
        delta: dict[str, object] = {}
        # Most events are one piece of text and nothing else.
        if len(parts) == 1 and len(parts[0]) == 1 and (text := parts[0].get("text")) and self.context.hidden is None:
            self.answer.say(text, delta)
        elif len(parts) > MAX_PARTS:
            raise _too_many_parts(len(parts))
        else:
            self._take_parts(parts, delta)
        self._take_beside(candidate)
        return delta

    def _take_text(self, text: str, delta: dict[str, object]) -> None:
        if self.context.hidden is not None:
            self.aside.append(text)
        else:
            self.answer.say(text, delta)

    def _take_parts(self, parts: list[Part], delta: dict[str, object]) -> None:
        decoded = decode(parts, ("image/", "audio/") if self.context.audio_format else ("image/",))
        for is_thought, text in decoded.texts:
            if is_thought:
                self.answer.think(text, delta)
            else:
                self._take_text(text, delta)
        if decoded.signature:
            self.signature = decoded.signature
        self.others.extend(decoded.others)
        if decoded.calls:
            self._take_calls(decoded.calls, delta)
        if decoded.media:
            self._take_media(decoded.media, delta)

    def finish(self) -> dict[str, object]:
        """The last delta: what can be said only when everything has arrived."""
        delta: dict[str, object] = {}
        if self.joiner is not None:
            self._take_last_calls(self.joiner, delta)
        self._show_calls(self._unanswered(), delta)
        if self.aside:
            self._settle_aside("".join(self.aside), delta)
        if self.answer.is_thinking:
            self.answer.say("", delta)
        if self.media is not None:
            self.media.finish(delta)
        if refused := self.refusal:
            delta["refusal"] = refused
        grounding = self.beside.get("grounding_metadata")
        if grounding and (found := self.answer.annotations(grounding)):
            delta["annotations"] = found
        if google := self._google():
            delta["extra_content"] = {"google": google}
        return delta

    def block(self, feedback: PromptFeedback) -> None:
        """Take in that the prompt was blocked, or the rest of an answer that has no finish reason."""
        self.is_blocked = True
        self.reason = feedback.get("blockReason") or "BLOCK_REASON_UNSPECIFIED"
        self.beside["prompt_feedback"] = feedback

    @property
    def finish_reason(self) -> str:
        """OpenAI's finish reason. Calls make it `tool_calls`, unless the answer was cut or filtered."""
        if self.is_blocked:
            return "content_filter"
        reason = FINISH_REASONS.get(self.reason or "", "stop")
        if reason == "stop" and self.calls:
            return "function_call" if self.context.legacy_functions else "tool_calls"
        return reason

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give."""
        return not (self.answer.pieces or self.calls or self.held or self.media or self.others)

    @property
    def refusal(self) -> str | None:
        """Why there is nothing to read, when a filter took it all."""
        if self.is_empty and self.finish_reason == "content_filter":
            feedback = self.beside.get("prompt_feedback") or {}
            return refusal(self.reason or "", feedback.get("blockReasonMessage") or self.beside.get("finish_message"))
        return None

    def failure(self) -> ApiError | None:
        """The error that this choice is, when Gemini broke off without an answer."""
        if self.is_blocked:
            return None
        is_empty = self.is_empty
        if self.has_broken_off:
            is_empty = not (self.answer.pieces or self.declared or self.media)
        return empty_answer_error(self.reason, self.beside.get("finish_message")) if is_empty else None

    @property
    def has_broken_off(self) -> bool:
        """Whether Gemini broke off; the text and the whole calls that came before are the answer."""
        return self.reason in BROKEN

    def notes(self) -> list[str]:
        """What was changed in the answer, for the caller or the log."""
        notes = [f"choices[{self.index}].{change}" for change in self.changes]
        if self.has_broken_off:
            notes.append(f"choices[{self.index}].finish_reason={self.reason}->{self.finish_reason}")
        return notes

    def _settle_aside(self, text: str, delta: dict[str, object]) -> None:
        """The content must be JSON and nothing else, so text beside the hidden function's call is kept elsewhere."""
        if self.is_answered:
            self.others.append({"text": text})
        else:
            self.answer.say(text, delta)

    def _take_calls(self, calls: list[DecodedCall], delta: dict[str, object]) -> None:
        if self.joiner is None:
            self.joiner = CallJoiner()
        self._take_whole_calls(self.joiner.feed(calls), delta)

    def _take_last_calls(self, joiner: CallJoiner, delta: dict[str, object]) -> None:
        """The call whose last frame never came, where the model was done, and the calls of unknown functions."""
        calls = joiner.finish()
        if self.reason == "STOP":
            self._take_whole_calls(calls, delta)
        if not self.has_broken_off:
            self._give_calls(self.unknown, delta)

    def _take_whole_calls(self, whole: list[DecodedCall], delta: dict[str, object]) -> None:
        functions = self.context.functions
        if not functions:
            self._give_calls(whole, delta)
            return
        calls: list[DecodedCall] = []
        for one in whole:
            call, changes = as_declared(one, functions)
            self.changes += changes
            (calls if call.name in functions else self.unknown).append(call)
        self.declared += len(calls)
        self._give_calls(calls, delta)

    def _give_calls(self, calls: list[DecodedCall], delta: dict[str, object]) -> None:
        hidden = self.context.hidden
        if hidden is not None:
            for call in calls:
                if call.name == hidden.name and not self.is_answered:
                    self.answer.say(hidden.content(call.args), delta)
                    self.hidden_signature = call.signature
                    self.is_answered = True
            calls = [call for call in calls if call.name != hidden.name]
        if self.context.holds_calls:
            self.held.extend(calls)
        else:
            self._show_calls(calls, delta)

    def _show_calls(self, calls: list[DecodedCall], delta: Delta) -> None:
        for call in calls:
            if self.calls and (self.context.first_call_only or self.context.legacy_functions):
                self.held_back += 1
            elif self.context.legacy_functions:
                self._remember(call, "", self.context.names.from_gemini(call.name))
                delta["function_call"] = _function(self.context.names.from_gemini(call.name), call)
                self.calls = 1
            else:
                delta.setdefault("tool_calls", []).append(self._tool_call(call))
                self.calls += 1

    def _tool_call(self, call: DecodedCall) -> dict[str, object]:
        name = self.context.names.from_gemini(call.name)
        call_id = call.id or self._id("call", self.calls)
        shown: dict[str, object] = {"index": self.calls, "id": call_id}
        if call.name in self.context.custom:
            shown |= {"type": "custom", "custom": {"name": name, "input": str(call.args.get("input", ""))}}
        else:
            shown |= {"type": "function", "function": _function(name, call)}
        if call.signature:
            shown["extra_content"] = {"google": {"thought_signature": call.signature}}
            self._remember(call, call_id, name)
        return shown

    def _remember(self, call: DecodedCall, call_id: str, name: str) -> None:
        if call.signature:
            key = call_key(self.context.caller_id, call_id, name, exact_numbers(call.args))
            self.context.signatures.put(key, call.signature)

    def _id(self, prefix: str, count: int) -> str:
        digest = hashlib.blake2b(f"{self.seed}:{self.index}:{count}".encode(), digest_size=12)
        return f"{prefix}_{digest.hexdigest()}"

    def _take_media(self, parts: list[Media], delta: dict[str, object]) -> None:
        if self.media is None:
            self.media = AnswerMedia(self.context.audio_format or "pcm16", self._id("audio", 0))
        for part in parts:
            self.media.take(part, delta)
        self.media.speak(delta)

    def _unanswered(self) -> list[DecodedCall]:
        """The held calls that are the caller's: each `functionResponse` in the answer is Google's own result of one."""
        calls, self.held = self.held, []
        if not calls or not self.others:
            return calls
        answered = Counter(
            (response.get("id"), response.get("name"))
            for part in self.others
            if (response := part.get("functionResponse"))
        )
        unanswered = []
        for call in calls:
            if answered[call.id, call.name] > 0:
                answered[call.id, call.name] -= 1
            else:
                unanswered.append(call)
        return unanswered

    def _take_beside(self, candidate: Candidate) -> None:
        for native, value in candidate.items():
            # An empty groundingMetadata is on all but the last event of some streams.
            if native == "content" or not value:
                continue
            if native == "finishReason":
                self.reason = candidate["finishReason"]
            elif native in _BESIDE:
                self.beside[_BESIDE[native]] = value
            elif native == "logprobsResult":
                self.logprobs.extend(token_logprobs(candidate["logprobsResult"]))

    def _google(self) -> dict[str, object]:
        google: dict[str, object] = dict(self.beside)
        if signature := self.signature or self.hidden_signature:
            google["thought_signature"] = signature
        if self.others:
            google["parts"] = self.others
        if self.held_back:
            google["held_back_tool_calls"] = self.held_back
        return google


def _too_many_parts(count: int) -> ApiError:
    msg = f"Gemini's answer holds {count:,} parts, and at most {MAX_PARTS:,} are read."
    return ApiError(502, msg, type="server_error", code="answer_too_large")


def _function(name: str, call: DecodedCall) -> dict[str, str]:
    return {"name": name, "arguments": orjson.dumps(call.args).decode()}
