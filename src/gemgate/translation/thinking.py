"""`reasoning_effort` and `thinking_config`, as far as the model can follow.

Google's numbers for 2.5 are 1024, 8192 and 24576 tokens (https://ai.google.dev/gemini-api/docs/openai#thinking);
Gemini 3 and later take levels.
"""

from typing import Any

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import ThinkingConfig
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


def thinking_config(
    effort: str | None,
    reasoning: dict[str, Any],
    explicit: dict[str, Any],
    facts: ModelFacts,
    notes: Notes,
    name: str = "reasoning_effort",
) -> ThinkingConfig:
    """The native thinking config; empty when the caller asked for nothing.

    Args:
        effort: The `reasoning_effort` of the request.
        reasoning: Its `reasoning`, with `effort`, `max_tokens`, `exclude` and `summary`.
        explicit: `extra_body.google.thinking_config` in camelCase.
        facts: What is known about the model.
        notes: Where it is noted what the model cannot follow exactly.
        name: The parameter that has the effort, for notes and errors.

    Raises:
        ApiError: 400 when effort and an explicit budget or level come together, or when thinking cannot be switched
            off.
    """
    config: dict[str, Any] = dict(explicit)
    if effort is None and reasoning.get("effort") is not None:
        effort = _effort(reasoning["effort"])
    if reasoning.get("max_tokens") is not None:
        config.setdefault("thinkingBudget", reasoning["max_tokens"])
    if reasoning.get("exclude") is not None or reasoning.get("summary") is not None:
        config.setdefault("includeThoughts", not reasoning.get("exclude"))
    if effort is None:
        return config  # type: ignore[return-value]  # the caller's own fields pass as they are
    _refuse_both(config, name)
    config |= _for_effort(effort, facts, notes, name)
    return config  # type: ignore[return-value]  # see above


def _effort(value: Any) -> str:
    if value in _LEVELS:
        return str(value)
    msg = f"'reasoning.effort' is {value!r}; it can be none, minimal, low, medium, high, xhigh or max."
    raise ApiError(400, msg, param="reasoning.effort", code="invalid_value")


def _refuse_both(config: dict[str, Any], name: str) -> None:
    for field, spelling in (("thinkingBudget", "thinking_budget"), ("thinkingLevel", "thinking_level")):
        if config.get(field) is not None:
            msg = f"'{name}' and 'extra_body.google.thinking_config.{spelling}' set the same thing: send one of them."
            raise ApiError(400, msg, param=name, code="invalid_value")


def _for_effort(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, Any]:
    if facts.thinking == "none":
        if effort != "none":
            notes.drop(name)
        return {}
    return _budget(effort, facts, notes, name) if facts.thinking == "budget" else _level(effort, facts, notes, name)


def _budget(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, Any]:
    least, maximum = facts.budget
    if effort == "none":
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


def _level(effort: str, facts: ModelFacts, notes: Notes, name: str) -> dict[str, Any]:
    level = facts.nearest_level(_LEVELS[effort])
    if level.lower() != effort:
        notes.adjust(f"{name}={effort}->{level.lower()}")
    if effort == "none":
        return {"thinkingLevel": level, "includeThoughts": False}
    return {"thinkingLevel": level}
