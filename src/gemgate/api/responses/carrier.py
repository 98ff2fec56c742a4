"""What Gemini must be sent back and OpenAI's items have no place for, encrypted in `encrypted_content`.

A carrier goes out with a reasoning item, and clients send it back unread: signatures of calls, Gemini's own ids of
them, and whole parts of its built-in tools. It is `gg1.` and a token that only this gateway opens, for the caller who
got it.
"""

import re
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import orjson

from gemgate.api.responses.wire import Json
from gemgate.encryption import Encryptor
from gemgate.gemini.types import Part

PREFIX = "gg1."
SUMMARY_PREFIX = "ggc1."
MAX_SEALED = 65_536
"""Characters of a carrier; what is larger is not given out."""

_MAX_OPENED = 4_194_304
_FAMILY = re.compile(r"(?:models/|vertex/)?([a-z]+-)*+(\d++)?", re.ASCII)


@dataclass(slots=True)
class SignedCall:
    """What belongs to a function call: the id that callers know it by, Gemini's own, and its signature."""

    call_id: str
    native_id: str | None = None
    signature: str | None = None


@dataclass(slots=True)
class Carried:
    """What one carrier holds.

    Attributes:
        calls: Of the calls that follow it.
        parts: Whole parts, in the place where the carrier is.
    """

    calls: list[SignedCall] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.calls or self.parts)


class Summary(NamedTuple):
    """A summary of a conversation; `is_whole`: of all that is before it, so that nothing of that is sent again."""

    text: str
    is_whole: bool


class CarrierCodec:
    """Writes and reads the carriers of one caller.

    Args:
        encryptor: For this purpose only; without one nothing is sealed, and nothing opens.
        caller_id: Whose carriers these are.
    """

    def __init__(self, encryptor: Encryptor | None, caller_id: str) -> None:
        self._encryptor = encryptor
        self._caller_id = caller_id

    def seal(self, carried: Carried, family: str) -> str | None:
        """The carrier, bound to a family of models; None when it would be too large."""
        return self._sealed(PREFIX, in_clear(carried, family))

    def open(self, text: object, family: str) -> Carried | None:
        """What a carrier holds; None for anything but a carrier of this caller and this family of models."""
        found = self._opened(PREFIX, text)
        return None if found is None else from_clear(found, family)

    def seal_summary(self, summary: str, *, is_whole: bool = False) -> str:
        """A summary of a conversation, as the content of a compaction item; `is_whole` as in `Summary`."""
        content: dict[str, object] = {"t": summary, "w": True} if is_whole else {"t": summary}
        return self._sealed(SUMMARY_PREFIX, content, maximum=_MAX_OPENED) or ""

    def open_summary(self, text: object) -> Summary | None:
        """The summary in a compaction item; None when it is not of this gateway, or not of this caller."""
        found = self._opened(SUMMARY_PREFIX, text)
        summary = found.get("t") if found is not None else None
        return Summary(summary, bool(found and found.get("w"))) if isinstance(summary, str) else None

    def _sealed(self, prefix: str, content: dict[str, object], maximum: int = MAX_SEALED) -> str | None:
        if self._encryptor is None:
            return None
        packed = zlib.compress(orjson.dumps({"u": self._caller_id, **content}), 6)
        if len(packed) > maximum * 3 // 4:
            return None
        sealed = prefix + self._encryptor.encrypt(packed).decode()
        return sealed if len(sealed) <= maximum else None

    def _opened(self, prefix: str, text: object) -> dict[str, object] | None:
        if self._encryptor is None or not isinstance(text, str) or not text.startswith(prefix):
            return None
        packed = self._encryptor.decrypt(text.removeprefix(prefix).encode())
        if packed is None:
            return None
        content = orjson.loads(zlib.decompressobj().decompress(packed, _MAX_OPENED))
        return content if content.get("u") == self._caller_id else None


def in_clear(carried: Carried, family: str) -> dict[str, object]:
    """What a carrier holds as JSON, bound to a family of models."""
    entries: list[dict[str, object]] = [
        {"k": "call", "c": call.call_id, "n": call.native_id, "s": call.signature} for call in carried.calls
    ]
    entries += [{"k": "part", "j": part} for part in carried.parts]
    return {"m": family, "p": entries}


def from_clear(found: Json, family: str) -> Carried | None:
    """What `in_clear` wrote; None for another family of models."""
    if found.get("m") != family:
        return None
    carried = Carried()
    for entry in found.get("p") or ():
        if entry["k"] == "call":
            carried.calls.append(SignedCall(entry["c"], entry["n"], entry["s"]))
        elif entry["k"] == "part":
            carried.parts.append(cast("Part", entry["j"]))
    return carried


def model_family(model: str) -> str:
    """Models whose signatures the others of the family understand: `gemini-3` for `models/gemini-3.1-pro-preview`.

    A name without a number, such as `gemini-flash-latest`, is a family of its own.
    """
    found = _FAMILY.match(model)
    name = model.removeprefix("models/")
    return found[0].removeprefix("models/") if found and found[2] else name
