"""Speech in the format that `responseFormat.audio` asks for, whole or event by event."""

import base64
import io
from typing import Any

from gemgate.emulator.errors import invalid
from gemgate.emulator.hearing import SAMPLE_RATE
from gemgate.emulator.media import wav_file

PIECE = 19_200
"""Bytes of samples in an event: 0.4 seconds, and 10 tokens."""

_TYPES = {"AUDIO_MP3": "audio/mp3", "AUDIO_OGG_OPUS": "audio/ogg;codecs=opus"}
_KBIT = 64


def asked_format(body: dict[str, Any]) -> str:
    """The `mimeType` that a canonical request asks for; empty without one."""
    found: dict[str, Any] = ((body.get("generationConfig") or {}).get("responseFormat") or {}).get("audio") or {}
    return str(found.get("mimeType") or "")


def sound_pieces(part: dict[str, Any]) -> list[dict[str, Any]]:
    """A part with sound as the parts of several events; any other part alone."""
    blob = part.get("inlineData") or {}
    if not str(blob.get("mimeType", "")).startswith("audio/"):
        return [part]
    data = base64.b64decode(blob["data"])
    return [
        {"inlineData": {**blob, "data": base64.b64encode(data[start : start + PIECE]).decode()}}
        for start in range(0, len(data), PIECE)
    ]


def as_asked(responses: list[dict[str, Any]], wanted: str, *, is_whole: bool, is_wav: bool) -> None:
    """Write the samples in `responses`, a whole answer or the events of a stream, as Google sends them.

    Args:
        responses: What is changed.
        wanted: The `mimeType` that was asked for, if any.
        is_whole: Whether it is one whole answer.
        is_wav: Whether whole answers of the model are WAV files unasked.

    Raises:
        ApiError: 400, a format that the emulator cannot write.
    """
    blobs = [
        part["inlineData"]
        for response in responses
        for candidate in response.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
        if str((part.get("inlineData") or {}).get("mimeType", "")).startswith("audio/")
    ]
    if not blobs:
        return
    if wanted in _TYPES:
        writer = _Mp3Writer() if wanted == "AUDIO_MP3" else _OpusWriter()
        for number, blob in enumerate(blobs):
            written = writer.feed(base64.b64decode(blob["data"]))
            written += writer.finish() if number == len(blobs) - 1 else b""
            blob |= {"mimeType": _TYPES[wanted], "data": base64.b64encode(written).decode()}
    elif wanted == "AUDIO_WAV" or (is_wav and is_whole and not wanted):
        if is_whole:
            for blob in blobs:
                blob |= {"mimeType": "audio/wav", "data": wav_file(blob["data"])}
    elif wanted not in ("", "AUDIO_L16"):
        raise invalid(f"The emulator does not write {wanted}.")


class _Mp3Writer:
    def __init__(self) -> None:
        import lameenc  # type: ignore[import-not-found]  # it has no stubs

        self._encoder = lameenc.Encoder()
        self._encoder.set_bit_rate(_KBIT)
        self._encoder.set_in_sample_rate(SAMPLE_RATE)
        self._encoder.set_channels(1)
        self._encoder.set_quality(7)
        self._encoder.silence()

    def feed(self, samples: bytes) -> bytes:
        return bytes(self._encoder.encode(samples))

    def finish(self) -> bytes:
        return bytes(self._encoder.flush())


class _OpusWriter:
    """Ogg with Opus, where PyAV is installed."""

    def __init__(self) -> None:
        try:
            import av
        except ImportError:
            raise invalid("The emulator writes AUDIO_OGG_OPUS only if PyAV is installed.") from None
        self._av: Any = av
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="ogg", options={"page_duration": "200000"})
        self._stream: Any = self._container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        self._stream.codec_context.open()
        self._resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE, self._stream.codec_context.frame_size)
        self._count = self._read = 0

    def feed(self, samples: bytes) -> bytes:
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._count
        frame.planes[0].update(samples)
        self._count += frame.samples
        self._write(self._resampler.resample(frame))
        return self._new()

    def finish(self) -> bytes:
        self._write([*self._resampler.resample(None), None])
        self._container.close()
        return self._new()

    def _write(self, frames: list[Any]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    def _new(self) -> bytes:
        written = self._file.getvalue()[self._read :]
        self._read += len(written)
        return written
