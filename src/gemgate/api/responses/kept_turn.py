"""A turn as it is kept: the response, the items of its own input, and what Gemini must be sent back with them.

Each response holds its own turn alone, and each item of a conversation itself: storage grows with what was said.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import orjson
from anyio import to_thread

from gemgate.api.responses.compaction import TRIGGER
from gemgate.api.responses.items import Item, read_input
from gemgate.api.responses.wire import Json
from gemgate.auth.resource_access import LARGE
from gemgate.errors import ApiError

T = TypeVar("T")

_ID_BYTES = 24
_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,128}", re.ASCII)

_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "compaction": "cmp_",
    "web_search_call": "ws_",
    "file_search_call": "fs_",
    "code_interpreter_call": "ci_",
    "image_generation_call": "ig_",
    "mcp_call": "mcp_",
}


def is_id(text: object) -> bool:
    """Whether it may be the id of a response, an item or a conversation: databases refuse some characters."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def new_item_id(kind: str) -> str:
    """An id for an item that came without."""
    return _PREFIXES.get(kind, "item_") + secrets.token_hex(_ID_BYTES)


@dataclass(frozen=True, slots=True)
class InputTurn:
    """The items of one input as they are kept.

    Attributes:
        ids: Of the items; references to other items are left out.
        data: The items as a JSON array.
    """

    ids: tuple[str, ...]
    data: bytes


def input_turn(items: Sequence[Item]) -> InputTurn:
    """The items of an input, each with an id.

    Raises:
        ApiError: 400, they cannot be written as JSON again.
    """
    listed = [listed_item(item) for item in items]
    try:
        data = orjson.dumps(listed)
    except TypeError as error:
        msg = "'input' is nested more than about 200 levels deep, or holds an integer of more than 64 bits."
        raise ApiError(400, msg, param="input", code="invalid_value") from error
    ids = tuple(item["id"] for item in listed if item["type"] != "item_reference")
    return InputTurn(ids, data)


def listed_item(item: Item) -> Json:
    """An item as lists show it: with an id, a type, and the status and the parts of a message."""
    fields = {"id": None, "type": item.kind, **item.fields}
    if not is_id(fields["id"]):
        fields["id"] = new_item_id(item.kind)
    if item.kind == "message":
        fields["status"] = fields.get("status") or "completed"
        if isinstance(fields.get("content"), str):
            fields["content"] = [_text_part(fields["role"], fields["content"])]
    return fields


def _text_part(role: str, text: str) -> Json:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": text}


def written(
    response: Mapping[str, object], turn: bytes, kept: Mapping[str, Json], lasting: Sequence[Json] = ()
) -> bytes:
    """The payload of a response; `turn` is the JSON of its input, `lasting` are messages of turns before it."""
    body = {"response": response, "input": orjson.Fragment(turn), "kept": kept}
    return orjson.dumps({**body, "lasting": lasting} if lasting else body)


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it was kept.

    Attributes:
        response: The Response object.
        input: The items of its input.
        kept: What belongs to items, by their ids.
        lasting: The system and developer messages of the turns before, of which a compaction leaves nothing else.
    """

    response: Json
    input: list[Json]
    kept: dict[str, Json]
    lasting: Sequence[Json] = ()

    @classmethod
    def of(cls, payload: bytes) -> "KeptTurn":
        """The turn that `written` wrote."""
        found = orjson.loads(payload)
        return cls(found["response"], found["input"], found["kept"], found.get("lasting", ()))

    def payload(self, response: Json) -> bytes:
        """The turn with another Response object, as it is kept."""
        return written(response, orjson.dumps(self.input), self.kept, self.lasting)

    def items(self, param: str) -> list[Item]:
        """What was said in this turn, input and output, ready to be sent again; of a compaction, what it leaves."""
        asked = [item for item in self.input if item["type"] != TRIGGER]  # it has been answered
        if compacts(self.response):
            asked = [item for item in asked if is_lasting(item)]
        return kept_items([*self.lasting, *asked, *self.response["output"]], self.kept, param)


def compacts(response: Mapping[str, Any]) -> bool:
    """Whether what a response answers is a compaction of all that was said before."""
    return any(item["type"] == "compaction" for item in response["output"])


def is_lasting(item: Mapping[str, object]) -> bool:
    """Whether an item says how to answer: a compaction leaves it as it is."""
    return item.get("type", "message") == "message" and item.get("role") in ("system", "developer")


async def beside(size: int, read: Callable[[], T]) -> T:
    """What `read` gives, read in a thread where it is of many bytes: others are served meanwhile."""
    return await to_thread.run_sync(read) if size > LARGE else read()


async def read_turn(payload: bytes) -> KeptTurn:
    """The turn that `written` wrote."""
    return await beside(len(payload), partial(KeptTurn.of, payload))


def kept_items(listed: Sequence[Json], kept: Mapping[str, Json], param: str) -> list[Item]:
    """Items that were kept, ready to be sent again."""
    items = read_input(listed, param)
    for item in items:
        item.kept = kept.get(item.fields.get("id", ""))
    return items
