"""The end of a conversation that is too long: whole turns, the oldest first, are left out."""

import re
from collections.abc import Sequence

from gemgate.api.responses.items import Item
from gemgate.api.responses.tool_kinds import CALL_ITEMS, OUTPUT_ITEMS, call_id_of

_COUNTS = re.compile(r"\d{3,12}")
_KEPT = frozenset({"additional_tools", "configuration_update"})
_MARGIN = 0.9  # of the share that should fit: items are measured in characters, and the limit is in tokens


def without_oldest_turns(items: Sequence[Item], message: str) -> list[Item]:
    """`items` without the oldest turns. The first items, if they are of the system, stay, and so does the last turn.

    Args:
        items: The conversation.
        message: Google's, which has the count of tokens and the limit.
    """
    lead = next((index for index, item in enumerate(items) if not _is_system(item)), len(items))
    starts = [index for index, item in enumerate(items) if index > lead and _begins_turn(item)]
    sizes = [len(repr(item.fields)) for item in items]
    fits = sum(sizes) * _share(message) * _MARGIN
    left = sum(sizes)
    cut = lead
    for start in starts:
        if left <= fits:
            break
        left -= sum(sizes[cut:start])
        cut = start
    kept = [*items[:lead], *(item for item in items[lead:cut] if item.kind in _KEPT), *items[cut:]]
    calls = {call_id_of(item) for item in kept if item.kind in CALL_ITEMS}
    return [item for item in kept if item.kind not in OUTPUT_ITEMS or call_id_of(item) in calls]


def _is_system(item: Item) -> bool:
    return item.kind in _KEPT or (item.kind == "message" and item.fields.get("role") in ("system", "developer"))


def _begins_turn(item: Item) -> bool:
    return item.kind == "message" and item.fields.get("role") == "user"


def _share(message: str) -> float:
    """The share of the tokens that the model takes; half, where the message does not say."""
    counts = sorted(int(number) for number in _COUNTS.findall(message))
    return counts[0] / counts[-1] if len(counts) >= 2 and counts[-1] else 0.5
