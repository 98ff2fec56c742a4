"""Makes the answer to a request: what is thought, said, called and shown. How it is sent is `stream`'s business."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from gemgate.emulator import builtins, hearing, media, structured
from gemgate.emulator.calls import choose
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.paint import paint
from gemgate.emulator.prompt import Prompt, parts_of, read
from gemgate.emulator.sound import asked_format
from gemgate.emulator.usage import prompt_tokens, text_tokens

QUOTED = 400
THOUGHT_TOKENS = {"": 0, "MINIMAL": 0, "LOW": 24, "MEDIUM": 48, "HIGH": 96}
_DYNAMIC = -1
_ID_LENGTH = 23


@dataclass(slots=True)
class Draft:
    """One candidate: its parts without signatures, and what is beside them.

    `sketches` are the parts with pictures that an image model made while thinking. `content` says how a candidate
    without parts looks: with a role only, as an empty object, or without the key.
    """

    parts: list[dict[str, Any]] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    sketches: list[dict[str, object]] = field(default_factory=list)
    thought_tokens: int = 0
    tool_tokens: int = 0
    finish: str = "STOP"
    finish_message: str = ""
    content: Literal["role", "empty", "absent"] = "role"
    extras: dict[str, object] = field(default_factory=dict)
    logprobs: dict[str, object] = field(default_factory=dict)

    @property
    def calls(self) -> bool:
        """Whether it calls functions of the caller's."""
        return any("functionCall" in part for part in self.parts) and not self.serves

    @property
    def serves(self) -> bool:
        """Whether its calls are Google's own, which have their outputs beside them."""
        return any("functionResponse" in part for part in self.parts)


@dataclass(slots=True)
class ScriptedAnswer:
    """The whole answer: candidates or a block reason, and the tokens of the prompt by modality."""

    model: ModelFamily
    response_id: str
    candidates: list[Draft]
    prompt: Counter[str]
    cached: Counter[str]
    tier: str
    after_results: bool
    blocked: str = ""
    sound_format: str = ""


def identify(model: ModelFamily, body: dict[str, object]) -> str:
    """23 URL-safe characters that are the same for the same request."""
    canonical = orjson.dumps([model.name, body], option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(canonical).digest()
    return media.url_safe(digest)[:_ID_LENGTH]


def compose(model: ModelFamily, body: dict[str, Any], cache: dict[str, Any] | None = None) -> ScriptedAnswer:
    """The answer to a canonical request; `cache` is the body of the cache it names.

    Raises:
        ApiError: 400, media or a schema that cannot be used.
    """
    cache = cache or {}
    whole = body | {
        "contents": [*(cache.get("contents") or ()), *(body.get("contents") or ())],
        "tools": cache.get("tools") or body.get("tools") or [],
        "toolConfig": cache.get("toolConfig") or body.get("toolConfig") or {},
        "systemInstruction": cache.get("systemInstruction") or body.get("systemInstruction") or {},
    }
    prompt = read(whole)
    seed = identify(model, body)
    count = prompt.config.get("candidateCount", 1)
    return ScriptedAnswer(
        model=model,
        response_id=seed,
        candidates=[_draft(model, prompt, seed, number) for number in range(count)],
        prompt=prompt_tokens(body),
        cached=prompt_tokens(cache),
        tier=body["serviceTier"] if body.get("serviceTier") in {"flex", "priority"} else "standard",
        after_results=bool(prompt.results),
        sound_format=asked_format(body),
    )


def _draft(model: ModelFamily, prompt: Prompt, seed: str, number: int) -> Draft:
    draft = Draft(thought_tokens=_thinking(model, prompt))
    if draft.thought_tokens and (prompt.config.get("thinkingConfig") or {}).get("includeThoughts"):
        draft.thoughts = _thoughts(prompt)
    if model.family.output == "audio":
        _speak(draft, prompt)
    elif model.family.transcribes:
        config = prompt.config.get("audioTranscriptionConfig") or {}
        draft.parts = hearing.transcript_parts(_heard(prompt), config)
    elif model.family.output == "image":
        paint(draft, model, prompt, seed, _quoted(prompt.text))
    elif called := choose(prompt):
        draft.parts = [{"functionCall": _identified(model, call, seed, place)} for place, call in enumerate(called)]
        draft.finish_message = "Model generated function call(s)."
    else:
        _say(draft, model, prompt, seed, number)
    _limit(draft, prompt)
    if prompt.config.get("responseLogprobs"):
        draft.logprobs = structured.logprobs(said(draft), prompt.config.get("logprobs", 0))
    return draft


def said(draft: Draft) -> str:
    """The text of a draft."""
    return "".join(part.get("text", "") for part in draft.parts)


def _thinking(model: ModelFamily, prompt: Prompt) -> int:
    """Tokens spent on thoughts: by level or budget, else by what the family does unasked."""
    if not model.family.thinks:
        return 0
    config = prompt.config.get("thinkingConfig") or {}
    budget = config.get("thinkingBudget")
    if budget is not None and budget != _DYNAMIC:
        return min(int(budget), THOUGHT_TOKENS["HIGH"])
    if budget == _DYNAMIC:
        return THOUGHT_TOKENS["MEDIUM"]
    level = config.get("thinkingLevel") or model.family.default_thinking
    return THOUGHT_TOKENS.get(level, THOUGHT_TOKENS["HIGH"])


def _thoughts(prompt: Prompt) -> list[str]:
    turns = len(prompt.contents)
    read_so_far = f"The last message is {len(prompt.text)} characters long, in a conversation of {turns} turns."
    return [
        f"**Reading the Request**\n\n{read_so_far}\n\n\n",
        "**Preparing the Answer**\n\nI say what arrived, since no model is behind this answer.\n\n\n",
    ]


def _identified(model: ModelFamily, call: dict[str, object], seed: str, place: int) -> dict[str, object]:
    """The call with an id of the family's form; the id is unique to the request and the place."""
    digest = hashlib.sha256(f"{seed}/{place}".encode())
    if model.family.call_ids == "short":
        return {**call, "id": re.sub(r"[^a-z0-9]", "x", media.url_safe(digest.digest()).lower())[:8]}
    if model.family.call_ids == "call":
        return {**call, "id": f"call_{int(digest.hexdigest()[:10], 16) % 10**9}"}
    return call


def _heard(prompt: Prompt) -> list[hearing.Utterance]:
    """What is said in the audio of the prompt; if the emulator has not spoken it, what it is."""
    found: list[hearing.Utterance] = []
    for part in prompt.media:
        known = hearing.hear(part)
        if known is None:
            seen = media.look(part)
            known = hearing.utterances(f"I hear {seen.words}.", seen.tokens / media.AUDIO_TOKENS_A_SECOND), 0.0
        found += known[0]
    return found


def _say(draft: Draft, model: ModelFamily, prompt: Prompt, seed: str, number: int) -> None:
    if prompt.media and hearing.is_asked(prompt.text):
        text = hearing.transcript_text(_heard(prompt), prompt.config)
    else:
        text = structured.text_of(prompt) if structured.is_asked(prompt) else _sentences(model, prompt, number)
    draft.parts = [{"text": text}]
    for name in prompt.builtins:
        builtins.use(name, draft, model, prompt, seed)


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return f"“{flat}”" if len(flat) <= QUOTED else f"“{flat[:QUOTED]}…”"


def _sentences(model: ModelFamily, prompt: Prompt, number: int) -> str:
    sentences = [f"Answer {number + 1}."] if number else []
    for result in prompt.results:
        response = orjson.dumps(result.get("response") or {}).decode()
        sentences.append(f"The function {result['name']} answered {response}.")
        sentences += [f"With it came {media.look(part).words}." for part in result.get("parts") or ()]
    sentences += [f"I see {media.look(part).words}." for part in prompt.media]
    if prompt.text:
        sentences.append(f"You said: {_quoted(prompt.text)}.")
    if prompt.system:
        sentences.append(f"I keep to the instruction {_quoted(prompt.system)}.")
    turns = sum(bool(parts_of(content)) for content in prompt.contents)
    if turns > 1:
        sentences.append(f"Our conversation has {turns} turns so far.")
    sentences.append(f"This is the gemgate emulator answering as {model.name}; no model is behind it.")
    return " ".join(sentences)


def _speak(draft: Draft, prompt: Prompt) -> None:
    config = prompt.config.get("speechConfig") or {}
    chosen = config.get("voiceConfig") or {}
    voice = chosen.get("voice") or (chosen.get("prebuiltVoiceConfig") or {}).get("voiceName", "Kore")
    data, _ = media.speech(prompt.turns or (("", prompt.text),), voice)
    draft.parts = [{"inlineData": {"mimeType": f"audio/L16;codec=pcm;rate={hearing.SAMPLE_RATE}", "data": data}}]


def _limit(draft: Draft, prompt: Prompt) -> None:
    """Apply `stopSequences` and `maxOutputTokens`; thoughts count against the limit."""
    for part in draft.parts:
        for stop in prompt.config.get("stopSequences") or ():
            if stop in part.get("text", ""):
                part["text"] = part["text"][: part["text"].index(stop)]
    maximum = prompt.config.get("maxOutputTokens")
    if maximum is None or draft.thought_tokens + _tokens(draft) <= maximum:
        return
    draft.finish, draft.finish_message = "MAX_TOKENS", ""
    if draft.thought_tokens >= maximum:
        draft.thought_tokens = maximum
        draft.parts, draft.extras = [], {}
        return
    room = (maximum - draft.thought_tokens) * 4
    draft.parts = [part for part in draft.parts if "functionCall" not in part and "inlineData" not in part]
    for part in draft.parts:
        if "text" in part:
            part["text"] = part["text"].encode()[:room].decode(errors="ignore")
            room -= len(part["text"].encode())


def _tokens(draft: Draft) -> int:
    return text_tokens(said(draft)) + sum(
        text_tokens(orjson.dumps(part).decode()) for part in draft.parts if "functionCall" in part
    )
