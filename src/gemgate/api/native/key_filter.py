"""Takes the gateway's Gemini key out of bytes that pass, wherever the upstream has cut them."""

_TELLING = 8
"""Characters at the beginning of a key that tell something of it, if an answer ends there."""


class KeyFilter:
    """`feed` every piece, and give on what it returns; in the end, `finish`.

    A key is replaced by as many asterisks, so that lengths stay true. Bytes without one are given on as they are and at
    once, but for the few at the end of a piece that the next one may complete to the key.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What of `piece`, and of what was held back before, may go on."""
        data = self._held + piece if self._held else piece
        if self._secret in data:
            data = data.replace(self._secret, b"*" * len(self._secret))
        start = self._begins_at(data)
        self._held = data[start:]
        return data[:start] if self._held else data

    def finish(self) -> bytes:
        """What is left, of which nothing follows any more."""
        held, self._held = self._held, b""
        return b"*" * len(held) if len(held) > _TELLING else held

    def _begins_at(self, data: bytes) -> int:
        """Where the end of `data` could be the beginning of the key; its length if nowhere."""
        secret, first = self._secret, self._secret[:1]
        start = data.find(first, max(0, len(data) - len(secret) + 1))
        while start >= 0:
            if secret.startswith(data[start:]):
                return start
            start = data.find(first, start + 1)
        return len(data)
