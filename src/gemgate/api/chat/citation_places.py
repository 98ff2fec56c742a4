"""Where citations are in a content that holds more than the answer: tags and thoughts."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any


def in_content(annotations: Iterable[dict[str, object]], insertions: list[tuple[int, int]]) -> list[dict[str, object]]:
    """The annotations with their offsets into the answer moved to where they are in the content.

    Args:
        annotations: Citations whose offsets count the characters of the answer.
        insertions: Where something else is between these, and how long it is; in ascending order.
    """
    inserted = _Inserted(insertions)
    return [_placed(annotation, inserted) for annotation in annotations]


class _Inserted:
    """Counts the characters of the content that are not of the answer, before a place in the answer."""

    def __init__(self, insertions: list[tuple[int, int]]) -> None:
        self._places = [at for at, _ in insertions]  # ascending, as they were said
        self._sums = list(accumulate((length for _, length in insertions), initial=0))

    def before(self, place: int) -> int:
        return self._sums[bisect_left(self._places, place)]


def _placed(annotation: Mapping[str, Any], inserted: _Inserted) -> dict[str, object]:
    """`annotation` with its offsets into the answer moved to where they are in the content."""
    citation = annotation["url_citation"]
    start, end = citation["start_index"], citation["end_index"]
    moved = {"start_index": start + inserted.before(start + 1), "end_index": end + inserted.before(end)}
    return {**annotation, "url_citation": {**citation, **moved}}
