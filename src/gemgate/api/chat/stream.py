"""A native stream as chat completion chunks."""

from collections.abc import Iterator
from typing import Any

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.choice import Choice
from gemgate.errors import ApiError
from gemgate.gemini.types import GenerateContentResponse, PromptFeedback, UsageMetadata
from gemgate.gemini.usage import total, web_searches
from gemgate.observability.record import AnswerSummary
from gemgate.translation.response_fields import block, service_tier, usage


class ChatStream:
    """Turns the events of one request's native streams into chunks.

    It remembers what holds over all events: one id, the role and each choice's place said once and in order, tool-call
    indexes that count over a whole choice, the last usage of each call, and whether every choice ended. The end is the
    end of the stream (`finish`), not the first finish reason: recorded streams carry two.
    """

    def __init__(self, context: AnswerContext, *, fallback_id: str, created: int, calls: int = 1) -> None:
        self._context = context
        self._seed = fallback_id
        self._created = created
        self._head: dict[str, Any] | None = None
        self._choices: dict[int, Choice] = {}
        self._announced = 0
        self._status: dict[str, object] | None = None
        self._blocked: dict[int, PromptFeedback] = {}
        self._usage: list[UsageMetadata] = [{} for _ in range(calls)]

    def feed(self, event: GenerateContentResponse, call: int = 0) -> list[dict[str, object]]:
        """The chunks that one event of call number `call` gives: none, when there is nothing to show."""
        if self._head is None:
            self._head = self._make_head(event)
            self._status = event.get("modelStatus")
        if meta := event.get("usageMetadata"):
            # Counts start again between the rounds of built-in tools: what the last event leaves out is not of before.
            self._usage[call] = meta if "totalTokenCount" in meta else {**self._usage[call], **meta}
        if "promptFeedback" in event and (feedback := block(event)):
            self._blocked[call] = feedback
        chunks: list[dict[str, object]] = []
        for candidate in event.get("candidates") or ():
            index = call + candidate.get("index", 0)
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = Choice(self._context, index, event.get("responseId") or self._seed)
            if delta := choice.feed(candidate):
                if index >= self._announced:
                    chunks.extend(self._announce(index))
                chunks.append(self._chunk(index, delta))
        return chunks

    def finish(self) -> list[dict[str, object]]:
        """The last chunks: each choice's finish reason, and the usage if it was asked for.

        Raises:
            ApiError: 502 when the stream ended before every choice did (`stream_truncated`), or when Gemini broke off
                in every choice.
        """
        chunks: list[dict[str, object]] = []
        choices = [self._ended(index) for index in range(max(len(self._usage), 1 + max(self._choices, default=0)))]
        for choice in choices:
            chunks.extend(self._announce(choice.index))
            chunks.append(self._end(choice))
        failures = [failure for choice in choices if (failure := choice.failure())]
        if len(failures) == len(choices):
            raise failures[0]
        return [*chunks, *self._usage_chunk()]

    def summary(self) -> AnswerSummary:
        """What is known by now of the model, the tokens and the ends."""
        head = self._head or {}
        choices = self._choices.values()
        reasons = [choice.finish_reason for choice in choices if choice.reason is not None]
        grounded = [found for choice in choices if (found := choice.beside.get("grounding_metadata"))]
        searches = sum(map(web_searches, grounded)) if grounded else 0
        changed = [choice for choice in choices if choice.changes or choice.reason != "STOP"]
        changes = [change for choice in changed for change in choice.notes()]
        served, meta = head.get("system_fingerprint"), total(self._usage)
        return AnswerSummary(served, meta, head.get("id"), reasons, searches, changes)

    def _ended(self, index: int) -> Choice:
        """The choice that ended, or whose prompt was blocked.

        Raises:
            ApiError: 502 when it did neither.
        """
        feedback = self._blocked.get(index if len(self._usage) > 1 else 0)
        choice = self._choices.get(index)
        if choice is None and feedback:
            choice = Choice(self._context, index, self._seed)
        if choice is None or (choice.reason is None and not feedback):
            raise _truncated()
        if choice.reason is None and feedback:
            choice.block(feedback)
        return choice

    def _end(self, choice: Choice) -> dict[str, object]:
        if self._status:
            choice.beside["model_status"] = self._status
        last: dict[str, object] = {"index": choice.index, "delta": choice.finish(), "logprobs": None}
        if choice.logprobs:
            last["logprobs"] = {"content": choice.logprobs, "refusal": None}
        last["finish_reason"], last["native_finish_reason"] = choice.finish_reason, choice.reason
        return {**(self._head or {}), "choices": [last]}

    def _announce(self, index: int) -> Iterator[dict[str, object]]:
        """The role of each choice up to `index`: SDKs keep choices in a list, so a new one must be the next."""
        while self._announced <= index:
            yield self._chunk(self._announced, {"role": "assistant", "content": ""})
            self._announced += 1

    def _chunk(self, index: int, delta: dict[str, object]) -> dict[str, object]:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        return {**(self._head or {}), "choices": [choice]}

    def _usage_chunk(self) -> list[dict[str, object]]:
        if not self._context.include_usage:
            return []
        meta = total(self._usage)
        chunk = {**(self._head or {}), "choices": [], "usage": usage(meta)}
        if tier := service_tier(meta):
            chunk["service_tier"] = tier
        return [chunk]

    def _make_head(self, event: GenerateContentResponse) -> dict[str, Any]:
        head: dict[str, object] = {
            "id": f"chatcmpl-{event.get('responseId') or self._seed}",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._context.model,
            "system_fingerprint": event.get("modelVersion"),
        }
        if (meta := event.get("usageMetadata")) and (tier := service_tier(meta)):
            head["service_tier"] = tier
        if self._context.include_usage:
            head["usage"] = None
        return head


def _truncated() -> ApiError:
    return ApiError(
        502,
        "Gemini's stream ended before the answer did. What arrived so far is not the whole answer.",
        type="server_error",
        code="stream_truncated",
    )
