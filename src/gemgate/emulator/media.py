"""Looks at media in a request, to say what it is, and makes media for answers."""

import base64
import io
import math
import re
import struct
import wave
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError
from tinytag import TinyTag, TinyTagException

from gemgate.emulator.errors import invalid
from gemgate.emulator.hearing import SAMPLE_RATE, Turns, chord
from gemgate.emulator.validation import decode_base64

IMAGE_TOKENS = 258
AUDIO_TOKENS_A_SECOND = 32
VIDEO_TOKENS_A_SECOND = 263
PAGE_TOKENS = 258
_DOCUMENTS = {
    "application/json",
    "application/xml",
    "application/rtf",
    "application/x-javascript",
    "application/x-python",
}
_IMAGES = {f"image/{kind}" for kind in ("png", "jpeg", "jpg", "webp", "gif", "heic", "heif", "avif", "bmp")}
_READABLE = {f"image/{kind}" for kind in ("png", "jpeg", "jpg", "webp", "gif", "bmp")}


@dataclass(frozen=True, slots=True)
class Seen:
    """A piece of media: its modality, what it is in words, and the tokens it takes."""

    modality: str
    words: str
    tokens: int


def look(part: dict[str, Any]) -> Seen:
    """What an `inlineData` or `fileData` part holds.

    Raises:
        ApiError: 400, a type Google does not take or an invalid image.
    """
    if "fileData" in part:
        given = part["fileData"]
        if not given["fileUri"].startswith(("https://", "http://", "gs://", "files/")):
            raise invalid(f"Invalid or unsupported file uri: {given['fileUri']}")
        kind = given.get("mimeType", "")
        words = f"a {kind or 'file'} at {given['fileUri']}" if kind else f"a file at {given['fileUri']}"
        return Seen(_modality(kind or "application/pdf"), words, IMAGE_TOKENS)
    blob = part["inlineData"]
    kind = blob["mimeType"].split(";")[0].strip().lower()
    data = decode_base64(blob["data"])
    if kind in _IMAGES:
        return _image(kind, data)
    if kind.startswith(("audio/", "video/")):
        return _timed(kind, data)
    if kind == "application/pdf":
        pages = max(1, len(re.findall(rb"/Type\s*/Page\b(?!s)", data)))
        words = f"a PDF document ({kind}) of {len(data)} bytes, {_plural(pages, 'page')}"
        return Seen("DOCUMENT", words, PAGE_TOKENS * pages)
    if kind.startswith("text/") or kind in _DOCUMENTS:
        text = data.decode("utf-8", "replace")
        beginning = f", beginning “{' '.join(text[:60].split())}”" if text.strip() else ""
        words = f"a text file ({kind}) of {_plural(len(text), 'character')}{beginning}"
        return Seen("TEXT", words, max(1, math.ceil(len(data) / 4)))
    raise invalid(f"Unsupported MIME type: {kind}")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _modality(kind: str) -> str:
    major = kind.split("/", maxsplit=1)[0].upper()
    return major if major in {"IMAGE", "AUDIO", "VIDEO", "TEXT"} else "DOCUMENT"


def _image(kind: str, data: bytes) -> Seen:
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = f"{image.width}x{image.height} pixels"
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        if kind in _READABLE:
            raise invalid(
                "Unable to process input image. Please retry or report in "
                "https://developers.generativeai.google/guide/troubleshooting"
            ) from None
        size = f"{len(data)} bytes"
    return Seen("IMAGE", f"an image ({kind}) of {size}", IMAGE_TOKENS)


def _timed(kind: str, data: bytes) -> Seen:
    major = kind.split("/", maxsplit=1)[0]
    rate = AUDIO_TOKENS_A_SECOND if major == "audio" else VIDEO_TOKENS_A_SECOND
    article = "an" if major == "audio" else "a"
    seconds = seconds_of(data)
    if seconds is None:
        return Seen(major.upper(), f"{article} {major} file ({kind}) of {len(data)} bytes", rate)
    words = f"{article} {major} file ({kind}) of {seconds:.1f} seconds"
    return Seen(major.upper(), words, max(1, math.ceil(seconds * rate)))


def seconds_of(data: bytes) -> float | None:
    """How long sound or a video lasts, or None where that cannot be read."""
    if data.startswith(b"RIFF") and (unknown := data.find(b"data\xff\xff\xff\xff", 0, 4096)) > 0:
        size = len(data) - unknown - 8  # it was written as it was made
        data = data[: unknown + 4] + size.to_bytes(4, "little") + data[unknown + 8 :]
    try:
        return TinyTag.get(file_obj=io.BytesIO(data), image=False).duration
    except (TinyTagException, struct.error, ValueError, IndexError, EOFError):
        return None


def speech(turns: Turns, voice: str) -> tuple[str, float]:
    """Sound as long as the texts take to say, and its seconds; `hearing` recognizes it.

    It is base64 of 16-bit little-endian mono samples at 24 kHz, as Google's, without a header.
    """
    letters = len("\n".join(text for _, text in turns))
    seconds = min(10.0, max(0.5, letters / 15))
    return base64.b64encode(chord(turns, voice, round(seconds * SAMPLE_RATE))).decode(), seconds


def url_safe(data: bytes) -> str:
    """Base64 in the URL-safe alphabet, unpadded."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def wav_file(data: str) -> str:
    """Samples as `speech` gives them, as a WAV file; both are base64."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(base64.b64decode(data))
    return base64.b64encode(out.getvalue()).decode()
