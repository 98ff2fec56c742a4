"""Segments as subtitles: SubRip (`srt`) and WebVTT (`vtt`)."""

from collections.abc import Iterable

from gemgate.api.transcriptions.times import TimedSegment


def srt(segments: Iterable[TimedSegment]) -> str:
    """SubRip: numbered cues, with a comma before the milliseconds."""
    cues = [
        f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{_line(segment.text)}\n\n"
        for number, segment in enumerate(segments, 1)
    ]
    return "".join(cues)


def vtt(segments: Iterable[TimedSegment]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), in which `&` and `<` are escaped."""
    cues = [
        f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{_escaped(_line(segment.text))}\n\n"
        for segment in segments
    ]
    return "WEBVTT\n\n" + "".join(cues)


def _clock(seconds: float | None, point: str) -> str:
    milliseconds = round((seconds or 0.0) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _line(text: str) -> str:
    """A blank line would end the cue, and an arrow would be taken for times."""
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
