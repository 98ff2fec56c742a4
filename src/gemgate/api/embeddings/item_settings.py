"""`task_type`, `input_type` and `title`, which users write at the top level and beside the text of an item."""

from collections.abc import Mapping

from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import EmbedContentRequest
from gemgate.translation.notes import Notes
from gemgate.wire import TextPart

NAMES = frozenset({"task_type", "input_type", "title"})

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
        value, param = fields[name], prefix + name
        if value is None:
            continue
        if not isinstance(value, str):
            raise ApiError(400, f"'{param}' must be a string.", param=param, code="invalid_type")
        if not facts.task_types:
            notes.drop(param)
        elif name == "title":
            settings["title"] = value
        elif name == "task_type":
            settings["taskType"] = value.upper()
        else:
            settings.setdefault("taskType", _of_input_type(value, param))
    return settings


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
