"""Long audio is cut by a library that reads many kinds of files: a file cannot make it read others, nor stall it."""

import random
import struct
import time
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from tests.api.speech.support import tone, wav
from tests.api.transcriptions.audio_files import FILES, encoded, pieces_of

from gemgate.api.transcriptions.cutting import MAX_PIECES
from gemgate.errors import ApiError
from gemgate.translation.speech.samples import wav_head_of


@pytest.mark.parametrize("mime_type", FILES)
async def test_rubbish_is_refused_or_stays_what_it_is(mime_type: str, tmp_path: Path) -> None:
    rubbish = random.Random(3).randbytes(100_000)
    try:
        async with pieces_of(rubbish, mime_type, 2, tmp_path) as pieces:
            assert sum(piece.bytes.size for piece in pieces) < 2 * len(rubbish)
    except ApiError as refused:
        found = refused.status, refused.code, refused.param
        assert found == (400, "invalid_file", "file")


@pytest.mark.parametrize("mime_type", [*FILES, "audio/wav"])
async def test_whatever_is_damaged_in_a_file_it_is_cut_or_refused(mime_type: str, tmp_path: Path) -> None:
    chance = random.Random(4)
    good = wav(tone(6)) if mime_type == "audio/wav" else encoded(tone(6), *FILES[mime_type])
    for _ in range(12):
        file = bytearray(good)
        for _ in range(chance.randint(1, 40)):
            file[chance.randrange(len(file))] = chance.randrange(256)
        with suppress(ApiError):
            async with pieces_of(bytes(file[: chance.randrange(len(file))]), mime_type, 2, tmp_path) as pieces:
                assert len(pieces) <= MAX_PIECES


async def test_a_playlist_that_calls_itself_audio_opens_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(encoded(tone(30), *FILES["audio/mp3"]))
    playlist = f"#EXTM3U\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    for mime_type in FILES:
        with suppress(ApiError):
            async with pieces_of(playlist * 50, mime_type, 2, tmp_path) as pieces:
                assert sum(piece.bytes.size for piece in pieces) < secret.stat().st_size / 10


async def test_a_file_that_claims_to_last_for_months_is_not_cut_into_as_many_pieces(tmp_path: Path) -> None:
    fmt = struct.pack("<HHIIHH", 1, 1, 1, 1, 1, 8)  # a byte is a second
    async with pieces_of(wav_head_of(fmt, None) + bytes(3_000_000), "audio/wav", 3600, tmp_path) as pieces:
        assert pieces == []


async def test_what_each_piece_has_again_is_small(tmp_path: Path) -> None:
    file = encoded(tone(6), *FILES["audio/webm"], more_extradata=1_000_000)
    assert len(file) > 1_000_000
    with pytest.raises(ApiError):
        async with pieces_of(file, "audio/webm", 2, tmp_path):
            pass


def test_cutting_takes_time_in_proportion_to_the_file(tmp_path: Path) -> None:
    files = {length: encoded(bytes(2 * 24_000 * length), *FILES["audio/mp3"]) for length in (50, 200)}

    async def cut(length: int) -> None:
        async with pieces_of(files[length], "audio/mp3", length / 10, tmp_path) as pieces:
            assert len(pieces) > 10

    def seconds(length: int) -> float:
        begun = time.process_time()
        anyio.run(cut, length)
        return time.process_time() - begun

    small = min(seconds(50) for _ in range(3))
    assert min(seconds(200) for _ in range(3)) < 8 * small
