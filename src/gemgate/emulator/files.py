"""The files of the Files API: each belongs to a key, and is gone after 48 hours."""

import base64
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from gemgate.emulator import auth
from gemgate.emulator.content import RequestContent
from gemgate.emulator.errors import (
    GoogleApiError,
    file_not_active,
    file_not_found,
    invalid,
)
from gemgate.emulator.media import seconds_of
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.timing import (
    LIFE_SECONDS,
    QuotaLimits,
    Timing,
    rfc3339,
)

ORIGIN = "https://generativelanguage.googleapis.com"
"""What `uri` begins with: it is a name, not an address, and Google's clients read the name out of it."""

MAX_ID = 40
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID = re.compile(r"[a-z0-9]++(?:-++[a-z0-9]++)*+")
_NAME = re.compile(r"(?:https?://[^/]+/(?:v1|v1beta|v1alpha)/)?files/([a-z0-9-]+)")
_DISPLAY_NAME = 512
_INLINED = 64 * 1024 * 1024
_FAILED = {"code": 13, "message": "The file could not be processed."}


def random_id(length: int) -> str:
    """An id of small letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(slots=True)
class UploadedFile:
    """One file; times are seconds since 1970."""

    id: str
    owner: str
    content: RequestContent
    mime_type: str
    display_name: str
    created: float
    ready: float
    source: Literal["UPLOADED", "GENERATED"] = "UPLOADED"
    failed: bool = False
    extras: dict[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`files/…`."""
        return f"files/{self.id}"

    def state(self, now: float) -> str:
        """PROCESSING, ACTIVE or FAILED."""
        if now < self.ready:
            return "PROCESSING"
        return "FAILED" if self.failed else "ACTIVE"

    def resource(self, now: float, origin: str) -> dict[str, object]:
        """The `UploadedFile` message; what is empty or zero is left out. `origin` is where it can be downloaded."""
        state = self.state(now)
        found: dict[str, object] = {
            "name": self.name,
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": str(self.content.size) if self.content.size else "",
            "createTime": rfc3339(self.created, 6),
            "updateTime": rfc3339(max(self.created, min(now, self.ready)), 6),
            "expirationTime": rfc3339(self.created + LIFE_SECONDS),
            "sha256Hash": self.content.hash(),
            "uri": f"{ORIGIN}/v1beta/{self.name}",
            "downloadUri": f"{origin}/v1beta/{self.name}:download?alt=media" if self.source == "GENERATED" else "",
            "state": state,
            "source": self.source,
            "error": _FAILED if state == "FAILED" else None,
        }
        return {key: value for key, value in found.items() if value} | (self.extras if state == "ACTIVE" else {})


class FileShelf:
    """The files of one emulator; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float], timing: Timing, limits: QuotaLimits) -> None:
        self._clock = clock
        self._timing = timing
        self._limits = limits
        self._files: dict[str, UploadedFile] = {}

    def check_new(self, owner: str, wanted: dict[str, Any], size: int) -> None:
        """Whether a file of these `UploadedFile` fields and `size` bytes may be made.

        Raises:
            ApiError: 400 for the name, the display name or the size; 409 for a name that is taken; 429 without room.
        """
        if name := wanted.get("name"):
            self._check_name(name)
        if len(wanted.get("displayName", "")) > _DISPLAY_NAME:
            raise invalid("* CreateFileRequest.file.display_name: display_name cannot be more than 512 characters.\n")
        if size > self._limits.file:
            raise invalid(f"File size {size} exceeds the limit of {self._limits.file} bytes.")
        if size + sum(file.content.size for file in self._alive(owner)) > self._limits.storage:
            raise GoogleApiError(
                429,
                "You exceeded your current quota, please check your plan and billing details. \n* Quota exceeded for "
                f"metric: generativelanguage.googleapis.com/file_storage_bytes, limit: {self._limits.storage}",
            )

    def _check_name(self, name: str) -> None:
        short = name.removeprefix("files/")
        if len(short) > MAX_ID:
            raise too_long("CreateFileRequest.file")
        if not _ID.fullmatch(short):
            raise invalid(
                "* CreateFileRequest.file.name: File ID (name excluding 'files/') must be lowercase alphanumeric "
                "characters or dashes (-), and must not begin or end with a dash.\n"
            )
        if (found := self._files.get(short)) and self._lives(found):
            raise GoogleApiError(409, f"File {short} already exists.")

    def add(
        self, owner: str, content: RequestContent, wanted: dict[str, Any], scenario: Scenario | None = None
    ) -> UploadedFile:
        """Keep an uploaded file; `wanted` holds fields of `UploadedFile`: `name`, `displayName`, `mimeType`.

        Raises:
            ApiError: As `check`.
        """
        self.check_new(owner, wanted, content.size)
        scenario = scenario or Scenario()
        now = self._clock()
        mime_type = wanted.get("mimeType", "")
        is_video = mime_type.startswith("video/")
        seconds = self._timing.processing if is_video else 0
        file = UploadedFile(
            id=wanted.get("name", "").removeprefix("files/") or random_id(12),
            owner=owner,
            content=content,
            mime_type=mime_type,
            display_name=wanted.get("displayName", ""),
            created=now,
            ready=now + (scenario.number if scenario.name == "slow-file" else seconds),
            failed=scenario.name == "file-failed",
        )
        if is_video and content.size <= _INLINED and (length := seconds_of(content.read())) is not None:
            file.extras = {"videoMetadata": {"videoDuration": f"{length:g}s"}}
        self._files[file.id] = file
        return file

    def add_generated(
        self, owner: str, name: str, content: RequestContent, created: float, mime_type: str = "application/jsonl"
    ) -> None:
        """Keep a file that the service made: the only kind that can be downloaded."""
        short = name.removeprefix("files/")
        self._files[short] = UploadedFile(
            short, owner, content, mime_type, "", created, ready=created, source="GENERATED"
        )

    def put(self, name: str, mime_type: str, data: bytes, *, key: str) -> None:
        """Place an uploaded, active file under a name of the caller's choice, for tests with that API key.

        What had the name before is gone.
        """
        self._files.pop(name.removeprefix("files/"), None)
        owner = auth.owner({"x-goog-api-key": key}, {})
        self.add(owner, RequestContent(data), {"name": name, "mimeType": mime_type}).ready = self._clock()

    def _lives(self, file: UploadedFile) -> bool:
        return self._clock() < file.created + LIFE_SECONDS

    def _alive(self, owner: str) -> list[UploadedFile]:
        gone = [file.id for file in self._files.values() if not self._lives(file)]
        for each in gone:
            del self._files[each]
        return [file for file in self._files.values() if file.owner == owner]

    def get(self, owner: str, name: str) -> UploadedFile:
        """The file of that name, with or without `files/`.

        Raises:
            ApiError: 403, unknown, expired or another key's: Google does not distinguish them.
        """
        short = name.removeprefix("files/")
        file = self._files.get(short)
        if file is None or file.owner != owner or not self._lives(file):
            raise file_not_found(short)
        return file

    def delete(self, owner: str, name: str) -> None:
        """Remove a file.

        Raises:
            ApiError: 403 as `get`; 400 for the result of a job, whose name is longer than this method takes.
        """
        short = name.removeprefix("files/")
        if len(short) > MAX_ID:
            raise too_long("DeleteFileRequest")
        del self._files[self.get(owner, short).id]

    def listed(self, owner: str, origin: str) -> list[dict[str, object]]:
        """The files of a key, the newest first."""
        now = self._clock()
        return [file.resource(now, origin) for file in reversed(self._alive(owner))]

    def attached(self, owner: str, part: dict[str, Any]) -> dict[str, Any]:
        """A part whose `fileData` names a file of this service, with its bytes as `inlineData`; else the part itself.

        Of a file above 64 MiB only the type is filled in.

        Raises:
            ApiError: 403 as `get`; 400 for a file that is not ready.
        """
        given = part.get("fileData") or {}
        found = _NAME.fullmatch(given.get("fileUri", ""))
        if not found:
            return part
        file = self.get(owner, found[1])
        if file.state(self._clock()) != "ACTIVE":
            raise file_not_active(file.id)
        kind = given.get("mimeType") or file.mime_type
        if file.content.size > _INLINED:
            return {**part, "fileData": {**given, "mimeType": kind}}
        rest = {key: value for key, value in part.items() if key != "fileData"}
        return {**rest, "inlineData": {"mimeType": kind, "data": base64.b64encode(file.content.read()).decode()}}


def too_long(request: str) -> GoogleApiError:
    """A file id above 40 characters; the results of jobs have such ids."""
    return invalid(f"* {request}.name: File ID (name excluding 'files/') cannot be more than {MAX_ID} characters.\n")
