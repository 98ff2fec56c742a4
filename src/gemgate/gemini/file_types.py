"""Files of the Files API, as they are on the wire. No I/O.

Source: https://ai.google.dev/api/files, and recorded exchanges.
"""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum

from gemgate.gemini.errors import (
    Failure,
    GeminiError,
    InvalidNameError,
    TransportError,
)
from gemgate.gemini.proto_json import (
    error_of_status,
    text,
    unix_seconds,
    whole_number,
)

MAX_BYTES = 2 * 1024**3
"""The largest file that Google takes."""

MAX_DISPLAY_NAME = 512
"""Characters."""

_NAME = re.compile(r"files/[A-Za-z0-9][A-Za-z0-9_-]{0,199}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[\w.+*-]+/[\w.+*-]+(?:;[ -~]*)?", re.ASCII)
_HEX = re.compile(rb"[0-9a-f]{64}")
_MISSING = re.compile(r"may not exist|not found|access the file", re.IGNORECASE)


class MissingFileError(GeminiError):
    """The file does not exist, or belongs to another project: Google says 403 to both. The status is 404."""


class FileState(StrEnum):
    """Whether a file can be used. Google's unknown and absent states count as `ACTIVE`."""

    PROCESSING = "PROCESSING"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class GeminiFile:
    """A file at Google.

    Attributes:
        name: `files/…`.
        uri: What `fileData.fileUri` takes.
        state: Videos start as `PROCESSING`.
        mime_type: The media type.
        display_name: As given at the upload.
        size: Bytes.
        sha256: 64 hex digits; empty when Google gives none.
        created_at: Unix seconds.
        expires_at: Unix seconds, 48 hours after the upload.
        is_generated: Whether Google made it; no other file can be downloaded.
        error: Why it is `FAILED`.
    """

    name: str
    uri: str = ""
    state: FileState = FileState.ACTIVE
    mime_type: str = ""
    display_name: str = ""
    size: int = 0
    sha256: str = ""
    created_at: int | None = None
    expires_at: int | None = None
    is_generated: bool = False
    error: GeminiError | None = None


def file_from_wire(value: object) -> GeminiFile:
    """A `GeminiFile`, bare as `get` answers it or wrapped into `{"file": …}` as an upload does.

    Raises:
        TransportError: the name is missing.
    """
    name, native = _named(value)
    state = native.get("state")
    return GeminiFile(
        name=name,
        uri=text(native.get("uri")),
        state=FileState(str(state)) if state in list(FileState) else FileState.ACTIVE,
        mime_type=text(native.get("mimeType")),
        display_name=text(native.get("displayName")),
        size=whole_number(native.get("sizeBytes")),
        sha256=digest_from_wire(native.get("sha256Hash")),
        created_at=unix_seconds(native.get("createTime")),
        expires_at=unix_seconds(native.get("expirationTime")),
        is_generated=native.get("source") == "GENERATED",
        error=error_of_status(native.get("error")),
    )


def name_in_wire(value: object) -> str:
    """The name of the file that `value` describes, such as `files/x`; as `file_from_wire` otherwise."""
    return _named(value)[0]


def _named(value: object) -> tuple[str, dict[str, object]]:
    native = value.get("file", value) if isinstance(value, dict) else None
    if isinstance(native, dict):
        name = native.get("name")
        if isinstance(name, str) and _NAME.fullmatch(name):
            return name, native
    raise TransportError(Failure.INVALID_BODY, "The Gemini API's answer does not describe a file.")


def digest_from_wire(value: object) -> str:
    """Hex digits of `sha256Hash`: recorded is base64 of the hex text, declared is base64 of the digest itself."""
    try:
        digest = b64decode(text(value), validate=True)
    except (binascii.Error, ValueError):
        return ""
    if _HEX.fullmatch(digest.lower()):
        return digest.decode().lower()
    return digest.hex() if len(digest) == 32 else ""


def file_path(name: str) -> str:
    """`/v1beta/files/x` of `files/x`.

    Raises:
        InvalidNameError: the name is not one of a file.
    """
    if not _NAME.fullmatch(name):
        raise InvalidNameError(f"{name[:80]!r} is not the name of a file, such as files/abc-123")
    return f"/v1beta/{name}"


def start_headers(size: int, mime_type: str) -> dict[str, str]:
    """What opens a resumable upload.

    Raises:
        GeminiError: `mime_type` is invalid, or `size` is more than Google takes.
    """
    if not _MEDIA_TYPE.fullmatch(mime_type):
        raise GeminiError(400, f"{mime_type[:80]!r} is not a media type, such as application/pdf.", "INVALID_ARGUMENT")
    if not 0 <= size <= MAX_BYTES:
        raise GeminiError(400, f"A file of {size} bytes is more than the {MAX_BYTES} allowed.", "INVALID_ARGUMENT")
    return {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(size),
        "x-goog-upload-header-content-type": mime_type,
    }


def start_body(name: str, display_name: str) -> dict[str, object]:
    """The metadata of a file that is to be."""
    return {"file": {"name": name, "displayName": display_name[:MAX_DISPLAY_NAME]}}


def is_missing(error: GeminiError) -> bool:
    """Whether `error` says that the file does not exist.

    A 403 for another reason, such as an API that is switched off, carries an `ErrorInfo` or another text.
    """
    is_hidden = error.status == 403 and not error.error_info_reason and _MISSING.search(error.message) is not None
    return error.status == 404 or is_hidden
