"""Grounding as annotations."""

from typing import Any

from gemgate.gemini.types import GroundingMetadata, Segment


def annotations(grounding: GroundingMetadata, text: str, part_starts: list[int]) -> list[dict[str, Any]]:
    """One `url_citation` for each supported segment and each of its sources.

    Args:
        grounding: What Gemini says supports the answer.
        text: The whole answer.
        part_starts: Where each part of the answer starts in `text`, in UTF-8 bytes; `segment.partIndex` counts them.

    Gemini's offsets are UTF-8 bytes and leave out 0; OpenAI's are characters. A segment that cannot be found in the
    text gives no annotation (the native metadata is kept beside).
    """
    sources = [_source(chunk) for chunk in grounding.get("groundingChunks") or []]
    encoded = text.encode()
    found = []
    for support in grounding.get("groundingSupports") or []:
        span = _span(support.get("segment") or {}, text, encoded, part_starts)
        if span is None:
            continue
        for index in support.get("groundingChunkIndices") or []:
            source = sources[index] if 0 <= index < len(sources) else None
            if source is not None:
                url, title = source
                citation = {"start_index": span[0], "end_index": span[1], "title": title, "url": url}
                found.append({"type": "url_citation", "url_citation": citation})
    return found


def _source(chunk: dict[str, Any]) -> tuple[str, str] | None:
    """URL and title of a chunk: `web`, `retrievedContext`, `maps` or `image`."""
    for kind in ("web", "retrievedContext", "maps", "image"):
        source = chunk.get(kind)
        if isinstance(source, dict):
            url = source.get("uri") or source.get("sourceUri") or source.get("fileSearchStore") or ""
            return str(url), str(source.get("title") or url)
    return None


def _span(segment: Segment, text: str, encoded: bytes, part_starts: list[int]) -> tuple[int, int] | None:
    start, end = segment.get("startIndex", 0), segment.get("endIndex", 0)
    quoted = segment.get("text")
    part = segment.get("partIndex", 0)
    # A stream counts over the whole answer, a whole answer may count within a part: the quoted text decides.
    for base in {part_starts[part] if 0 <= part < len(part_starts) else 0: None, 0: None}:
        cut = encoded[base + start : base + end]
        if cut and (quoted is None or cut.decode(errors="replace") == quoted):
            before = len(encoded[: base + start].decode(errors="replace"))
            return before, before + len(cut.decode(errors="replace"))
    at = text.find(quoted) if quoted else -1
    return (at, at + len(quoted)) if quoted and at >= 0 else None
