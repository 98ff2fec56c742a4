"""Samples as files: each format decodes, with its length, rate and channels, whatever pieces it was made of."""

import struct
from itertools import pairwise

import pytest
from tests.api.speech.support import heard, tone

from gemgate.translation.speech.encoders import MEDIA_TYPES, SpeechFormat, can_encode, encoder_for
from gemgate.translation.speech.samples import data_chunk, wav_head

ALL: list[SpeechFormat] = list(MEDIA_TYPES)
CONTAINERS = [name for name in ALL if name != "pcm"]


def encoded(wanted: SpeechFormat, samples: bytes, cuts: list[int], rate: int = 24_000, channels: int = 1) -> bytes:
    encoder = encoder_for(wanted, rate, channels)
    ends = [0, *cuts, len(samples)]
    return b"".join(encoder.feed(samples[start:end]) for start, end in pairwise(ends)) + encoder.finish()


@pytest.mark.parametrize("wanted", CONTAINERS)
@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (16_000, 1), (24_000, 2)])
def test_a_file_decodes_with_its_length_rate_and_channels(wanted: SpeechFormat, rate: int, channels: int) -> None:
    seconds, found_rate, found_channels = heard(encoded(wanted, tone(1.5, rate * channels), [], rate, channels))
    assert seconds == pytest.approx(1.5, abs=0.12)
    assert found_rate == (48_000 if wanted == "opus" else rate)
    assert found_channels == channels


@pytest.mark.parametrize("wanted", ALL)
def test_pieces_that_end_within_a_sample_give_the_same_file(wanted: SpeechFormat) -> None:
    samples = tone(0.5)
    if wanted in ("opus", "aac"):  # a stream's serial number is random, and so is a frame's first place
        assert heard(encoded(wanted, samples, [1, 1001, 4803]))[0] == heard(encoded(wanted, samples, []))[0]
    else:
        assert encoded(wanted, samples, [1, 1001, 4803]) == encoded(wanted, samples, [])


@pytest.mark.parametrize("wanted", ALL)
def test_the_first_bytes_come_before_the_last_samples(wanted: SpeechFormat) -> None:
    encoder = encoder_for(wanted, 24_000, 1)
    second = tone(1)
    assert encoder.feed(second)
    assert encoder.feed(second)


@pytest.mark.parametrize("wanted", ALL)
def test_no_samples_are_no_failure(wanted: SpeechFormat) -> None:
    encoder = encoder_for(wanted, 24_000, 1)
    encoder.feed(b"")
    encoder.finish()
    assert can_encode(wanted)


def test_samples_are_given_as_they_are() -> None:
    assert encoded("pcm", tone(0.1), [7]) == tone(0.1)


def test_a_wav_file_that_is_made_as_it_is_sent_says_that_its_length_is_unknown() -> None:
    file = encoded("wav", tone(0.1), [])
    assert struct.unpack_from("<I", file, 40) == (0xFFFFFFFF,)
    assert data_chunk(file) == (44, None)


def test_a_wav_head_of_a_known_length_says_it() -> None:
    assert data_chunk(wav_head(100) + bytes(100)) == (44, 100)
