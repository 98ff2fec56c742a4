"""`POST /audio/transcriptions` and `POST /audio/translations`: the I/O around the translation."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.services import Services, caller_of, services_of
from gemgate.api.transcriptions.pieces import TranscriptionSource, event_pieces, whole_transcript
from gemgate.api.transcriptions.request import TRANSCRIBING, TRANSLATING, TranscriptionTranslation, longest_piece
from gemgate.api.transcriptions.sent_audio import Received, SentAudio
from gemgate.api.transcriptions.upload import RequestT, received
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.media.lending_keys import LendingKeys
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

_PARAMS = {"messages": "file", "reasoning_effort": "model", "modalities": "model"}


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
        self._sent = SentAudio(audio, services)
        self._planned: TranscriptionTranslation | None = None
        self._generation: Generation[TranscriptionTranslation] | None = None

    async def response(self, held: AsyncExitStack) -> Response:
        """The answer, or the beginning of a stream, which then holds the audio."""
        services, audio = self._services, self._audio
        self._caller.check_model(self._name)
        await services.access.check_request(self._caller, audio.wanted)
        longest = longest_piece(audio.wanted, services.chat.catalog.facts(self._models[0]))
        await self._sent.prepare(held, self._caller, longest)
        self._call = self._new_call()
        planned = self._planned = self._call.translate()  # before anything is uploaded, it is known what is wrong
        is_dry = is_dry_run(self._request)
        current().uses(planned.model, planned.notes, is_asked=not is_dry)
        is_stream = bool(audio.wanted.stream) and "stream" not in planned.notes.dropped
        if is_dry:
            method = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
            client, path = services.gemini.client, f"/v1beta/{planned.model}:{method}"
            return dry_run(client, path, planned.body, planned.calls, planned.notes)
        if not is_stream:
            return await self._whole()
        return respond(self._request, self._events(held.pop_all()), services.settings, self._headers)

    async def _whole(self) -> Response:
        keys = self._keys()
        async with cancelled_on_disconnect(self._request):
            while True:
                try:
                    async with self._begun(keys) as generation:
                        found = await whole_transcript(generation)
                    break
                except GeminiError as error:
                    if not keys.moves_on(error):
                        raise _explained(error) from error
        headers = generation.response_headers()
        return PlainTextResponse(found, headers=headers) if isinstance(found, str) else json_response(found, headers)

    async def _events(self, held: AsyncExitStack) -> AsyncGenerator[bytes, None]:
        keys, is_over, has_begun = self._keys(), False, False
        async with held:
            while not is_over:
                try:
                    async with self._begun(keys) as generation, aclosing(generation.stream()) as pieces:
                        async for piece in pieces:
                            has_begun = True
                            yield piece
                    is_over = True
                except GeminiError as error:
                    if has_begun or not keys.moves_on(error):
                        raise _explained(error) from error

    def _keys(self) -> LendingKeys:
        return self._services.media.lending_keys(self._caller, model_name(self._models[0]))

    @asynccontextmanager
    async def _begun(self, keys: LendingKeys) -> AsyncGenerator[Generation[TranscriptionTranslation]]:
        """The request on its way; what of it is a file is at Google for as long as the block lasts."""
        async with self._sent.at_google(self._caller, keys):
            yield self._started()

    def _started(self) -> Generation[TranscriptionTranslation]:
        translation, self._planned = self._planned, None
        if translation is None:  # the first one was sent
            self._call = self._new_call(is_again=True)
            translation = self._call.translate()
            current().uses(translation.model, translation.notes)
        self._generation = Generation(self._call, translation, self._models, event_pieces)
        return self._generation

    def _headers(self) -> dict[str, str]:
        return self._generation.response_headers() if self._generation is not None else {}

    def _new_call(self, *, is_again: bool = False) -> ModelCall[TranscriptionTranslation]:
        source = TranscriptionSource(self._audio.wanted, self._sent.heard, self._services.chat, is_again)
        is_dry = is_dry_run(self._request)
        asked = self._audio.wanted.model
        return ModelCall(self._services, self._caller, source, asked, self._sent.size, is_dry, self._models[0], refs=())


def _explained(error: GeminiError) -> ApiError:
    """Google's error, which names the parameters of this endpoint."""
    return error_in_words(error, _PARAMS)
