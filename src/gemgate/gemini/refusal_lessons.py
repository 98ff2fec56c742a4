"""Refusals of Google's that say what a model does not take, and the one fact that each of them teaches.

An error may repeat what a caller has written. So nothing is searched for: the first line of the message is one of these
sentences from its first letter to its last, or teaches nothing. A name in it (`_NAME`) has no blank and no quote. And a
sentence teaches only if the request holds what it speaks of, and holds it because of the translation: what the caller
wrote into `extra_body.google` is the caller's.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.refused_values import displaced_digest, parameters_digest, schema_digest, signature_digests

REFUSED_VALUES = "refused_values"
"""The fact that values of requests (signatures, schemas), known by their digests, are refused by a model."""

_NAME = r"[\w./:-]{1,200}+"
_MODEL = rf"(?:this model|(?:model )?(?:models/)?{_NAME})"
_MAX_VALUES = 256

_RECORDED = "recorded exchanges"
_REPORTED = "public report"

_DROPPABLE = frozenset(
    {
        "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty", "stopSequences",
        "mediaResolution", "maxOutputTokens", "responseLogprobs", "logprobs", "responseJsonSchema", "thinkingConfig",
        "responseFormat", "audioTranscriptionConfig",
    }
)  # fmt: skip
_DROPPABLE_BESIDE = frozenset({"store", "serviceTier"})


class SentRequest(NamedTuple):
    """A request that was refused.

    Attributes:
        body: As it was sent.
        facts: What was believed of its model.
        explicit: Native fields that the caller set: `generation_config.topK`, `thinking_config.thinkingBudget`.
        refused: Digests of values that are known to be refused.
    """

    body: Mapping[str, Any]
    facts: ModelFacts
    explicit: Collection[str]
    refused: Collection[str] = ()

    @property
    def config(self) -> Mapping[str, Any]:
        """Its `generationConfig`."""
        found: Mapping[str, object] = self.body.get("generationConfig") or {}
        return found

    def added(self, name: str) -> bool:
        """Whether the translation has set this field of `generationConfig`."""
        return name in self.config and f"generation_config.{name}" not in self.explicit

    def thinking(self, name: str) -> object:
        """The value of this field of `thinkingConfig` if the translation has set it, else None."""
        if "generation_config.thinkingConfig" in self.explicit or f"thinking_config.{name}" in self.explicit:
            return None
        thinking = self.config.get("thinkingConfig")
        return thinking.get(name) if isinstance(thinking, dict) else None

    def parts(self) -> list[Mapping[str, object]]:
        """The parts of all its turns."""
        return [part for content in self.body.get("contents") or () for part in content.get("parts") or ()]


class Lesson(NamedTuple):
    """What a refusal teaches.

    Attributes:
        fact: A field of `ModelFacts`, or `refused_values`.
        value: What is believed of it from now on.
        native: What was refused, by its native name.
    """

    fact: str
    value: object
    native: str


Teach = Callable[[re.Match[str], SentRequest], Lesson | None]


class RefusalPattern(NamedTuple):
    """A sentence that teaches something.

    Attributes:
        sentence: The whole first line of Google's message.
        teach: What follows for a request; None: nothing.
        source: Where the sentence was seen.
    """

    sentence: re.Pattern[str]
    teach: Teach
    source: str


def _unsupported_level(found: re.Match[str], sent: SentRequest) -> Lesson | None:
    level = found[1].upper()
    left = tuple(known for known in sent.facts.levels if known != level)
    if sent.thinking("thinkingLevel") != level or not left or level not in sent.facts.levels:
        return None
    return Lesson("levels", left, "thinkingLevel")


def _no_levels(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return Lesson("thinking", "budget", "thinkingLevel") if sent.thinking("thinkingLevel") else None


def _no_thinking(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    names = ("thinkingLevel", "thinkingBudget", "includeThoughts")
    return Lesson("thinking", "none", "thinkingConfig") if any(map(sent.thinking, names)) else None


def _no_budgets(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_ours = sent.facts.thinking == "budget" and sent.thinking("thinkingBudget") is not None
    return Lesson("thinking", "level", "thinkingBudget") if is_ours else None


def _other_budget(found: re.Match[str], sent: SentRequest) -> Lesson | None:
    asked, least, largest = int(found[1]), int(found[2]), int(found[3])
    if sent.thinking("thinkingBudget") != asked or least <= asked <= largest or least > largest:
        return None
    if asked == 0:
        return Lesson("can_stop_thinking", False, "thinkingBudget")
    return Lesson("budget", (least, largest), "thinkingBudget")


def _cannot_stop(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return Lesson("can_stop_thinking", False, "thinkingBudget") if sent.thinking("thinkingBudget") == 0 else None


def _one_candidate(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    if sent.added("candidateCount") and sent.config["candidateCount"] > 1:
        return Lesson("candidate_count", False, "candidateCount")
    return None


def _no_penalties(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    native = next((name for name in ("presencePenalty", "frequencyPenalty") if sent.added(name)), None)
    return Lesson("penalties", False, native) if native else None


def _no_logprobs(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return Lesson("logprobs", False, "responseLogprobs") if sent.added("responseLogprobs") else None


def _no_json_with_tools(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_mixed = sent.added("responseMimeType") and _has_functions(sent)
    return Lesson("json_with_tools", False, "responseMimeType") if is_mixed else None


def _no_functions(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return Lesson("functions", False, "tools") if _has_functions(sent) and "tools" not in sent.explicit else None


def _no_mcp_servers(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_ours = "tools" not in sent.explicit and any("mcpServers" in tool for tool in sent.body.get("tools") or ())
    return Lesson("mcp_servers", False, "mcpServers") if is_ours else None


def _has_functions(sent: SentRequest) -> bool:
    return any(tool.get("functionDeclarations") for tool in sent.body.get("tools") or ())


def _no_system(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return Lesson("system_instruction", False, "systemInstruction") if "systemInstruction" in sent.body else None


def _no_prefill(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    contents = sent.body.get("contents") or [{}]
    return Lesson("prefill", False, "contents") if contents[-1].get("role") == "model" else None


def _call_in_its_place(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    # Of this conversation alone: another caller's calls are in their places.
    digest = displaced_digest(sent.body)
    return _refused_values(sent, {digest}, "contents") if digest else None


def _needs_signature(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_missing = any("functionCall" in part and not part.get("thoughtSignature") for part in sent.parts())
    return Lesson("signatures", True, "thoughtSignature") if is_missing else None


def _bad_signatures(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    return _refused_values(sent, signature_digests(sent.body), "thoughtSignature")


def _large_schema(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    format_digest, functions_digest = schema_digest(sent.body), parameters_digest(sent.body)
    if format_digest is not None and "generation_config.responseJsonSchema" not in sent.explicit:
        return _refused_values(sent, {format_digest}, "responseJsonSchema")
    if functions_digest is not None and "tools" not in sent.explicit:
        return _refused_values(sent, {functions_digest}, "parametersJsonSchema")
    return None


def _refused_values(sent: SentRequest, found: Collection[str], native: str) -> Lesson | None:
    news = [digest for digest in found if digest not in sent.refused]
    return Lesson(REFUSED_VALUES, tuple([*sent.refused, *news][-_MAX_VALUES:]), native) if news else None


def _no_part_resolution(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_set = any("mediaResolution" in part for part in sent.parts())
    return Lesson("part_resolution", False, "mediaResolution") if is_set else None


def _refused_field(found: re.Match[str], sent: SentRequest) -> Lesson | None:
    name = _camel(found[1])
    if name not in _DROPPABLE or not sent.added(name) or name in sent.facts.refused_fields:
        return None
    return Lesson("refused_fields", (*sent.facts.refused_fields, name), name)


def _no_speech_metadata(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    is_ours = "speech_metadata" not in sent.explicit and any("speechMetadata" in part for part in sent.parts())
    return Lesson("speech_style", "text", "speechMetadata") if is_ours else None


def _refused_beside(found: re.Match[str], sent: SentRequest) -> Lesson | None:
    name = _camel(found[1])
    if name not in _DROPPABLE_BESIDE or name not in sent.body or name in sent.facts.refused_fields:
        return None
    return Lesson("refused_fields", (*sent.facts.refused_fields, name), name)


def _no_resolution(_: re.Match[str], sent: SentRequest) -> Lesson | None:
    if not sent.added("mediaResolution"):
        return None
    return Lesson("refused_fields", (*sent.facts.refused_fields, "mediaResolution"), "mediaResolution")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def _row(sentence: str, teach: Teach, source: str) -> RefusalPattern:
    return RefusalPattern(re.compile(sentence, re.IGNORECASE), teach, source)


_FIELD = r"'generation_config'"

PATTERNS: tuple[RefusalPattern, ...] = (
    _row(
        r"Thinking level (\w{1,40}) is not supported for this model\.?(?: Please retry with other thinking level\.?)?",
        _unsupported_level,
        "docs/thinking; recorded in August 2026",
    ),
    _row(
        r"Invalid value at 'generation_config\.thinking_config\.thinking_level' \([\w./]{1,200}\), \"(\w{1,40})\"",
        _unsupported_level,
        _RECORDED + ": how the JSON reader answers a value that an enum does not have",
    ),
    _row(r"Thinking level is not supported for (?:this model|models/\S{1,200}+)\.?", _no_levels, _REPORTED),
    _row(rf"Thinking is not enabled for {_MODEL}\.?", _no_thinking, _REPORTED),
    _row(rf"Thinking budget is not (?:supported|enabled) for {_MODEL}\.?", _no_budgets, "llm-gemini #130, herm #23"),
    _row(
        r"The thinking budget (-?\d{1,9}) is invalid\. Please choose a value between (\d{1,9}) and (\d{1,9})\.?",
        _other_budget,
        "Roo-Code #4399",
    ),
    _row(
        r"Budget 0 is invalid\. This model only works in thinking mode\.?", _cannot_stop, "docs/thinking; " + _REPORTED
    ),
    _row(rf"Multiple candidates is not enabled for {_MODEL}\.?", _one_candidate, "docs/generate-content; " + _REPORTED),
    _row(rf"Penalty is not enabled for {_MODEL}\.?", _no_penalties, "litellm #26108"),
    _row(rf"Logprobs is not enabled for {_MODEL}\.?", _no_logprobs, _RECORDED),
    _row(
        r"(temperature|top_?[pk]|response_?format|audio_?transcription_?config) is not (?:supported|enabled|allowed) "
        rf"for {_MODEL}\.?",
        _refused_field,
        "docs/text-to-speech, migration guide: a 400; its words are a guess",
    ),
    _row(
        r"\* GenerateContentRequest\.generation_config\.(temperature|top_[pk]|response_format): \w{1,40} is not "
        rf"(?:supported|enabled)(?: for {_MODEL})?\.?",
        _refused_field,
        "docs/text-to-speech, migration guide: a 400; its words are a guess",
    ),
    _row(
        r"Function calling with a response mime type: 'application/json' is unsupported\.?",
        _no_json_with_tools,
        _RECORDED,
    ),
    _row(
        rf"Function calling is not (?:enabled|supported) for {_MODEL}\.?", _no_functions, _REPORTED + " about Gemma 3"
    ),
    _row(
        rf"(?:Remote )?MCP(?: servers?| tools?)? (?:is|are) not (?:enabled|supported) for {_MODEL}\.?",
        _no_mcp_servers,
        "docs/interactions: Gemini 3 has none; its words are a guess",
    ),
    _row(
        rf"(?:Developer|System) instruction is not (?:enabled|supported) for {_MODEL}\.?",
        _no_system,
        _REPORTED + " about Gemma 3",
    ),
    _row(r"Requests ending with a model turn are not supported\.?", _no_prefill, "pipecat #5821"),
    _row(
        r"Please ensure that (?:the )?function call turn comes immediately after a user turn or after a function"
        r" response turn\.?",
        _call_in_its_place,
        "OmniRoute #13573, gemini-cli #11814",
    ),
    _row(
        r"Function call is missing a thought_signature in functionCall parts\.[^\n]{0,1000}",
        _needs_signature,
        "docs/thought-signatures; recorded",
    ),
    _row(
        r"(?:(?:Corrupted|Invalid) thought signature|Thought signature is (?:not valid|invalid|corrupted))\.?",
        _bad_signatures,
        _REPORTED,
    ),
    _row(rf"Per-part media resolution is not (?:enabled|supported) for {_MODEL}\.?", _no_part_resolution, _REPORTED),
    _row(rf"Media resolution is not (?:enabled|supported) for {_MODEL}\.?", _no_resolution, _REPORTED),
    _row(
        r"The specified schema produces a constraint that has too many states for serving\.[^\n]{0,1000}",
        _large_schema,
        _REPORTED + ", many times",
    ),
    _row(
        r"The (?:specified |response |request |given )?schema is too (?:complex|large)\b[^\n]{0,1000}",
        _large_schema,
        "docs/structured-output: a complex schema is a 400; its words are a guess",
    ),
    _row(
        rf"Invalid JSON payload received\. Unknown name \"(\w{{1,80}})\" at {_FIELD}: Cannot find field\.?",
        _refused_field,
        _RECORDED,
    ),
    _row(
        r"Invalid JSON payload received\. Unknown name \"speech_?[mM]etadata\" at '[\w.\[\]]{1,80}': "
        r"Cannot find field\.?",
        _no_speech_metadata,
        _RECORDED + ": how the JSON reader answers a field that it does not know",
    ),
    _row(
        r"Invalid JSON payload received\. Unknown name \"(store|serviceTier|service_tier)\": Cannot find field\.?",
        _refused_beside,
        _RECORDED,
    ),
    _row(
        # Of enums alone: a number out of range is the caller's.
        r"Invalid value at 'generation_config\.(media_resolution)' \([\w./]{1,200}\), \"\w{1,80}\"",
        _refused_field,
        _RECORDED + ": how the JSON reader answers a value that an enum does not have",
    ),
)


def recognised(message: str) -> tuple[RefusalPattern, re.Match[str]] | None:
    """The pattern of a refusal that may teach something; None for all others."""
    line = message.strip().partition("\n")[0].strip()
    for pattern in PATTERNS:
        if (found := pattern.sentence.fullmatch(line)) is not None:
            return pattern, found
    return None


def lesson_of(message: str, sent: SentRequest) -> Lesson | None:
    """What Google's `message` teaches about the model that refused `sent`; None: nothing."""
    found = recognised(message)
    return found[0].teach(found[1], sent) if found is not None else None


def merged_lesson(fact: str, believed: Any, taught: Any) -> object:
    """What is believed of a fact after a lesson about a request that was made under an earlier belief."""
    if fact == "levels":
        return tuple(level for level in believed if level in taught) or taught
    if fact in (REFUSED_VALUES, "refused_fields"):
        return (*believed, *(value for value in taught if value not in believed))[-_MAX_VALUES:]
    return taught
