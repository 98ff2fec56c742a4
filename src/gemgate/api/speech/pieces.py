"""The speech of one request, as bytes and as events, encoded beside the event loop."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import pybase64
from anyio import to_thread

from gemgate.api.generation import ModelCall
from gemgate.api.request_source import FixedSource
from gemgate.api.speech.answer import SpeechFile
from gemgate.api.speech.request import SpeechTranslation, to_gemini
from gemgate.api.speech.wire import SpeechRequest
from gemgate.media.references import Resolved
from gemgate.observability.record import current
from gemgate.translation.options import Options
from gemgate.upstream.stream import AnswerEvents
from gemgate.web.sse import frame


@dataclass(frozen=True, slots=True)
class SpeechSource(FixedSource):
    """A request for speech, and how it is translated."""

    speech: SpeechRequest
    options: Options

    def translate(self, model: str, media: Resolved) -> SpeechTranslation:  # noqa: ARG002  as the protocol has it
        """The native request to `model`."""
        return to_gemini(self.speech, self.options, model=model)


async def audio_pieces(
    call: ModelCall[SpeechTranslation], translation: SpeechTranslation
) -> AsyncGenerator[bytes, None]:
    """The bytes of the file, as they are made."""
    translation, events = await call.begin(translation)
    async with aclosing(_written(events, _new_file(translation))) as pieces:
        async for piece in pieces:
            yield piece


async def event_pieces(
    call: ModelCall[SpeechTranslation], translation: SpeechTranslation
) -> AsyncGenerator[bytes, None]:
    """The same as events: a `speech.audio.delta` each, and `speech.audio.done` with the tokens."""
    translation, events = await call.begin(translation)
    file = _new_file(translation)
    async with aclosing(_written(events, file)) as pieces:
        async for piece in pieces:
            yield frame({"type": "speech.audio.delta", "audio": pybase64.b64encode_as_string(piece)})
    yield frame({"type": "speech.audio.done", "usage": file.usage()})


def _new_file(translation: SpeechTranslation) -> SpeechFile:
    file = SpeechFile(translation.format)
    current().on_finish(file.summary)
    return file


async def _written(events: AnswerEvents, file: SpeechFile) -> AsyncGenerator[bytes, None]:
    async with aclosing(events) as batches:
        async for _, batch in batches:
            for event in batch:
                for sound in file.feed(event):
                    if written := await _encoded(file, sound):
                        yield written
    for sound in file.rest():
        if written := await _encoded(file, sound):
            yield written
    last = await to_thread.run_sync(file.finish) if file.is_heavy else file.finish()
    if last:
        yield last


async def _encoded(file: SpeechFile, sound: bytes) -> bytes:
    return await to_thread.run_sync(file.encode, sound) if file.is_heavy else file.encode(sound)
