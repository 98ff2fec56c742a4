"""The sound of one answer as a file of the format that was asked for, for speech and for chat."""

from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import Blob
from gemgate.translation.speech.encoders import MEDIA_TYPES, SpeechEncoder, SpeechFormat, can_encode, encoder_for
from gemgate.translation.speech.samples import SampleReader

_NATIVE_FORMATS: dict[str, str] = {"mp3": "AUDIO_MP3", "opus": "AUDIO_OGG_OPUS"}
_NAMES = {("audio.format", "pcm"): "pcm16"}


class SoundWriter:
    """Takes the pieces of sound as they come, and writes the file.

    Args:
        wanted: The format of the file.
        param: The caller's parameter that names it.

    Attributes:
        has_sound: Whether any has come.
        reader: What reads the pieces.
    """

    def __init__(self, wanted: SpeechFormat, param: str) -> None:
        self.has_sound = False
        self.reader = SampleReader()
        self._wanted = wanted
        self._param = param
        self._encoder: SpeechEncoder | None = None

    @property
    def is_heavy(self) -> bool:
        """Whether `encode` and `finish` belong into a thread."""
        return self._encoder is not None and self._encoder.is_heavy

    def read(self, blob: Blob) -> bytes:
        """The sound of a piece, for `encode`.

        Raises:
            ApiError: 502 when it is neither samples nor what was asked for; 400 when it cannot be written as that.
        """
        return self._begun(self.reader.feed(blob))

    def rest(self) -> bytes:
        """The sound that was held back until the end, for `encode`; errors as `read`."""
        return self._begun(self.reader.finish())

    def encode(self, sound: bytes) -> bytes:
        """The bytes of the file that this sound completes."""
        return sound if self._encoder is None else self._encoder.feed(sound)

    def finish(self) -> bytes:
        """The rest of the file."""
        return b"" if self._encoder is None else self._encoder.finish()

    def _begun(self, sound: bytes) -> bytes:
        if not sound or self.has_sound:
            return sound
        self.has_sound = True
        kind = self.reader.kind
        if kind == "pcm":
            if not can_encode(self._wanted):
                raise not_encodable(self._wanted, self._param)
            self._encoder = encoder_for(self._wanted, self.reader.rate, self.reader.channels)
        elif kind != self._wanted:
            msg = f"Gemini's speech is {kind}, and neither samples nor {self._wanted}."
            raise ApiError(502, msg, type="server_error", code="upstream_malformed_response")
        return sound


def native_format(wanted: str, facts: ModelFacts) -> str | None:
    """Google's name of a format, where the model writes it."""
    native = _NATIVE_FORMATS.get(wanted)
    is_refused = "responseFormat" in facts.refused_fields
    return native if native in facts.speech_formats and not is_refused else None


def not_encodable(wanted: str, param: str) -> ApiError:
    """The error for a format whose library is not installed."""
    possible = [_NAMES.get((param, name), name) for name in MEDIA_TYPES if can_encode(name)]
    msg = (
        f"This gateway cannot write {wanted}: PyAV is not installed (pip install 'gemgate[audio]'). "
        f"'{param}' may be {', '.join(possible)}."
    )
    return ApiError(400, msg, param=param, code="unsupported_value")
