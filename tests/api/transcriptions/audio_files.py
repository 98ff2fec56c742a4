"""Audio files of each kind that is cut into pieces."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av

from gemgate.api.transcriptions.cutting import AudioPiece, cut
from gemgate.media.spooled_upload import SpooledUpload

RATE = 24_000
# Codec and container of PyAV's, and the type that the gateway finds.
FILES = {
    "audio/mp3": ("libmp3lame", "mp3"),
    "audio/aac": ("aac", "adts"),
    "audio/flac": ("flac", "flac"),
    "audio/ogg": ("libopus", "ogg"),
    "audio/mp4": ("aac", "ipod"),
    "audio/webm": ("libopus", "webm"),
    "audio/aiff": ("pcm_s16be", "aiff"),
}


def encoded(samples: bytes, codec: str, container: str, *, more_extradata: int = 0) -> bytes:
    """A file of PyAV's that has these samples of 24 kHz, and so many bytes more than a decoder needs before them."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=RATE, layout="mono")
        stream.codec_context.open()
        if more_extradata:
            stream.codec_context.extradata += bytes(more_extradata)
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", RATE, stream.codec_context.frame_size or None
        )
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
        frame.sample_rate, frame.pts = RATE, 0
        frame.planes[0].update(samples)
        for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(resampled))
        file.mux(stream.encode(None))
    return written.getvalue()


@asynccontextmanager
async def pieces_of(file: bytes, mime_type: str, longest: float, directory: Path) -> AsyncIterator[list[AudioPiece]]:
    """The pieces of a file, none above `longest` seconds."""
    spool = SpooledUpload(directory)
    await spool.write(file)
    pieces: list[AudioPiece] = []
    try:
        pieces = await cut(spool, mime_type, longest, directory)
        yield pieces
    finally:
        spool.close()
        for piece in pieces:
            piece.bytes.close()
