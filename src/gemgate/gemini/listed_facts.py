"""What Google's list of models says about a model, as facts."""

from gemgate.gemini.model_facts import Purpose
from gemgate.gemini.types import ModelResource

_EMBEDS = frozenset({"embedContent", "batchEmbedContents"})


def listed_facts(model: ModelResource) -> dict[str, object]:
    """The facts that `models.list` states of one model: limits, the largest temperature, thinking, and its purpose.

    Source: the resource `Model` of https://ai.google.dev/api/models.
    """
    facts: dict[str, object] = {}
    for name, fact in (("inputTokenLimit", "input_limit"), ("outputTokenLimit", "output_limit")):
        if (limit := _number(model.get(name))) is not None:
            facts[fact] = int(limit)
    if (maximum := _number(model.get("maxTemperature"))) is not None:
        facts["max_temperature"] = maximum
    methods = model.get("supportedGenerationMethods") or []
    if methods:
        facts["purpose"] = _purpose(frozenset(methods))
    if "generateContent" in methods and not model.get("thinking"):  # Google leaves false fields out
        facts["thinking"] = "none"
    return facts


def _purpose(methods: frozenset[str]) -> Purpose:
    if "generateContent" in methods:
        return "chat"
    if methods & _EMBEDS:
        return "embeddings"
    if "bidiGenerateContent" in methods:
        return "live"
    if "predictLongRunning" in methods:
        return "video"
    return "images" if "predict" in methods else "chat"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
