"""`POST /audio/transcriptions` and `POST /audio/translations`: the I/O around the translation."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pybase64
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.services import Services, caller_of, services_of
from gemgate.api.transcriptions.pieces import TranscriptionSource, event_pieces, whole_transcript
from gemgate.api.transcriptions.plan import HeardAudio
from gemgate.api.transcriptions.request import TRANSCRIBING, TRANSLATING, TranscriptionTranslation
from gemgate.api.transcriptions.upload import ReceivedAudio, RequestT, received
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import GeminiFile
from gemgate.gemini.types import Part
from gemgate.media.references import placeholder
from gemgate.model_routing.model_name import model_name
from gemgate.model_routing.openai_names import gemini_name
from gemgate.observability.record import Operation, current
from gemgate.translation.google_errors import error_in_words
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run
from gemgate.web.json_response import json_response
from gemgate.web.sse import respond

router = APIRouter(tags=["audio"])

INLINE_BYTES = 8_000_000
"""Larger audio goes to Google as a file: a request holds it in base64, and several copies of that in memory."""

_PARAMS = {"messages": "file", "reasoning_effort": "model", "modalities": "model"}

Received = ReceivedAudio[TranscriptionRequest] | ReceivedAudio[TranslationRequest]


@router.post("/audio/transcriptions", summary="Transcribe speech")
async def create_transcription(request: Request) -> Response:
    """Answer with what is said in a file of audio, in the language that is spoken.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    return await _answer(request, TranscriptionRequest, "transcription", TRANSCRIBING)


@router.post("/audio/translations", summary="Translate speech into English")
async def create_translation(request: Request) -> Response:
    """Answer with what is said in a file of audio, in English.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    return await _answer(request, TranslationRequest, "translation", TRANSLATING)


async def _answer(request: Request, kind: type[RequestT], operation: Operation, names: Mapping[str, str]) -> Response:
    services, caller = services_of(request), caller_of(request)
    async with AsyncExitStack() as stack:

        async def admit(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            await services.confirmed_keys.check(caller)  # nobody else may fill the disk
            admitted = services.store.room.admitted(caller.id, chunks, is_spooled=True)
            return await stack.enter_async_context(admitted)

        audio = await received(request, kind, services.settings, admit)
        stack.callback(audio.bytes.close)
        current().asks(operation, audio.wanted.model, audio.wanted)
        return await _AudioRequest(request, services, caller, audio, names).response(stack)


class _AudioRequest:
    """One request on its way to its answer.

    Args:
        names: Gemini's models by OpenAI's names.
    """

    def __init__(
        self, request: Request, services: Services, caller: Caller, audio: Received, names: Mapping[str, str]
    ) -> None:
        self._request = request
        self._services = services
        self._caller = caller
        self._audio = audio
        self._name = gemini_name(audio.wanted.model, names, services.aliases)
        self._models = services.aliases.resolve(self._name)
        self._is_large = audio.bytes.size > min(INLINE_BYTES, services.settings.inline_max_bytes // 2)
        self._generation: Generation[TranscriptionTranslation] | None = None

    async def response(self, held: AsyncExitStack) -> Response:
        """The answer, or the beginning of a stream, which then holds the audio."""
        services, audio = self._services, self._audio
        self._caller.check_model(self._name)
        await services.access.check_request(self._caller, audio.wanted)
        part = _placed(placeholder(audio.mime_type)) if self._is_large else await self._inline()
        planned = self._call(part).translate()  # before anything is uploaded, it is known what is wrong
        is_dry = is_dry_run(self._request)
        current().uses(planned.model, planned.notes, is_asked=not is_dry)
        is_stream = bool(audio.wanted.stream) and "stream" not in planned.notes.dropped
        if is_dry:
            method = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
            return dry_run(f"/v1beta/{planned.model}:{method}", planned.body, planned.calls, planned.notes)
        if not is_stream:
            return await self._whole(part)
        return respond(self._request, self._events(part, held.pop_all()), services.settings, self._headers)

    async def _whole(self, part: Part) -> Response:
        async with cancelled_on_disconnect(self._request), self._at_google(part) as placed:
            generation = self._started(placed)
            try:
                found = await whole_transcript(generation)
            except GeminiError as error:
                raise _explained(error) from error
        headers = generation.response_headers()
        return PlainTextResponse(found, headers=headers) if isinstance(found, str) else json_response(found, headers)

    async def _events(self, part: Part, held: AsyncExitStack) -> AsyncGenerator[bytes, None]:
        async with held:
            try:
                async with self._at_google(part) as placed, aclosing(self._started(placed).stream()) as pieces:
                    async for piece in pieces:
                        yield piece
            except GeminiError as error:
                raise _explained(error) from error

    def _started(self, part: Part) -> Generation[TranscriptionTranslation]:
        call = self._call(part)
        translation = call.translate()
        current().uses(translation.model, translation.notes)
        self._generation = Generation(call, translation, self._models, event_pieces)
        return self._generation

    def _headers(self) -> dict[str, str]:
        return self._generation.response_headers() if self._generation is not None else {}

    def _call(self, part: Part) -> ModelCall[TranscriptionTranslation]:
        audio = HeardAudio(part, self._audio.mime_type, self._audio.seconds)
        source = TranscriptionSource(self._audio.wanted, audio, self._services.chat)
        size = 0 if self._is_large else self._audio.bytes.size * 4 // 3
        is_dry = is_dry_run(self._request)
        asked = self._audio.wanted.model
        return ModelCall(self._services, self._caller, source, asked, size, is_dry, self._models[0], refs=())

    async def _inline(self) -> Part:
        content = await self._audio.bytes.whole()
        data = await to_thread.run_sync(pybase64.b64encode_as_string, content)
        return {"inlineData": {"mimeType": self._audio.mime_type, "data": data}}

    @asynccontextmanager
    async def _at_google(self, part: Part) -> AsyncGenerator[Part]:
        """The part that the model hears: the one with the bytes, or one that names a file for as long as it is used."""
        if not self._is_large:
            yield part
            return
        audio, model = self._audio, model_name(self._models[0])
        lent = self._services.media.lent(
            audio.bytes.pieces, audio.bytes.size, audio.mime_type, "file", self._caller, model
        )
        async with lent as file:
            yield _placed(file)


def _placed(file: GeminiFile) -> Part:
    return {"fileData": {"mimeType": file.mime_type, "fileUri": file.uri}}


def _explained(error: GeminiError) -> ApiError:
    """Google's error, which names the parameters of this endpoint."""
    return error_in_words(error, _PARAMS)
