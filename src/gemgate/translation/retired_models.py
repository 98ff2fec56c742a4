"""Google's 404 for a model that it has retired: the error names the successor, and the setting that asks it instead."""

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.google_errors import error_from_gemini


def retired_error(error: GeminiError, model: str, catalog: Catalog) -> ApiError | None:
    """The error for a caller who asked for `model`; None if Google did not miss a model that has a successor."""
    if not error.is_missing_model:
        return None
    facts, name = catalog.facts(model), model.removeprefix("models/")
    if not facts.successor:
        return None
    failure = error_from_gemini(error)
    failure.__cause__ = error
    when = f" on {facts.shutdown}" if facts.is_retired(catalog.day) else ""
    failure.message = (
        f"The model `{name}` was retired by Google{when}. Its successor is `{facts.successor}`: ask for that one, or "
        "have it asked in place of retired models with GEMGATE_RETIRED_MODELS=successor. "
        f"Google said: {failure.message}"
    )
    failure.param = "model"
    return failure
