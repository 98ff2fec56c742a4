"""What can become of a parameter; each slice has a table of its own in its `fates.py`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fate:
    """The fate of a parameter.

    Attributes:
        kind: `mapped` to a native field, `answered` by the gateway itself, `dropped` (named in a header), or `refused`.
        text: Where it goes, or why it cannot.
    """

    kind: Literal["mapped", "answered", "dropped", "refused"]
    text: str


def mapped(text: str) -> Fate:
    """It reaches Gemini."""
    return Fate("mapped", text)


def answered(text: str) -> Fate:
    """The gateway does it itself."""
    return Fate("answered", text)


def dropped(text: str) -> Fate:
    """Gemini has nothing like it."""
    return Fate("dropped", text)


def refused(text: str) -> Fate:
    """It is a 400, because leaving it out would give something else than was asked for."""
    return Fate("refused", text)
