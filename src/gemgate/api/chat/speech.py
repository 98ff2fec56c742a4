"""Speech in chat answers, in base64."""

import base64
from typing import Literal, get_args

from gemgate.gemini.types import Blob
from gemgate.translation.speech.encoders import SpeechFormat
from gemgate.translation.speech.samples import wav_head
from gemgate.translation.speech.writer import SoundWriter

AudioFormat = Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]

FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)
STREAMED: tuple[AudioFormat, ...] = FORMATS[1:]
"""A WAV file has its length in front, so it cannot be given before it has ended."""


def written_format(wanted: AudioFormat) -> SpeechFormat:
    """The format of the file behind a name of chat's."""
    return "pcm" if wanted == "pcm16" else wanted


class Speech:
    """Puts the pieces of one answer's speech together: streams bring many, and base64 must not be padded in the middle.

    The bytes are given as they come, in whole groups of three; a WAV file is given at the end.

    Args:
        wanted: The format that the caller asked for.
    """

    def __init__(self, wanted: AudioFormat) -> None:
        self._is_wav = wanted == "wav"
        self._sound = SoundWriter("pcm" if self._is_wav else written_format(wanted), "audio.format")
        self._ready = bytearray()

    def feed(self, blob: Blob) -> str:
        """Base64 of what can be given now.

        Raises:
            ApiError: 502 when the data is not base64, or neither samples nor of the format; 400 when no library that
                writes the format is installed.
        """
        self._ready += self._sound.encode(self._sound.read(blob))
        return "" if self._is_wav else self._take(len(self._ready) // 3 * 3)

    def finish(self) -> str:
        """Base64 of the rest; errors as `feed`."""
        self._ready += self._sound.encode(self._sound.rest()) + self._sound.finish()
        if self._is_wav:
            reader = self._sound.reader
            self._ready[:0] = wav_head(len(self._ready), reader.rate, reader.channels)
        return self._take(len(self._ready))

    def _take(self, count: int) -> str:
        taken = base64.b64encode(self._ready[:count]).decode()
        del self._ready[:count]
        return taken
