"""`POST /audio/transcriptions` and `/translations`, from the caller to Google and back."""

import io
from typing import Any

import httpx
import orjson
import pytest
import webvtt
from tests.api.transcriptions.support import ASR, AUDIO, GENERAL, SECONDS, TEXT, USAGE, WORDS, ask, form, heard, turn
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, failure, overloaded, sse

pytestmark = pytest.mark.slow

TIMED = heard(turn(WORDS, text=TEXT, speakerLabel="spk_1"))
TOKENS = {
    "type": "tokens",
    "input_tokens": 130,
    "input_token_details": {"audio_tokens": 128, "text_tokens": 2},
    "output_tokens": 9,
    "total_tokens": 139,
}
NO_OPTIONS = (
    "Invalid JSON payload received. Unknown name \"audioTranscriptionConfig\" at 'generation_config': "
    "Cannot find field."
)
ESTIMATED = {
    "language": "de",
    "segments": [
        {"start": "00:03.000", "end": "00:09.000", "text": "Two."},
        {"start": "00:00.000", "end": "00:03.500", "text": "One."},
    ],
}


def error_of(response: httpx.Response) -> tuple[int, Any, Any]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def events_in(response: httpx.Response) -> list[Any]:
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return [orjson.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
@pytest.mark.parametrize(
    "parts", [[{"text": TEXT}], [turn(WORDS)], [turn(WORDS[:2]), turn(WORDS[2:], text="Welcome aboard.")]]
)
async def test_a_file_is_a_text_whatever_parts_come(prefix: str, parts: list[Any]) -> None:
    google = FakeGoogle(heard(*parts))
    response = await ask(google, f"{prefix}/audio/transcriptions", model="whisper-1")
    assert response.json() == {"text": TEXT, "usage": TOKENS}
    assert response.headers["x-gemgate-model"] == ASR
    assert google.paths == [f"/v1beta/models/{ASR}:generateContent"]


async def test_what_comes_as_text_and_as_turns_is_there_once() -> None:
    response = await ask(heard({"text": TEXT}, turn(WORDS, text=TEXT)), response_format="verbose_json")
    assert response.json()["text"] == TEXT
    assert len(response.json()["segments"]) == 2


async def test_verbose_json_has_segments_and_words_with_their_times() -> None:
    asked: dict[str, Any] = {
        "response_format": "verbose_json",
        "timestamp_granularities": ["word", "segment"],
        "language": "en",
    }
    body = (await ask(TIMED, **asked)).json()
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "english", SECONDS)
    assert [(each["start"], each["end"], each["text"]) for each in body["segments"]] == [
        (0, 1.1, "Good morning."),
        (1.25, 2.5, "Welcome aboard."),
    ]
    assert body["words"][2] == {"word": "Welcome", "start": 1.25, "end": 1.8}
    assert body["usage"] == {"type": "duration", "seconds": SECONDS}
    alone = (await ask(TIMED, response_format="verbose_json", timestamp_granularities="word")).json()
    assert "segments" not in alone
    assert len(alone["words"]) == 4


@pytest.mark.parametrize("wanted", ["srt", "vtt"])
async def test_subtitles_are_read_by_a_library(wanted: str) -> None:
    response = await ask(TIMED, response_format=wanted)
    assert response.headers["content-type"].startswith("text/plain")
    cues = webvtt.from_buffer(io.StringIO(response.text), format=wanted).captions
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [
        ("00:00:00.000", "00:00:01.100", "Good morning."),
        ("00:00:01.250", "00:00:02.500", "Welcome aboard."),
    ]


async def test_text_is_a_line() -> None:
    assert (await ask(heard({"text": f" {TEXT}\n"}), response_format="text")).text == f"{TEXT}\n"


async def test_diarized_json_has_speakers_by_letter() -> None:
    answer = heard(turn(WORDS[:2], speakerLabel="spk_7"), turn(WORDS[2:], speakerLabel="spk_2"))
    body = (await ask(answer, model="gpt-4o-transcribe-diarize", response_format="diarized_json")).json()
    assert [(each["speaker"], each["text"], each["id"]) for each in body["segments"]] == [
        ("A", "Good morning.", "seg_0"),
        ("B", "Welcome aboard.", "seg_1"),
    ]
    assert (body["task"], body["duration"], body["usage"]) == ("transcribe", SECONDS, TOKENS)


@pytest.mark.parametrize("wanted", ["srt", "vtt"])
async def test_subtitles_without_times_are_an_error(wanted: str) -> None:
    response = await ask(heard({"text": TEXT}), response_format=wanted)
    assert error_of(response) == (502, "timestamps_unavailable", "response_format")


@pytest.mark.parametrize("wanted", ["verbose_json", "diarized_json"])
async def test_other_formats_say_that_there_are_no_times(wanted: str) -> None:
    response = await ask(heard({"text": TEXT}), response_format=wanted)
    assert (response.json()["text"], response.json()["segments"]) == (TEXT, [])
    assert response.headers["x-gemgate-adjusted"] == "timestamps=none"


async def test_a_duration_that_nobody_knows_is_null() -> None:
    webm = b"\x1aE\xdf\xa3" + b"\0" * 20 + b"webm" + b"\0" * 100
    asked: dict[str, Any] = {"file": webm, "name": "a.webm", "kind": "video/webm", "response_format": "verbose_json"}
    google = FakeGoogle(heard({"text": TEXT}))
    response = await ask(google, **asked)
    assert response.json()["duration"] is None
    assert "duration=unknown" in response.headers["x-gemgate-adjusted"]
    assert google.bodies[0]["contents"][0]["parts"][0]["inlineData"]["mimeType"] == "audio/webm"
    assert (await ask(TIMED, **asked)).json()["duration"] == 2.5


async def test_words_beyond_the_end_are_brought_within_the_audio() -> None:
    late = [{"word": "late", "startOffset": "3s", "endOffset": "9s"}, {"word": "early", "startOffset": "1s"}]
    body = (await ask(heard(turn(late)), response_format="verbose_json", timestamp_granularities=["word"])).json()
    assert [(word["start"], word["end"]) for word in body["words"]] == [(1, 1), (3, SECONDS)]


async def test_a_general_model_writes_segments_whose_times_are_called_estimated() -> None:
    answer = heard({"text": "```json\n"}, {"text": orjson.dumps(ESTIMATED).decode()}, {"text": "\n```"})
    response = await ask(answer, model=GENERAL, response_format="verbose_json")
    body = response.json()
    assert "timestamps=estimated" in response.headers["x-gemgate-adjusted"]
    assert [(each["start"], each["end"], each["text"]) for each in body["segments"]] == [
        (0, 3.5, "One."),
        (3.5, 4, "Two."),
    ]
    assert (body["language"], body["duration"]) == ("german", SECONDS)


async def test_segments_that_break_off_are_kept_as_far_as_they_go() -> None:
    cut = orjson.dumps(ESTIMATED).decode()[:110]
    response = await ask(heard({"text": cut}, finish="MAX_TOKENS"), model=GENERAL, response_format="srt")
    assert response.text.count("-->") == 1
    assert "transcript=cut" in response.headers["x-gemgate-adjusted"]


async def test_a_general_model_that_writes_no_segments_is_an_error() -> None:
    response = await ask(heard({"text": "I cannot."}), model=GENERAL, response_format="srt")
    assert error_of(response) == (502, "upstream_malformed_response", None)


async def test_a_translation_is_english() -> None:
    answer = heard({"text": orjson.dumps(ESTIMATED).decode()})
    google = FakeGoogle(answer)
    path = "/v1/audio/translations"
    body = (await ask(google, path, model="whisper-1", response_format="verbose_json")).json()
    assert google.models == [GENERAL]
    assert (body["task"], body["language"]) == ("translate", "english")
    assert (await ask(heard({"text": "Hi"}), path, model="whisper-1")).json() == {"text": "Hi"}


async def test_a_stream_has_deltas_and_all_of_it_at_the_end() -> None:
    pieces = [heard({"text": "Good "}, finish=None), heard({"text": "morning."})]
    response = await ask(FakeGoogle(sse(*pieces)), model="gpt-4o-transcribe", stream="true")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events_in(response) == [
        {"type": "transcript.text.delta", "delta": "Good "},
        {"type": "transcript.text.delta", "delta": "morning."},
        {"type": "transcript.text.done", "text": "Good morning.", "usage": TOKENS},
    ]


async def test_a_stream_of_turns_has_segments_of_speakers() -> None:
    pieces = [heard(turn(WORDS[:2], speakerLabel="x"), finish=None), heard(turn(WORDS[2:], speakerLabel="y"))]
    events = events_in(await ask(FakeGoogle(sse(*pieces)), response_format="diarized_json", stream="true"))
    assert [event["type"].removeprefix("transcript.text.") for event in events] == [
        "delta", "delta", "segment", "segment", "done",
    ]  # fmt: skip
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"] == TEXT
    assert [event["speaker"] for event in events if "speaker" in event] == ["A", "B"]


async def test_a_stream_of_segments_of_a_general_model_is_no_json() -> None:
    text = orjson.dumps(ESTIMATED).decode()
    pieces = [heard({"text": text[:50]}, finish=None), heard({"text": text[50:]})]
    google = FakeGoogle(sse(*pieces))
    events = events_in(await ask(google, model=GENERAL, response_format="diarized_json", stream="true"))
    assert events[0] == {"type": "transcript.text.delta", "delta": "One. Two."}
    assert len(events) == 4


async def test_a_stream_that_breaks_off_ends_with_an_error() -> None:
    google = FakeGoogle(sse(heard({"text": "Good "}, finish=None)))
    first, last = events_in(await ask(google, stream="true"))
    assert first["delta"] == "Good "
    assert last["error"]["code"] == "stream_truncated"


@pytest.mark.parametrize("stream", ["false", "true"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (heard(finish="SAFETY"), (400, "moderation_blocked", "file")),
        (heard(finish="OTHER"), (502, "upstream_no_answer", None)),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, (400, "moderation_blocked", "file")),
        (failure(400, "* GenerateContentRequest.contents: audio is bad"), (400, None, "file")),
        (overloaded(), (503, "server_overloaded", None)),
    ],
)
async def test_no_transcript_is_an_error_with_googles_reason(answer: Any, expected: Any, stream: str) -> None:
    assert error_of(await ask(answer, stream=stream, settings={"retries": 0})) == expected


async def test_silence_is_an_empty_text() -> None:
    assert (await ask(heard())).json()["text"] == ""
    assert (await ask(heard(), response_format="vtt")).text == "WEBVTT\n\n"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"file": b""}, (400, "invalid_file", "file")),
        ({"file": b"hello there", "name": "a.txt", "kind": "text/plain"}, (400, "unsupported_media_type", "file")),
        ({"file": b"\x89PNG\r\n\x1a\n"}, (400, "unsupported_media_type", "file")),
        ({"file": b"\0\1\2\3", "name": "x", "kind": "application/x"}, (400, "unsupported_media_type", "file")),
        ({"response_format": "wav"}, (400, "invalid_value", "response_format")),
        ({"temperature": "9"}, (400, "decimal_above_max_value", "temperature")),
        ({"timestamp_granularities": ["hour"]}, (400, "invalid_value", "timestamp_granularities[0]")),
        ({"extra_body": "[oops"}, (400, "invalid_json", "extra_body")),
    ],
)
async def test_a_wrong_form_is_refused_by_name(fields: Any, expected: Any) -> None:
    google = FakeGoogle()
    assert error_of(await ask(google, **fields)) == expected
    assert google.requests == []


async def test_a_form_without_a_file_and_a_body_that_is_no_form_are_refused() -> None:
    async with in_process(gateway_app(FakeGoogle())) as client:
        url = "/v1/audio/transcriptions"
        no_file = await client.post(url, data={"model": ASR}, files={"other": b"x"})
        as_text = await client.post(url, files={"file": (None, b"x")})
        as_json = await client.post(url, json={"model": ASR})
    assert (no_file.status_code, as_text.status_code, as_json.status_code) == (400, 400, 415)


@pytest.mark.parametrize(
    ("head", "kind"), [(b"#!AMR\n", "audio/amr"), (b"ID3\x03\0\0", "audio/mp3"), (b"OggS\0", "audio/ogg")]
)
async def test_the_first_bytes_decide_the_type(head: bytes, kind: str) -> None:
    google = FakeGoogle(heard({"text": "x"}))
    assert (await ask(google, file=head + b"\0" * 50, name="voice", kind="application/octet-stream")).status_code == 200
    assert google.bodies[0]["contents"][0]["parts"][0]["inlineData"]["mimeType"] == kind


async def test_options_that_the_model_refuses_are_left_out_and_remembered() -> None:
    def google(request: httpx.Request) -> httpx.Response:
        refused = b"audioTranscriptionConfig" in request.content
        return (
            failure(400, NO_OPTIONS, reason="INVALID_ARGUMENT")
            if refused
            else httpx.Response(200, json=heard({"text": TEXT}))
        )

    fake = FakeGoogle(google)
    async with in_process(gateway_app(fake)) as client:
        asked = form(response_format="verbose_json", language="en")
        first = await client.post("/v1/audio/transcriptions", **asked)
        second = await client.post("/v1/audio/transcriptions", **form(response_format="srt"))
    assert first.json()["text"] == TEXT
    assert (
        first.headers["x-gemgate-adjusted"] == "language=en->en-US; learned=audioTranscriptionConfig; timestamps=none"
    )
    assert error_of(second) == (502, "timestamps_unavailable", "response_format")
    assert len(fake.requests) == 3


async def test_the_operators_table_goes_before_openais_names_and_the_next_model_answers() -> None:
    google = FakeGoogle(by_model={ASR: overloaded(), GENERAL: {**heard({"text": "Hi"}), "modelVersion": GENERAL}})
    settings = {"models": f"whisper-1={ASR},{GENERAL}", "retries": 0}
    response = await ask(google, model="whisper-1", settings=settings)
    assert response.json()["text"] == "Hi"
    assert response.headers["x-gemgate-model"] == GENERAL


async def test_a_dry_run_shows_the_native_request_and_calls_nobody() -> None:
    google = FakeGoogle()
    shown = (await ask(google, language="en", stream="true", headers={"x-gemgate-dry-run": "true"})).json()
    assert shown["path"] == f"/v1beta/models/{ASR}:streamGenerateContent?alt=sse"
    assert shown["body"]["generationConfig"] == {"audioTranscriptionConfig": {"languageCodes": ["en-US"]}}
    assert google.requests == []


def test_the_audio_of_these_tests_lasts_as_long_as_they_say() -> None:
    assert len(AUDIO) == 44 + 2 * 24_000 * SECONDS
    assert USAGE["totalTokenCount"] == 139
