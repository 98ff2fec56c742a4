"""The transcript of one request: whole, or as the events of a stream."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.request_source import FixedSource
from gemgate.api.transcriptions.answer import answer_of, speaker_segment, usage_of
from gemgate.api.transcriptions.joining import PieceReaders
from gemgate.api.transcriptions.plan import HeardAudio
from gemgate.api.transcriptions.request import TranscriptionTranslation, to_gemini
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.media.references import Resolved
from gemgate.observability.record import current
from gemgate.translation.options import Options
from gemgate.web.sse import frame


@dataclass(frozen=True, slots=True)
class TranscriptionSource(FixedSource):
    """A request for a transcript with its audio, and how it is translated.

    Attributes:
        is_again: Whether the audio was uploaded before, with a key that another had to follow: the caller learns of it.
    """

    request: TranscriptionRequest | TranslationRequest
    audio: HeardAudio
    options: Options
    is_again: bool = False

    def translate(self, model: str, media: Resolved) -> TranscriptionTranslation:  # noqa: ARG002  as the protocol has it
        """The native request to `model`."""
        translation = to_gemini(self.request, self.audio, self.options, model=model)
        if self.is_again:
            translation.notes.adjust("file=uploaded again")
        return translation


async def whole_transcript(generation: Generation[TranscriptionTranslation]) -> str | dict[str, object]:
    """The transcript in the format that was asked for: a text, or an object.

    Raises:
        ApiError: the model gave none.
    """
    translation, answers = await generation.answer()
    readers = PieceReaders(translation.plan)
    for number, answer in enumerate(answers):
        readers.feed(number, answer)
    current().on_finish(readers.summary)
    return answer_of(readers.finish(), translation.plan, translation.notes)


async def event_pieces(
    call: ModelCall[TranscriptionTranslation], translation: TranscriptionTranslation
) -> AsyncGenerator[bytes, None]:
    """Events: a `transcript.text.delta` for each piece of text, and `transcript.text.done` with all of it.

    With `diarized_json` each segment is a `transcript.text.segment` before the end. What only the end shows of the
    request's fate is in a comment, because the head is gone.
    """
    translation, answers = await call.begin(translation)
    plan, notes = translation.plan, translation.notes
    readers = PieceReaders(plan)
    current().on_finish(readers.summary)
    before = notes.headers()
    async with aclosing(answers) as batches:
        async for number, batch in batches:
            deltas = [_delta(text) for event in batch if (text := readers.feed(number, event))]
            if deltas:
                yield b"".join(deltas)
    transcript = readers.finish()
    events = [_delta(readers.rest)] if readers.rest else []
    found = answer_of(transcript, plan, notes)
    if plan.format == "diarized_json":
        events += [frame(speaker_segment(number, segment)) for number, segment in enumerate(transcript.segments)]
    said = found["text"] if isinstance(found, dict) else found.strip()
    done: dict[str, object] = {"type": "transcript.text.done", "text": said}
    if not plan.is_translation:
        done["usage"] = usage_of(transcript.usage)
    after = notes.headers()
    comments = [f": {name}: {value}\n" for name, value in after.items() if before.get(name) != value]
    yield "".join(comments).encode() + b"".join(events) + frame(done)


def _delta(text: str) -> bytes:
    return frame({"type": "transcript.text.delta", "delta": text})
