"""Recognizes speech that the emulator has spoken itself, and gives its words times.

Speech is a chord for as long as it lasts: eight tones, one of sixteen in each of eight bands, which are the digits of a
number that the text has. So it is heard through any codec, and from any second of it. The texts are remembered.
"""

import base64
import io
import math
import re
import threading
import wave
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

SAMPLE_RATE = 24_000
_BANDS, _TONES = 8, 16
_LOWEST, _STEP = 400, 30
"""Hertz; all are multiples of 10, so that a tenth of a second holds whole waves."""

_WINDOW = SAMPLE_RATE // 10
_VOLUME = 1200
_LOUDER = 4.0
"""How many times a tone must have the power of the next one in its band."""

_KEPT = 4096
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_RATE = re.compile(r"rate=(\d{1,6})", re.IGNORECASE)
_ASKED = ("Transcribe the speech", "Translate the speech")

Turns = tuple[tuple[str, str], ...]
"""Who says what; the speaker may be empty."""

_spoken: OrderedDict[int, Turns] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence that was heard: its words with their beginnings and ends in seconds."""

    speaker: str
    text: str
    words: list[tuple[str, float, float]]


def chord(turns: Turns, voice: str, count: int) -> bytes:
    """`count` samples that say `turns`: 16 bits, little-endian, mono."""
    digest = zlib.crc32(orjson.dumps([voice, turns]))
    with _lock:
        _spoken[digest] = turns
        _spoken.move_to_end(digest)
        if len(_spoken) > _KEPT:
            _spoken.popitem(last=False)
    tones = [_frequency(band, digest >> 4 * band & 15) for band in range(_BANDS)]
    steps = [2 * math.pi * tone / SAMPLE_RATE for tone in tones]
    period = b"".join(
        round(_VOLUME * sum(math.sin(step * n) for step in steps)).to_bytes(2, "little", signed=True)
        for n in range(_WINDOW)
    )
    return (period * (count // _WINDOW + 1))[: 2 * count]


def hear(part: Mapping[str, object]) -> tuple[list[Utterance], float] | None:
    """What is said in an `inlineData` part, and its seconds; None if the emulator has not spoken it."""
    blob = part.get("inlineData")
    if not isinstance(blob, dict):
        return None
    found = _samples(str(blob.get("mimeType", "")), base64.b64decode(blob.get("data", "")))
    if found is None:
        return None
    samples, rate = found
    turns = _recognized(samples, rate)
    seconds = len(samples) / rate
    return (_timed(turns, seconds), seconds) if turns else None


def utterances(text: str, seconds: float) -> list[Utterance]:
    """The sentences of a text that takes so long."""
    return _timed((("", text),), seconds)


def transcript_parts(heard: list[Utterance], config: Mapping[str, object]) -> list[dict[str, object]]:
    """The parts of an answer with these `audioTranscriptionConfig`: one text, or a turn for each sentence.

    The shape is that of Google's schema; no recording shows it.
    """
    if not (config.get("wordTimestamp") or config.get("diarization")):
        return [{"text": " ".join(each.text for each in heard)}]
    speakers = list(dict.fromkeys(each.speaker for each in heard))
    parts: list[dict[str, object]] = []
    for number, each in enumerate(heard):
        turn: dict[str, object] = {"text": each.text if not number else f" {each.text}"}
        if config.get("diarization"):
            turn["speakerLabel"] = f"spk_{speakers.index(each.speaker) + 1}"
        if config.get("wordTimestamp"):
            turn["words"] = [
                {"word": word, "startOffset": f"{start:.3f}s", "endOffset": f"{end:.3f}s"}
                for word, start, end in each.words
            ]
        parts.append({"audioTranscription": turn})
    return parts


def is_asked(text: str) -> bool:
    """Whether a general model is asked for a transcript."""
    return text.startswith(_ASKED)


def transcript_text(heard: list[Utterance], config: Mapping[str, object]) -> str:
    """What a general model writes: the text, or JSON of segments if JSON is asked for."""
    if config.get("responseMimeType") != "application/json":
        return " ".join(each.text for each in heard)
    asks_speakers = b'"speaker"' in orjson.dumps(config.get("responseJsonSchema") or {})
    segments = [
        {
            "start": _clock(each.words[0][1]),
            "end": _clock(each.words[-1][2]),
            **({"speaker": each.speaker or "A"} if asks_speakers else {}),
            "text": each.text,
        }
        for each in heard
        if each.words
    ]
    return orjson.dumps({"language": "en", "segments": segments}).decode()


def _frequency(band: int, digit: int) -> int:
    return _LOWEST + _STEP * (_TONES * band + digit)


def _samples(mime_type: str, data: bytes) -> tuple[memoryview, int] | None:
    """Mono samples of a file, and how many there are a second."""
    try:
        if data.startswith(b"RIFF"):
            with wave.open(io.BytesIO(data)) as file:
                if (file.getsampwidth(), file.getnchannels()) == (2, 1):
                    return _as_samples(file.readframes(len(data))), file.getframerate()
                return None
        if mime_type.lower().startswith(("audio/l16", "audio/pcm")):
            rate = _RATE.search(mime_type)
            return _as_samples(data), int(rate[1]) if rate else SAMPLE_RATE
        return _decoded(data)
    except (wave.Error, EOFError, ValueError, RuntimeError, ArithmeticError):  # what `wave` raises for damaged heads
        return None


def _as_samples(data: bytes) -> memoryview:
    return memoryview(data[: len(data) // 2 * 2]).cast("h")


def _decoded(data: bytes) -> tuple[memoryview, int] | None:
    """A compressed file, where PyAV is installed to read it."""
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(io.BytesIO(data), "r") as file:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            frames = [resampled for frame in file.decode(audio=0) for resampled in resampler.resample(frame)]
    except (av.FFmpegError, IndexError):
        return None
    found = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)
    return _as_samples(found), SAMPLE_RATE


def _recognized(samples: memoryview, rate: int) -> Turns:
    """What a tenth of a second in the middle says; empty for anything else."""
    count = rate // 10
    if len(samples) < count:
        return ()
    start = (len(samples) - count) // 2
    window = samples[start : start + count].tolist()
    digest = 0
    for band in range(_BANDS):
        powers = [_power(window, _frequency(band, digit), rate) for digit in range(_TONES)]
        first, second = sorted(powers, reverse=True)[:2]
        if first < _LOUDER * max(second, 1.0):
            return ()
        digest |= powers.index(first) << 4 * band
    with _lock:
        return _spoken.get(digest, ())


def _power(window: list[int], frequency: int, rate: int) -> float:
    """The power of one frequency, by Goertzel's algorithm."""
    factor = 2 * math.cos(2 * math.pi * frequency / rate)
    before = last = 0.0
    for sample in window:
        before, last = last, sample + factor * last - before
    return last * last + before * before - factor * last * before


def _timed(turns: Turns, seconds: float) -> list[Utterance]:
    """The sentences with their words, each as long as it has letters."""
    sentences = [
        (speaker, sentence.split()) for speaker, text in turns for sentence in _SENTENCE.split(text) if sentence.split()
    ]
    letters = sum(len(word) for _, words in sentences for word in words) or 1
    found, said = [], 0
    for speaker, words in sentences:
        timed = []
        for word in words:
            start, said = said, said + len(word)
            timed.append((word, round(seconds * start / letters, 3), round(seconds * said / letters, 3)))
        found.append(Utterance(speaker, " ".join(words), timed))
    return found


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
