"""Responses that are kept in the store: what a request refers to is found there, and its own turn is added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import orjson
import structlog

from gemgate.api.responses.compaction import TRIGGER
from gemgate.api.responses.items import Item, read_input
from gemgate.api.responses.kept_turn import (
    InputTurn,
    KeptTurn,
    beside,
    compacts,
    input_turn,
    is_id,
    is_lasting,
    kept_items,
    listed_item,
    written,
)
from gemgate.api.responses.state import ResolvedRequest, Said
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError, missing_field
from gemgate.redaction import traceback_of
from gemgate.store import (
    KeptTooLargeError,
    ResponseUnknownError,
    Store,
    StoredEvents,
    StoredItem,
    StoredResponse,
    StoreError,
    StoreUnavailableError,
)
from gemgate.web.heavy_work import Aside

_AT_WORK = frozenset({"queued", "in_progress"})

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeptResponses:
    """Keeps responses and their items; those of other callers are as if they were not there.

    Attributes:
        store: Where they are.
        lifetime: Seconds for which a response is kept, and a conversation after its last change.
        max_bytes: How large all may be that a request goes on from, as JSON.
    """

    store: Store
    lifetime: int
    max_bytes: int

    async def resolve(
        self,
        request: ResponseRequest,
        caller: Caller,
        aside: Aside,
        said: Said | None = None,
        *,
        is_kept: bool = True,
    ) -> ResolvedRequest:
        """The request with what `previous_response_id`, `conversation` and item references name.

        Args:
            request: As it came.
            caller: Who sends it.
            aside: How its items are read.
            said: What `previous_response_id` means, where that is known already.
            is_kept: Whether anything may be kept of it, for which there must be room.

        Raises:
            ApiError: 400 or 404, it names something that is not there, or not the caller's; or what it asks for
                together excludes each other. 413, it goes on from more than `max_bytes`.
            StoreError: the store failed, or has no room for the caller.
        """
        _check_combination(request)
        own = await aside.run(partial(read_input, request.input))
        before, size = said or await self._before(request, caller)
        known, referred = await self._referred(before, own, caller, self.max_bytes - size)
        size += referred
        read = partial(_resolved, request, before, own, known, is_kept=is_kept)
        resolved = await aside.with_kept(size).run(read)
        resolved.kept_bytes = size
        if resolved.turn is not None:
            await self._check_room(resolved, resolved.turn, caller)
        return resolved

    async def _check_room(self, resolved: ResolvedRequest, turn: InputTurn, caller: Caller) -> None:
        """Refuse what would not fit. Where the store fails, a request that needs nothing of it is not kept."""
        try:
            await self.store.room.check_bytes(caller.id, len(turn.data))
        except StoreUnavailableError as error:
            request = resolved.request
            if request.background or request.previous_response_id or request.conversation_id:
                raise
            resolved.is_stored, resolved.turn = False, None
            _log.warning("a response is not kept", error=str(error))

    async def keep(self, resolved: ResolvedRequest, caller: Caller, response: Json, kept: Mapping[str, Json]) -> None:
        """Keep a response that has ended, before its caller can know its end.

        Where the store fails, `response` says from then on that it is not stored: whatever refers to it will fail.
        """
        turn = resolved.turn
        if turn is None:
            return
        lasting, previous_id = left_by(resolved, response)
        try:
            await self.add_to_conversation(resolved, caller, response, kept)
            await self.store.responses.create(
                caller.id,
                response["id"],
                written(response, turn.data, kept, lasting),
                status=response["status"],
                expires_after=self.lifetime,
                previous_id=previous_id,
                items=item_ids(turn, response),
            )
        except StoreError as error:
            response["store"] = False
            _log.error("a response was not kept", response_id=response["id"], exception=traceback_of(error))

    async def begin(
        self, resolved: ResolvedRequest, caller: Caller, response: Json, lease: float, events: StoredEvents | None
    ) -> None:
        """Keep a response that this process is about to generate, and holds for `lease` seconds.

        Raises:
            StoreError: the store failed.
        """
        turn = _turn_of(resolved)
        await self.store.responses.create(
            caller.id,
            response["id"],
            written(response, turn.data, {}),
            status=response["status"],
            expires_after=self.lifetime,
            previous_id=resolved.request.previous_response_id,
            items=turn.ids,
            lease=lease,
            events=events,
        )

    async def finish(
        self,
        resolved: ResolvedRequest,
        caller: Caller,
        response: Json,
        kept: Mapping[str, Json],
        events: StoredEvents | None,
    ) -> bool:
        """Keep the end of a response that was begun, and its last events; False where it has ended otherwise.

        Raises:
            StoreError: the store failed.
        """
        turn = _turn_of(resolved)
        lasting, previous_id = left_by(resolved, response)
        has_ended = await self.store.responses.replace(
            caller.id,
            response["id"],
            written(response, turn.data, kept, lasting),
            status=response["status"],
            items=item_ids(turn, response),
            events=events,
            is_first=previous_id is None,
        )
        if has_ended and response["status"] in ("completed", "incomplete"):
            await self.add_to_conversation(resolved, caller, response, kept)
        return has_ended

    async def add_to_conversation(
        self, resolved: ResolvedRequest, caller: Caller, response: Json, kept: Mapping[str, Json]
    ) -> None:
        """Append what was asked and answered to the conversation of the request, if it has one.

        Raises:
            StoreError: the store failed.
        """
        name = resolved.request.conversation_id
        if name is None or resolved.turn is None or response["status"] == "failed":
            return
        turn = resolved.turn.data
        items = await beside(len(turn), partial(_conversation_items, turn, response["output"], kept))
        await self.store.conversations.append(caller.id, name, items, self.lifetime)

    async def _before(self, request: ResponseRequest, caller: Caller) -> tuple[list[Item], int]:
        """What was said before the input, and the bytes of it."""
        if request.previous_response_id is not None:
            return await self._chain(request.previous_response_id, caller)
        if request.conversation_id is not None:
            return await self._conversation(request.conversation_id, caller)
        return [], 0

    async def _chain(self, response_id: str, caller: Caller) -> tuple[list[Item], int]:
        if not is_id(response_id):
            raise previous_not_found(response_id)
        try:
            chain = await self.store.responses.chain(caller.id, response_id, self.max_bytes)
        except ResponseUnknownError as error:
            raise previous_not_found(error.response_id) from None
        except KeptTooLargeError as error:
            raise _too_large(error, "previous_response_id") from None
        if chain[-1].row.status in _AT_WORK:
            msg = f"Previous response with id '{response_id}' has not ended yet: its status is {chain[-1].row.status}."
            raise ApiError(400, msg, param="previous_response_id", code="invalid_value")
        size = sum(len(each.payload) for each in chain)
        return await beside(size, partial(_items_of_chain, chain)), size

    async def _conversation(self, name: str, caller: Caller) -> tuple[list[Item], int]:
        if not is_id(name) or await self.store.conversations.get(caller.id, name) is None:
            raise conversation_not_found(name)
        try:
            stored = await self.store.conversations.items(caller.id, name, self.max_bytes)
        except KeptTooLargeError as error:
            raise _too_large(error, "conversation") from None
        size = sum(len(each.payload) for each in stored)
        return await beside(size, partial(_items_of_conversation, stored)), size

    async def _referred(
        self, before: Sequence[Item], own: Sequence[Item], caller: Caller, max_bytes: int
    ) -> tuple[dict[str, Item], int]:
        """The items that references may mean, by their ids, and the bytes that were read for it."""
        items = [*before, *own]
        wanted = {item.text_field("id"): None for item in items if item.kind == "item_reference"}
        if not wanted:
            return {}, 0
        known = {item.fields["id"]: item for item in items if item.kind != "item_reference" and item.fields.get("id")}
        missing = [name for name in wanted if name not in known and is_id(name)]
        try:
            stored = await self.store.responses.of_items(caller.id, missing, max_bytes)
        except KeptTooLargeError as error:
            raise _too_large(error, "input") from None
        found = list({each.row.id: each for each in stored.values()}.values())
        size = sum(len(each.payload) for each in found)
        for item in await beside(size, partial(_items_of_chain, found, "input")):
            if item.kind != "item_reference":
                known.setdefault(item.fields["id"], item)
        return known, size


def _resolved(
    request: ResponseRequest,
    before: Sequence[Item],
    own: Sequence[Item],
    known: Mapping[str, Item],
    *,
    is_kept: bool,
) -> ResolvedRequest:
    """The request with its items; those that it refers to are `known` by their ids."""
    there = {item.fields.get("id") for item in before if item.kind != "item_reference"}
    own = [item for item in own if item.kind != "item_reference" or item.fields["id"] not in there]
    named = _replaced(own, known)
    items = [*_replaced(before, known), *named]
    if request.store is False:
        return ResolvedRequest(request, items, named)
    turn = input_turn(own if request.conversation_id is None else named) if is_kept else None
    return ResolvedRequest(request, items, named, is_stored=True, turn=turn)


def _items_of_chain(chain: Sequence[StoredResponse], param: str = "previous_response_id") -> list[Item]:
    return [item for each in chain for item in KeptTurn.of(each.payload).items(param)]


def _items_of_conversation(stored: Sequence[StoredItem]) -> list[Item]:
    """The items of a conversation; of what came before its last compaction, the instructions alone."""
    found = [orjson.loads(each.payload) for each in stored]
    since = max((place for place, each in enumerate(found) if each.get("compacts")), default=0)
    found = [*(each for each in found[:since] if is_lasting(each["item"])), *found[since:]]
    kept = {each["item"]["id"]: each["kept"] for each in found if each["kept"] is not None}
    return kept_items([each["item"] for each in found], kept, "conversation")


def _too_large(error: KeptTooLargeError, param: str) -> ApiError:
    msg = (
        f"What '{param}' goes on from is {error.size} bytes, and a request may go on from {error.maximum}. Compact it "
        "(POST /v1/responses/compact), or send the items that matter in 'input'."
    )
    return ApiError(413, msg, param=param, code="request_too_large")


def _replaced(items: Sequence[Item], known: Mapping[str, Item]) -> list[Item]:
    """`items` with what references refer to in their places; without those to reasoning that is not there.

    Raises:
        ApiError: 404, an item is not there that would be missing.
    """
    found = []
    for item in items:
        meant = known.get(item.fields["id"]) if item.kind == "item_reference" else item
        if meant is not None:
            found.append(replace(meant, param=item.param))
        elif not item.fields["id"].startswith("rs_"):
            msg = f"Item with id '{item.fields['id'][:80]}' not found."
            raise ApiError(404, msg, param=f"{item.param}.id")
    return found


def _check_combination(request: ResponseRequest) -> None:
    if request.previous_response_id is not None and request.conversation_id is not None:
        msg = "'previous_response_id' and 'conversation' exclude each other: send one of them."
        raise ApiError(400, msg, param="previous_response_id", code="invalid_value")
    if request.background and request.store is False:
        msg = "'background' needs a response that is kept: leave 'store' out, or set it to true."
        raise ApiError(400, msg, param="background", code="invalid_value")
    goes_on = request.previous_response_id is not None or request.conversation_id is not None
    if request.input is None and request.prompt is None and not goes_on:
        raise missing_field("input")


def item_ids(turn: InputTurn, response: Json) -> set[str]:
    """The ids by which the items of a turn are found."""
    return {*turn.ids, *(item["id"] for item in response["output"])}


def _conversation_items(turn: bytes, output: Sequence[Json], kept: Mapping[str, Json]) -> list[StoredItem]:
    asked = [item for item in orjson.loads(turn) if item["type"] != TRIGGER]  # it has been answered
    items = [conversation_item(item, kept.get(item["id"])) for item in asked]
    return items + [
        conversation_item(item, kept.get(item["id"]), compacts=item["type"] == "compaction") for item in output
    ]


def left_by(resolved: ResolvedRequest, response: Mapping[str, object]) -> tuple[list[Json], str | None]:
    """What is sent again of the turns before a response, beside its own: messages, and the response before it.

    A compaction takes the place of all turns before it, but for the instructions in them.
    """
    if not compacts(response):
        return [], resolved.request.previous_response_id
    goes_on = resolved.request.previous_response_id is not None
    before = resolved.items[: len(resolved.items) - len(resolved.own)] if goes_on else []
    return [listed_item(item) for item in before if is_lasting(item.fields)], None


def _turn_of(resolved: ResolvedRequest) -> InputTurn:
    if resolved.turn is None:
        msg = "only a response that is kept has a turn"
        raise ValueError(msg)
    return resolved.turn


def conversation_item(item: Json, kept: Json | None = None, *, compacts: bool = False) -> StoredItem:
    """An item as a conversation holds it; `compacts` is one that takes the place of all before it."""
    body = {"item": item, "kept": kept}
    return StoredItem(item["id"], orjson.dumps({**body, "compacts": True} if compacts else body))


def shown_item(stored: StoredItem) -> Json:
    """An item of a conversation as its lists show it."""
    item: Json = orjson.loads(stored.payload)["item"]
    return item


async def shown_items(stored: Sequence[StoredItem]) -> list[Json]:
    """Items of a conversation as its lists show them."""
    size = sum(len(each.payload) for each in stored)
    return await beside(size, lambda: [shown_item(each) for each in stored])


def new_conversation_items(given: Sequence[Json], param: str = "items") -> list[StoredItem]:
    """Items that a caller adds to a conversation.

    Raises:
        ApiError: 400 for an item that cannot be read, or cannot be written as JSON again.
    """
    items = read_input(given, param)
    for item in items:
        if item.kind == "item_reference":
            msg = f"'{item.param}' refers to an item, and a conversation holds the items themselves."
            raise ApiError(400, msg, param=f"{item.param}.type", code="invalid_value")
    try:
        return [conversation_item(listed_item(item)) for item in items]
    except TypeError as error:
        msg = f"'{param}' is nested more than about 200 levels deep, or holds an integer of more than 64 bits."
        raise ApiError(400, msg, param=param, code="invalid_value") from error


def previous_not_found(response_id: str) -> ApiError:
    """The error for a response that a conversation goes on from, and that is not there."""
    msg = f"Previous response with id '{response_id[:80]}' not found."
    return ApiError(400, msg, param="previous_response_id", code="previous_response_not_found")


def response_not_found(response_id: str) -> ApiError:
    """The error for a response that is not there."""
    return ApiError(404, f"Response with id '{response_id[:80]}' not found.", param="response_id")


def conversation_not_found(name: str) -> ApiError:
    """The error for a conversation that is not there."""
    return ApiError(404, f"Conversation with id '{name[:80]}' not found.", param="conversation")
