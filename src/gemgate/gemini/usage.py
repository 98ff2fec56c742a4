"""Token counts of an answer, whatever Google leaves out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gemgate.gemini.types import GenerateContentResponse, ModalityTokenCount, UsageMetadata


@dataclass(slots=True)
class Counts:
    """Tokens by what they are. What is paid for is `prompt + tool_use` and `candidates + thoughts`.

    Attributes:
        prompt: What was sent, `cached` included.
        tool_use: What built-in tools added to it.
        candidates: What was answered, without thoughts.
        thoughts: What was thought.
        cached: The part of `prompt` that came out of a cache.
        total: Google's own sum, or None.
    """

    prompt: int = 0
    tool_use: int = 0
    candidates: int = 0
    thoughts: int = 0
    cached: int = 0
    total: int | None = None


def counts(meta: UsageMetadata) -> Counts:
    """The counts of `usageMetadata`. What Gemini leaves out is 0, or what the total leaves for it."""
    thoughts = meta.get("thoughtsTokenCount") or 0
    if thoughts:
        meta = _with_thoughts_apart(meta)
    tool_use = meta.get("toolUsePromptTokenCount") or 0
    total = meta.get("totalTokenCount")
    prompt = meta.get("promptTokenCount")
    candidates = meta.get("candidatesTokenCount")
    if prompt is None:
        prompt = max(0, (total or 0) - tool_use - thoughts - (candidates or 0))
    if candidates is None:
        candidates = max(0, (total or 0) - prompt - tool_use - thoughts)
    return Counts(prompt, tool_use, candidates, thoughts, meta.get("cachedContentTokenCount") or 0, total)


def total(usages: Iterable[UsageMetadata]) -> UsageMetadata:
    """The usage of all calls that answer one request: every count is paid, so every count is summed."""
    summed: dict[str, Any] = {}
    for given in usages:
        usage = _with_thoughts_apart(given) if given.get("thoughtsTokenCount") else given
        for name, value in usage.items():
            if not summed.get(name):
                summed[name] = value
            elif isinstance(value, (int, list)) and isinstance(summed[name], type(value)):
                summed[name] = summed[name] + value
    return summed  # type: ignore[return-value]  # the same names


def _with_thoughts_apart(meta: UsageMetadata) -> UsageMetadata:
    """`meta` with the thoughts counted once: some image models count them in `candidatesTokenCount` as well."""
    thoughts, candidates = meta.get("thoughtsTokenCount"), meta.get("candidatesTokenCount")
    if not thoughts or not candidates or candidates < thoughts:
        return meta
    others = (meta.get("promptTokenCount") or 0) + (meta.get("toolUsePromptTokenCount") or 0)
    if others + candidates != meta.get("totalTokenCount"):
        return meta
    return {**meta, "candidatesTokenCount": candidates - thoughts}


def web_searches(grounding: Mapping[str, object] | None) -> int:
    """How many different queries a search was asked for, by the `groundingMetadata` of a candidate."""
    queries = (grounding or {}).get("webSearchQueries")
    return len({query for query in queries if isinstance(query, str) and query}) if isinstance(queries, list) else 0


def searches_of(answer: GenerateContentResponse) -> int:
    """The queries of all candidates of an answer."""
    return sum(web_searches(candidate.get("groundingMetadata")) for candidate in answer.get("candidates") or ())


def by_modality(details: list[ModalityTokenCount] | None) -> dict[str, int]:
    """Tokens by modality, such as `{"TEXT": 12, "AUDIO": 250}`."""
    found: dict[str, int] = {}
    for detail in details or ():
        modality = detail.get("modality", "")
        found[modality] = found.get(modality, 0) + detail.get("tokenCount", 0)
    return found
