"""Samples as the formats that callers ask for, piece by piece.

MP3 is written by lameenc; Opus, AAC and FLAC by PyAV, which is an extra (`gemgate[audio]`). Encoding takes a processor:
callers do it in a thread, in pieces of about a second.
"""

from importlib.util import find_spec
from typing import Any, Literal, Protocol

from gemgate.translation.speech.samples import wav_head

SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

MEDIA_TYPES: dict[SpeechFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}

MP3_KBIT = 128
_MP3_QUALITY = 5  # 0 is the slowest
_SAMPLE_BYTES = 2
# Codec, container, bits a second, and options of the container. A page of Ogg is a second long unless it is asked for
# less, and nothing can be sent before it ends.
_CODECS: dict[str, tuple[str, str, int | None, dict[str, str]]] = {
    "opus": ("libopus", "ogg", 48_000, {"page_duration": "200000"}),
    "aac": ("aac", "adts", 64_000, {}),
    "flac": ("flac", "flac", None, {}),
}


class SpeechEncoder(Protocol):
    """Writes one file.

    Attributes:
        is_heavy: Whether `feed` belongs into a thread.
    """

    is_heavy: bool

    def feed(self, samples: bytes) -> bytes:
        """The bytes of the file that these samples complete."""
        ...

    def finish(self) -> bytes:
        """The rest of the file."""
        ...


def can_encode(wanted: SpeechFormat) -> bool:
    """Whether the library that writes the format is installed."""
    if wanted in ("wav", "pcm"):
        return True
    return find_spec("lameenc" if wanted == "mp3" else "av") is not None


def encoder_for(wanted: SpeechFormat, rate: int, channels: int) -> SpeechEncoder:
    """A new encoder of 16-bit little-endian samples, of a format that `can_encode` says can be written."""
    if wanted == "mp3":
        return _Mp3(rate, channels)
    if wanted in _CODECS:
        return _Codec(wanted, rate, channels)
    return _Samples(wav_head(None, rate, channels) if wanted == "wav" else b"")


class _Samples:
    """The samples themselves, after a head."""

    is_heavy = False

    def __init__(self, head: bytes) -> None:
        self._head = head

    def feed(self, samples: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + samples

    def finish(self) -> bytes:
        return b""


class _Mp3:
    """MP3 at a constant bit rate."""

    is_heavy = True

    def __init__(self, rate: int, channels: int) -> None:
        import lameenc  # type: ignore[import-not-found]  # it has no stubs

        self._encoder = lameenc.Encoder()
        self._encoder.set_bit_rate(MP3_KBIT)
        self._encoder.set_in_sample_rate(rate)
        self._encoder.set_channels(channels)
        self._encoder.set_quality(_MP3_QUALITY)
        self._encoder.silence()
        self._cutter = _FrameCutter(channels)
        self._has_begun = False

    def feed(self, samples: bytes) -> bytes:
        whole = self._cutter.feed(samples)
        if not whole:
            return b""
        self._has_begun = True
        return bytes(self._encoder.encode(whole))

    def finish(self) -> bytes:
        return bytes(self._encoder.flush()) if self._has_begun else b""


class _Codec:
    """A codec of FFmpeg's, in a container that needs no seeking."""

    is_heavy = True

    def __init__(self, wanted: str, rate: int, channels: int) -> None:
        import av

        codec, container, bits, options = _CODECS[wanted]
        self._layout = "mono" if channels == 1 else "stereo"
        self._rate = rate
        self._written = _Sink()
        self._container = av.open(self._written, "w", format=container, options=options)
        stream: Any = self._container.add_stream(codec, rate=rate, layout=self._layout)
        if bits is not None:
            stream.bit_rate = bits
        self._stream = stream
        context: Any = stream.codec_context
        context.open()
        self._resampler = av.AudioResampler(
            format=context.format, layout=self._layout, rate=rate, frame_size=context.frame_size or None
        )
        self._new_frame = av.AudioFrame
        self._cutter = _FrameCutter(channels)
        self._count = 0

    def feed(self, samples: bytes) -> bytes:
        whole = self._cutter.feed(samples)
        if not whole:
            return b""
        count = len(whole) // self._cutter.size
        frame = self._new_frame(format="s16", layout=self._layout, samples=count)
        frame.sample_rate, frame.pts = self._rate, self._count
        frame.planes[0].update(whole)
        self._count += count
        self._encode(self._resampler.resample(frame))
        return self._written.take()

    def finish(self) -> bytes:
        if self._count:
            self._encode(self._resampler.resample(None))
        self._encode([None])
        self._container.close()
        return self._written.take()

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


class _FrameCutter:
    """Keeps back the bytes of a sample that has not come whole."""

    def __init__(self, channels: int) -> None:
        self.size = _SAMPLE_BYTES * channels
        self._rest = b""

    def feed(self, samples: bytes) -> bytes:
        joined = self._rest + samples
        end = len(joined) - len(joined) % self.size
        self._rest = joined[end:]
        return joined[:end]


class _Sink:
    """A file that can be written on only."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken
