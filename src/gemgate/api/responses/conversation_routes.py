"""`/conversations`: items in their order, which callers and responses add to."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.responses.conversation_wire import ConversationChange, ConversationRequest, ItemsRequest
from gemgate.api.responses.kept_responses import (
    conversation_not_found,
    new_conversation_items,
    shown_item,
    shown_items,
)
from gemgate.api.responses.kept_routes import (
    MAX_LISTED,
    PAGE,
    Order,
    check_include,
    item_list,
    unknown_cursor,
)
from gemgate.api.responses.kept_turn import is_id
from gemgate.api.responses.wire import Json
from gemgate.api.services import Services, caller_of, services_of
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.store import ConversationRow, StoredItem, UnknownCursorError
from gemgate.store.files import storable
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.web.json_request import read_json_body
from gemgate.web.json_response import json_response

router = APIRouter(tags=["conversations"])


@router.post("/conversations", summary="Create a conversation")
async def create_conversation(request: Request) -> Response:
    """Answer with the `conversation`, which holds the given items."""
    services, caller = _open(request)
    body = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(body))
    asked = await aside.run(partial(parse, ConversationRequest, body))
    items = await aside.run(partial(new_conversation_items, asked.items or []))
    await services.confirmed_keys.check(caller)
    lifetime = services.settings.responses_lifetime
    async with services.store.room.reserved(caller.id, len(body)):
        row = await services.store.conversations.create(caller.id, _stored(asked.metadata), lifetime)
        if items:
            await services.store.conversations.append(caller.id, row.id, items, lifetime)
    return json_response(_shown(row))


@router.get("/conversations/{conversation_id}", summary="Retrieve a conversation")
async def retrieve_conversation(request: Request, conversation_id: str) -> Response:
    """Answer with the `conversation`."""
    return json_response(_shown(await _found(services_of(request), caller_of(request), conversation_id)))


@router.post("/conversations/{conversation_id}", summary="Change a conversation")
async def update_conversation(request: Request, conversation_id: str) -> Response:
    """Answer with the `conversation`, which has the given metadata from now on."""
    services, caller = services_of(request), caller_of(request)
    asked = parse(ConversationChange, await read_json_body(request, services.settings.max_body_bytes))
    await _found(services, caller, conversation_id)
    row = await services.store.conversations.update(caller.id, conversation_id, _stored(asked.metadata))
    if row is None:
        raise conversation_not_found(conversation_id)
    return json_response(_shown(row))


@router.delete("/conversations/{conversation_id}", summary="Delete a conversation")
async def delete_conversation(request: Request, conversation_id: str) -> Response:
    """Delete the conversation, with its items; responses that belong to it stay."""
    services, caller = services_of(request), caller_of(request)
    if not is_id(conversation_id) or not await services.store.conversations.delete(caller.id, conversation_id):
        raise conversation_not_found(conversation_id)
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


@router.post("/conversations/{conversation_id}/items", summary="Add items to a conversation")
async def create_conversation_items(request: Request, conversation_id: str) -> Response:
    """Answer with a list of the items, as they were added at the end."""
    services, caller = _open(request)
    body = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(body))
    asked = await aside.run(partial(parse, ItemsRequest, body))
    items = await aside.run(partial(new_conversation_items, asked.items))
    await _found(services, caller, conversation_id)
    await _check_room(services, caller, items, len(body))
    lifetime = services.settings.responses_lifetime
    if not await services.store.conversations.append(caller.id, conversation_id, items, lifetime):
        raise conversation_not_found(conversation_id)
    return json_response(item_list(await shown_items(items), has_more=False))


@router.get("/conversations/{conversation_id}/items", summary="List the items of a conversation")
async def list_conversation_items(
    request: Request,
    conversation_id: str,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = PAGE,
    order: Order = "desc",
) -> Response:
    """Answer with a page of the items, the last one first unless `order` says otherwise."""
    services, caller = services_of(request), caller_of(request)
    check_include(request)
    await _found(services, caller, conversation_id)
    if after is not None and not is_id(after):
        raise unknown_cursor(after)
    most = services.settings.max_body_bytes
    listed = services.store.conversations.page
    try:
        page = await listed(caller.id, conversation_id, after=after, limit=limit, order=order, max_bytes=most)
    except UnknownCursorError as error:
        raise unknown_cursor(error.after) from None
    return json_response(item_list(await shown_items(page.items), has_more=page.has_more))


@router.get("/conversations/{conversation_id}/items/{item_id}", summary="Retrieve an item of a conversation")
async def retrieve_conversation_item(request: Request, conversation_id: str, item_id: str) -> Response:
    """Answer with the item."""
    services, caller = services_of(request), caller_of(request)
    check_include(request)
    await _found(services, caller, conversation_id)
    item = await services.store.conversations.item(caller.id, conversation_id, item_id) if is_id(item_id) else None
    if item is None:
        raise _item_not_found(item_id)
    return json_response(shown_item(item))


@router.delete("/conversations/{conversation_id}/items/{item_id}", summary="Delete an item of a conversation")
async def delete_conversation_item(request: Request, conversation_id: str, item_id: str) -> Response:
    """Delete the item, and answer with the `conversation`."""
    services, caller = services_of(request), caller_of(request)
    row = await _found(services, caller, conversation_id)
    conversations = services.store.conversations
    if not is_id(item_id) or not await conversations.delete_item(caller.id, conversation_id, item_id):
        raise _item_not_found(item_id)
    return json_response(_shown(row))


def _open(request: Request) -> tuple[Services, Caller]:
    """The services and the caller of a request that adds something.

    Raises:
        ApiError: 400, the operator has switched it off.
    """
    services, caller = services_of(request), caller_of(request)
    if not services.settings.responses_store:
        msg = "This gateway keeps no conversations (GEMGATE_RESPONSES_STORE is off): send all items in 'input'."
        raise ApiError(400, msg, code="unsupported_parameter")
    return services, caller


async def _check_room(services: Services, caller: Caller, items: list[StoredItem], size: int) -> None:
    """Whether the caller may store what it sends."""
    if items:
        await services.confirmed_keys.check(caller)
        await services.store.room.check_bytes(caller.id, size)


async def _found(services: Services, caller: Caller, conversation_id: str) -> ConversationRow:
    row = await services.store.conversations.get(caller.id, conversation_id) if is_id(conversation_id) else None
    if row is None:
        raise conversation_not_found(conversation_id)
    return row


def _item_not_found(item_id: str) -> ApiError:
    return ApiError(404, f"Item with id '{item_id[:80]}' not found.", param="item_id")


def _stored(metadata: dict[str, str] | None) -> dict[str, str]:
    return {storable(name): storable(value) for name, value in (metadata or {}).items()}


def _shown(row: ConversationRow) -> Json:
    return {"id": row.id, "object": "conversation", "created_at": row.created_at, "metadata": row.meta}
