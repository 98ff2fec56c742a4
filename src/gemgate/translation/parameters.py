"""What can become of a parameter; the table of each endpoint is in its `wire.py`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ParameterSupport:
    """The fate of a parameter.

    Attributes:
        kind: `mapped` to a native field, `handled` by the gateway itself, `dropped` (named in a header), or `rejected`.
        text: Where it goes, or why it cannot.
    """

    kind: Literal["mapped", "handled", "dropped", "rejected"]
    text: str


def mapped(text: str) -> ParameterSupport:
    """It reaches Gemini."""
    return ParameterSupport("mapped", text)


def handled(text: str) -> ParameterSupport:
    """The gateway does it itself."""
    return ParameterSupport("handled", text)


def dropped(text: str) -> ParameterSupport:
    """Gemini has nothing like it."""
    return ParameterSupport("dropped", text)


def rejected(text: str) -> ParameterSupport:
    """It is a 400, because leaving it out would give something else than was asked for."""
    return ParameterSupport("rejected", text)
