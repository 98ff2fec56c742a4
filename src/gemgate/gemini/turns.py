"""How turns of a conversation may follow each other."""

from gemgate.gemini.types import Content, Part


class TurnBuilder:
    """Collects `contents`: neighbours of one role become one turn, function responses are turns of their own.

    A turn of function responses takes no sibling parts: Gemini 3 refuses them. Two `user` turns in a row are accepted
    (recorded 140 times), so the responses get a turn of their own.
    """

    def __init__(self) -> None:
        self.contents: list[Content] = []
        self._open = False

    def add(self, role: str, parts: list[Part]) -> None:
        """Append parts of `role` (`user` or `model`); no parts, no turn."""
        if not parts:
            return
        if self._open and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"].extend(parts)
        else:
            self.contents.append({"role": role, "parts": parts})
        self._open = True

    def respond(self, parts: list[Part]) -> None:
        """Append the responses to all calls of the last turn of the model."""
        self.contents.append({"role": "user", "parts": parts})
        self._open = False
