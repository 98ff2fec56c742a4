"""Temperature, top-p, top-k, penalties and the length of an answer, as far as the model takes them."""

from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.notes import Notes


def add_sampling(
    config: GenerationConfig,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
    facts: ModelFacts,
    notes: Notes,
) -> None:
    """Add to `config` what was asked for; newer models ignore it, and those that speak refuse it: it is dropped there.

    Source: https://ai.google.dev/gemini-api/docs/changelog, 2026-07-21 (deprecated), and the table of models.
    """
    is_taken = facts.sampling == "taken"
    if temperature is not None and is_taken:
        config["temperature"] = min(temperature, facts.max_temperature)
        if temperature > facts.max_temperature:
            notes.adjust(f"temperature={temperature}->{facts.max_temperature}")
    elif temperature is not None:
        notes.drop("temperature")
    if top_p is not None:
        if is_taken:
            config["topP"] = top_p
        else:
            notes.drop("top_p")
    if top_k is not None:
        if is_taken:
            config["topK"] = top_k
        else:
            notes.drop("top_k")


def add_penalties(
    config: GenerationConfig, presence: float | None, frequency: float | None, facts: ModelFacts, notes: Notes
) -> None:
    """Add to `config` what was asked for; 0 is the default of both, and says nothing."""
    if presence:
        if facts.penalties:
            config["presencePenalty"] = presence
        else:
            notes.drop("presence_penalty")
    if frequency:
        if facts.penalties:
            config["frequencyPenalty"] = frequency
        else:
            notes.drop("frequency_penalty")


def lowered_limit(limit: int, name: str, facts: ModelFacts, notes: Notes) -> int:
    """`limit` tokens, or what the model can give: Google refuses more, and all that 32 bits do not hold.

    Args:
        limit: What the caller has asked for.
        name: The parameter, for the note.
        facts: Of the model.
        notes: Where it is noted.
    """
    if limit <= facts.output_limit:
        return limit
    notes.adjust(f"{name}={limit}->{facts.output_limit}")
    return facts.output_limit
