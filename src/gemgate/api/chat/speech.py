"""Speech in chat answers.

Gemini's speech is `audio/L16;codec=pcm;rate=24000`: headerless, signed 16-bit, little-endian (in spite of the name),
mono.
"""

import base64
import binascii
import re
import struct

from gemgate.errors import ApiError
from gemgate.gemini.types import Blob

_RATE = re.compile(r"rate=(\d{1,6})(?!\d)")
_CHANNELS = 1
_SAMPLE_BYTES = 2

# OpenAI's voices, and Gemini's that come near. Other names are taken for Gemini's own.
VOICES = {
    "alloy": "Kore",
    "ash": "Charon",
    "ballad": "Enceladus",
    "cedar": "Iapetus",
    "coral": "Leda",
    "echo": "Puck",
    "fable": "Fenrir",
    "marin": "Despina",
    "nova": "Aoede",
    "onyx": "Orus",
    "sage": "Sulafat",
    "shimmer": "Zephyr",
    "verse": "Umbriel",
}


class Speech:
    """Puts the pieces of one answer's speech together: streams bring many, and base64 must not be padded in the middle.

    `pcm16` is given as it comes, in whole groups of three bytes; a WAV file has its length in front, so it is given at
    the end.
    """

    def __init__(self, audio_format: str) -> None:
        self._is_wav = audio_format == "wav"
        self._samples = bytearray()
        self._mime_type = ""

    def feed(self, blob: Blob) -> str:
        """Base64 of what can be given now.

        Raises:
            ApiError: 502 when the data is not base64.
        """
        self._mime_type = self._mime_type or blob.get("mimeType", "")
        try:
            self._samples += base64.b64decode(blob.get("data", ""))
        except binascii.Error as error:
            msg = "Gemini's speech cannot be read: it is not base64."
            raise ApiError(502, msg, type="server_error", code="upstream_malformed_response") from error
        return "" if self._is_wav else self._take(len(self._samples) // 3 * 3)

    def finish(self) -> str:
        """Base64 of the rest."""
        if self._is_wav and "wav" not in self._mime_type:
            return base64.b64encode(wav(bytes(self._samples), self._mime_type)).decode()
        return self._take(len(self._samples))

    def _take(self, count: int) -> str:
        taken = base64.b64encode(self._samples[:count]).decode()
        del self._samples[:count]
        return taken


def wav(samples: bytes, mime_type: str) -> bytes:
    """Raw samples as a WAV file, at the rate that the MIME type tells (else 24,000 Hz)."""
    found = _RATE.search(mime_type)
    rate = int(found[1]) if found else 24_000
    bytes_a_second = rate * _CHANNELS * _SAMPLE_BYTES
    fmt = struct.pack("<HHIIHH", 1, _CHANNELS, rate, bytes_a_second, _CHANNELS * _SAMPLE_BYTES, _SAMPLE_BYTES * 8)
    riff = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(riff)) + riff
