"""What an answer says of itself, found in bytes that pass: the tokens, and the model that answered. No I/O.

Only the end of a body is looked at, where Google puts both: a whole answer may hold megabytes of pictures before.
"""

import re
from typing import cast

import orjson

from gemgate.gemini.decisions import DecisionUsage, usage_of
from gemgate.gemini.types import UsageMetadata
from gemgate.observability.record import AnswerSummary, Operation

_KEPT = 16_384
_USAGE = re.compile(rb'(?<!\\)"usageMetadata"\s*:\s*(?=\{)')
_MODEL = re.compile(rb'(?<!\\)"modelVersion"\s*:\s*"([\w.:/@-]{1,200})"', re.ASCII)

_DECISION_USAGE = re.compile(rb'(?<!\\)"usage"\s*:\s*(?=\{)')

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


class DecisionUsageEnds(UsageTail):
    """The same of the Decisions API, which calls it `usage`, and has it before or after the answers."""

    def __init__(self) -> None:
        super().__init__()
        self._begin = b""

    def feed(self, piece: bytes) -> None:
        """Some more bytes."""
        if len(self._begin) < _KEPT:
            self._begin += piece[: _KEPT - len(self._begin)]
        super().feed(piece)

    def summary(self) -> AnswerSummary:
        """The usage; no counts where Google gives none. An answer to a question that is called `usage` has none."""
        for text in (self._end, self._begin):
            for found in _DECISION_USAGE.finditer(text):
                usage = usage_of({"usage": cast("DecisionUsage", _object_at(text, found.end()))})
                if "totalTokenCount" in usage or "promptTokenCount" in usage:
                    return AnswerSummary(None, usage)
        return AnswerSummary(None, {})


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
