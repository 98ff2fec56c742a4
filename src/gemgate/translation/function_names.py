"""Function names: Gemini's alphabet is narrower than what callers use, so names are changed on the way and restored."""

import re
from dataclasses import dataclass, field

_VALID = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}\Z")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:-]")
_MAX = 64
_ROOM = 10  # for a number behind a long name


@dataclass(slots=True)
class NameMap:
    """Both directions, without collisions; the same names in the same order give the same result."""

    _native: dict[str, str] = field(default_factory=dict, init=False)
    _original: dict[str, str] = field(default_factory=dict, init=False)
    _counts: dict[str, int] = field(default_factory=dict, init=False)

    def reserve(self, name: str) -> None:
        """Keep `name` for itself, so that no changed name takes it."""
        if _VALID.match(name):
            self._native[name] = self._original[name] = name

    def to_gemini(self, name: str) -> str:
        """`name` in Gemini's alphabet: `[A-Za-z_][A-Za-z0-9_.:-]{0,63}` (older models enforce 64 characters)."""
        native = self._native.get(name)
        if native is None:
            native = self._unused(name)
            self._native[name] = native
            self._original[native] = name
        return native

    def from_gemini(self, native: str) -> str:
        """The caller's name; a name that was never sent is the model's own and stays."""
        return self._original.get(native, native)

    def _unused(self, name: str) -> str:
        clean = _FOREIGN.sub("_", name) or "_"
        if not (clean[0].isalpha() or clean[0] == "_"):
            clean = "_" + clean
        native = clean[:_MAX]
        if native not in self._original:
            return native
        stem = clean[: _MAX - _ROOM]
        count = self._counts.get(stem, 1)
        while native in self._original:
            count += 1
            native = f"{clean[: _MAX - len(str(count)) - 1]}_{count}"
        self._counts[stem] = count  # the next one need not try those before
        return native


def is_recognizable(native: str, name: str) -> bool:
    """Whether `native` can be read as `name`: no letter was lost, nothing was cut, no number was added."""
    lost = any(char.isalnum() for char in _FOREIGN.findall(name))
    return not lost and native.removeprefix("_") == _FOREIGN.sub("_", name).removeprefix("_")
