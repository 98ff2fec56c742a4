"""The requests of `/v1/files` and `/v1/uploads`, their limits, and what becomes of each of their fields.

Source: https://platform.openai.com/docs/api-reference/files and /uploads, and openai-python 3.54.
"""

from typing import Annotated, Literal

from pydantic import Field

from gemgate.translation.parameters import ParameterSupport, handled
from gemgate.wire import Items, Wire

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]

MAX_PART_BYTES = 67_108_864
"""OpenAI's limit of one part of an upload: 64 MB."""

MAX_LISTED = 10_000
"""Files on one page."""

BATCH_LIFETIME = 2_592_000
"""Seconds a file with the purpose `batch` lives unless `expires_after` says otherwise: 30 days, as at OpenAI."""

_MAX_PARTS = 10_000


class ExpiresAfter(Wire):
    """How long a file lives: `seconds`, an hour to 30 days, after it was made."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FileRequest(Wire):
    """The fields of `POST /v1/files` beside the file itself; what becomes of each is in `parameters.FILES`."""

    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class UploadRequest(Wire):
    """`POST /v1/uploads`; `bytes` is the size of the whole."""

    filename: Annotated[str, Field(min_length=1, max_length=1024)]
    purpose: Purpose
    bytes: Annotated[int, Field(ge=0)]
    mime_type: Annotated[str, Field(min_length=1, max_length=256)]
    expires_after: ExpiresAfter | None = None


class CompleteRequest(Wire):
    """`POST /v1/uploads/{id}/complete`: the parts in their order, and the MD5 (hex) of the whole."""

    part_ids: Annotated[Items[str], Field(max_length=_MAX_PARTS)]
    md5: str | None = None


_EXPIRES_AFTER = handled("the file is gone `seconds` after it was made; without it, after 30 days if it is for a batch")

FILES: dict[str, ParameterSupport] = {
    "file": handled("streamed into the gateway's store, before or after the other fields of the form"),
    "purpose": handled("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_FILES_MAX_BYTES`"),
    "expires_after": _EXPIRES_AFTER,
}

UPLOADS: dict[str, ParameterSupport] = {
    "filename": handled("kept"),
    "purpose": handled("kept; a file for a `batch` may have 200 MB, any other `GEMGATE_UPLOADS_MAX_BYTES`"),
    "bytes": handled("compared with the size of the parts when the upload is completed"),
    "mime_type": handled("kept; the `content-type` of the content"),
    "expires_after": _EXPIRES_AFTER,
}

COMPLETE: dict[str, ParameterSupport] = {
    "part_ids": handled("the parts are put together in this order; parts that are not named are dropped"),
    "md5": handled("compared with the MD5 of the whole"),
}
