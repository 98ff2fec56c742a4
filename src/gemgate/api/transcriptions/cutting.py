"""Audio that is longer than a model takes, in pieces, each of which repeats the end of the one before it.

Nothing is decoded: a WAV file is cut between its samples, other files between their packets, by PyAV, which is an extra
(`gemgate[audio]`). Only the demuxer of the type that was found is let at a file, so that it names no other files.
"""

import io
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from gemgate.api.transcriptions.plan import Span
from gemgate.errors import ApiError
from gemgate.media.spooled_upload import IN_MEMORY, SpooledUpload, full_disk_named, unnamed_file
from gemgate.translation.speech.samples import WavLayout, wav_head_of, wav_layout

if TYPE_CHECKING:
    from av.audio import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

OVERLAP = 15.0
"""Seconds that a piece repeats: enough words to find where two transcripts meet."""

MAX_PIECES = 24
"""Each is a request to Google."""

_WAV_HEAD = 65_536
_COPIED = 1_048_576
# Demuxer and muxer of FFmpeg.
_CONTAINERS = {
    "audio/aac": ("aac", "adts"),
    "audio/aiff": ("aiff", "aiff"),
    "audio/amr": ("amr", "amr"),
    "audio/flac": ("flac", "flac"),
    "audio/mp3": ("mp3", "mp3"),
    "audio/mp4": ("mov", "ipod"),
    "audio/ogg": ("ogg", "ogg"),
    "audio/opus": ("ogg", "ogg"),
    "audio/webm": ("matroska", "webm"),
}
_MAX_EXTRADATA = 65_536
"""Bytes of what a decoder needs before the packets, which each piece has again."""

_FLAC_COUNT, _FLAC_END = 21, 42
"""In a FLAC file, the bytes of how many samples it has (but for 4 bits before them), and of their checksum."""


class Cuts(NamedTuple):
    """Where audio is cut.

    Attributes:
        pieces: How many there are.
        step: Seconds between their beginnings.
        length: Seconds of each.
    """

    pieces: int
    step: float
    length: float


def cuts_for(seconds: float, longest: float) -> Cuts | None:
    """Pieces of equal length, none above `longest` seconds; None where they would be more than `MAX_PIECES`."""
    if seconds <= longest:
        return Cuts(1, seconds, seconds)
    length = longest - min(1.0, longest / 20)  # a packet may reach beyond its cut
    overlap = min(OVERLAP, longest / 4)
    count = math.ceil((seconds - overlap) / (length - overlap))
    if count > MAX_PIECES:
        return None
    step = (seconds - overlap) / count
    return Cuts(count, step, step + overlap)


@dataclass(frozen=True, slots=True)
class AudioPiece:
    """A piece of the audio, as a file of the same type."""

    span: Span
    bytes: SpooledUpload = field(repr=False)


def can_cut(mime_type: str) -> bool:
    """Whether audio of this type can be cut, with what is installed."""
    return mime_type == "audio/wav" or (mime_type in _CONTAINERS and find_spec("av") is not None)


async def cut(spool: SpooledUpload, mime_type: str, longest: float, directory: Path) -> list[AudioPiece]:
    """The pieces of at most `longest` seconds; the caller closes them.

    They are in files of their own in `directory`, or in memory like the whole. There are none where they would be more
    than `MAX_PIECES`, and there is one where the audio is shorter than its head says.

    Raises:
        ApiError: 400, the audio cannot be read.
        DiskFullError: the disk takes no more.
    """
    files: list[IO[bytes]] = []

    def new() -> IO[bytes]:
        files.append(unnamed_file(directory) if spool.size > IN_MEMORY else io.BytesIO())
        return files[-1]

    def work(file: IO[bytes]) -> list[Span]:
        if mime_type == "audio/wav":
            return _cut_wav(file, longest, new)
        return _cut_packets(file, *_CONTAINERS[mime_type], longest, new)

    try:
        with full_disk_named():
            spans = await spool.inspect(work)
    except BaseException:
        for file in files:
            file.close()
        raise
    return [AudioPiece(span, SpooledUpload.of(file, directory)) for span, file in zip(spans, files, strict=True)]


def _cut_wav(file: IO[bytes], longest: float, new: Callable[[], IO[bytes]]) -> list[Span]:
    layout = wav_layout(file.read(_WAV_HEAD))
    if layout is None:
        raise _unreadable()
    left = file.seek(0, 2) - layout.start
    size = left if layout.length is None else min(left, layout.length)
    rate = layout.byte_rate
    cuts = cuts_for(size / rate, longest)
    if cuts is None:
        return []
    spans: list[Span] = []
    for number in range(cuts.pieces):
        start = _aligned(number * cuts.step, layout)
        end = size if number == cuts.pieces - 1 else min(size, start + _aligned(cuts.length, layout))
        spans.append(Span(start / rate, end / rate))
        piece = new()
        piece.write(wav_head_of(layout.format, end - start))
        file.seek(layout.start + start)
        _copy(file, piece, end - start)
    return spans


def _aligned(seconds: float, layout: WavLayout) -> int:
    return int(seconds * layout.byte_rate) // layout.block * layout.block


def _copy(source: IO[bytes], target: IO[bytes], length: int) -> None:
    while length > 0 and (piece := source.read(min(length, _COPIED))):
        target.write(piece)
        length -= len(piece)


def _cut_packets(file: IO[bytes], demuxer: str, muxer: str, longest: float, new: Callable[[], IO[bytes]]) -> list[Span]:
    import av

    try:
        start, end, unit = sys.maxsize, -1, Fraction(1)
        for packet, time, _ in _packets(file, demuxer):  # what a head says of the length may be an estimate
            start, end = min(start, time), max(end, time + (packet.duration or 0))
            unit = packet.time_base
        if end <= start:
            raise _unreadable()
        cuts = cuts_for(float((end - start) * unit), longest)
        if cuts is None:
            return []
        return _written(file, demuxer, muxer, cuts, unit, start, new)
    except (av.FFmpegError, ArithmeticError, IndexError, ValueError) as error:
        raise _unreadable() from error


def _packets(file: IO[bytes], demuxer: str) -> Iterator[tuple["Packet[AudioStream]", int, int]]:
    """The packets of the sound in a file that have times, with when they are to be heard, and decoded."""
    import av

    file.seek(0)
    with av.open(file, "r", format=demuxer) as source:
        stream = source.streams.audio[0]
        if len(stream.codec_context.extradata or b"") > _MAX_EXTRADATA:
            raise _unreadable()
        for packet in source.demux(stream):
            if packet.pts is not None and packet.dts is not None:  # the last one has none, and no bytes
                yield packet, packet.pts, packet.dts


def _written(
    file: IO[bytes],
    demuxer: str,
    muxer: str,
    cuts: Cuts,
    unit: Fraction,
    start: int,
    new: Callable[[], IO[bytes]],
) -> list[Span]:
    """Put each packet into its piece; where two pieces overlap, into both. Times are in units of so many seconds."""
    pieces = [_PieceWriter(new(), muxer) for _ in range(cuts.pieces)]
    last = cuts.pieces - 1
    step, length = int(cuts.step / unit), int(cuts.length / unit)
    try:
        for packet, time, decoded in _packets(file, demuxer):
            passed = time - start
            number = min(passed // step, last)
            if number and passed < (number - 1) * step + length:
                pieces[number - 1].put(_copied(packet), passed, decoded - start)
            pieces[number].put(packet, passed, decoded - start)
    finally:
        for piece in pieces:
            piece.close()
    if not all(piece.has_begun for piece in pieces):
        raise _unreadable()
    return [Span(float(piece.start * unit), float(piece.end * unit)) for piece in pieces]


def _copied(packet: "Packet[AudioStream]") -> "Packet[AudioStream]":
    """A packet with the same bytes; writing one uses it up."""
    import av

    copied: Packet[AudioStream] = av.Packet(bytes(packet))  # type: ignore[assignment]  # it has its stream below
    copied.time_base, copied.duration, copied.stream = packet.time_base, packet.duration, packet.stream
    return copied


class _PieceWriter:
    """Writes packets of one file into another of the same codec, whose time begins with them.

    Attributes:
        start: When the first of them begins, in units of the file's time.
        end: When the last of them ends.
    """

    def __init__(self, file: IO[bytes], muxer: str) -> None:
        self.start = self.end = 0
        self._file = file
        self._muxer = muxer
        self._writer: tuple[OutputContainer, AudioStream] | None = None
        self._first = 0

    @property
    def has_begun(self) -> bool:
        """Whether there are any."""
        return self._writer is not None

    def put(self, packet: "Packet[AudioStream]", passed: int, decoded: int) -> None:
        """Append a packet that is heard, and is decoded, at these times of the whole."""
        container, stream = self._writer or self._begun(packet, passed, decoded)
        self.end = max(self.end, passed + (packet.duration or 0))
        packet.pts, packet.dts, packet.stream = passed - self._first, decoded - self._first, stream
        container.mux_one(packet)

    def close(self) -> None:
        """Complete the file."""
        if self._writer is None:
            return
        self._writer[0].close()
        if self._muxer == "flac":  # its head still has the number of samples of the whole, and their checksum
            self._file.seek(_FLAC_COUNT)
            bits = self._file.read(1)[0] & 0xF0
            self._file.seek(_FLAC_COUNT)
            self._file.write(bytes([bits]) + bytes(_FLAC_END - _FLAC_COUNT - 1))

    def _begun(self, packet: "Packet[AudioStream]", passed: int, decoded: int) -> "tuple[OutputContainer, AudioStream]":
        import av

        self.start = self.end = passed
        self._first = decoded
        container = av.open(self._file, "w", format=self._muxer)
        self._writer = container, container.add_stream_from_template(packet.stream)
        return self._writer


def _unreadable() -> ApiError:
    msg = "'file' is longer than the model takes, and cannot be cut into pieces: it is damaged, or not what it says."
    return ApiError(400, msg, param="file", code="invalid_file")
