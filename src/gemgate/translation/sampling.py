"""Temperature, top-p and top-k, as far as the model takes them."""

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
