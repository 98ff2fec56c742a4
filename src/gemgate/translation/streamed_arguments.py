"""Calls whose arguments come in frames (`streamFunctionCallArguments`), as whole calls.

The first frame has the name, the next ones have pieces of arguments, each with its path, and the last frame does not
say `willContinue`; it is empty, or missing at the end of a stream.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from gemgate.gemini.parts import DecodedCall
from gemgate.gemini.types import PartialArg

_STEP = re.compile(r"\.([^.\[]+)|\[([0-9]{1,5})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_MAX_STEPS = 50
_MAX_ITEMS = 10_000

Step = str | int


class CallJoiner:
    """Joins the frames of one answer's calls, and lets all other calls through."""

    def __init__(self) -> None:
        self._open: DecodedCall | None = None

    def feed(self, calls: Iterable[DecodedCall]) -> list[DecodedCall]:
        """The calls that are whole now; a frame without a name continues the call before it, or says nothing."""
        whole: list[DecodedCall] = []
        for call in calls:
            if self._open is None and call.name and not (call.will_continue or call.pieces):
                whole.append(call)
                continue
            if call.name:
                whole += self.finish()
                self._open = DecodedCall(call.name, dict(call.args), call.id, call.signature)
            if self._open is None:
                continue
            self._extend(self._open, call)
            if not call.will_continue:
                whole += self.finish()
        return whole

    def finish(self) -> list[DecodedCall]:
        """The call whose last frame is missing."""
        call, self._open = self._open, None
        return [call] if call else []

    def _extend(self, whole: DecodedCall, frame: DecodedCall) -> None:
        whole.id = whole.id or frame.id
        whole.signature = whole.signature or frame.signature
        if not frame.name:
            whole.args |= frame.args
        for piece in frame.pieces:
            steps = _steps(piece.get("jsonPath") or "")
            if steps and isinstance(steps[0], str):
                _add(whole.args, steps, piece)


def _steps(path: str) -> list[Step]:
    """`$.a[0].b` as `["a", 0, "b"]`; empty for any other text."""
    steps: list[Step] = []
    at = 1 if path.startswith("$") else 0
    while at < len(path) and len(steps) < _MAX_STEPS:
        found = _STEP.match(path, at)
        if found is None:
            return []
        name, index, single, double = found.groups()
        steps.append(int(index) if index is not None else name or single or double or "")
        at = found.end()
    return steps if at >= len(path) else []


def _add(args: dict[str, object], steps: list[Step], piece: PartialArg) -> None:
    here: object = args
    for step, following in pairwise(steps):
        inner = _get(here, step)
        if not isinstance(inner, list if isinstance(following, int) else dict):
            inner = [] if isinstance(following, int) else {}
            _put(here, step, inner)
        here = inner
    known = _get(here, steps[-1])
    value = _value(piece)
    _put(here, steps[-1], known + value if isinstance(known, str) and isinstance(value, str) else value)


def _value(piece: PartialArg) -> object:
    for kind in ("stringValue", "numberValue", "boolValue"):
        if (value := piece.get(kind)) is not None:
            return value
    return None


def _get(here: Any, step: Step) -> object:
    if isinstance(here, dict):
        return here.get(step)
    return here[step] if isinstance(step, int) and step < len(here) else None


def _put(here: Any, step: Step, value: object) -> None:
    if isinstance(here, dict):
        here[step] = value
    elif isinstance(step, int) and step < _MAX_ITEMS:
        here.extend([None] * (step + 1 - len(here)))
        here[step] = value
