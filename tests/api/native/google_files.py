"""A Google that takes resumable uploads chunk by chunk, and breaks where it is told to."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field

import httpx
import orjson
from tests.api.native.support import UPSTREAM

ADDRESS = f"{UPSTREAM}/upload/v1beta/files?upload_id=googles-own&upload_protocol=resumable"
NAME = "files/abc-123"


@dataclass
class FakeUploads:
    """One upload at a time.

    Attributes:
        content: What has arrived.
        breaks_at: The next chunk is lost after so many of its bytes; what came before counts.
        refuses: The next chunk is refused.
        digest: What is said of the whole; the true one if empty.
        keys: The key of each request, None where there was none.
    """

    content: bytes = b""
    breaks_at: int | None = None
    refuses: bool = False
    digest: str = ""
    keys: list[str | None] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("x-goog-api-key"))
        command = request.headers.get("x-goog-upload-command", "")
        if "start" in command:
            self.content = b""
            return self._said("active", {"x-goog-upload-url": ADDRESS, "x-goog-upload-control-url": ADDRESS})
        if str(request.url) != ADDRESS:
            return httpx.Response(200, json={"file": {"name": NAME}})
        if command == "query":
            return self._said("active")
        return self._take(request, is_last="finalize" in command)

    def _take(self, request: httpx.Request, *, is_last: bool) -> httpx.Response:
        if self.refuses:
            self.refuses = False
            return httpx.Response(400, headers={"x-goog-upload-status": "active"}, json={"error": {"code": 400}})
        piece = request.content
        if self.breaks_at is not None:
            piece, self.breaks_at = piece[: self.breaks_at], None
            self.content += piece
            raise httpx.ReadError("lost")
        assert int(request.headers["x-goog-upload-offset"]) == len(self.content)
        self.content += piece
        return self._finished() if is_last else self._said("active")

    def _finished(self) -> httpx.Response:
        digest = self.digest or hashlib.sha256(self.content).hexdigest()
        file = {
            "name": NAME,
            "sizeBytes": str(len(self.content)),
            "sha256Hash": b64encode(digest.encode()).decode(),
            "state": "ACTIVE",
        }
        return httpx.Response(200, headers={"x-goog-upload-status": "final"}, content=orjson.dumps({"file": file}))

    def _said(self, status: str, more: dict[str, str] | None = None) -> httpx.Response:
        received = str(len(self.content))
        headers = {"x-goog-upload-status": status, "x-goog-upload-size-received": received, **(more or {})}
        return httpx.Response(200, headers=headers)
