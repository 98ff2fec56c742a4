"""Token counts: an estimate, but one whose sums are right and that never changes for the same input."""

import math
from collections import Counter
from typing import Any

import orjson

from gemgate.emulator.media import look
from gemgate.emulator.prompt import parts_of

MODALITIES = ("TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")


def text_tokens(text: str) -> int:
    """About one token for four bytes; nothing for nothing."""
    return math.ceil(len(text.encode()) / 4)


def part_tokens(part: dict[str, Any]) -> tuple[str, int]:
    """Modality and tokens of a part."""
    if "inlineData" in part or "fileData" in part:
        seen = look(part)
        return seen.modality, seen.tokens
    if "text" in part:
        return "TEXT", text_tokens(part["text"])
    data = {key: value for key, value in part.items() if key not in {"thoughtSignature", "thought"}}
    return "TEXT", text_tokens(orjson.dumps(data).decode())


def prompt_tokens(body: dict[str, Any]) -> Counter[str]:
    """Tokens of everything a canonical request puts before the model, by modality."""
    counts: Counter[str] = Counter()
    for content in [*(body.get("contents") or ()), body.get("systemInstruction") or {}]:
        for part in parts_of(content):
            modality, tokens = part_tokens(part)
            counts[modality] += tokens
            for inner in (part.get("functionResponse") or {}).get("parts") or ():
                modality, tokens = part_tokens(inner)
                counts[modality] += tokens
    for tool in body.get("tools") or ():
        counts["TEXT"] += text_tokens(orjson.dumps(tool).decode())
    return counts


def details(counts: Counter[str]) -> list[dict[str, object]]:
    """`promptTokensDetails` and the like; what is zero is left out."""
    return [{"modality": name, "tokenCount": counts[name]} for name in MODALITIES if counts[name]]


def metadata(
    prompt: Counter[str],
    *,
    answer: Counter[str],
    thoughts: int = 0,
    tools: int = 0,
    cached: Counter[str] | None = None,
    tier: str = "standard",
    answer_details: Counter[str] | None = None,
) -> dict[str, object]:
    """`usageMetadata` in Google's order: `promptTokenCount` holds the cached tokens, the total holds everything."""
    cached = cached or Counter()
    whole = prompt + cached
    counts = {
        "promptTokenCount": whole.total(),
        "candidatesTokenCount": answer.total(),
        "totalTokenCount": whole.total() + answer.total() + thoughts + tools,
        "cachedContentTokenCount": cached.total(),
    }
    usage: dict[str, object] = {name: count for name, count in counts.items() if count}
    listed = {
        "promptTokensDetails": details(whole),
        "cacheTokensDetails": details(cached),
        "candidatesTokensDetails": details(answer_details or Counter()),
    }
    usage |= {name: entries for name, entries in listed.items() if entries}
    if tools:
        usage["toolUsePromptTokenCount"] = tools
        usage["toolUsePromptTokensDetails"] = [{"modality": "TEXT", "tokenCount": tools}]
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    usage["serviceTier"] = tier
    return usage
