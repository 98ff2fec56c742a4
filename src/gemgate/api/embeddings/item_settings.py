"""`task_type`, `input_type`, `title` and `output_dimensionality`, which users write at the top level and in items."""

from collections.abc import Mapping

from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import EmbedContentRequest
from gemgate.translation.extra_body import snake
from gemgate.translation.notes import Notes
from gemgate.wire import TextPart

NAMES = frozenset({"task_type", "taskType", "input_type", "title", "output_dimensionality", "outputDimensionality"})

_INPUT_TYPES = {
    "query": "RETRIEVAL_QUERY",
    "search_query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "search_document": "RETRIEVAL_DOCUMENT",
    "passage": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
"""What other APIs call Google's task types."""


def settings_in(fields: Mapping[str, object], prefix: str, facts: ModelFacts, notes: Notes) -> EmbedContentRequest:
    """`taskType` and `title` of these fields; noted as dropped on models that ignore them.

    Raises:
        ApiError: 400 for a value that is not text, and for an unknown `input_type`.
    """
    settings: EmbedContentRequest = {}
    for name in sorted(NAMES & fields.keys()):
        value, param, meant = fields[name], prefix + name, snake(name)
        if value is None or value == "":
            continue
        if meant == "output_dimensionality":
            settings["outputDimensionality"] = _dimensions(value, param)
        elif not isinstance(value, str):
            raise ApiError(400, f"'{param}' must be a string.", param=param, code="invalid_type")
        elif not facts.task_types:
            notes.drop(param)
        elif meant == "title":
            settings["title"] = value
        elif meant == "task_type":
            settings["taskType"] = task_type(value)
        else:
            settings.setdefault("taskType", _of_input_type(value, param))
    return settings


def task_type(value: str) -> str:
    """Google's name of a task type: `retrieval-query` as `RETRIEVAL_QUERY`."""
    return value.strip().upper().replace("-", "_").replace(" ", "_")


def _dimensions(value: object, param: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ApiError(400, f"'{param}' must be a whole number above 0.", param=param, code="invalid_value")


def take_item_settings(
    request: EmbeddingRequest, facts: ModelFacts, notes: Notes
) -> tuple[EmbeddingRequest, dict[int, EmbedContentRequest]]:
    """The request without the settings of single items, and those by the place of their item."""
    if not isinstance(request.input, list):
        return request, {}
    found: dict[int, EmbedContentRequest] = {}
    items = list(request.input)
    for index, item in enumerate(items):
        if isinstance(item, TextPart) and item.model_extra and NAMES & item.model_extra.keys():
            found[index] = settings_in(item.model_extra, f"input[{index}].", facts, notes)
            others = {name: value for name, value in item.model_extra.items() if name not in NAMES}
            items[index] = TextPart.model_validate({**others, "type": "text", "text": item.text})
    return (request.model_copy(update={"input": items}), found) if found else (request, {})


def _of_input_type(value: str, param: str) -> str:
    known = _INPUT_TYPES.get(value.lower())
    if known is None:
        msg = f"'{param}' is {value[:40]!r}; it can be {', '.join(_INPUT_TYPES)}. Google's own names go to task_type."
        raise ApiError(400, msg, param=param, code="invalid_value")
    return known
