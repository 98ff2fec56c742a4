"""The caller's own options of a native request, which all endpoints of generation take: config, caches, the tier."""

from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig
from gemgate.translation.notes import Notes
from gemgate.translation.sampling import lowered_limit

_CACHE = "extra_body.google.cached_content"
_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}
_TIERS_OF_OPENAI = ("scale", "ultrafast")
"""They are served as the default one."""


def override_config(config: GenerationConfig, explicit: dict[str, object], facts: ModelFacts, notes: Notes) -> None:
    """`extra_body.google.generation_config` is the more special word, so it wins; its limit is the model's at most."""
    known: dict[str, object] = config  # type: ignore[assignment]  # merged by name
    limit = explicit.get("maxOutputTokens")
    if isinstance(limit, int) and limit > facts.output_limit:
        lowered = lowered_limit(limit, "extra_body.google.generation_config.max_output_tokens", facts, notes)
        explicit = {**explicit, "maxOutputTokens": lowered}
    for name, value in explicit.items():
        if name in known and known[name] != value:
            notes.adjust(f"generationConfig.{name}->extra_body.google.generation_config")
        known[name] = value


def add_cache(body: GenerateContentRequest, name: object, model: str, facts: ModelFacts) -> None:
    """Name the cache that `extra_body.google.cached_content` means, once all else is in `body`.

    Args:
        body: The native request.
        name: What the caller has sent.
        model: The model that is asked, for the error.
        facts: Of that model.

    Raises:
        ApiError: 400 for another type, beside what the cache holds already, and for a model without caches.
    """
    if name == "":
        return  # some clients send the field without a cache
    if not isinstance(name, str):
        raise ApiError(
            400, f"'{_CACHE}' must be a name such as 'cachedContents/abc'.", param=_CACHE, code="invalid_type"
        )
    # Google refuses a cache beside system_instruction, tools or tool_config, in several wordings.
    clashing = {"systemInstruction": "system and developer messages", "tools": "tools", "toolConfig": "tool_choice"}
    if found := [text for field_name, text in clashing.items() if field_name in body]:
        msg = f"'{_CACHE}' holds the tools and the system message already: remove {', '.join(found)} from the request."
        raise ApiError(400, msg, param=_CACHE, code="invalid_value")
    if not facts.explicit_caching:
        msg = (
            f"The model '{model.removeprefix('models/')}' has no explicit caching: leave '{_CACHE}' out, and repeat "
            "the beginning of the prompt, which is cached by itself."
        )
        raise ApiError(400, msg, param=_CACHE, code="unsupported_parameter")
    body["cachedContent"] = name if "/" in name else f"cachedContents/{name}"


def native_tier(wanted: str | None, notes: Notes) -> str | None:
    """The `serviceTier` of OpenAI's `service_tier`; None for Google's default."""
    tier = _TIERS.get(wanted or "auto")
    if wanted in _TIERS_OF_OPENAI or (tier and tier != wanted):
        notes.adjust(f"service_tier={wanted}->{tier or 'default'}")
    return tier
