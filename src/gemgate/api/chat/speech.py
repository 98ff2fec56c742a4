"""Speech in chat answers.

Gemini's speech is `audio/L16;codec=pcm;rate=24000`: headerless, signed 16-bit, little-endian (in spite of the name),
mono. From Gemini 3.8 on a whole answer is a WAV file instead, and a stream still carries samples
(https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/text-to-speech/migration-guide). MIME types
differ by model, so the first bytes decide.
"""

import base64
import binascii
import re
import struct

from gemgate.errors import ApiError
from gemgate.gemini.types import Blob

_RATE = re.compile(r"rate=(\d{1,6})(?!\d)", re.IGNORECASE)
_HEAD = 12
_CHUNK_HEAD = 8
_MAX_HEAD = 65_536
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

    `pcm16` is given as it comes, in whole groups of three bytes, and without the head of a WAV file; a WAV file has its
    length in front, so it is given at the end.
    """

    def __init__(self, audio_format: str) -> None:
        self._is_wav = audio_format == "wav"
        self._samples = bytearray()
        self._mime_type = ""
        self._is_begun = False
        self._left: int | None = None

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
        if self._is_wav or not (self._is_begun or self._begin()):
            return ""
        return self._take(len(self._samples) // 3 * 3)

    def finish(self) -> str:
        """Base64 of the rest."""
        if self._is_wav and not self._samples.startswith(b"RIFF"):
            return base64.b64encode(wav(bytes(self._samples), self._mime_type)).decode()
        return self._take(len(self._samples))

    def _begin(self) -> bool:
        """Take the head of a WAV file off; whether what is left begins with a sample."""
        head = self._samples
        if len(head) < _HEAD and b"RIFF".startswith(head[:4]):
            return False
        if head.startswith(b"RIFF") and head[8:_HEAD] == b"WAVE":
            found = data_chunk(head)
            if found is None and len(head) < _MAX_HEAD:
                return False
            if found is not None:
                start, self._left = found
                del head[:start]
        self._is_begun = True
        return True

    def _take(self, count: int) -> str:
        end = count if self._left is None else min(count, self._left)
        taken = base64.b64encode(self._samples[:end]).decode()
        if self._left is not None:
            self._left -= end
        del self._samples[:count]
        return taken


def data_chunk(file: bytes | bytearray) -> tuple[int, int | None] | None:
    """Where the samples of a WAV file begin, and how many bytes they are; None as long as that is not known.

    A file whose length was unknown when it was begun says 0 or 0xFFFFFFFF: the samples go on to its end.
    """
    position = _HEAD
    while position + _CHUNK_HEAD <= len(file):
        name = bytes(file[position : position + 4])
        (size,) = struct.unpack_from("<I", file, position + 4)
        position += _CHUNK_HEAD
        if name == b"data":
            return position, None if size in (0, 0xFFFFFFFF) else size
        position += size + size % 2
    return None


def wav(samples: bytes, mime_type: str) -> bytes:
    """Raw samples as a WAV file, at the rate that the MIME type says (else 24,000 Hz)."""
    found = _RATE.search(mime_type)
    rate = int(found[1]) if found else 24_000
    bytes_a_second = rate * _CHANNELS * _SAMPLE_BYTES
    fmt = struct.pack("<HHIIHH", 1, _CHANNELS, rate, bytes_a_second, _CHANNELS * _SAMPLE_BYTES, _SAMPLE_BYTES * 8)
    riff = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(riff)) + riff
