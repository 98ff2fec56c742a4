"""A model as Google describes it, as OpenAI would, with what more is known of it."""

from collections.abc import Sequence

from gemgate.api.models.wire import Capabilities, FactShown, Model
from gemgate.gemini.model_catalog import Catalog, ModelFacts
from gemgate.gemini.resource_names import VERTEX, without_prefixes
from gemgate.gemini.types import ModelResource

CREATED = 1_702_425_600
"""2023-12-13, when the Gemini API opened: clients want a date, and Google tells none of any model."""

_PREFIX = "models/"
_EMBEDDING = frozenset({"embedContent", "batchEmbedContents"})


def model_from_gemini(native: ModelResource, catalog: Catalog, *, is_prefixed: bool) -> Model:
    """The model for a caller; `is_prefixed` keeps `models/` in the id, as Google's own endpoint has it."""
    name = native["name"]
    model: Model = {
        "id": name if is_prefixed else name.removeprefix(_PREFIX),
        "object": "model",
        "created": CREATED,
        "owned_by": "google",
    }
    if "displayName" in native:
        model["display_name"] = native["displayName"]
    if "description" in native:
        model["description"] = native["description"]
    if "inputTokenLimit" in native:
        model["context_window"] = native["inputTokenLimit"]
    if "outputTokenLimit" in native:
        model["max_output_tokens"] = native["outputTokenLimit"]
    model["capabilities"] = _capabilities(native, catalog.facts(name))
    return model


def described(model: Model, name: str, catalog: Catalog) -> Model:
    """`model` with what is believed of the model `name`, and why."""
    belief, end = catalog.belief(name), catalog.end_of(name)
    model["facts"] = {
        fact: FactShown(value=getattr(belief.facts, fact), origin=origin.kind, since=origin.since, source=origin.source)
        for fact, origin in belief.origins.items()
    }
    if end.day or end.stage:
        model["retirement"] = {
            "date": end.day or None,
            "successor": end.successor or None,
            "stage": end.stage or None,
            "message": end.message or None,
        }
    return model


def from_alias(
    alias: str, models: Sequence[str], native: ModelResource | None, catalog: Catalog, *, is_prefixed: bool
) -> Model:
    """The operator's name for `models` as a model; `native` is the first of them, if Google lists it."""
    model = model_from_gemini(native or {"name": resource_name(models[0])}, catalog, is_prefixed=is_prefixed)
    model["id"] = _PREFIX + alias if is_prefixed else alias
    model["owned_by"] = "gemgate"
    model["alias_of"] = list(models)
    return model


def resource_name(asked: str) -> str:
    """`models/x` of `x`, `models/x` and `google/x`; `vertex/x` stays."""
    return asked if asked.startswith(VERTEX) else _PREFIX + without_prefixes(asked).removeprefix(_PREFIX)


def _capabilities(native: ModelResource, facts: ModelFacts) -> Capabilities:
    """Google says which methods a model has; the catalog, what comes out of them."""
    methods = set(native.get("supportedGenerationMethods") or ())
    generates = "generateContent" in methods
    thinks = generates and native.get("thinking", False)
    capabilities: Capabilities = {
        "chat": generates and not facts.speech,
        "embeddings": not methods.isdisjoint(_EMBEDDING),
        "images": "predict" in methods or (generates and facts.images),
        "audio": generates and facts.speech,
        "thinking": None,
    }
    if thinks and facts.thinking == "budget":
        least, maximum = facts.budget
        capabilities["thinking"] = "budget"
        capabilities["thinking_budget"] = {"min": 0 if facts.can_stop_thinking else least, "max": maximum}
    elif thinks and facts.thinking == "level":
        capabilities["thinking"] = "levels"
        capabilities["thinking_levels"] = [level.lower() for level in facts.levels]
    return capabilities
