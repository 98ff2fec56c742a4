"""Speech in chat answers.

Gemini's speech is `audio/L16;codec=pcm;rate=24000`: headerless, signed 16-bit, little-endian (in spite of the name),
mono.
"""

import base64
import re
import struct

_RATE = re.compile(r"rate=(\d+)")
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


def wav(data: str, mime_type: str) -> str:
    """Base64 of raw samples as base64 of a WAV file, at the rate that the MIME type tells (else 24,000 Hz)."""
    samples = base64.b64decode(data)
    found = _RATE.search(mime_type)
    rate = int(found[1]) if found else 24_000
    bytes_a_second = rate * _CHANNELS * _SAMPLE_BYTES
    fmt = struct.pack("<HHIIHH", 1, _CHANNELS, rate, bytes_a_second, _CHANNELS * _SAMPLE_BYTES, _SAMPLE_BYTES * 8)
    riff = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(samples)) + samples
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(riff)) + riff).decode()
