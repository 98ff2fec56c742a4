"""From rows to OpenAI's objects, from the store's errors to OpenAI's, and the rules of sizes and ranges."""

from collections.abc import Sequence

from gemgate.api.files.wire import (
    BATCH_LIFETIME,
    ExpiresAfter,
    FileRequest,
    UploadRequest,
)
from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.errors import ApiError
from gemgate.store.errors import (
    ChecksumMismatchError,
    PartUnknownError,
    SizeMismatchError,
    StoreError,
    UploadClosedError,
    UploadUnknownError,
)
from gemgate.store.tables import FileRow, UploadPartRow, UploadRow
from gemgate.translation.notes import Notes
from gemgate.translation.options import Errors, Policy

_MAX_SHOWN = 10
"""Errors of a file that are listed in words."""


def file_object(row: FileRow) -> dict[str, object]:
    """A row as OpenAI's `file`. An input that no batch can be made of has `errors`, as the batch would have them."""
    file = _listed(row)
    if row.errors:
        file["status_details"] = _details(row.errors)
        file["errors"] = {"object": "list", "data": row.errors}
    return file


def _listed(row: FileRow) -> dict[str, object]:
    return {
        "id": row.id,
        "object": "file",
        "bytes": row.bytes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "filename": row.filename,
        "purpose": row.purpose,
        "status": row.status,
    }


def _details(errors: Errors) -> str:
    """The first errors in a sentence each."""
    sentences = [_sentence(error) for error in errors[:_MAX_SHOWN]]
    more = len(errors) - len(sentences)
    return " ".join([*sentences, *([f"And {more} more."] if more else [])])


def _sentence(error: dict[str, object]) -> str:
    place = f"Line {error['line']}: " if error["line"] else ""
    return f"{place}{error['message']} ({error['code']})"


def file_list(rows: Sequence[FileRow], *, has_more: bool) -> dict[str, object]:
    """A page of files."""
    return {
        "object": "list",
        "data": [_listed(row) for row in rows],
        "first_id": rows[0].id if rows else None,
        "last_id": rows[-1].id if rows else None,
        "has_more": has_more,
    }


def deleted(file_id: str) -> dict[str, object]:
    """What is left of a deleted file."""
    return {"id": file_id, "object": "file", "deleted": True}


def upload_object(row: UploadRow, file: FileRow | None = None) -> dict[str, object]:
    """A row as OpenAI's `upload`; `file` is what it became."""
    return {
        "id": row.id,
        "object": "upload",
        "bytes": row.bytes,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "filename": row.filename,
        "purpose": row.purpose,
        "status": row.status,
        "file": None if file is None else file_object(file),
    }


def part_object(row: UploadPartRow) -> dict[str, object]:
    """A row as OpenAI's `upload.part`."""
    return {"id": row.id, "object": "upload.part", "created_at": row.created_at, "upload_id": row.upload_id}


def lifetime(purpose: str, expires_after: ExpiresAfter | None) -> int | None:
    """For how many seconds a file lives; None: until it is deleted."""
    if expires_after is not None:
        return expires_after.seconds
    return BATCH_LIFETIME if purpose == "batch" else None


def max_bytes(purpose: object, maximum: int) -> int:
    """The largest size of a file for this purpose, where `most` is that of any file."""
    return min(maximum, MAX_BATCH_BYTES) if purpose == "batch" else maximum


def unknown_headers(request: FileRequest | UploadRequest, policy: Policy) -> dict[str, str]:
    """The headers that name the fields which the wire model does not know.

    Raises:
        ApiError: 400 for such a field, if the policy is `strict`.
    """
    notes = Notes(policy)
    notes.drop_unknown(request.model_extra)
    if request.expires_after is not None:
        notes.drop_unknown(request.expires_after.model_extra, "expires_after.")
    return notes.headers()


def no_such_file(file_id: str) -> ApiError:
    """The caller has no such file; whether somebody else has is not revealed."""
    return ApiError(404, f"No such File object: {file_id[:80]}", param="id")


def upload_error(error: StoreError) -> ApiError | None:
    """What the store refuses of an upload, as a caller's error; None when the fault is not the caller's."""
    match error:
        case UploadUnknownError():
            return ApiError(404, f"No such Upload object: {error.upload_id[:80]}", param="upload_id")
        case UploadClosedError():
            return ApiError(400, f"The upload is {error.status}, and takes nothing more.", code="upload_not_pending")
        case PartUnknownError():
            msg = f"The upload has no part '{error.part_id[:80]}', or it is named twice."
            return ApiError(400, msg, param="part_ids", code="invalid_value")
        case SizeMismatchError():
            msg = f"The parts have {error.received} bytes together, but the upload was created for {error.announced}."
            return ApiError(400, msg, param="part_ids", code="size_mismatch")
        case ChecksumMismatchError():
            msg = f"The MD5 of the parts together is {error.actual}, not the one given."
            return ApiError(400, msg, param="md5", code="checksum_mismatch")
        case _:
            return None
