"""Audio that is longer than a model takes, cut into pieces that overlap."""

import errno
import os
import random
import struct
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import IO, cast

import pytest
from tests.api.speech.support import heard, tone
from tests.api.transcriptions.audio_files import FILES, encoded, pieces_of

from gemgate.api.transcriptions.cutting import MAX_PIECES, can_cut, cuts_for
from gemgate.media.spooled_upload import unnamed_file
from gemgate.store import DiskFullError
from gemgate.translation.speech.samples import wav_head, wav_head_of, wav_layout


@pytest.mark.parametrize(
    ("seconds", "longest", "count"), [(3601, 3600, 2), (7200, 3600, 3), (5400, 1800, 4), (61, 60, 2)]
)
def test_pieces_are_equally_long_and_overlap(seconds: float, longest: float, count: int) -> None:
    cuts = cuts_for(seconds, longest)
    assert cuts is not None
    assert cuts.pieces == count
    assert cuts.length < longest
    assert cuts.length - cuts.step == pytest.approx(15)
    assert (count - 1) * cuts.step + cuts.length == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [0.5, 15, 60])
def test_what_is_not_too_long_is_one_piece(seconds: float) -> None:
    assert cuts_for(seconds, 60) == (1, seconds, seconds)


async def test_a_small_file_is_cut_in_memory_and_a_large_one_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(directory: Path) -> IO[bytes]:
        file = unnamed_file(directory)

        def write(_: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return cast("IO[bytes]", SimpleNamespace(write=write, close=file.close))

    monkeypatch.setattr("gemgate.api.transcriptions.cutting.unnamed_file", full)
    async with pieces_of(wav_head(200_000, 1000) + bytes(200_000), "audio/wav", 60, tmp_path) as pieces:
        assert len(pieces) > 1
    with pytest.raises(DiskFullError):
        async with pieces_of(wav_head(2_000_000, 10_000) + bytes(2_000_000), "audio/wav", 60, tmp_path):
            pass


def test_no_more_than_so_many_pieces_are_made() -> None:
    assert cuts_for(MAX_PIECES * 3500, 3600) is not None
    assert cuts_for((MAX_PIECES + 1) * 3600, 3600) is None


@pytest.mark.parametrize("seconds", [61.0, 100.0, 180.01])
async def test_a_wav_file_is_cut_between_its_samples(seconds: float, tmp_path: Path) -> None:
    samples = random.Random(1).randbytes(round(seconds * 2000) * 2)
    async with pieces_of(wav_head(len(samples), 2000) + samples, "audio/wav", 60, tmp_path) as pieces:
        assert pieces[0].span.start == 0
        assert pieces[-1].span.end == pytest.approx(seconds)
        for piece in pieces:
            content = await piece.bytes.whole()
            layout = wav_layout(content)
            assert layout is not None
            start, end = (round(time * 2000) * 2 for time in piece.span)
            assert content[layout.start :] == samples[start:end]
            assert layout.length == end - start
            assert piece.span.end - piece.span.start <= 60
        for before, after in pairwise(pieces):
            assert before.span.end - after.span.start == pytest.approx(15, abs=0.01)


async def test_a_wav_file_keeps_its_kind_of_samples(tmp_path: Path) -> None:
    fmt = struct.pack("<HHIIHH", 7, 2, 1000, 2000, 2, 8)  # mu-law in two channels
    samples = random.Random(2).randbytes(200_000)
    async with pieces_of(wav_head_of(fmt, None) + samples, "audio/wav", 60, tmp_path) as pieces:
        found = [await piece.bytes.whole() for piece in pieces]
    assert len(found) == 2
    layouts = [wav_layout(content) for content in found]
    assert {layout.format for layout in layouts if layout} == {fmt}
    assert found[0].endswith(samples[: len(found[0]) - 44])
    assert samples.endswith(found[-1][44:])


@pytest.mark.slow
@pytest.mark.parametrize("mime_type", FILES)
async def test_other_files_are_cut_between_their_packets_and_decode(mime_type: str, tmp_path: Path) -> None:
    file = encoded(tone(50), *FILES[mime_type])
    async with pieces_of(file, mime_type, 20, tmp_path) as pieces:
        assert len(pieces) == 4
        assert pieces[0].span.start == 0
        assert pieces[-1].span.end == pytest.approx(50, abs=0.2)
        for piece in pieces:
            seconds = piece.span.end - piece.span.start
            assert seconds <= 20
            assert heard(await piece.bytes.whole())[0] == pytest.approx(seconds, abs=0.2)
        for before, after in pairwise(pieces):
            assert before.span.end - after.span.start == pytest.approx(5, abs=0.3)


def test_wav_alone_is_cut_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.api.transcriptions.cutting.find_spec", lambda _: None)
    assert can_cut("audio/wav")
    assert not any(can_cut(mime_type) for mime_type in FILES)


def test_the_head_of_a_file_of_unknown_length_says_so() -> None:
    layout = wav_layout(wav_head(None) + bytes(100))
    assert layout is not None
    assert layout.length is None
