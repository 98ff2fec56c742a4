"""Where a text is cut that was given room for thoughts.

Gemini counts the tokens of a call, and gives no places. A stream has sent most of a text before the count is known, so
the place is that of a number of bytes, whatever the count is; the count decides only whether there is a cut. So a
stream and a whole answer are cut at the same place.
"""

BYTES_PER_TOKEN = 4
"""Of a text in Latin letters, and about as many in others."""


def kept_length(text: str, limit: int, tokens: int) -> int:
    """How many characters of `text` are kept.

    Args:
        text: A whole text.
        limit: How many tokens of it are wanted.
        tokens: Gemini's count for the call that wrote it; 0: not known.
    """
    return len(text) if is_within(tokens, limit) else _fitting(text, limit * BYTES_PER_TOKEN)[0]


def is_within(tokens: int, limit: int) -> bool:
    """Whether Gemini's count for a call says that no text of it is too long; a count of 0 says nothing."""
    return 0 < tokens <= limit


class CutText:
    """One streamed text. What is beyond the place of a cut is held until it is known whether there is one.

    Attributes:
        is_full: Whether it was cut, so that nothing more is sent.
    """

    __slots__ = ("_held", "_limit", "_room", "is_full")

    def __init__(self, limit: int | None) -> None:
        self.is_full = False
        self._limit = limit
        self._room = 0 if limit is None else limit * BYTES_PER_TOKEN
        self._held: list[str] = []

    def take(self, text: str) -> str:
        """What of the next piece may be sent."""
        if self._limit is None or not text:
            return text
        if self.is_full:
            return ""
        if self._held:
            self._held.append(text)
            return ""
        kept, size = _fitting(text, self._room)
        self._room -= size
        if kept < len(text):
            self._held.append(text[kept:])
        return text[:kept]

    def is_cut_at(self, tokens: int) -> bool:
        """Whether the text is cut now that its call has written `tokens`, of which more may come."""
        if self._limit is None or not self._held or tokens <= self._limit:
            return False
        self._cut()
        return True

    def end(self, tokens: int) -> str:
        """What is left to send of a text that has ended, whose call has written `tokens`; 0: not known."""
        if self._limit is None or not self._held:
            return ""
        if not is_within(tokens, self._limit):
            self._cut()
            return ""
        held, self._held = "".join(self._held), []
        return held

    def _cut(self) -> None:
        self.is_full, self._held = True, []


def _fitting(text: str, room: int) -> tuple[int, int]:
    """How many characters of `text` are at most `room` bytes long, and how many bytes these are."""
    size = _size(text)
    if size <= room:
        return len(text), size
    used = 0
    for place, character in enumerate(text):
        size = _size(character)
        if used + size > room:
            return place, used
        used += size
    return len(text), used


def _size(text: str) -> int:
    """Bytes in UTF-8, where a digit counts as a whole token: Gemini's tokenizer splits numbers into digits."""
    digits = sum(map(text.count, "0123456789"))
    return len(text.encode("utf-8", "surrogatepass")) + (BYTES_PER_TOKEN - 1) * digits
