"""The events of a streamed answer as the one whole answer that they are pieces of."""

from collections.abc import Iterable
from typing import Any, cast

from gemgate.gemini.types import GenerateContentResponse


def fold_events(events: Iterable[GenerateContentResponse]) -> GenerateContentResponse:
    """One answer: parts one behind the other, and of all else the last word that says something."""
    whole: dict[str, Any] = {}
    candidates: dict[int, dict[str, object]] = {}
    for event in events:
        for name, value in event.items():
            if name == "candidates":
                for candidate in cast("list[dict[str, Any]]", value or ()):
                    _add(candidates.setdefault(candidate.get("index", 0), {}), candidate)
            elif name == "usageMetadata":
                whole[name] = _counts(whole.get(name, {}), cast("dict[str, Any]", value))
            elif value:
                whole[name] = value
    if candidates:
        whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return cast("GenerateContentResponse", whole)


def _add(whole: dict[str, Any], candidate: dict[str, Any]) -> None:
    for name, value in candidate.items():
        if name == "content":
            content = whole.setdefault("content", {})
            parts = [*content.get("parts", ()), *(value.get("parts") or ())]
            content |= value
            if parts:
                content["parts"] = parts
        elif value or name not in whole:
            whole[name] = value


def _counts(before: dict[str, object], meta: dict[str, object]) -> dict[str, object]:
    """Counts start again between the rounds of built-in tools: what the last event leaves out is not of before."""
    return meta if "totalTokenCount" in meta else {**before, **meta}
