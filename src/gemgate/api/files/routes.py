"""`/files`: upload, list, look at, download, delete."""

from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.files.batch_input_check import Inspection
from gemgate.api.files.multipart_file import NewFile
from gemgate.api.files.objects import (
    deleted,
    file_list,
    file_object,
    lifetime,
    no_such_file,
)
from gemgate.api.files.route_helpers import options_of, store_of
from gemgate.api.files.wire import MAX_LISTED
from gemgate.api.services import caller_of, services_of
from gemgate.errors import ApiError
from gemgate.store import (
    BlobMissingError,
    FileRow,
    Store,
    UnknownCursorError,
)
from gemgate.store.files import blob_key, storable
from gemgate.store.ids import second_of
from gemgate.web.file_response import content_response
from gemgate.web.json_response import json_response

router = APIRouter(tags=["files"])


@router.post("/files", summary="Upload a file")
async def create_file(request: Request) -> Response:
    """Answer with the `file`, which is there whole. When the upload breaks off, nothing of it is kept."""
    caller = caller_of(request)
    await services_of(request).confirmed_keys.check(caller)
    form = NewFile(request, options_of(request))
    row = await _save(store_of(request), caller.id, form, Inspection(options_of(request).inspect))
    return json_response(file_object(row), form.headers)


async def _save(store: Store, owner: str, form: NewFile, inspection: Inspection) -> FileRow:
    """The bytes first, then the row: `purpose` may come after the bytes, and an error in the form drops them."""
    file_id = store.new_id("file-")
    async with (
        aclosing(form.chunks()) as chunks,
        aclosing(inspection.through_form(form, chunks)) as passing,
        store.room.admitted(owner, passing) as admitted,
    ):
        size, sha256 = await store.blobs.put(blob_key(file_id), admitted)
        if form.wanted.purpose == "batch":
            await inspection.make_up(store.blobs, blob_key(file_id))
        seconds = lifetime(form.wanted.purpose, form.wanted.expires_after)
        created_at = second_of(file_id) or 0  # the store's clock; it can read every id it makes
        row = FileRow(
            id=file_id,
            owner=owner,
            filename=storable(form.filename),
            purpose=form.wanted.purpose,
            bytes=size,
            sha256=sha256,
            blob_key=blob_key(file_id),
            created_at=created_at,
            mime_type=form.content_type,
            expires_at=None if seconds is None else created_at + seconds,
            status="error" if inspection.errors else "processed",
            errors=inspection.errors or None,
        )
        return await store.files.create(row)


@router.get("/files", summary="List files")
async def list_files(
    request: Request,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = MAX_LISTED,
    order: Literal["asc", "desc"] = "desc",
    purpose: str | None = None,
) -> Response:
    """Answer with a page of the caller's files, newest first unless `order` says otherwise."""
    caller = caller_of(request)
    try:
        page = await store_of(request).files.list(caller.id, after=after, limit=limit, order=order, purpose=purpose)
    except UnknownCursorError as error:
        msg = f"'after' is {error.after[:80]!r}, which is not a file id."
        raise ApiError(400, msg, param="after", code="invalid_value") from None
    return json_response(file_list(page.rows, has_more=page.has_more))


# Before the routes of a file itself, whose id takes in whatever follows.
@router.get("/files/{file_id:path}/content", summary="Download a file")
async def file_content(request: Request, file_id: str) -> Response:
    """Answer with the bytes; with a `Range` of them, if one is asked for."""
    caller = caller_of(request)
    store = store_of(request)
    row = await _found(store, caller.id, file_id)
    try:
        return await content_response(request, store, row)
    except BlobMissingError:
        raise no_such_file(file_id) from None


@router.get("/files/{file_id:path}", summary="Retrieve a file")
async def retrieve_file(request: Request, file_id: str) -> Response:
    """Answer with the `file`."""
    caller = caller_of(request)
    return json_response(file_object(await _found(store_of(request), caller.id, file_id)))


@router.delete("/files/{file_id:path}", summary="Delete a file")
async def delete_file(request: Request, file_id: str) -> Response:
    """Delete the file and its bytes."""
    caller = caller_of(request)
    if not await store_of(request).files.delete(caller.id, file_id):
        raise no_such_file(file_id)
    return json_response(deleted(file_id))


async def _found(store: Store, owner: str, file_id: str) -> FileRow:
    row = await store.files.get(owner, file_id)
    if row is None:
        raise no_such_file(file_id)
    return row
