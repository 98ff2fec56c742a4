"""Where a text is cut that was given room for thoughts. Gemini counts tokens, and says how many; it gives no places."""

import math

BYTES_PER_TOKEN = 4
"""Where Gemini says nothing."""


def kept_length(text: str, limit: int, tokens: int, written: str = "") -> int:
    """How many characters of `text` are its first `limit` tokens, by the average token.

    Args:
        text: A text.
        limit: How many tokens of it are wanted.
        tokens: Gemini's count for `written`; 0: not known.
        written: All that was counted, where that is more than the text.
    """
    written = written or text
    count = tokens or len(written.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN
    if count <= limit:
        return len(text)
    return min(len(text), max(1, math.floor(len(written) * limit / count)))


class CutText:
    """The characters of one streamed text that may still be sent.

    Attributes:
        sent: How many were.
        is_full: Whether no more may be.
    """

    def __init__(self, limit: int | None) -> None:
        self.sent = 0
        self.is_full = False
        self._limit = limit

    def take(self, text: str, characters: int, size: int, tokens: int) -> str:
        """What is left of the next piece.

        Args:
            text: The piece.
            characters: That the call has written so far, this piece included.
            size: The same in bytes of UTF-8.
            tokens: Gemini's count of them; 0: not known.
        """
        if self.is_full:
            return ""
        if self._limit is not None:
            count = tokens or size / BYTES_PER_TOKEN
            allowed = math.floor(characters * self._limit / count) if count > self._limit else characters
            room = max(0, max(1, allowed) - self.sent)
            if room < len(text):
                text, self.is_full = text[:room], True
        self.sent += len(text)
        return text
