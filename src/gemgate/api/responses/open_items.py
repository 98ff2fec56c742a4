"""Items that are being given: messages and reasoning, which come piece by piece."""

from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from gemgate.api.responses.summaries import SummarySplitter
from gemgate.api.responses.wire import Json


class TextDelta(NamedTuple):
    """The event of a piece of text, of which a stream has more than of all others: written without a dict.

    Attributes:
        head: The event as JSON up to the number, the same for all pieces of a message.
        text: The piece.
    """

    head: bytes
    text: str

    def written(self, number: int) -> bytes:
        """The event with its number, framed."""
        return b"%b%d%b%b}\n\n" % (self.head, number, _DELTA, orjson.dumps(self.text))


_DELTA = b',"logprobs":[],"delta":'

Event = Json | TextDelta
"""An event without its number."""


@dataclass(slots=True)
class OpenMessage:
    """A message of the assistant, which is one text.

    Attributes:
        id: Of the item.
        index: Of the item in the output.
        start: Where its text begins in the text of the whole answer, in characters.
        signature: The last signature on its text.
        annotations: The citations.
        logprobs: Of all its tokens.
    """

    id: str
    index: int
    start: int = 0
    signature: str | None = None
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _head: bytes = b""

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)

    def begin(self) -> list[Json]:
        """Its first events."""
        item = {"id": self.id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        return [
            {"type": "response.output_item.added", "output_index": self.index, "item": item},
            {"type": "response.content_part.added", **self._place(), "part": _text_part("", [], [])},
        ]

    def add(self, text: str) -> TextDelta:
        """The event of a piece of its text."""
        self._pieces.append(text)
        if not self._head:
            kind = "response.output_text.delta"
            place = orjson.dumps({"type": kind, **self._place()}).removesuffix(b"}")
            self._head = b"event: " + kind.encode() + b"\ndata: " + place + b',"sequence_number":'
        return TextDelta(self._head, text)

    def replace(self, text: str) -> None:
        """Have another text, in an answer that is given as a whole."""
        self._pieces = [text]

    def cite(self, citations: list[Json]) -> list[Json]:
        """The events of all its citations."""
        self.annotations = citations
        return [
            {
                "type": "response.output_text.annotation.added",
                **self._place(),
                "annotation_index": number,
                "annotation": citation,
            }
            for number, citation in enumerate(citations)
        ]

    def end(self, status: str) -> list[Json]:
        """Its last events."""
        item = self.item(status)
        (part,) = item["content"]
        return [
            {"type": "response.output_text.done", **self._place(), "text": part["text"], "logprobs": self.logprobs},
            {"type": "response.content_part.done", **self._place(), "part": part},
            {"type": "response.output_item.done", "output_index": self.index, "item": item},
        ]

    def item(self, status: str) -> Json:
        """The item as it is now."""
        part = _text_part(self.text, self.annotations, self.logprobs)
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": [part]}

    def _place(self) -> Json:
        return {"item_id": self.id, "output_index": self.index, "content_index": 0}


@dataclass(slots=True)
class OpenReasoning:
    """Thoughts: a summary in parts, each with a title of its own; and what the item after it needs.

    Attributes:
        id: Of the item.
        index: Of the item in the output.
        carrier: What comes back in `encrypted_content`.
    """

    id: str
    index: int
    carrier: str | None = None
    _parts: list[list[str]] = field(default_factory=list)
    _splitter: SummarySplitter = field(default_factory=SummarySplitter)

    def begin(self) -> Json:
        """Its first event."""
        item = {"id": self.id, "type": "reasoning", "summary": []}
        return {"type": "response.output_item.added", "output_index": self.index, "item": item}

    def add(self, text: str) -> list[Json]:
        """The events of a piece of thought."""
        first, *others = self._splitter.feed(text)
        events = self._say(first)
        for piece in others:
            events += self._end_part()
            self._parts.append([])
            events += [self._added(), *self._delta(piece)]
        return events

    def end(self, status: str) -> list[Json]:
        """Its last events."""
        events = self._say(self._splitter.finish()) + self._end_part()
        return [
            *events,
            {"type": "response.output_item.done", "output_index": self.index, "item": self.item(status)},
        ]

    def item(self, _status: str) -> Json:
        """The item as it is now; such items have no status at OpenAI."""
        summary = [{"type": "summary_text", "text": "".join(pieces)} for pieces in self._parts]
        item: Json = {"id": self.id, "type": "reasoning", "summary": summary}
        if self.carrier is not None:
            item["encrypted_content"] = self.carrier
        return item

    def _say(self, text: str) -> list[Json]:
        if not text:
            return []
        if self._parts:
            return self._delta(text)
        self._parts.append([])
        return [self._added(), *self._delta(text)]

    def _added(self) -> Json:
        return {
            "type": "response.reasoning_summary_part.added",
            **self._place(),
            "part": {"type": "summary_text", "text": ""},
        }

    def _delta(self, text: str) -> list[Json]:
        if not text:
            return []
        self._parts[-1].append(text)
        return [{"type": "response.reasoning_summary_text.delta", **self._place(), "delta": text}]

    def _end_part(self) -> list[Json]:
        if not self._parts:
            return []
        text = "".join(self._parts[-1])
        return [
            {"type": "response.reasoning_summary_text.done", **self._place(), "text": text},
            {
                "type": "response.reasoning_summary_part.done",
                **self._place(),
                "part": {"type": "summary_text", "text": text},
            },
        ]

    def _place(self) -> Json:
        return {"item_id": self.id, "output_index": self.index, "summary_index": max(len(self._parts) - 1, 0)}


def _text_part(text: str, annotations: list[Json], logprobs: list[Json]) -> Json:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}
