"""The answers of `/v1/files` and `/v1/uploads`.

Source: https://platform.openai.com/docs/api-reference/files/object and /uploads/object, and openai-python 3.54.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import InputErrors


class FileObject(TypedDict):
    """A file. `expires_at` is null for one that lives until it is deleted; times are Unix seconds.

    `status_details` and `errors` are those of an input that no batch can be made of; lists leave them out.
    """

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"]
    status_details: NotRequired[str]
    errors: NotRequired[InputErrors]


class FileList(TypedDict):
    """A page of files; `after=last_id` gives the next one."""

    object: Literal["list"]
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(TypedDict):
    """What is left of a deleted file."""

    id: str
    object: Literal["file"]
    deleted: bool


class UploadObject(TypedDict):
    """A file that arrives in parts; `file` is what it became."""

    id: str
    object: Literal["upload"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: FileObject | None


class UploadPart(TypedDict):
    """One part of an upload."""

    id: str
    object: Literal["upload.part"]
    created_at: int
    upload_id: str
