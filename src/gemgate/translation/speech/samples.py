"""The samples of speech as they come from Google.

Gemini's speech is `audio/L16;codec=pcm;rate=24000`: headerless, signed 16-bit, little-endian (in spite of the name),
mono. From Gemini 3.8 on a whole answer is a WAV file instead, and a stream still carries samples
(https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/text-to-speech/migration-guide). MIME types
differ by model, so the first bytes decide.
"""

import base64
import binascii
import re
import struct
from typing import Literal, NamedTuple

from gemgate.errors import ApiError
from gemgate.gemini.types import Blob
from gemgate.media.sniff import sniff

RATE = 24_000
"""Samples a second, where nothing says otherwise."""

UNKNOWN_SIZE = 0xFFFFFFFF
"""The length of a WAV file that is written as it is made, as FFmpeg writes it."""

SoundKind = Literal["pcm", "mp3", "opus", "aac", "flac"]

_RATE = re.compile(r"rate=(\d{1,6})(?!\d)", re.IGNORECASE)
_HEAD = 12
_CHUNK_HEAD = 8
_MAX_HEAD = 65_536
_SAMPLE_BYTES = 2
_MIN_FMT = 16
_PCM, _EXTENSIBLE = 1, 0xFFFE
_KINDS: dict[str, SoundKind] = {"audio/mp3": "mp3", "audio/ogg": "opus", "audio/aac": "aac", "audio/flac": "flac"}
_MAGIC = (b"ID3", b"OggS", b"fLaC")
_RAW = ("audio/l16", "audio/pcm")


class SampleReader:
    """Takes the pieces of one answer's speech, and gives its samples without the heads of files.

    Each piece may be a file of its own, a file may be within a file, and a head may be split between pieces. Sound that
    is encoded already is given as it comes.

    Attributes:
        kind: What comes; None before it is known.
        rate: Samples a second.
        channels: 1 for mono.
    """

    def __init__(self) -> None:
        self.kind: SoundKind | None = None
        self.rate = RATE
        self.channels = 1
        self._held = bytearray()
        self._left: int | None = None
        self._is_begun = False
        self._mime_type = ""

    def feed(self, blob: Blob) -> bytes:
        """The samples that can be given now.

        Raises:
            ApiError: 502 when the data is not base64, or no 16-bit samples.
        """
        data = _decoded(blob)
        if not self._mime_type and (mime_type := blob.get("mimeType", "")):
            self._mime_type = mime_type.lower()
            found = _RATE.search(mime_type)
            self.rate = int(found[1]) or RATE if found else RATE
        if self._is_begun and self.kind == "pcm" and _is_wav(data):
            self._is_begun, self._left = False, None
        self._held += data
        if not self._is_begun and not self._begin():
            return b""
        return self._take()

    def finish(self) -> bytes:
        """The rest."""
        self.kind = self.kind or ("pcm" if self._held else None)
        return self._take()

    def _begin(self) -> bool:
        """Take the heads of WAV files off; whether what is left begins with a sample."""
        head = self._held
        while True:
            if len(head) < _HEAD and (not head or b"RIFF".startswith(head[:4])):
                return False
            if not _is_wav(head):
                break
            found = data_chunk(head)
            if found is None:
                if len(head) < _MAX_HEAD:
                    return False
                break
            start, size = found
            self._read_format(head)
            del head[:start]
            self._left = size if self._left is None or size is None else max(0, min(size, self._left - start))
        if self.kind is None:
            self.kind = self._kind_of(head)
        self._is_begun = True
        return True

    def _kind_of(self, head: bytearray) -> SoundKind:
        """Samples may look like a frame of MP3: only heads that samples never have are believed over the MIME type."""
        is_raw = self._left is not None or self._mime_type.startswith(_RAW)
        if is_raw and not head.startswith(_MAGIC):
            return "pcm"
        return _KINDS.get(sniff(bytes(head[:64])) or "", "pcm")

    def _read_format(self, file: bytearray) -> None:
        found = _chunk(file, b"fmt ")
        if found is None or found[1] < _MIN_FMT:
            return
        tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", file, found[0])
        if tag not in (_PCM, _EXTENSIBLE) or bits != _SAMPLE_BYTES * 8 or not 1 <= channels <= 2 or not rate:
            raise _unreadable(f"a WAV file of format {tag}, {bits} bits and {channels} channels")
        self.channels, self.rate = channels, rate

    def _take(self) -> bytes:
        end = len(self._held) if self._left is None else min(len(self._held), self._left)
        taken = bytes(self._held[:end])
        if self._left is not None:
            self._left -= end
        self._held.clear()
        return taken


def data_chunk(file: bytes | bytearray) -> tuple[int, int | None] | None:
    """Where the samples of a WAV file begin, and how many bytes they are; None as long as that is not known.

    A file whose length was unknown when it was begun says 0 or 0xFFFFFFFF: the samples go on to its end.
    """
    found = _chunk(file, b"data")
    if found is None:
        return None
    return found[0], None if found[1] in (0, UNKNOWN_SIZE) else found[1]


class WavLayout(NamedTuple):
    """What a WAV file holds, and where.

    Attributes:
        format: The content of its `fmt ` chunk.
        byte_rate: Bytes of a second.
        block: Bytes of one sample of all channels.
        start: Where the samples begin.
        length: Bytes of them; None where they go on to the end of the file.
    """

    format: bytes
    byte_rate: int
    block: int
    start: int
    length: int | None


def wav_layout(head: bytes) -> WavLayout | None:
    """The layout of a WAV file that begins with `head`; None where that cannot be read."""
    found, chunk = _chunk(head, b"fmt "), data_chunk(head)
    if found is None or chunk is None:
        return None
    position, size = found
    byte_rate, block = struct.unpack_from("<IH", head, position + 8)
    return WavLayout(head[position : position + size], byte_rate, block, *chunk) if byte_rate and block else None


def wav_seconds(head: bytes, size: int) -> float | None:
    """How long a WAV file of `size` bytes lasts that begins with `head`; None where that cannot be read.

    Its samples end with the file, whatever the head says: one that is written as it is made has no length in it.
    """
    layout = wav_layout(head)
    if layout is None:
        return None
    left = max(0, size - layout.start)
    return min(left, left if layout.length is None else layout.length) / layout.byte_rate


def wav_head(size: int | None, rate: int = RATE, channels: int = 1) -> bytes:
    """What a WAV file begins with; a `size` of its samples in bytes that is None is not known yet."""
    block = channels * _SAMPLE_BYTES
    return wav_head_of(struct.pack("<HHIIHH", _PCM, channels, rate, rate * block, block, _SAMPLE_BYTES * 8), size)


def wav_head_of(fmt: bytes, size: int | None) -> bytes:
    """As `wav_head`, for samples as the content of the `fmt ` chunk describes them."""
    whole = UNKNOWN_SIZE if size is None else size + 20 + len(fmt)
    data = UNKNOWN_SIZE if size is None else size
    head = struct.pack("<4sI4s4sI", b"RIFF", whole, b"WAVE", b"fmt ", len(fmt))
    return head + fmt + struct.pack("<4sI", b"data", data)


def _is_wav(head: bytes | bytearray) -> bool:
    return head.startswith(b"RIFF") and head[8:_HEAD] == b"WAVE"


def _chunk(file: bytes | bytearray, wanted: bytes) -> tuple[int, int] | None:
    """Where the content of a chunk begins, and its size; only chunks before `data` are passed over."""
    position = _HEAD
    while position + _CHUNK_HEAD <= len(file):
        name = bytes(file[position : position + 4])
        (size,) = struct.unpack_from("<I", file, position + 4)
        position += _CHUNK_HEAD
        if name == wanted:
            return (position, size) if name == b"data" or position + _MIN_FMT <= len(file) else None
        if name == b"data":
            return None
        position += size + size % 2
    return None


def _decoded(blob: Blob) -> bytes:
    try:
        return base64.b64decode(blob.get("data", ""))
    except binascii.Error as error:
        raise _unreadable("not base64") from error


def _unreadable(why: str) -> ApiError:
    msg = f"Gemini's speech cannot be read: it is {why}."
    return ApiError(502, msg, type="server_error", code="upstream_malformed_response")
