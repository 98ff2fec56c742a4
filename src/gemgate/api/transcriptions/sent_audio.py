"""The audio of a request as it goes to Google: whole or in pieces, within the request or as files."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pybase64
from anyio import to_thread

from gemgate.api.services import Services
from gemgate.api.transcriptions.cutting import can_cut, cut
from gemgate.api.transcriptions.plan import HeardAudio, Span
from gemgate.api.transcriptions.upload import ReceivedAudio
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.file_types import GeminiFile
from gemgate.gemini.types import Part
from gemgate.media.lending_keys import LendingKeys
from gemgate.media.references import placeholder
from gemgate.media.spooled_upload import IN_MEMORY, SpooledUpload
from gemgate.settings import Settings

INLINE_BYTES = 8_000_000
"""Larger audio goes to Google as a file, where it may: a request holds several copies of it in memory."""

Received = ReceivedAudio[TranscriptionRequest] | ReceivedAudio[TranslationRequest]


class SentAudio:
    """The parts of a native request that hold the audio, or name it.

    Args:
        audio: What has come.
        services: Those that upload.

    Raises:
        ApiError: 413, it is too large for a request, and the operator lets nothing be uploaded.
    """

    def __init__(self, audio: Received, services: Services) -> None:
        self._audio = audio
        self._services = services
        self._is_large = _goes_as_file(audio.bytes.size, services.settings)
        self._files: list[SpooledUpload] = [audio.bytes]
        self._seconds = audio.seconds
        self._spans: list[Span] = []
        self._parts: list[Part] = []

    async def prepare(self, held: AsyncExitStack, caller: Caller, longest: int) -> None:
        """Cut what lasts longer than `longest` seconds, where it can be cut; 0: it may be as long as it is.

        Args:
            held: Holds the pieces, which count for what `caller` may store.
            caller: Whose audio it is.
            longest: What the model takes.

        Raises:
            ApiError: 400, it cannot be read.
            QuotaExceededError: the caller has stored as much as it may.
            DiskReserveError: the disk is full but for the reserve.
            DiskFullError: the disk takes no more.
        """
        audio = self._audio
        if longest and audio.seconds is not None and audio.seconds > longest and can_cut(audio.mime_type):
            if audio.bytes.size > IN_MEMORY:
                await held.enter_async_context(self._services.store.room.reserved(caller.id, audio.bytes.size))
            directory = self._services.settings.data_dir
            async with self._services.cutting.of(caller.id):
                pieces = await cut(audio.bytes, audio.mime_type, longest, directory)
            for piece in pieces:
                held.callback(piece.bytes.close)
            if pieces:
                self._files = [piece.bytes for piece in pieces]
                self._seconds = pieces[-1].span.end
            if len(pieces) > 1:
                self._spans = [piece.span for piece in pieces]
        self._parts = [await self._part(file) for file in self._files]

    @property
    def heard(self) -> HeardAudio:
        """What is to be heard."""
        return HeardAudio(self._parts, self._audio.mime_type, self._seconds, self._spans)

    @property
    def size(self) -> int:
        """Bytes of the audio within the request."""
        return 0 if self._is_large else sum(file.size for file in self._files) * 4 // 3

    @asynccontextmanager
    async def at_google(self, caller: Caller, keys: LendingKeys) -> AsyncGenerator[None]:
        """Audio that goes as files is at Google for as long as the block lasts: the parts name the files.

        Raises:
            ApiError: 400 when Gemini does not take it.
            GeminiError: it could not be uploaded, or every key of the gateway cools down.
        """
        media, audio = self._services.media, self._audio
        async with AsyncExitStack() as lent:
            for file, part in zip(self._files, self._parts, strict=True) if self._is_large else ():
                found = await lent.enter_async_context(
                    media.lent(file.pieces, file.size, audio.mime_type, "file", caller, keys.key)
                )
                part.update(_placed(found))  # the request that was translated holds it
            yield

    async def _part(self, file: SpooledUpload) -> Part:
        mime_type = self._audio.mime_type
        if self._is_large:
            return _placed(placeholder(mime_type))
        data = await to_thread.run_sync(pybase64.b64encode_as_string, await file.whole())
        return {"inlineData": {"mimeType": mime_type, "data": data}}


def _goes_as_file(size: int, settings: Settings) -> bool:
    """Whether audio of `size` bytes is uploaded; within a request, it is held in memory several times.

    Raises:
        ApiError: 413, it is too large for a request, and the operator lets nothing be uploaded.
    """
    if settings.large_media != "refuse":
        return size > min(INLINE_BYTES, settings.inline_max_bytes // 2)
    if size * 4 // 3 > settings.inline_max_bytes:
        msg = (
            f"'file' has {size:,} bytes, which makes the request too large: Google takes at most "
            f"{settings.inline_max_bytes:,} bytes, and a third more than the file has is sent. Send it in pieces, or "
            "have the gateway upload it, which GEMGATE_LARGE_MEDIA=refuse forbids."
        )
        raise ApiError(413, msg, param="file", code="media_too_large")
    return False


def _placed(file: GeminiFile) -> Part:
    return {"fileData": {"mimeType": file.mime_type, "fileUri": file.uri}}
