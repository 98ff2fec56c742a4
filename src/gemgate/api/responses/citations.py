"""Which stretches of an answer Gemini says are supported, as citations of a message."""

from gemgate.api.responses.wire import Json
from gemgate.gemini.types import GroundingMetadata, Part
from gemgate.translation.response_fields import annotations

_STORES = "fileSearchStores/"


class GroundedText:
    """The text of a whole answer, and what supports it.

    Attributes:
        grounding: The last metadata that came.
        length: Of the text so far, in characters.
    """

    def __init__(self) -> None:
        self.grounding: GroundingMetadata = {}
        self.length = 0
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self._bytes = 0
        self._counted = 0
        self._found: list[Json] | None = None

    def add(self, text: str) -> None:
        """Append to the text."""
        self._pieces.append(text)
        self.length += len(text)

    def note_starts(self, parts: list[Part]) -> None:
        """Note where each part of an event with metadata begins, in UTF-8 bytes; offsets may count from there."""
        self._bytes += sum(len(piece.encode()) for piece in self._pieces[self._counted :])
        self._counted = len(self._pieces)
        at, self._starts = self._bytes, []
        for part in parts:
            self._starts.append(at)
            if not part.get("thought"):
                at += len(part.get("text", "").encode())

    def citations(self, start: int, end: int) -> list[Json]:
        """The citations of a message whose text is that from `start` to `end`, with offsets into that message.

        Call it when the answer has ended.
        """
        if not self.grounding:
            return []
        if self._found is None:
            found = annotations(self.grounding, "".join(self._pieces), self._starts)
            self._found = [each["url_citation"] for each in found]
        return [
            _citation(each, start)
            for each in self._found
            if start <= each["start_index"] and each["end_index"] <= end and each["end_index"] > start
        ]


def _citation(found: Json, start: int) -> Json:
    if found["url"].startswith(_STORES):
        index = found["end_index"] - start
        return {"type": "file_citation", "index": index, "file_id": found["url"], "filename": found["title"]}
    return {
        "type": "url_citation",
        "start_index": found["start_index"] - start,
        "end_index": found["end_index"] - start,
        "url": found["url"],
        "title": found["title"],
    }
