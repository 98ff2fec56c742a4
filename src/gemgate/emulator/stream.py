"""Turns an answer into the JSON of one response, or into the events of a stream in the pattern of the model's family.

Joined, the events say what the one response says. The patterns are counted in recorded streams: Gemini 2 ends with text
and finish reason in one event; Gemini 3 ends with an empty, signed text; calls are in one event or in one each.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from gemgate.emulator import usage
from gemgate.emulator.answers import Draft, ScriptedAnswer, said
from gemgate.emulator.families import Family
from gemgate.emulator.signatures import make
from gemgate.emulator.sound import sound_pieces

FIRST_PIECE = 24
PIECE = 90
AUDIO_BYTES_A_TOKEN = 1920
_GEMINI_25 = 2.5
_GEMINI_3 = 3.0
_CALLS_WITH_END = 3.7


@dataclass(slots=True)
class _Step:
    """What one event adds to a candidate."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    extras: dict[str, object] = field(default_factory=dict)
    last: bool = False
    stops: bool = False


def unary(answer: ScriptedAnswer) -> dict[str, Any]:
    """The body of `generateContent`."""
    if answer.blocked:
        return _blocked(answer)
    candidates = []
    for number, draft in enumerate(answer.candidates):
        thoughts = [{"text": "".join(draft.thoughts), "thought": True}] if draft.thoughts else []
        step = _Step(thoughts + draft.sketches + _signed(answer, draft, number), draft.extras, last=True)
        candidates.append(_candidate(answer, draft, number, step, finish_message=draft.finish_message))
    return _response(
        answer, candidates, [_answer_tokens(draft, answer.model.family) for draft in answer.candidates], thinking=True
    )


def events(answer: ScriptedAnswer) -> list[dict[str, Any]]:
    """The events of `streamGenerateContent`: increments of parts, cumulative usage."""
    if answer.blocked:
        return [_blocked(answer)]
    family = answer.model.family
    columns = [_steps(answer, draft, number) for number, draft in enumerate(answer.candidates)]
    sent: list[Counter[str]] = [Counter() for _ in columns]
    texts = [""] * len(columns)
    result = []
    for row in zip_longest(*columns):
        candidates = []
        for number, step in enumerate(row):
            if step is None:
                continue
            draft = answer.candidates[number]
            message = "" if draft.calls and answer.model.family.generation >= _GEMINI_3 else draft.finish_message
            candidates.append(_candidate(answer, draft, number, step, finish_message=message))
            texts[number] += "".join(part.get("text", "") for part in step.parts if not part.get("thought"))
            others = [part for part in step.parts if "text" not in part and not part.get("thought")]
            sent[number] += _parts_tokens(others, family)
        tokens = [
            _answer_tokens(answer.candidates[number], family)
            if row[number] is None or row[number].last
            else sent[number] + Counter(TEXT=usage.text_tokens(texts[number]))
            for number in range(len(columns))
        ]
        only_thoughts = all(part.get("thought") for step in row if step for part in step.parts or [{}])
        result.append(_response(answer, candidates, tokens, thinking=not only_thoughts))
    return result


def _blocked(answer: ScriptedAnswer) -> dict[str, object]:
    prompt = answer.prompt.total()
    return {
        "promptFeedback": {"blockReason": answer.blocked},
        "usageMetadata": {
            "promptTokenCount": prompt,
            "totalTokenCount": prompt,
            "promptTokensDetails": usage.details(answer.prompt),
            "serviceTier": answer.tier,
        },
        "modelVersion": answer.model.version,
        "responseId": answer.response_id,
    }


def _response(
    answer: ScriptedAnswer, candidates: list[dict[str, object]], tokens: list[Counter[str]], *, thinking: bool
) -> dict[str, object]:
    several = len(answer.candidates) > 1
    family = answer.model.family
    produced = sum(tokens, Counter())
    return {
        "candidates": candidates,
        "usageMetadata": usage.metadata(
            answer.prompt,
            # With several candidates Google counts no candidate tokens.
            answer=Counter() if several and family.thinks else produced,
            thoughts=sum(draft.thought_tokens for draft in answer.candidates) if thinking else 0,
            tools=sum(draft.tool_tokens for draft in answer.candidates),
            cached=answer.cached,
            tier=answer.tier,
            answer_details=_detailed(family, produced),
        ),
        "modelVersion": answer.model.version,
        "responseId": answer.response_id,
    }


def _detailed(family: Family, produced: Counter[str]) -> Counter[str]:
    """What `candidatesTokensDetails` lists: of an image model the pictures only."""
    if family.output == "image":
        return Counter(IMAGE=produced["IMAGE"])
    return produced if family.generation < _GEMINI_25 or family.output == "audio" else Counter()


def _candidate(
    answer: ScriptedAnswer, draft: Draft, number: int, step: _Step, *, finish_message: str
) -> dict[str, object]:
    content: dict[str, object] = {"parts": step.parts} if step.parts else {}
    candidate: dict[str, object] = {"content": {} if draft.content == "empty" else {**content, "role": "model"}}
    if draft.content == "absent":
        candidate = {}
    if step.last or step.stops:
        candidate["finishReason"] = draft.finish
    if answer.model.family.generation < _GEMINI_25:
        if step.last:
            candidate["avgLogprobs"] = -0.05
        if number:
            candidate["index"] = number
    else:
        candidate["index"] = number
    if step.last and finish_message and answer.model.family.generation >= _GEMINI_25:
        candidate["finishMessage"] = finish_message
    candidate |= step.extras
    return candidate | draft.logprobs if step.last else candidate


def _answer_tokens(draft: Draft, family: Family) -> Counter[str]:
    others = [part for part in draft.parts if "text" not in part]
    return _parts_tokens(others, family) + Counter(TEXT=usage.text_tokens(said(draft)))


def _parts_tokens(parts: list[dict[str, Any]], family: Family) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        blob = part.get("inlineData")
        if blob is None:
            counts["TEXT"] += usage.part_tokens(part)[1]
        elif blob["mimeType"].startswith("image/"):
            counts["IMAGE"] += family.image_tokens
        else:
            counts["AUDIO"] += max(1, len(blob["data"]) * 3 // 4 // AUDIO_BYTES_A_TOKEN)
    return counts


def _signature(answer: ScriptedAnswer, number: int, place: str) -> str:
    return make(f"{answer.response_id}/{number}/{place}")


def _signed(answer: ScriptedAnswer, draft: Draft, number: int) -> list[dict[str, object]]:
    """The parts with their signatures, as one response carries them."""
    family = answer.model.family
    signs_unasked = draft.thought_tokens > 0 and not draft.serves
    signs_calls = family.signs_calls and (family.needs_signature or signs_unasked)
    parts = [dict(part) for part in draft.parts]
    first_call = next((part for part in parts if "functionCall" in part), None)
    if first_call is not None and signs_calls:
        first_call["thoughtSignature"] = _signature(answer, number, "call")
    if family.signs_text == "always":
        for place, part in enumerate(parts):
            if "functionCall" not in part and "text" not in part and "codeExecutionResult" not in part:
                part["thoughtSignature"] = _signature(answer, number, f"part{place}")
    if (text := next((part for part in reversed(parts) if "text" in part), None)) is not None and _signs_text(answer):
        text["thoughtSignature"] = _signature(answer, number, "text")
    return parts


def _signs_text(answer: ScriptedAnswer) -> bool:
    signs = answer.model.family.signs_text
    return signs == "always" or (signs == "tools" and answer.after_results)


def _steps(answer: ScriptedAnswer, draft: Draft, number: int) -> list[_Step]:
    """What the events of one candidate add, one after the other."""
    if draft.content != "role":
        return [_Step(last=True)]
    three = answer.model.family.generation >= _GEMINI_3
    signed = _signed(answer, draft, number)
    steps = [_Step([{"text": thought, "thought": True}]) for thought in draft.thoughts]
    steps += [_Step([sketch]) for sketch in draft.sketches]
    if three and "groundingMetadata" in draft.extras:
        steps.append(_Step([{"text": ""}]))
    texts = [part for part in signed if "text" in part]
    calls = [] if draft.serves else [part for part in signed if "functionCall" in part]
    shown = [part for part in signed if "text" not in part and part not in calls]
    # A call of Google's own ends its event as a caller's does (recorded): the stream goes on behind it.
    others = [_Step([piece], stops="functionCall" in piece) for part in shown for piece in sound_pieces(part)]
    spoken = _text_steps(texts, three=three)
    steps += spoken + others if signed and "text" in signed[0] else others + spoken
    steps += _call_steps(answer, calls)
    _finish(answer, draft, number, steps, three=three)
    return steps


def _text_steps(texts: list[dict[str, Any]], *, three: bool) -> list[_Step]:
    steps: list[_Step] = []
    for part in texts:
        signature = part.get("thoughtSignature")
        for place, piece in enumerate(pieces(part["text"])):
            data: dict[str, Any] = {"text": piece}
            if signature and not place and not three:
                data["thoughtSignature"] = signature
            steps.append(_Step([data]))
    return steps


def _call_steps(answer: ScriptedAnswer, calls: list[dict[str, object]]) -> list[_Step]:
    family = answer.model.family
    together = family.generation < _GEMINI_3 and answer.model.family.can_stop
    if not calls:
        return []
    return [_Step(calls)] if together else [_Step([call]) for call in calls]


def _finish(answer: ScriptedAnswer, draft: Draft, number: int, steps: list[_Step], *, three: bool) -> None:
    """Close the steps as the family does, and put grounding where the family has it."""
    if three:
        end: dict[str, object] = {"text": ""}
        speaks = not draft.parts or any("text" in part for part in draft.parts)
        if speaks and not draft.calls:
            end["thoughtSignature"] = _signature(answer, number, "text")
        if draft.calls and answer.model.family.generation >= _CALLS_WITH_END and steps:
            steps[-1].parts.append(end)
        else:
            steps.append(_Step([end]))
    elif not steps or not draft.parts:
        steps.append(_Step())
    steps[-1].last = True
    for name, value in draft.extras.items():
        if not three:
            early = value if answer.model.family.generation < _GEMINI_25 or name != "groundingMetadata" else {}
            for step in steps[:-1]:
                step.extras = step.extras | {name: early}
        steps[-1].extras = steps[-1].extras | {name: value}


def pieces(text: str) -> list[str]:
    """The text cut at spaces: a short beginning, then longer pieces; nothing for an empty text."""
    result: list[str] = []
    rest, room = text, FIRST_PIECE
    while len(rest) > room:
        cut = rest.rfind(" ", 1, room + 1)
        cut = cut if cut > 0 else room
        result.append(rest[:cut])
        rest, room = rest[cut:], PIECE
    return [*result, rest] if rest else result


def compact(event: dict[str, object]) -> bytes:
    """One event on one line, spelled as Google does: a space after each colon, none after a comma."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ": ")).encode()


def pretty(body: Mapping[str, object]) -> bytes:
    """A body on several lines, as Google prints whole answers and errors."""
    return json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\n"
