"""`/responses/{response_id}`: look at a response that is kept, list the items of its input, delete it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.responses.background_routes import respond_with_events
from gemgate.api.responses.kept_responses import response_not_found
from gemgate.api.responses.kept_turn import KeptTurn, is_id, read_turn
from gemgate.api.responses.request import checked_include
from gemgate.api.responses.wire import Json
from gemgate.api.services import caller_of, services_of
from gemgate.errors import ApiError
from gemgate.web.json_response import json_response

router = APIRouter(tags=["responses"])

MAX_LISTED = 100
PAGE = 20

MAX_NUMBER = 2**31 - 1
"""Of an event, as databases count them: a larger one is beyond the last event as well."""

Order = Literal["asc", "desc"]


@router.get("/responses/{response_id}/input_items", summary="List the input items of a response")
async def list_input_items(
    request: Request,
    response_id: str,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = PAGE,
    order: Order = "desc",
) -> Response:
    """Answer with a page of the items of the input, the last one first unless `order` says otherwise."""
    turn = await found_turn(request, response_id)
    check_include(request)
    items = turn.input
    if order == "desc":
        items.reverse()
    if after is not None:
        place = next((index for index, item in enumerate(items) if item["id"] == after), None)
        if place is None:
            raise unknown_cursor(after)
        items = items[place + 1 :]
    return json_response(item_list(items[:limit], has_more=len(items) > limit))


@router.get("/responses/{response_id}", summary="Retrieve a response")
async def retrieve_response(
    request: Request,
    response_id: str,
    stream: bool = False,
    starting_after: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Answer with the `response`; with `stream`, with the events of one that was created in the background."""
    if stream:
        check_include(request)
        after = -1 if starting_after is None else min(starting_after, MAX_NUMBER)
        return await respond_with_events(request, response_id, after)
    turn = await found_turn(request, response_id)
    check_include(request)
    return json_response(turn.response)


@router.delete("/responses/{response_id}", summary="Delete a response")
async def delete_response(request: Request, response_id: str) -> Response:
    """Delete the response, with its items."""
    caller = caller_of(request)
    if not is_id(response_id) or not await services_of(request).store.responses.delete(caller.id, response_id):
        raise response_not_found(response_id)
    return json_response({"id": response_id, "object": "response", "deleted": True})


async def found_turn(request: Request, response_id: str) -> KeptTurn:
    """The turn of a response of this caller.

    Raises:
        ApiError: 404, it is not there.
    """
    caller = caller_of(request)
    found = await services_of(request).store.responses.get(caller.id, response_id) if is_id(response_id) else None
    if found is None:
        raise response_not_found(response_id)
    return await read_turn(found.payload)


def check_include(request: Request) -> None:
    """What `include` asks for is there if the request of the response asked for it; unknown values are refused.

    Raises:
        ApiError: 400, naming the value.
    """
    given = [value for name, value in request.query_params.multi_items() if name in ("include", "include[]")]
    checked_include(given)


def item_list(items: list[Json], *, has_more: bool) -> Json:
    """A page of items."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def unknown_cursor(after: str) -> ApiError:
    """The error for a page that is to follow an item that is not in the list."""
    return ApiError(
        400, f"'after' is '{after[:80]}', which is no item of this list.", param="after", code="invalid_value"
    )
