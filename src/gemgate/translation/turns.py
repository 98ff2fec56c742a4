"""The turns of a conversation: how they may follow each other, and how many items they may hold."""

from dataclasses import dataclass, field

from gemgate.errors import ApiError
from gemgate.gemini.types import Content, Part

MAX_ITEMS = 30_000
"""Messages, content parts and tool calls of one request, together."""

MEDIA_ITEMS = 8
"""For how many of them a part with media counts."""


@dataclass(slots=True)
class ItemBudget:
    """What is left of the messages, parts and calls that one request may hold."""

    left: int = MAX_ITEMS

    def take(self, items: int, param: str) -> None:
        """Spend so many items, which are at `param`.

        Raises:
            ApiError: 400, there are too many.
        """
        self.left -= items
        if self.left < 0:
            msg = (
                f"Invalid '{param}': with its {items:,} items the request holds {MAX_ITEMS - self.left:,} or more "
                f"messages, content parts and tool calls, and at most {MAX_ITEMS:,} are read (a part with media "
                f"counts for {MEDIA_ITEMS})."
            )
            raise ApiError(400, msg, param=param, code="array_above_max_length")


@dataclass(slots=True)
class TurnBuilder:
    """Collects `contents`: neighbours of one role become one turn, function responses are turns of their own.

    A turn of function responses takes no sibling parts: Gemini 3 refuses them. Two `user` turns in a row are accepted
    (recorded 140 times), so the responses get a turn of their own.

    Attributes:
        contents: The turns so far.
        is_open: Whether parts of the same role go to the last one.
    """

    contents: list[Content] = field(default_factory=list)
    is_open: bool = False

    def add(self, role: str, parts: list[Part]) -> None:
        """Append parts of `role` (`user` or `model`); no parts, no turn."""
        if not parts:
            return
        if self.is_open and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"].extend(parts)
        else:
            self.contents.append({"role": role, "parts": parts})
        self.is_open = True

    def respond(self, parts: list[Part]) -> None:
        """Append the responses to all calls of the last turn of the model."""
        self.contents.append({"role": "user", "parts": parts})
        self.is_open = False
