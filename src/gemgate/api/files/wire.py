"""The requests of `/v1/files` and `/v1/uploads`, and their limits; `fates` says what becomes of each field.

Source: https://platform.openai.com/docs/api-reference/files and /uploads, and openai-python 3.54.
"""

from typing import Annotated, Literal

from pydantic import Field

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
