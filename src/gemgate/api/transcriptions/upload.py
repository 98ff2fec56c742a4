"""The form of a request for a transcript: the audio, and the fields around it."""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import IO, Generic, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from tinytag import TinyTag, TinyTagException

from gemgate.api.transcriptions.wire import LISTS, TranscriptionRequest, TranslationRequest
from gemgate.errors import ApiError
from gemgate.media.errors import MediaError
from gemgate.media.sniff import HEAD_BYTES, choose, gemini_name
from gemgate.media.spooled_upload import IN_MEMORY, SpooledUpload
from gemgate.settings import Settings
from gemgate.translation.speech.samples import wav_seconds
from gemgate.translation.validation import from_details
from gemgate.web.form_fields import put_field
from gemgate.web.form_file import FormFile
from gemgate.web.multipart import FormPart

_MAX_TEXT = 4_194_304
"""Bytes of the fields beside the audio: clients may send samples of voices with it."""

_WAV_HEAD = 65_536
_LONGEST = 360_000
"""Seconds that are believed of a head."""

_SOUND_OF = {"video/3gpp": "audio/mp4", "video/mp4": "audio/mp4", "video/webm": "audio/webm"}
_AMR = (b"#!AMR", "audio/amr")

RequestT = TypeVar("RequestT", TranscriptionRequest, TranslationRequest)


class AudioForm(FormFile, Generic[RequestT]):
    """The audio in `file`, and what is to be done with it.

    Attributes:
        wanted: The fields, once `chunks` has ended.
    """

    wanted: RequestT

    def __init__(self, request: Request, kind: type[RequestT], maximum: int) -> None:
        super().__init__(request, "file", maximum, max_text=_MAX_TEXT)
        self._kind: type[RequestT] = kind

    def _put(self, part: FormPart) -> None:
        if part.name in LISTS:
            part.name += "[]"
        put_field(self.fields, part)

    def _finish(self) -> None:
        try:
            self.wanted = self._kind.model_validate(self.fields)
        except ValidationError as error:
            raise from_details(error.errors(include_url=False), self.fields) from None


class ReceivedAudio(Generic[RequestT]):
    """A request whose form has come whole.

    Attributes:
        wanted: What is to be done.
        bytes: The audio.
        mime_type: Its type, as Gemini spells it.
        seconds: How long it lasts; None where that cannot be read.
    """

    def __init__(self, wanted: RequestT, spool: SpooledUpload, mime_type: str, seconds: float | None) -> None:
        self.wanted: RequestT = wanted
        self.bytes = spool
        self.mime_type = mime_type
        self.seconds = seconds


Admit = Callable[[AsyncIterator[bytes]], Awaitable[AsyncIterator[bytes]]]
"""Gives the bytes of a file that may go to disk, as they come, for as long as there is room for them."""


async def received(
    request: Request, kind: type[RequestT], settings: Settings, admit: Admit | None = None
) -> ReceivedAudio[RequestT]:
    """The request, once all of its form is there.

    Args:
        request: The request.
        kind: What its fields are.
        settings: The operator's limits, and where the file is.
        admit: Asked about a file that is too large for memory, before any of it is read.

    Raises:
        ApiError: 400, 413 or 415, the form is wrong, or its file no audio.
        ClientDisconnect: the client went while it was sending.
    """
    form = AudioForm(request, kind, settings.files_max_bytes)
    spool = SpooledUpload(settings.data_dir)
    try:
        async with aclosing(form.chunks()) as chunks:
            passing = await admit(chunks) if admit is not None and _may_need_disk(request) else chunks
            async for chunk in passing:
                await spool.write(chunk)
        mime_type = _type_of(await spool.head(HEAD_BYTES), form)
        return ReceivedAudio(form.wanted, spool, mime_type, await spool.inspect(_seconds))
    except BaseException:
        spool.close()
        raise


def _may_need_disk(request: Request) -> bool:
    declared = request.headers.get("content-length", "")
    return not declared.isdecimal() or len(declared) > len(str(IN_MEMORY)) or int(declared) > IN_MEMORY


def _type_of(head: bytes, form: FormFile) -> str:
    if not head:
        raise ApiError(400, "'file' is empty. Send the bytes of the audio.", param="file", code="invalid_file")
    if head.startswith(_AMR[0]):
        return _AMR[1]
    try:
        found = choose(head, form.content_type, form.filename)
    except MediaError:
        found = gemini_name(form.content_type) or "unknown"
        raise _no_audio(found) from None
    found = _SOUND_OF.get(found, found)
    if not found.startswith(("audio/", "video/")):
        raise _no_audio(found)
    return found


def _no_audio(found: str) -> ApiError:
    msg = (
        f"'file' is not audio, but {found[:60]}. Supported formats are flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav "
        "and webm, and aac, aiff and amr."
    )
    return ApiError(400, msg, param="file", code="unsupported_media_type")


def _seconds(file: IO[bytes]) -> float | None:
    """How long it lasts by its head; a file may say anything."""
    head = file.read(_WAV_HEAD)
    if head.startswith(b"RIFF"):
        return wav_seconds(head, file.seek(0, 2))
    file.seek(0)
    try:
        tag = TinyTag.get(file_obj=file, tags=False)  # type: ignore[arg-type]  # a file that can be sought is enough
    except (TinyTagException, struct.error, ArithmeticError, LookupError, TypeError, ValueError, EOFError):
        return None
    return tag.duration if tag.duration and 0 < tag.duration < _LONGEST else None
