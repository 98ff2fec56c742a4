"""`/uploads`: files that arrive in parts."""

from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.files.batch_input_check import Inspection
from gemgate.api.files.objects import (
    lifetime,
    max_bytes,
    part_object,
    unknown_headers,
    upload_error,
    upload_object,
)
from gemgate.api.files.route_helpers import options_of, store_of
from gemgate.api.files.wire import MAX_PART_BYTES, CompleteRequest, UploadRequest
from gemgate.api.services import caller_of, services_of
from gemgate.auth.caller import Caller
from gemgate.store import StoreError
from gemgate.translation.notes import Notes
from gemgate.translation.validation import parse
from gemgate.web.form_file import FormFile, file_too_large
from gemgate.web.json_request import read_json_body
from gemgate.web.json_response import json_response

router = APIRouter(tags=["uploads"])


@router.post("/uploads", summary="Begin an upload")
async def create_upload(request: Request) -> Response:
    """Answer with an `upload` that takes parts for an hour."""
    caller, raw = await _asked(request)
    wanted = parse(UploadRequest, raw)
    options = options_of(request)
    headers = unknown_headers(wanted, options.unsupported_params)
    maximum = max_bytes(wanted.purpose, options.uploads_max_bytes)
    if wanted.bytes > maximum:
        raise file_too_large(f"An upload with the purpose '{wanted.purpose}'", maximum)
    await services_of(request).confirmed_keys.check(caller)
    row = await store_of(request).uploads.create(
        caller.id,
        filename=wanted.filename,
        purpose=wanted.purpose,
        size=wanted.bytes,
        mime_type=wanted.mime_type,
        expires_after=lifetime(wanted.purpose, wanted.expires_after),
    )
    return json_response(upload_object(row), headers)


@router.post("/uploads/{upload_id}/parts", summary="Add a part to an upload")
async def add_part(request: Request, upload_id: str) -> Response:
    """Answer with the `upload.part`. When it breaks off, nothing of it is kept; parts may come at the same time."""
    caller = caller_of(request)
    form = FormFile(request, "data", MAX_PART_BYTES, what="A part of an upload")
    with _store_errors_translated():
        async with aclosing(form.chunks()) as chunks:
            row = await store_of(request).uploads.add_part(caller.id, upload_id, chunks)
    return json_response(part_object(row))


@router.post("/uploads/{upload_id}/complete", summary="Make a file of an upload")
async def complete_upload(request: Request, upload_id: str) -> Response:
    """Answer with the `upload` and its `file`. After an error the upload is pending as before."""
    caller, raw = await _asked(request)
    wanted = parse(CompleteRequest, raw)
    notes = Notes(options_of(request).unsupported_params)
    notes.drop_unknown(wanted.model_extra)
    store = store_of(request)
    upload = await store.uploads.get(caller.id, upload_id)
    is_input = upload is not None and upload.purpose == "batch"
    inspection = Inspection(options_of(request).inspect if is_input else None)
    with _store_errors_translated():
        row, file = await store.uploads.complete(
            caller.id, upload_id, wanted.part_ids, md5=wanted.md5, through=inspection.through
        )
    if inspection.errors:
        file.status, file.errors = "error", inspection.errors
        file = await store.files.create(file)
    return json_response(upload_object(row, file), notes.headers())


@router.post("/uploads/{upload_id}/cancel", summary="Cancel an upload")
async def cancel_upload(request: Request, upload_id: str) -> Response:
    """Answer with the `upload`, which takes no more parts; those it has are dropped."""
    caller = caller_of(request)
    with _store_errors_translated():
        row = await store_of(request).uploads.cancel(caller.id, upload_id)
    return json_response(upload_object(row))


async def _asked(request: Request) -> tuple[Caller, bytes]:
    settings = services_of(request).settings
    caller = caller_of(request)
    return caller, await read_json_body(request, settings.max_body_bytes)


@contextmanager
def _store_errors_translated() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        if (api_error := upload_error(error)) is None:
            raise
        raise api_error from None
