"""A native stream of speech as the file that was asked for."""

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.parts import decode
from gemgate.gemini.types import Blob, Candidate, GenerateContentResponse, UsageMetadata
from gemgate.gemini.usage import by_modality, counts
from gemgate.observability.record import AnswerSummary
from gemgate.translation.google_errors import error_in_words
from gemgate.translation.response_fields import BROKEN, FINISH_REASONS, block, no_answer
from gemgate.translation.speech.encoders import SpeechFormat
from gemgate.translation.speech.writer import SoundWriter

PIECE = 48_000
"""Bytes of samples that are encoded at a time: a second."""

_MAX_TEXT = 1000

# A native field's name in the words of this endpoint, where chat has another word for it.
_PARAMS = {"messages": "input", "audio": "voice", "modalities": "model"}


class SpeechFile:
    """Takes the events of one answer, and writes the file.

    Args:
        wanted: Its format.
    """

    def __init__(self, wanted: SpeechFormat) -> None:
        self._sound = SoundWriter(wanted, "response_format")
        self._reason: str | None = None
        self._message: str | None = None
        self._blocked: str | None = None
        self._served: str | None = None
        self._id: str | None = None
        self._text = ""
        self._usage: UsageMetadata = {}

    @property
    def is_heavy(self) -> bool:
        """Whether `encode` and `finish` belong into a thread."""
        return self._sound.is_heavy

    def feed(self, event: GenerateContentResponse) -> list[bytes]:
        """The sound of an event, in pieces for `encode`.

        Raises:
            ApiError: 502 when it is neither samples nor what was asked for; 400 when it cannot be written as that.
        """
        self._served = event.get("modelVersion") or self._served
        self._id = event.get("responseId") or self._id
        self._usage = event.get("usageMetadata") or self._usage
        if feedback := block(event):
            self._blocked = feedback.get("blockReason") or "BLOCK_REASON_UNSPECIFIED"
            self._message = feedback.get("blockReasonMessage")
        return _pieces(b"".join(self._sound.read(blob) for blob in self._blobs(event)))

    def rest(self) -> list[bytes]:
        """The sound that was held back until the end, in pieces for `encode`.

        Raises:
            ApiError: there was no sound, a filter took the rest of it, or the stream ended before its end.
        """
        pieces = _pieces(self._sound.rest())
        if (failure := self._failure()) is not None:
            raise failure
        return pieces

    def encode(self, sound: bytes) -> bytes:
        """The bytes of the file that a piece completes."""
        return self._sound.encode(sound)

    def finish(self) -> bytes:
        """The rest of the file."""
        return self._sound.finish()

    def summary(self) -> AnswerSummary:
        """What is known by now of the model and the tokens."""
        reasons = [FINISH_REASONS.get(self._reason, "stop")] if self._reason else []
        return AnswerSummary(self._served, self._usage, self._id, reasons)

    def usage(self) -> dict[str, object]:
        """The tokens, in the words of `speech.audio.done`."""
        found = counts(self._usage)
        asked, spoken = found.prompt + found.tool_use, found.candidates + found.thoughts
        inputs = by_modality(self._usage.get("promptTokensDetails"))
        return {
            "input_tokens": asked,
            "input_token_details": {"text_tokens": inputs.get("TEXT", asked), "audio_tokens": inputs.get("AUDIO", 0)},
            "output_tokens": spoken,
            "total_tokens": found.total if found.total is not None else asked + spoken,
        }

    def _blobs(self, event: GenerateContentResponse) -> list[Blob]:
        candidates = event.get("candidates") or []
        first: Candidate = candidates[0] if candidates else {}
        self._reason = first.get("finishReason") or self._reason
        self._message = first.get("finishMessage") or self._message
        decoded = decode((first.get("content") or {}).get("parts") or [], ("audio/",))
        if len(self._text) < _MAX_TEXT:
            self._text += "".join(text for is_thought, text in decoded.texts if not is_thought)
        return [media.blob for media in decoded.media]

    def _failure(self) -> ApiError | None:
        if self._blocked:
            return _refused("the prompt", self._blocked, self._message)
        if self._reason is not None and FINISH_REASONS.get(self._reason) == "content_filter":
            return _refused("the speech", self._reason, self._message)
        if not self._sound.has_sound:
            said = f"The model wrote instead: {self._text[:_MAX_TEXT]}" if self._text.strip() else None
            return no_answer(self._reason, self._message or said)
        if self._reason in BROKEN:
            return no_answer(self._reason, self._message)
        if self._reason is None:
            msg = "Gemini's stream ended before the speech did."
            return ApiError(502, msg, type="server_error", code="stream_truncated")
        return None


def _pieces(sound: bytes) -> list[bytes]:
    return [sound[start : start + PIECE] for start in range(0, len(sound), PIECE)]


def speech_error(error: GeminiError) -> ApiError:
    """Google's error for the caller who asked for speech."""
    return error_in_words(error, _PARAMS)


def _refused(what: str, reason: str, message: str | None) -> ApiError:
    text = f"Google blocked {what} ({reason})." + (f" {message}" if message else "")
    google: dict[str, object] = {"status": reason, "details": []}
    return ApiError(400, text, param="input", code="moderation_blocked", google=google)
