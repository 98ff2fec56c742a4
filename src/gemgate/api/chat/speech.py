"""Speech in chat answers: base64 of samples, or of a WAV file."""

import base64

from gemgate.errors import ApiError
from gemgate.gemini.types import Blob
from gemgate.translation.speech.samples import SampleReader, wav_head


class Speech:
    """Puts the pieces of one answer's speech together: streams bring many, and base64 must not be padded in the middle.

    `pcm16` is given as it comes, in whole groups of three bytes, and without the head of a WAV file; a WAV file has its
    length in front, so it is given at the end.
    """

    def __init__(self, audio_format: str) -> None:
        self._is_wav = audio_format == "wav"
        self._reader = SampleReader()
        self._samples = bytearray()

    def feed(self, blob: Blob) -> str:
        """Base64 of what can be given now.

        Raises:
            ApiError: 502 when the data is not base64, or no samples.
        """
        self._samples += self._reader.feed(blob)
        if self._reader.kind not in (None, "pcm"):
            msg = f"Gemini's speech is {self._reader.kind}, and samples were expected."
            raise ApiError(502, msg, type="server_error", code="upstream_malformed_response")
        return "" if self._is_wav else self._take(len(self._samples) // 3 * 3)

    def finish(self) -> str:
        """Base64 of the rest."""
        self._samples += self._reader.finish()
        if self._is_wav:
            self._samples[:0] = wav_head(len(self._samples), self._reader.rate, self._reader.channels)
        return self._take(len(self._samples))

    def _take(self, count: int) -> str:
        taken = base64.b64encode(self._samples[:count]).decode()
        del self._samples[:count]
        return taken
