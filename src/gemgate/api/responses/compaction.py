"""Compaction: a summary of a conversation, encrypted in one item that replaces the conversation in later requests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gemgate.api.responses.history import SUMMARY
from gemgate.api.responses.items import Item
from gemgate.api.responses.open_items import Event
from gemgate.api.responses.output import OutputMachine
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.errors import ApiError
from gemgate.gemini.parts import DecodedCall
from gemgate.translation.response_fields import no_answer

TRIGGER = "compaction_trigger"

_ASK = (
    "Summarise the conversation so far, so that another assistant can go on with it knowing nothing but your summary. "
    "State what the user wants, every decision and constraint, what was done with which files, commands, names and "
    "numbers, what came of it, what failed, and what remains to do. Write the summary and nothing else."
)
_WITHOUT = {
    "include": None,
    "max_output_tokens": None,
    "parallel_tool_calls": None,
    "text": None,
    "tool_choice": None,
    "tools": None,
}


def is_triggered(items: Sequence[Item]) -> bool:
    """Whether the input ends with the wish for a compaction.

    Raises:
        ApiError: 400, the wish is in another place.
    """
    for item in items[:-1]:
        if item.kind == TRIGGER:
            msg = f"'{item.param}' is a {TRIGGER}, which must be the last item."
            raise ApiError(400, msg, param=item.param, code="invalid_value")
    return bool(items) and items[-1].kind == TRIGGER


def request_for_summary(request: ResponseRequest, items: Sequence[Item]) -> tuple[ResponseRequest, list[Item]]:
    """What asks Gemini for the summary: the conversation as it would be sent, but without tools."""
    kept = [item for item in items if item.kind not in (TRIGGER, "additional_tools")]
    ask = Item("message", {"type": "message", "role": "user", "content": _ASK}, "input", _ASK)
    return request.model_copy(update=_WITHOUT), [*kept, ask]


def compaction_of(response: Json, items: Sequence[Item]) -> Json:
    """The answer of `POST /responses/compact`: the messages of the user as they came, and the item of `response`."""
    return {
        "id": response["id"],
        "object": "response.compaction",
        "created_at": response["created_at"],
        "output": [*_messages(items, response["id"].removeprefix("resp_")), *response["output"]],
        "usage": response["usage"],
    }


def _messages(items: Sequence[Item], seed: str) -> list[Json]:
    """The messages of the user in their full form, with ids for those that have none."""
    messages = []
    for number, item in enumerate(items):
        if item.kind != "message" or item.fields["role"] != "user":
            continue
        content = item.fields.get("content")
        if isinstance(content, str):
            content = [{"type": "input_text", "text": content}]
        head = {"id": item.fields.get("id") or f"msg_{seed[:32]}{number:08x}", "type": "message"}
        messages.append({**head, "status": "completed", "role": "user", "content": content or []})
    return messages


@dataclass(slots=True)
class CompactionMachine(OutputMachine):
    """Makes one compaction item of an answer that is a summary."""

    _summary: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What Gemini has written."""
        return "".join(self._summary).strip()

    def finish(self, *, is_whole: bool = False) -> list[Event]:
        """The events of the item.

        Raises:
            ApiError: 502 when Gemini gave nothing, or broke off.
        """
        OutputMachine.finish(self, is_whole=is_whole)
        if not self.summary:
            raise no_answer(self.reason)
        sealed = self.context.codec.seal_summary(self.summary)
        self._show_whole({"type": "compaction", "encrypted_content": sealed})
        return self._taken()

    def _show(self, text: str) -> None:
        self._summary.append(text)

    def _think(self, text: str) -> None:
        """Thoughts are not part of the summary."""

    def _call(self, call: DecodedCall) -> None:
        """A call in place of a summary is left out."""


@dataclass(slots=True)
class OpenedMachine(OutputMachine):
    """Gives an answer whose conversation was compacted before: the compaction is the first item."""

    def __post_init__(self) -> None:
        opening = self.context.opening
        if opening is not None:
            sealed = self.context.codec.seal_summary(opening.summary, is_whole=True)
            self._show_whole({"type": "compaction", "encrypted_content": sealed})
            self._opened = len(self.output)


def summary_item(summary: str) -> Item:
    """A summary as the user's words, in the place of the conversation that it is of."""
    text = SUMMARY + summary
    return Item("message", {"type": "message", "role": "user", "content": text}, "input", text)
