"""`/batches`: create, list, look at, cancel."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.batches.service import BatchService
from gemgate.api.batches.wire import BatchRequest, batch_list, batch_object
from gemgate.api.services import caller_of, dialect_of, services_of
from gemgate.store.tables import BatchRow
from gemgate.translation.notes import Notes
from gemgate.translation.validation import parse
from gemgate.web.json_request import read_json_body
from gemgate.web.json_response import json_response

router = APIRouter(tags=["batches"])

_PAGE = 20


@router.post("/batches", summary="Create a batch")
async def create_batch(request: Request) -> Response:
    """Answer with a `batch` that is being validated; its lines are translated and sent to Google in the background."""
    services = services_of(request)
    caller = caller_of(request)
    wanted = parse(BatchRequest, await read_json_body(request, services.settings.max_body_bytes))
    notes = Notes(services.settings.unsupported_params)
    notes.drop_unknown(wanted.model_extra)
    row = await _desk(request).create(caller, wanted, dialect_of(request))
    return json_response(batch_object(row), notes.headers())


@router.get("/batches", summary="List batches")
async def list_batches(
    request: Request, after: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = _PAGE
) -> Response:
    """Answer with a page of the caller's batches, newest first."""
    caller = caller_of(request)
    page = await _desk(request).list(caller, after, limit)
    return json_response(batch_list(page.rows, has_more=page.has_more))


@router.post("/batches/{batch_id:path}/cancel", summary="Cancel a batch")
async def cancel_batch(request: Request, batch_id: str) -> Response:
    """Answer with the `batch`, `cancelling` until Google has stopped; what was done by then is in its files."""
    return _one(await _desk(request).cancel(caller_of(request), batch_id))


@router.get("/batches/{batch_id:path}", summary="Retrieve a batch")
async def retrieve_batch(request: Request, batch_id: str) -> Response:
    """Answer with the `batch`."""
    return _one(await _desk(request).get(caller_of(request), batch_id))


def _desk(request: Request) -> BatchService:
    service: BatchService = request.app.state.services.batches
    return service


def _one(row: BatchRow) -> Response:
    return json_response(batch_object(row))
