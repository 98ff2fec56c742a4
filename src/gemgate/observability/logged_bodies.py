"""What callers send and get, for the log at its debug setting: with media left out, and cut where it is long."""

import re
from collections.abc import Iterable

import orjson
from starlette.types import Message, Scope

_MAX_BYTES = 262_144
_LONGEST_TEXT = 4_000
_JSON = (b"application/json", b"+json")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{256,}={0,2}")
_DATA_URL = re.compile(r"(data:[\w.+-]+/[\w.+-]+(?:;[\w=.-]+)*,)[^\s\"')]+")


class Bodies:
    """Collects the two bodies of one exchange, up to a limit each."""

    def __init__(self, scope: Scope) -> None:
        self._request = _LoggedBody(_content_type(scope["headers"]))
        self._response = _LoggedBody(b"")

    def received(self, message: Message) -> None:
        """A piece of the request."""
        self._request.add(message.get("body", b""))

    def sent(self, message: Message) -> None:
        """The head or a piece of the answer."""
        if message["type"] == "http.response.start":
            self._response.content_type = _content_type(message.get("headers", ()))
        else:
            self._response.add(message.get("body", b""))

    def shown(self) -> dict[str, object]:
        """The fields of the log line."""
        return {"request_body": self._request.shown(), "response_body": self._response.shown()}


class _LoggedBody:
    def __init__(self, content_type: bytes) -> None:
        self.content_type = content_type
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= _MAX_BYTES:
            self._pieces.append(bytes(piece))

    def shown(self) -> object:
        if not self._size:
            return None
        if self._size > _MAX_BYTES:
            return f"<{self._size} bytes>"
        body = b"".join(self._pieces)
        if any(kind in self.content_type for kind in _JSON):
            try:
                return elided(orjson.loads(body))
            except orjson.JSONDecodeError:
                pass
        elif not self.content_type.startswith(b"text/"):
            return f"<{self._size} bytes of {self.content_type.decode('latin-1')[:80] or 'an unknown type'}>"
        return elided(body.decode("utf-8", "replace"))


def elided(value: object) -> object:
    """A JSON value without media: base64 and `data:` URLs by their length only, long text cut."""
    if isinstance(value, str):
        return _elided_text(value)
    if isinstance(value, dict):
        return {name: elided(item) for name, item in value.items()}
    if isinstance(value, list):
        return [elided(item) for item in value]
    return value


def _elided_text(text: str) -> str:
    text = _DATA_URL.sub(lambda found: f"{found[1]}<{len(found[0]) - len(found[1])} characters>", text)
    text = _BASE64.sub(lambda found: f"<{len(found[0])} characters of base64>", text)
    return (
        text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}<{len(text) - _LONGEST_TEXT} characters more>"
    )


def _content_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return next((bytes(value).lower() for name, value in headers if name.lower() == b"content-type"), b"")
