"""The text and the thoughts of one choice, and the places of citations in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gemgate.api.chat.citation_places import in_content
from gemgate.gemini.types import Part
from gemgate.translation.response_fields import annotations

Delta = dict[str, Any]
"""The `delta` of a chunk while it is filled; the `message` of a whole answer is filled in the same way."""


@dataclass(slots=True)
class AnswerText:
    """What was said so far.

    Attributes:
        thinks_apart: Thoughts are a field of their own; else they are between tags in the content.
        pieces: The answer, without thoughts and tags.
        is_thinking: A `<thought>` tag is open.
        length: Of the answer, in characters.
        insertions: The places of tags and thoughts between the answer's characters, and how long they are.
        part_starts: Where the parts of the last grounded event start in the answer, in UTF-8 bytes.
        counted_bytes: Of the answer's first pieces, in UTF-8.
        counted_pieces: How many of them were counted.
    """

    thinks_apart: bool
    pieces: list[str] = field(default_factory=list)
    is_thinking: bool = False
    length: int = 0
    insertions: list[tuple[int, int]] = field(default_factory=list)
    part_starts: list[int] = field(default_factory=list)
    counted_bytes: int = 0
    counted_pieces: int = 0

    def say(self, text: str, delta: Delta) -> None:
        """Add text of the answer to the content of `delta`, behind the end of a thought."""
        shown = text
        if self.is_thinking:
            shown = f"</thought>{text}"
            self.insertions.append((self.length, len(shown) - len(text)))
            self.is_thinking = False
        delta["content"] = delta.get("content", "") + shown
        self.length += len(text)
        if text:
            self.pieces.append(text)

    def think(self, text: str, delta: Delta) -> None:
        """Add a thought to `delta`, where the caller expects it."""
        if self.thinks_apart:
            delta["reasoning_content"] = delta.get("reasoning_content", "") + text
            return
        shown = text if self.is_thinking else f"<thought>{text}"
        self.is_thinking = True
        self.insertions.append((self.length, len(shown)))
        delta["content"] = delta.get("content", "") + shown
        delta["extra_content"] = {"google": {"thought": True}}

    def note_starts(self, parts: Sequence[Part]) -> None:
        """Note where the parts of a grounded event start, before they are said."""
        at = self._text_bytes()
        self.part_starts = []
        for part in parts:
            self.part_starts.append(at)
            if not part.get("thought"):
                at += len(part.get("text", "").encode())

    def annotations(self, grounding: Any) -> list[dict[str, object]]:
        """The citations of the whole answer, at their places in the content."""
        found = annotations(grounding, "".join(self.pieces), self.part_starts)
        placed = in_content(found, self.insertions) if found else []
        return [{"index": index, **item} for index, item in enumerate(placed)]

    def _text_bytes(self) -> int:
        """How long the answer is so far, in UTF-8 bytes; each piece is counted once."""
        self.counted_bytes += sum(len(text.encode()) for text in self.pieces[self.counted_pieces :])
        self.counted_pieces = len(self.pieces)
        return self.counted_bytes
