"""Sampling, length, thinking, logprobs and the format of text as `generationConfig`."""

from collections.abc import Sequence

from pydantic import ValidationError

from gemgate.api.responses.items import Item
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.api.responses.wire import ResponseRequest, TextFormat
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.extra_body import object_option
from gemgate.translation.notes import Notes
from gemgate.translation.response_format import Format, schema_format
from gemgate.translation.sampling import add_penalties, add_sampling, lowered_limit
from gemgate.translation.thinking import thinking_config
from gemgate.translation.validation import from_validation

THINKING = ("enabled", "exclude", "max_tokens")
"""What `reasoning` may say in the words of other gateways."""

_FORMAT_FIELDS = frozenset({"name", "schema", "strict", "description"})

_LOGPROBS = "message.output_text.logprobs"


def generation_config(
    request: ResponseRequest, effort: str | None, google: dict[str, object], facts: ModelFacts, notes: Notes
) -> GenerationConfig:
    """The scalar part of the native config, and how much is thought; only what the caller sent.

    Args:
        request: The request.
        effort: Of the reasoning, as `answer_settings` found it.
        google: The options of `extra_body.google`.
        facts: Of the model.
        notes: What is dropped and adjusted.

    Raises:
        ApiError: 400 for thinking that the model cannot do.
    """
    config: GenerationConfig = {}
    add_sampling(config, request.temperature, request.top_p, None, facts, notes)
    if (limit := request.max_output_tokens) is not None:
        config["maxOutputTokens"] = lowered_limit(limit, "max_output_tokens", facts, notes)
    add_penalties(config, request.presence_penalty, request.frequency_penalty, facts, notes)
    _add_logprobs(config, request, facts, notes)
    thinking = _thinking(request)
    if facts.thinking != "none" and effort != "none":
        thinking["summary"] = _summary(request)
    explicit = object_option(google, "thinking_config")
    if found := thinking_config(effort, thinking, explicit, facts, notes, "reasoning.effort"):
        config["thinkingConfig"] = found
    return config


def answer_settings(request: ResponseRequest, items: Sequence[Item]) -> tuple[str | None, TextFormat | None]:
    """The effort of reasoning and the format of text: the request's, or those of the last item that changes them.

    Raises:
        ApiError: 400, such an item cannot be read.
    """
    effort = request.reasoning.effort if request.reasoning else None
    wanted = request.text.format if request.text else None
    for item in items:
        if item.kind != "configuration_update":
            continue
        named = {name: item.fields.get(name) for name in ("reasoning", "text")}
        try:
            update = ResponseRequest.model_validate({"model": "-", **named})
        except ValidationError as error:
            refused = from_validation(error)
            refused.param = f"{item.param}.{refused.param}"
            raise refused from error
        if update.reasoning is not None and update.reasoning.effort is not None:
            effort = update.reasoning.effort
        if update.text is not None and update.text.format is not None:
            wanted = update.text.format
    return effort, wanted


def read_format(wanted: TextFormat | None, tools: ResponseTools, notes: Notes) -> Format:
    """The format of the answer, its schema converted and paid from the plan of the tools.

    Raises:
        ApiError: 400 for a schema without a name, and for one that Gemini cannot follow.
    """
    if wanted is None:
        return Format("text")
    extra = dict(wanted.model_extra or {})
    schema, description, param = wanted.schema_, wanted.description, "text.format.schema"
    nested = extra.get("json_schema")
    if schema is None and isinstance(nested, dict):  # chat's nesting
        del extra["json_schema"]
        schema, param = nested.get("schema"), "text.format.json_schema.schema"
        description = description or _text_or_none(nested.get("description"))
        others = {name: value for name, value in nested.items() if name not in _FORMAT_FIELDS}
        notes.drop_unknown(others, "text.format.json_schema.")
    notes.drop_unknown(extra, "text.format.")
    if wanted.type == "text" or (wanted.type == "json_object" and not schema):
        if schema is not None:
            notes.drop(param)
        return Format(wanted.type)
    if wanted.type == "json_schema" and schema is wanted.schema_ and not wanted.name:
        param = "text.format.name"
        raise ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return schema_format(schema, description, param, notes, tools.plan.schemas)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _thinking(request: ResponseRequest) -> dict[str, object]:
    given = (request.reasoning.model_extra if request.reasoning else None) or {}
    return {name: given[name] for name in THINKING if given.get(name) is not None}


def _summary(request: ResponseRequest) -> str | None:
    reasoning = request.reasoning
    return (reasoning.summary or reasoning.generate_summary) if reasoning else None


def _add_logprobs(config: GenerationConfig, request: ResponseRequest, facts: ModelFacts, notes: Notes) -> None:
    """Gemini gives none in a stream, and answers the wish with a 400."""
    is_wanted = _LOGPROBS in (request.include or ())
    if not is_wanted and not request.top_logprobs:
        return
    name = f"include={_LOGPROBS}" if is_wanted else "top_logprobs"
    if request.stream or not facts.logprobs or not is_wanted:
        notes.drop(name)
        return
    config["responseLogprobs"] = True
    if request.top_logprobs:
        config["logprobs"] = request.top_logprobs
