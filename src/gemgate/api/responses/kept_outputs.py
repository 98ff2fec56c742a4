"""Outputs of calls in a conversation, which takes items one by one and can lose one of a pair."""

from collections.abc import Sequence

from gemgate.api.responses.items import Item
from gemgate.api.responses.tool_kinds import CALL_ITEMS, OUTPUT_ITEMS, call_id_of
from gemgate.translation.notes import Notes


def with_calls(items: Sequence[Item], notes: Notes) -> Sequence[Item]:
    """The items without those outputs of a kept conversation whose call is not there, which are noted.

    Gemini takes no response without its call, and nothing is wrong with what the caller sends now: to refuse it would
    be to refuse each request of the conversation from then on.
    """
    if not any(_is_kept_output(item) for item in items):
        return items
    calls = {call_id_of(item) for item in items if item.kind in CALL_ITEMS}
    found = []
    for item in items:
        if _is_kept_output(item) and call_id_of(item) not in calls:
            notes.adjust(f"{item.param}->none: its call is not there")
        else:
            found.append(item)
    return found


def _is_kept_output(item: Item) -> bool:
    return item.kind in OUTPUT_ITEMS and item.param.startswith("conversation") and not is_listing(item)


def is_listing(item: Item) -> bool:
    """Whether an output only brings tools, and answers no call of the model's."""
    return item.kind == "tool_search_output" and not (item.fields.get("call_id") or item.fields.get("id"))
