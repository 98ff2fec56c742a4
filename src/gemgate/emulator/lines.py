"""The requests of a batch job, line by line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gemgate.emulator.content import RequestContent

WINDOW = 64
"""The lines of a results file are out of order, but none is further than this from its place."""


class BrokenInput(ValueError):  # noqa: N818 - it says what is wrong with the input
    """A line of an input file that is not a request: the job fails as a whole."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One request: what is beside it (`key` or `metadata`, to be echoed), and the request itself."""

    echoed: dict[str, object]
    request: dict[str, object]


Answerer = Callable[[JobLine], dict[str, object]]


def from_inline(requests: Iterable[dict[str, Any]]) -> Iterator[JobLine]:
    """The lines of inlined requests, which have been checked against the schema."""
    for each in requests:
        yield JobLine({"metadata": each["metadata"]} if "metadata" in each else {}, each["request"])


def from_file(
    content: RequestContent, what: str = "input file", echoed: Sequence[str] = ("key", "metadata")
) -> Iterator[JobLine]:
    """The lines of a JSONL file: `{"key", "request"}`.

    Args:
        content: The bytes.
        what: What errors call it.
        echoed: The fields that are echoed, where they are given.

    Raises:
        BrokenInput: A line is not a JSON object, or has no `request`.
    """
    for number, raw in enumerate(content.lines(), 1):
        try:
            given = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise BrokenInput(f"Line {number} of the {what} is not valid JSON.") from None
        if not isinstance(given, dict) or not isinstance(given.get("request"), dict):
            raise BrokenInput(f"Line {number} of the {what} has no field `request` with an object.")
        yield JobLine({key: given[key] for key in echoed if key in given}, given["request"])


def shuffled(lines: Iterator[JobLine]) -> Iterator[JobLine]:
    """The lines in the order in which they get done: every window of them backwards."""
    window: list[JobLine] = []
    for line in lines:
        window.append(line)
        if len(window) == WINDOW:
            yield from reversed(window)
            window = []
    yield from reversed(window)
