"""Google's 404 for a model that it has retired: the error names the successor, and the setting that asks it instead."""

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.google_errors import error_from_gemini


def successor_hint(error: GeminiError, model: str, catalog: Catalog) -> str:
    """What to do about Google's 404 for `model`; empty if `error` is another, or the model has no known successor."""
    facts = catalog.facts(model)
    if not (error.is_missing_model and facts.successor):
        return ""
    when = f" on {facts.shutdown}" if facts.is_retired(catalog.day) else ""
    return (
        f" (Google has retired `{model.removeprefix('models/')}`{when}. Its successor is `{facts.successor}`: ask for "
        "that one, or set GEMGATE_RETIRED_MODELS=successor, and it is asked in the place of retired models.)"
    )


def retired_error(error: GeminiError, model: str, catalog: Catalog) -> ApiError | None:
    """The error for a caller who asked for `model`; None if Google did not miss a model that has a successor."""
    hint = successor_hint(error, model, catalog)
    if not hint:
        return None
    failure = error_from_gemini(error)
    failure.__cause__ = error
    failure.message += hint
    failure.param = "model"
    return failure
