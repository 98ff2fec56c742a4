"""Native streams as the chunks of one text completion."""

from collections.abc import Iterable, Iterator
from typing import Any

from gemgate.api.chat.stream import ChatStream
from gemgate.api.completions.answer import OBJECT, finish_of, shown_beside
from gemgate.api.completions.limit import CutText
from gemgate.api.completions.request import TextCompletionTranslation
from gemgate.gemini.types import GenerateContentResponse
from gemgate.gemini.usage import counts, total
from gemgate.observability.record import AnswerSummary
from gemgate.translation.response_fields import service_tier, usage

Chunk = dict[str, Any]


class TextStream:
    """Turns the events of all calls of a request into chunks: a chat stream for each prompt, with its own numbers."""

    def __init__(self, translation: TextCompletionTranslation, *, fallback_id: str, created: int) -> None:
        self._calls, self._n = translation.calls_each, translation.n
        self._chats = [
            ChatStream(chat.context, fallback_id=fallback_id, created=created, calls=chat.calls)
            for chat in translation.chats
        ]
        self._prompts = translation.prompts
        self._tokens = [0] * translation.calls
        self._texts = [CutText(translation.limit) for _ in range(len(self._chats) * self._n)]
        self._has_begun = [not self._prompts] * len(self._texts)
        self._include_usage = translation.include_usage
        self._head: Chunk = {
            "id": f"cmpl-{fallback_id}",
            "object": OBJECT,
            "created": created,
            "model": translation.context.model,
            "system_fingerprint": None,
        }
        self._has_head = False

    @property
    def is_full(self) -> bool:
        """Whether all texts are as long as they may be: what is still written is for nobody."""
        return all(text.is_full for text in self._texts)

    def feed(self, event: GenerateContentResponse, number: int = 0) -> list[Chunk]:
        """The chunks that one event of a call gives."""
        prompt, call = divmod(number, self._calls)
        if meta := event.get("usageMetadata"):
            self._tokens[number] = counts(meta).candidates or self._tokens[number]
        chunks: list[Chunk] = []
        for chunk in self._chats[prompt].feed(event, call):
            chunks += self._of_chat(chunk, prompt)
        chunks += [
            self._chunk(index, "", "length")
            for index in self._written_by(number)
            if self._texts[index].is_cut_at(self._tokens[number])
        ]
        return chunks

    def finish(self) -> list[Chunk]:
        """The last chunks: the finish reason of each text, and the usage if it was asked for.

        Raises:
            ApiError: 502 when a stream ended before its texts did, or when Gemini broke off in every text of a prompt.
        """
        chunks: list[Chunk] = []
        if not self.is_full:
            for prompt, chat in enumerate(self._chats):
                for chunk in chat.finish():
                    chunks += self._of_chat(chunk, prompt)
        if self._include_usage:
            meta = total(summary.usage for summary in self._summaries())
            last = {**self._head, "choices": [], "usage": usage(meta)}
            chunks.append({**last, "service_tier": tier} if (tier := service_tier(meta)) else last)
        return chunks

    def summary(self) -> AnswerSummary:
        """What is known by now of the model, the tokens and the ends."""
        summaries = list(self._summaries())
        reasons = ["length" for text in self._texts if text.is_full] or [
            finish_of(reason) for summary in summaries for reason in summary.finish_reasons
        ]
        served = next((summary.served for summary in summaries if summary.served), None)
        return AnswerSummary(served, total(summary.usage for summary in summaries), self._head["id"], reasons)

    def _summaries(self) -> Iterable[AnswerSummary]:
        return (chat.summary() for chat in self._chats)

    def _written_by(self, number: int) -> range:
        """The texts that a call writes: all of a prompt, or one of them."""
        prompt, call = divmod(number, self._calls)
        first = prompt * self._n
        return range(first, first + self._n) if self._calls == 1 else range(first + call, first + call + 1)

    def _of_chat(self, chunk: Chunk, prompt: int) -> Iterator[Chunk]:
        """A chunk of chat's; a finish reason comes when all calls have ended."""
        if not self._has_head:
            self._take_head(chunk)
        for choice in chunk["choices"]:
            index = prompt * self._n + choice["index"]
            if index >= len(self._texts) or self._texts[index].is_full:
                continue
            cut, delta, reason = self._texts[index], choice["delta"], choice["finish_reason"]
            text = cut.take(delta.get("content") or "")
            if reason is not None:
                call = 0 if self._calls == 1 else choice["index"]
                text += cut.end(self._tokens[prompt * self._calls + call])
            if not self._has_begun[index] and (text or reason):
                self._has_begun[index] = True
                text = self._prompts[prompt] + text
            if reason is not None:
                ended = {"native_finish_reason": choice.get("native_finish_reason"), **shown_beside(delta)}
                yield self._chunk(index, text, "length" if cut.is_full else finish_of(reason), ended)
            elif text:
                yield self._chunk(index, text)

    def _take_head(self, chunk: Chunk) -> None:
        self._has_head = True
        chat_id = str(chunk.get("id", "")).removeprefix("chatcmpl-")
        self._head |= {"system_fingerprint": chunk.get("system_fingerprint")}
        if chat_id:
            self._head["id"] = f"cmpl-{chat_id}"
        if "service_tier" in chunk:
            self._head["service_tier"] = chunk["service_tier"]
        if self._include_usage:
            self._head["usage"] = None

    def _chunk(self, index: int, text: str, reason: str | None = None, ended: Chunk | None = None) -> Chunk:
        choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason, **(ended or {})}
        return {**self._head, "choices": [choice]}
