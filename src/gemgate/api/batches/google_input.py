"""The native input of a batch on its way to Google: inline in the request, or as a file."""

import structlog

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.api.batches.transfer import Transfer
from gemgate.gemini.batch_types import INPUT_TYPE, Kind
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MissingFileError
from gemgate.gemini.files import GeminiFiles

_log = structlog.get_logger()

MAX_INLINE_BYTES = 262_144
MAX_INLINE_REQUESTS: dict[Kind, int] = {"generate": 100, "embed": 16}
"""What goes to Google without a file. Small, because the answer is one piece of JSON that holds up the event loop."""


class GoogleInput:
    """The file at Google that a job reads its requests from."""

    def __init__(self, google_files: GeminiFiles, transfer: Transfer) -> None:
        self._google_files = google_files
        self._transfer = transfer

    async def upload(self, claimed: ClaimedBatch, key: str) -> str:
        """The native input as a file at Google. Its name is fixed, so that it is found when it is there already."""
        name, size = _input_name(claimed), claimed.progress.get("native_bytes", 0)
        try:
            file = await self._google_files.get(name, key=key)
        except MissingFileError:
            file = await self._google_files.upload(
                lambda offset: self._transfer.native_from(claimed.job, offset),
                size=size,
                mime_type=INPUT_TYPE,
                display_name=claimed.row.display_name,
                key=key,
                name=name,
            )
        return (await self._google_files.wait_until_active(file, key=key)).name

    async def forget(self, claimed: ClaimedBatch, key: str) -> None:
        """Give back the room that the native input takes at Google; it would be gone after 48 hours anyway."""
        if claimed.row.google_name is None or is_inline(claimed):
            return
        try:
            await self._google_files.delete(_input_name(claimed), key=key)
        except GeminiError as error:
            _log.info("batch input stays at Google", batch=claimed.row.id, reason=error.reason)


def kind_of(claimed: ClaimedBatch) -> Kind:
    """Whether the requests generate or embed, by the endpoint of the batch."""
    return "embed" if claimed.row.endpoint == "/v1/embeddings" else "generate"


def is_inline(claimed: ClaimedBatch) -> bool:
    """Whether the requests go to Google without a file."""
    requests, size = claimed.progress.get("requests", 0), claimed.progress.get("native_bytes", 0)
    return requests <= MAX_INLINE_REQUESTS[kind_of(claimed)] and size <= MAX_INLINE_BYTES


def _input_name(claimed: ClaimedBatch) -> str:
    """The native input at Google, where a name has 40 characters at most: lower-case letters, digits and dashes."""
    return f"files/gemgate-{claimed.row.id.removeprefix('batch_')}"
