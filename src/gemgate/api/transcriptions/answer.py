"""A transcript in the format that was asked for."""

import zlib

from gemgate.api.transcriptions.languages import english_name
from gemgate.api.transcriptions.plan import TranscriptPlan
from gemgate.api.transcriptions.subtitles import srt, vtt
from gemgate.api.transcriptions.times import TimedSegment
from gemgate.api.transcriptions.transcript import ReadTranscript
from gemgate.errors import ApiError
from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import by_modality, counts
from gemgate.translation.notes import Notes

UNKNOWN = "unknown"
"""The language where neither the caller nor the model names it."""


def answer_of(transcript: ReadTranscript, plan: TranscriptPlan, notes: Notes) -> str | dict[str, object]:
    """A text, or an object for JSON.

    Raises:
        ApiError: 502, the format is nothing but times, and the model gave none.
    """
    if plan.needs_times and not transcript.has_times:
        if plan.format in ("srt", "vtt"):
            raise _no_times(plan)
        notes.adjust("timestamps=none")
    if transcript.is_cut:
        notes.adjust("transcript=cut")
    match plan.format:
        case "srt":
            return srt(transcript.segments)
        case "vtt":
            return vtt(transcript.segments)
        case "text":
            return transcript.text.strip() + "\n"
        case "verbose_json":
            return _verbose(transcript, plan, notes)
        case "diarized_json":
            return _diarized(transcript, plan, notes)
        case _:
            body: dict[str, object] = {"text": transcript.text.strip()}
            return body if plan.is_translation else {**body, "usage": usage_of(transcript.usage)}


def usage_of(meta: UsageMetadata) -> dict[str, object]:
    """The tokens in OpenAI's words."""
    found = counts(meta)
    asked, answered = found.prompt + found.tool_use, found.candidates + found.thoughts
    inputs = by_modality(meta.get("promptTokensDetails"))
    audio = inputs.get("AUDIO", 0)
    return {
        "type": "tokens",
        "input_tokens": asked,
        "input_token_details": {"audio_tokens": audio, "text_tokens": max(0, asked - audio)},
        "output_tokens": answered,
        "total_tokens": found.total if found.total is not None else asked + answered,
    }


def speaker_segment(number: int, segment: TimedSegment) -> dict[str, object]:
    """A segment of `diarized_json`, which is an event of its stream too."""
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        "start": _rounded(segment.start),
        "end": _rounded(segment.end),
        "text": segment.text,
        "speaker": segment.speaker or "A",
    }


def _diarized(transcript: ReadTranscript, plan: TranscriptPlan, notes: Notes) -> dict[str, object]:
    if transcript.segments and not any(segment.speaker for segment in transcript.segments):
        notes.adjust("speakers=none")
    return {
        "task": "transcribe",
        "duration": _duration(transcript, plan, notes),
        "text": transcript.text.strip(),
        "segments": [speaker_segment(number, segment) for number, segment in enumerate(transcript.segments)],
        "usage": usage_of(transcript.usage),
    }


def _verbose(transcript: ReadTranscript, plan: TranscriptPlan, notes: Notes) -> dict[str, object]:
    is_timed = transcript.has_times
    language = "english" if plan.is_translation else transcript.language or plan.language or UNKNOWN
    body: dict[str, object] = {
        "task": "translate" if plan.is_translation else "transcribe",
        "language": english_name(language),
        "duration": _duration(transcript, plan, notes),
        "text": transcript.text.strip(),
    }
    if plan.has_segments:
        timed = transcript.segments if is_timed else []
        body["segments"] = [_segment(number, each, plan) for number, each in enumerate(timed)]
    if plan.has_words and transcript.words:
        body["words"] = [
            {"word": word.word.strip(), "start": _rounded(word.start), "end": _rounded(word.end)}
            for word in transcript.words
        ]
    if body["duration"] is not None and not plan.is_translation:
        body["usage"] = {"type": "duration", "seconds": body["duration"]}
    return body


def _segment(number: int, segment: TimedSegment, plan: TranscriptPlan) -> dict[str, object]:
    """OpenAI's segment. Gemini has no tokens' ids, no probabilities: these fields are empty, and 0."""
    text = segment.text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": _rounded(segment.start),
        "end": _rounded(segment.end),
        "text": segment.text,
        "tokens": [],
        "temperature": plan.temperature,
        "avg_logprob": 0.0,
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),
        "no_speech_prob": 0.0,
    }


def _duration(transcript: ReadTranscript, plan: TranscriptPlan, notes: Notes) -> float | None:
    """By the head of the file, or else the end of the last word that the model has heard itself; never a guess."""
    if plan.seconds is not None:
        return _rounded(plan.seconds)
    if transcript.words:
        return _rounded(max(word.end for word in transcript.words))
    notes.adjust("duration=unknown")
    return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _no_times(plan: TranscriptPlan) -> ApiError:
    msg = (
        f"The model gave no times, and '{plan.format}' is made of them. Ask for another 'response_format', such as "
        "'json', or another model."
    )
    return ApiError(502, msg, type="server_error", param="response_format", code="timestamps_unavailable")
