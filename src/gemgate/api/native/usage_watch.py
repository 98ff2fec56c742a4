"""What an answer says of itself, found in bytes that pass: the tokens, and the model that answered. No I/O.

Only the end of a body is looked at, where Google puts both: a whole answer may hold megabytes of pictures before.
"""

import re

import orjson

from gemgate.gemini.types import UsageMetadata
from gemgate.observability.record import AnswerSummary, Operation

_KEPT = 16_384
_USAGE = re.compile(rb'(?<!\\)"usageMetadata"\s*:\s*(?=\{)')
_MODEL = re.compile(rb'(?<!\\)"modelVersion"\s*:\s*"([\w.:/@-]{1,200})"', re.ASCII)

_QUERIES = re.compile(rb'(?<!\\)"webSearchQueries"\s*:\s*\[')
_TEXT = re.compile(rb'[\s,]*+"((?:[^"\\]|\\.)*+)"')

OPERATIONS: dict[str, Operation] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "generateAnswer": "chat",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "predict": "image_generation",
}
"""Methods that a model answers, by what they are for metrics."""


class UsageTail:
    """`feed` every piece of a body; `summary` says what the last ones said."""

    def __init__(self) -> None:
        self._end = b""

    def feed(self, piece: bytes) -> None:
        """Some more bytes."""
        self._end = (self._end + piece)[-_KEPT:] if len(piece) < _KEPT else piece[-_KEPT:]

    def summary(self) -> AnswerSummary:
        """The `modelVersion` and the usage; None and no counts where Google gives none."""
        models = _MODEL.findall(self._end)
        starts = [found.end() for found in _USAGE.finditer(self._end)]
        usage = _object_at(self._end, starts[-1]) if starts else {}
        queries = [found.end() for found in _QUERIES.finditer(self._end)]
        searches = len(set(_texts_at(self._end, queries[-1]))) if queries else 0
        return AnswerSummary(models[-1].decode() if models else None, usage, searches=searches)


def _texts_at(text: bytes, start: int) -> list[bytes]:
    """The texts of the list whose items begin at `start`."""
    found: list[bytes] = []
    while (item := _TEXT.match(text, start)) is not None:
        if item[1]:
            found.append(item[1])
        start = item.end()
    return found


def _object_at(text: bytes, start: int) -> UsageMetadata:
    """The object that begins at `start`; empty if it is cut. No string in it has a brace."""
    depth = 0
    for place in range(start, len(text)):
        depth += {0x7B: 1, 0x7D: -1}.get(text[place], 0)
        if depth == 0:
            try:
                found: UsageMetadata = orjson.loads(text[start : place + 1])
            except orjson.JSONDecodeError:
                break
            return found
    return {}
