"""Thoughts as the parts of a summary, however the text of them is cut into events."""

_BLANK = "\n\n"
_TITLE = "**"


class SummarySplitter:
    """Cuts thoughts before each bold title after a blank line, as Gemini writes them.

    A star that may be the first half of a title is held back until the next text comes.
    """

    def __init__(self) -> None:
        self._tail = ""
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """The text in pieces: each but the first begins a part of its own. The first may be empty."""
        text = self._held + text
        self._held = ""
        seen = self._tail + text
        at = len(self._tail)
        if text.endswith("*") and not text.endswith(_TITLE) and seen[:-1].endswith(_BLANK):
            self._held, text, seen = "*", text[:-1], seen[:-1]
        places = []
        found = seen.find(_BLANK + _TITLE)
        while found >= 0:
            if found + len(_BLANK) >= at:
                places.append(found + len(_BLANK) - at)
            found = seen.find(_BLANK + _TITLE, found + len(_BLANK))
        self._tail = seen[-len(_BLANK) :]
        ends = [*places, len(text)]
        return [text[start:end] for start, end in zip([0, *places], ends, strict=True)]

    def finish(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held
