"""Audio that is longer than the model takes: cut, heard in pieces, and joined; the caller learns of it."""

import base64
import io
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import webvtt
from tests.api.speech.support import tone
from tests.api.transcriptions.audio_files import FILES, encoded
from tests.api.transcriptions.support import ASR, GENERAL, ask, form, heard, turn
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, json_for

from gemgate.translation.speech.samples import wav_head, wav_layout

pytestmark = pytest.mark.slow

UPSTREAM = "https://generativelanguage.googleapis.com"
RATE, SECONDS = 1000, 150
LIMITS = {"model_facts": {ASR: {"audio_limit": 60, "timed_audio_limit": 60}}}
STORY = [f"w{second}" for second in range(SECONDS)]
LONG = wav_head(2 * RATE * SECONDS, RATE) + b"".join(struct.pack("<h", second) * RATE for second in range(SECONDS))
"""In each second its number is said."""


@dataclass
class HearingGoogle:
    """Hears the numbers of the seconds that are whole in what it gets, within a request or as a file.

    Attributes:
        lasting: How many seconds the audio of each request lasts.
        files: What was uploaded, by name.
        deleted: The names of files that are gone.
    """

    lasting: list[float] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            self.deleted.append(request.url.path.rpartition("/")[2])
            return httpx.Response(200, json={})
        if request.headers.get("x-goog-upload-command") == "start":
            name = orjson.loads(request.content)["file"]["name"].rpartition("/")[2]
            return httpx.Response(
                200, headers={"x-goog-upload-url": f"{UPSTREAM}/upload/v1beta/files?upload_id={name}"}
            )
        if request.url.path.startswith("/upload"):
            name = request.url.params["upload_id"]
            self.files[name] = request.content
            file = {"name": f"files/{name}", "uri": f"{UPSTREAM}/v1beta/files/{name}"}
            return httpx.Response(200, json={"file": file | {"sizeBytes": str(len(request.content))}})
        if ":" not in request.url.path:
            return httpx.Response(200, json={"models": []})
        body = orjson.loads(request.content)
        (part,) = body["contents"][0]["parts"]
        if "inlineData" in part:
            audio = base64.b64decode(part["inlineData"]["data"])
        else:
            audio = self.files[part["fileData"]["fileUri"].rpartition("/")[2]]
        config = body.get("generationConfig", {}).get("audioTranscriptionConfig", {})
        return self._answer(request, audio, config)

    def _answer(self, request: httpx.Request, audio: bytes, config: dict[str, Any]) -> httpx.Response:
        layout = wav_layout(audio)
        assert layout is not None
        samples = memoryview(audio[layout.start :]).cast("h")
        self.lasting.append(len(samples) / RATE)
        places: dict[int, list[int]] = {}
        for place, number in enumerate(samples):
            places.setdefault(number, []).append(place)
        whole = [(number, found[0] / RATE) for number, found in places.items() if len(found) == RATE]
        text = " ".join(f"w{number}" for number, _ in whole)
        if not config.get("wordTimestamp"):
            return json_for(request, heard({"text": text}))
        words = [
            {"word": f"w{number}", "startOffset": f"{start:.3f}s", "endOffset": f"{start + 0.9:.3f}s"}
            for number, start in whole
        ]
        label = {"speakerLabel": "spk_1"} if config.get("diarization") else {}
        return json_for(request, heard(turn(words, text=text, **label)))


async def long_answer(google: HearingGoogle, file: bytes = LONG, **fields: Any) -> httpx.Response:
    settings = LIMITS | fields.pop("settings", {})
    return await ask(FakeGoogle(google), settings=settings, file=file, **fields)


@pytest.mark.parametrize("response_format", ["json", "text"])
async def test_long_audio_is_heard_in_pieces_and_its_text_is_whole(response_format: str) -> None:
    google = HearingGoogle()
    answer = await long_answer(google, response_format=response_format)
    assert answer.status_code == 200, answer.text
    text = answer.json()["text"] if response_format == "json" else answer.text.strip()
    assert text.split() == STORY
    assert len(google.lasting) == 4
    assert max(google.lasting) < 60
    assert answer.headers["x-gemgate-adjusted"] == "file=4 pieces"
    if response_format == "json":
        assert answer.json()["usage"]["input_tokens"] == 4 * 130


async def test_words_and_subtitles_have_the_times_of_the_whole() -> None:
    asked: dict[str, Any] = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
    found = (await long_answer(HearingGoogle(), **asked)).json()
    assert [word["word"] for word in found["words"]] == STORY
    assert [word["start"] for word in found["words"]] == pytest.approx(list(range(SECONDS)), abs=0.01)
    assert found["duration"] == SECONDS
    assert found["text"].split() == STORY
    assert " ".join(segment["text"] for segment in found["segments"]).split() == STORY
    subtitles = (await long_answer(HearingGoogle(), response_format="srt")).text
    cues = webvtt.from_buffer(io.StringIO(subtitles), format="srt").captions
    assert " ".join(cue.text for cue in cues).split() == STORY
    times = [time for cue in cues for time in (cue.start_in_seconds, cue.end_in_seconds)]
    assert times == sorted(times)


async def test_a_speaker_of_several_pieces_is_one() -> None:
    found = (await long_answer(HearingGoogle(), response_format="diarized_json")).json()
    assert {segment["speaker"] for segment in found["segments"]} == {"A"}


@pytest.mark.parametrize("response_format", ["json", "diarized_json"])
async def test_a_stream_of_long_audio_is_its_text_in_order(response_format: str) -> None:
    answer = await long_answer(HearingGoogle(), response_format=response_format, stream="true")
    assert answer.headers["x-gemgate-adjusted"] == "file=4 pieces"
    events = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    said = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
    assert said.split() == STORY
    assert events[-1]["type"] == "transcript.text.done"
    assert events[-1]["text"] == said
    assert sum(event["type"] == "transcript.text.delta" for event in events) == (4 if response_format == "json" else 1)


async def test_pieces_of_large_audio_are_files_which_are_deleted() -> None:
    google = HearingGoogle()
    answer = await long_answer(google, settings={"inline_max_bytes": 100_000})
    assert answer.json()["text"].split() == STORY
    assert sorted(google.deleted) == sorted(google.files)
    assert len(google.files) == 4


async def test_audio_that_the_model_takes_is_not_cut() -> None:
    google = HearingGoogle()
    short = wav_head(2 * RATE * 60, RATE) + LONG[44 : 44 + 2 * RATE * 60]
    answer = await long_answer(google, short)
    assert google.lasting == [60]
    assert "x-gemgate-adjusted" not in answer.headers
    answer = await ask(heard({"text": "all"}), settings=LIMITS, file=LONG, model=GENERAL)
    assert answer.json()["text"] == "all"
    assert "pieces" not in answer.headers.get("x-gemgate-adjusted", "")


async def test_a_head_that_says_too_much_is_not_believed() -> None:
    file = bytearray(encoded(tone(3), *FILES["audio/mp3"]))
    place = file.index(b"Info") + 8  # how many frames there are
    file[place : place + 4] = (100 * int.from_bytes(file[place : place + 4])).to_bytes(4)
    settings = {"model_facts": {ASR: {"audio_limit": 60, "timed_audio_limit": 60}}}
    words = turn([{"word": "Yes.", "startOffset": "1s", "endOffset": "2s"}], text="Yes.")
    asked: dict[str, Any] = {"file": bytes(file), "name": "a.mp3", "kind": "audio/mpeg"}
    answer = await ask(heard(words), settings=settings, response_format="verbose_json", **asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["duration"] == pytest.approx(3, abs=0.2)
    assert "x-gemgate-adjusted" not in answer.headers


async def test_a_dry_run_says_how_many_pieces_there_would_be() -> None:
    google = HearingGoogle()
    answer = await long_answer(google, headers={"x-gemgate-dry-run": "true"})
    assert answer.json()["calls"] == 4
    assert not google.lasting


async def test_more_pieces_than_there_may_be_are_refused_with_the_limit() -> None:
    settings = {"model_facts": {ASR: {"audio_limit": 4}}}
    answer = await ask(HearingGoogle(), settings=settings, file=LONG)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("audio_too_long", "file")
    assert "4s at most" in error["message"]


async def test_what_cannot_be_cut_is_refused_with_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.api.transcriptions.cutting.find_spec", lambda _: None)
    settings = {"model_facts": {ASR: {"audio_limit": 1}}}
    file = encoded(tone(3), *FILES["audio/mp3"])
    answer = await ask(heard({"text": "x"}), settings=settings, file=file, name="a.mp3", kind="audio/mpeg")
    assert answer.status_code == 400, answer.text
    assert "gemgate[audio]" in answer.json()["error"]["message"]


async def test_a_piece_that_google_refuses_is_the_answer() -> None:
    google = HearingGoogle()

    def refusing(request: httpx.Request) -> httpx.Response:
        answer = google(request)
        if len(google.lasting) == 3:
            error = {"code": 400, "status": "INVALID_ARGUMENT", "message": "Audio is damaged."}
            return httpx.Response(400, json={"error": error})
        return answer

    answer = await ask(FakeGoogle(refusing), settings=LIMITS, file=LONG)
    assert answer.status_code == 400
    assert "Audio is damaged." in answer.json()["error"]["message"]


def open_without_a_name(directory: Path) -> list[str]:
    """The temporary files in a directory that this process holds open."""
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [link for link in links if link.startswith(str(directory)) and link.endswith("(deleted)")]


@pytest.mark.skipif(sys.platform != "linux", reason="lists the open files as Linux does")
@pytest.mark.parametrize("is_refused", [False, True])
async def test_no_piece_is_left_on_the_disk(is_refused: bool, tmp_path: Path) -> None:
    held: list[int] = []

    def google(request: httpx.Request) -> httpx.Response:
        if ":" not in request.url.path:
            return httpx.Response(200, json={"models": []})
        held.append(len(open_without_a_name(tmp_path)))
        return failure(400, "no", reason="INVALID_ARGUMENT") if is_refused else json_for(request, heard({"text": "x"}))

    large = wav_head(2 * 8000 * SECONDS, 8000) + bytes(2 * 8000 * SECONDS)  # more than is held in memory
    async with in_process(gateway_app(FakeGoogle(google), data_dir=tmp_path, **LIMITS)) as client:
        answer = await client.post("/v1/audio/transcriptions", **form(large))
    assert answer.status_code == (400 if is_refused else 200), answer.text
    assert max(held) == 5
    assert not open_without_a_name(tmp_path)
