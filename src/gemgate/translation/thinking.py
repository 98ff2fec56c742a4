"""`reasoning_effort` and `thinking_config`, as far as the model can follow.

Google's numbers for 2.5 are 1024, 8192 and 24576 tokens (https://ai.google.dev/gemini-api/docs/openai#thinking);
Gemini 3 and later take levels.
"""

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerationConfig, ThinkingConfig
from gemgate.translation.notes import Notes

_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
    "max": "XHIGH",
}


_REASONING = frozenset({"effort", "max_tokens", "exclude", "summary", "generate_summary", "enabled"})
_DYNAMIC = -1  # the budget of a model that decides for itself
_LEVEL_OF_BUDGET = ((0, "none"), (_BUDGETS["low"], "low"), (_BUDGETS["medium"], "medium"))


def thinking_config(
    effort: str | None,
    reasoning: dict[str, object],
    explicit: dict[str, object],
    facts: ModelFacts,
    notes: Notes,
    name: str = "reasoning_effort",
) -> ThinkingConfig:
    """The native thinking config; empty when the caller asked for nothing.

    Args:
        effort: The `reasoning_effort` of the request.
        reasoning: Its `reasoning`, with `effort`, `max_tokens`, `enabled`, `exclude` and `summary`.
        explicit: `extra_body.google.thinking_config` in camelCase.
        facts: What is known about the model.
        notes: Where it is noted what the model cannot follow exactly, and what says something else than another field.
        name: The parameter that has the effort, for notes and errors.

    Raises:
        ApiError: 400 when effort and an explicit budget or level come together, when thinking cannot be switched
            off, or for a field of `reasoning` of a wrong type.
    """
    config: dict[str, object] = dict(explicit)
    if not reasoning:
        if effort is not None:
            _refuse_both(config, name)
            config |= _for_effort(effort, facts, notes, name)
        return config  # type: ignore[return-value]  # the caller's own fields pass as they are
    notes.drop_unknown({name: value for name, value in reasoning.items() if name not in _REASONING}, "reasoning.")
    if facts.thinking != "none":
        _include_thoughts(config, reasoning, notes)
    enabled, budget = _enabled(reasoning), _tokens(reasoning)
    if effort is None:
        effort = _effort(reasoning.get("effort"))
    elif (other := _effort(reasoning.get("effort"))) not in (None, effort):
        notes.adjust(f"reasoning.effort={other}->{effort}")
    if effort is not None:
        _refuse_both(config, name)
        _note_others(f"{name}={effort}", reasoning, ("max_tokens", *(("enabled",) if not enabled else ())), notes)
        config |= _for_effort(effort, facts, notes, name)
    elif config.get("thinkingBudget") is not None or config.get("thinkingLevel") is not None:
        _note_others("extra_body.google.thinking_config", reasoning, ("max_tokens", "enabled"), notes)
    elif enabled is False:
        _note_others("reasoning.enabled=false", reasoning, ("max_tokens",), notes)
        config |= _for_tokens("enabled=false", 0, facts, notes)
    elif budget is not None:
        config |= _for_tokens(f"max_tokens={budget}", budget, facts, notes)
    elif enabled and facts.thinking == "budget":
        config["thinkingBudget"] = _DYNAMIC
    elif enabled and facts.thinking == "none":
        notes.drop("reasoning.enabled")
    return config  # type: ignore[return-value]  # see above


def least_thinking(facts: ModelFacts) -> ThinkingConfig:
    """The least that a model thinks; empty for one that does not, and where it takes no such field."""
    if "thinkingConfig" in facts.refused_fields:
        return {}
    if facts.thinking == "budget":
        return {"thinkingBudget": 0 if facts.can_stop_thinking else facts.budget[0]}
    return {"thinkingLevel": facts.levels[0]} if facts.thinking == "level" and facts.levels else {}


def show_thoughts(config: GenerationConfig, facts: ModelFacts) -> None:
    """Ask for the thoughts as well, if the model has some in a conversation and the caller has not said otherwise."""
    thinking = config.get("thinkingConfig") or {}
    if facts.thinking != "none" and not (facts.images or facts.speech) and thinking.get("thinkingBudget") != 0:
        config["thinkingConfig"] = {"includeThoughts": True, **thinking}


def _include_thoughts(config: dict[str, object], reasoning: dict[str, object], notes: Notes) -> None:
    if reasoning.get("exclude") is not None or reasoning.get("summary") or reasoning.get("generate_summary"):
        wanted = not reasoning.get("exclude")
        if config.setdefault("includeThoughts", wanted) != wanted:
            notes.adjust("reasoning.exclude->extra_body.google.thinking_config.include_thoughts")


def _note_others(stronger: str, reasoning: dict[str, object], names: tuple[str, ...], notes: Notes) -> None:
    for name in names:
        if reasoning.get(name) is not None:
            notes.adjust(f"reasoning.{name}->{stronger}")


def _enabled(reasoning: dict[str, object]) -> bool | None:
    enabled = reasoning.get("enabled")
    if enabled is None or isinstance(enabled, bool):
        return enabled
    raise _wrong("enabled", enabled, "true or false")


def _tokens(reasoning: dict[str, object]) -> int | None:
    tokens = reasoning.get("max_tokens")
    if isinstance(tokens, float) and tokens.is_integer():
        tokens = int(tokens)
    if tokens is None or (isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= _DYNAMIC):
        return tokens
    raise _wrong("max_tokens", tokens, "a number of tokens")


def _effort(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value in _LEVELS):
        return value
    raise _wrong("effort", value, "none, minimal, low, medium, high, xhigh or max")


def _wrong(name: str, value: object, choice: str) -> ApiError:
    msg = f"'reasoning.{name}' is {str(value)[:80]!r}; it can be {choice}."
    return ApiError(400, msg, param=f"reasoning.{name}", code="invalid_value")


def _for_tokens(asked: str, tokens: int, facts: ModelFacts, notes: Notes) -> dict[str, object]:
    """The budget of the model, or its level, that is nearest to `tokens`; `asked` is how the caller said it."""
    if facts.thinking == "none":
        if tokens:
            notes.drop(f"reasoning.{asked.partition('=')[0]}")
        return {}
    if facts.thinking == "level":
        if tokens == _DYNAMIC:
            return {}
        effort = next((effort for most, effort in _LEVEL_OF_BUDGET if tokens <= most), "high")
        level = facts.nearest_level(_LEVELS[effort])
        notes.adjust(f"reasoning.{asked}->{level.lower()}")
        return {"thinkingLevel": level, **({"includeThoughts": False} if not tokens else {})}
    least, maximum = facts.budget
    if tokens == _DYNAMIC or (tokens == 0 and facts.can_stop_thinking):
        return {"thinkingBudget": tokens}
    budget = min(max(tokens, least), maximum)
    if budget != tokens:
        notes.adjust(f"reasoning.{asked}->{budget}")
    return {"thinkingBudget": budget}


def _refuse_both(config: dict[str, object], name: str) -> None:
    for field, spelling in (("thinkingBudget", "thinking_budget"), ("thinkingLevel", "thinking_level")):
        if config.get(field) is not None:
            msg = f"'{name}' and 'extra_body.google.thinking_config.{spelling}' set the same thing: send one of them."
            raise ApiError(400, msg, param=name, code="invalid_value")


def _for_effort(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, object]:
    if facts.thinking == "none":
        if effort != "none":
            notes.drop(name)
        return {}
    return _budget(effort, facts, notes, name) if facts.thinking == "budget" else _level(effort, facts, notes, name)


def _budget(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, object]:
    least, maximum = facts.budget
    if effort == "none":
        if not facts.can_stop_thinking and "can_stop_thinking" in facts.learned:
            notes.adjust(f"{name}=none->thinking_budget={least}")  # it could be stopped yesterday
            return {"thinkingBudget": least}
        if not facts.can_stop_thinking:
            msg = (
                f"'{name}' is 'none', and this model cannot stop thinking: the least is 'minimal' "
                f"({max(least, _BUDGETS['minimal'])} tokens), or extra_body.google.thinking_config.thinking_budget="
                f"{least}. Models such as gemini-2.5-flash take 'none'."
            )
            raise ApiError(400, msg, param=name, code="unsupported_value")
        return {"thinkingBudget": 0}
    wanted = _BUDGETS.get(effort, maximum)
    budget = min(max(wanted, least), maximum)
    if budget != wanted or effort not in _BUDGETS:
        notes.adjust(f"{name}={effort}->thinking_budget={budget}")
    return {"thinkingBudget": budget}


def _level(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, object]:
    level = facts.nearest_level(_LEVELS[effort])
    if level.lower() != effort:
        notes.adjust(f"{name}={effort}->{level.lower()}")
    if effort == "none":
        return {"thinkingLevel": level, "includeThoughts": False}
    return {"thinkingLevel": level}
