"""What Google refuses although it is well formed: rules of turns, of settings and of models.

Texts are Google's where a recording or a public report has them. Everything that a recorded request got a 200 for is
taken, which the tests hold against the recordings.
"""

import re
from collections.abc import Iterator
from typing import Any

from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.prompt import (
    current_turn,
    is_result_turn,
    parts_of,
    read,
)
from gemgate.emulator.schema_rules import check_json_schema, check_openapi
from gemgate.emulator.signatures import is_acceptable

ROOT = "* GenerateContentRequest."
MAX_STOPS = 5
MAX_CANDIDATES = 8
MAX_LOGPROBS = 20
MAX_TEMPERATURE = 2
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")


def check_request(model: ModelFamily, body: dict[str, Any], *, streaming: bool) -> None:
    """Refuse a canonical `GenerateContentRequest` as Google would.

    Raises:
        ApiError: The first rule that it breaks.
    """
    contents = body.get("contents") or []
    if not contents:
        raise invalid(f"{ROOT}contents: contents is not specified\n")
    for rule in (_turns, _calls_and_results, _signatures, _media):
        rule(model, contents)
    for check_settings in (_system, _functions, _sampling, _thinking, _output, _images):
        check_settings(model, body)
    _recognition(model, contents, body.get("generationConfig") or {})
    _logprobs(model, body, streaming=streaming)


def refusal(model: ModelFamily, body: dict[str, object], *, streaming: bool = False) -> GoogleApiError | None:
    """The refusal that `check` raises, or None."""
    try:
        check_request(model, body, streaming=streaming)
    except GoogleApiError as error:
        return error
    return None


def _every_part(contents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for turn, content in enumerate(contents):
        for number, part in enumerate(parts_of(content)):
            yield f"contents[{turn}].parts[{number}]", part


def _turns(model: ModelFamily, contents: list[dict[str, object]]) -> None:
    for content in contents:
        if content.get("role", "user") not in {"user", "model", "function", ""}:
            raise invalid("Please use a valid role: user, model.")
    for number, content in enumerate(contents):
        if not parts_of(content):
            raise invalid(f"{ROOT}contents[{number}].parts: contents.parts must not be empty.\n")
    if contents[-1].get("role") == "model" and not model.family.prefill:
        raise invalid("Requests ending with a model turn are not supported.")


def _calls_and_results(_model: ModelFamily, contents: list[dict[str, Any]]) -> None:
    for path, part in _every_part(contents):
        for kind, proto in (("functionCall", "function_call"), ("functionResponse", "function_response")):
            if kind in part and not part[kind].get("name"):
                raise invalid(f"{ROOT}{path}.{proto}.name: Name cannot be empty.\n")
    pending = 0
    position = 0
    while position < len(contents):
        content = contents[position]
        if is_result_turn(content):
            results = 0
            while position < len(contents) and is_result_turn(contents[position]):
                results += sum("functionResponse" in part for part in parts_of(contents[position]))
                position += 1
            if not pending:
                raise invalid("Please ensure that function response turn comes immediately after a function call turn.")
            if results != pending:
                raise invalid(
                    "Please ensure that the number of function response parts is equal to the number of function call "
                    "parts of the function call turn."
                )
            pending = 0
            continue
        calls = sum("functionCall" in part for part in parts_of(content))
        if calls and content.get("role") == "model" and _begins_with_calls(contents[:position]):
            raise invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        pending = pending + calls if content.get("role") == "model" else 0
        position += 1


def _begins_with_calls(before: list[dict[str, object]]) -> bool:
    """Whether a turn of calls behind these has no user turn before it; calls may go on in the next turn (recorded)."""
    if not before:
        return True
    return before[-1].get("role") == "model" and not any("functionCall" in part for part in parts_of(before[-1]))


def _signatures(model: ModelFamily, contents: list[dict[str, Any]]) -> None:
    for _, part in _every_part(contents):
        if (signature := part.get("thoughtSignature")) and not is_acceptable(signature):
            raise invalid("Thought signature is not valid.")
    if not model.family.needs_signature:
        return
    start = current_turn(contents)
    for position, content in enumerate(contents[start:], start):
        if content.get("role") != "model":
            continue
        call = next((part for part in parts_of(content) if "functionCall" in part), None)
        if call and not call.get("thoughtSignature"):
            raise invalid(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{call['functionCall']['name']}` , position {position + 1}. Please "
                "refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            )


def _media(model: ModelFamily, contents: list[dict[str, Any]]) -> None:
    for path, part in _every_part(contents):
        _blob(path, part)
        for number, inner in enumerate(part.get("functionResponse", {}).get("parts") or ()):
            place = f"{path}.function_response.parts[{number}]"
            if not inner:
                raise invalid(f"{ROOT}{place}.data: required oneof field 'data' must have one initialized field\n")
            _blob(place, inner)
        if model.family.rich_results:
            continue
        if part.get("functionResponse", {}).get("parts"):
            raise invalid(f"Multimodal function responses are not supported for models/{model.name}")
        if part.get("mediaResolution"):
            raise invalid(f"Per-part media resolution is not enabled for models/{model.name}")


def _blob(path: str, part: dict[str, Any]) -> None:
    blob = part.get("inlineData")
    if blob is not None and not blob.get("mimeType"):
        raise invalid(f"{ROOT}{path}.inline_data.mime_type: mime_type must be specified.\n")
    if blob is not None and not blob.get("data"):
        raise invalid(
            "Unable to process input image. Please retry or report in https://developers.generativeai.google/"
        )


def _system(model: ModelFamily, body: dict[str, Any]) -> None:
    if parts_of(body.get("systemInstruction") or {}) and not model.family.system:
        raise invalid(f"Developer instruction is not enabled for models/{model.name}")


def _functions(model: ModelFamily, body: dict[str, Any]) -> None:
    prompt = read(body)
    declared = [function.get("name", "") for function in prompt.functions]
    if declared and not model.family.functions:
        raise invalid(f"Function calling is not enabled for models/{model.name}")
    path = f"{ROOT}tools[0].function_declarations"
    for number, function in enumerate(prompt.functions):
        if not _FUNCTION_NAME.fullmatch(function.get("name", "")):
            raise invalid(
                f"{path}[{number}].name: [FIELD_INVALID] Invalid function name. Must start with a letter or an "
                "underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes "
                "(-), with a maximum length of 128.\n"
            )
        _function_schemas(function, f"tools[0].function_declarations[{number}]")
    if repeated := next((name for name in declared if declared.count(name) > 1), None):
        raise invalid(f"Duplicate function declaration found: {repeated}")
    if prompt.allowed and prompt.mode not in {"ANY", "VALIDATED"}:
        raise invalid(
            "Function calling config is set without ANY or VALIDATED mode while allowed_function_names is set."
        )
    if unknown := [name for name in prompt.allowed if name not in declared]:
        raise invalid(
            "The allowed function names have values not present in the tools function_declarations: "
            f"[{', '.join(unknown)}]"
        )
    if prompt.mode in {"ANY", "VALIDATED"} and not all(map(_has_parameters, prompt.functions)):
        raise invalid("Request contains an invalid argument.")
    _mixtures(model, body, functions=bool(declared), builtins=bool(prompt.builtins))


def _has_parameters(function: dict[str, object]) -> bool:
    """Google refuses a function without a schema where a call must follow one (python-genai #981)."""
    return "parameters" in function or "parametersJsonSchema" in function


def _function_schemas(function: dict[str, Any], path: str) -> None:
    if "parameters" in function and "parametersJsonSchema" in function:
        raise invalid(
            f"* GenerateContentRequest.{path}: only one of parameters and parameters_json_schema can be set.\n"
        )
    if "parameters" in function:
        check_openapi(function["parameters"], f"{path}.parameters")
    if "parametersJsonSchema" in function:
        check_json_schema(function["parametersJsonSchema"], f"{path}.parameters_json_schema", parameters=True)


def _mixtures(model: ModelFamily, body: dict[str, Any], *, functions: bool, builtins: bool) -> None:
    config = body.get("generationConfig") or {}
    wants_json = config.get("responseMimeType") == "application/json"
    if model.family.mixes_tools:
        served = (body.get("toolConfig") or {}).get("includeServerSideToolInvocations")
        if functions and builtins and not served:
            raise invalid(
                "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
                "calling."
            )
        return
    if functions and builtins:
        raise invalid("Tool use with function calling is unsupported")
    if wants_json and functions:
        raise invalid("Function calling with a response mime type: 'application/json' is unsupported")
    if wants_json and builtins:
        raise invalid("Tool use with a response mime type: 'application/json' is unsupported")


def _sampling(model: ModelFamily, body: dict[str, Any]) -> None:
    config = body.get("generationConfig") or {}
    path = f"{ROOT}generation_config."
    stops = config.get("stopSequences") or []
    if len(stops) > MAX_STOPS:
        raise invalid(f"{path}stop_sequences: the number of stop_sequences must not exceed {MAX_STOPS}.\n")
    if "" in stops:
        raise invalid(f"{path}stop_sequences: stop sequence must not be empty.\n")
    if not model.family.sampling:
        refuse_sampling(model, body)
    _within(config, "temperature", 0, MAX_TEMPERATURE)
    _within(config, "topP", 0, 1)
    if config.get("maxOutputTokens", 1) < 1:
        raise invalid(f"{path}max_output_tokens: max_output_tokens must be positive.\n")
    if (config.get("presencePenalty") or config.get("frequencyPenalty")) and not model.family.penalties:
        raise invalid(f"Penalty is not enabled for models/{model.name}")
    candidates = config.get("candidateCount", 1)
    if not 1 <= candidates <= MAX_CANDIDATES:
        raise invalid(f"{path}candidate_count: candidate_count must be in the range [1, {MAX_CANDIDATES}].\n")
    if candidates > 1 and not model.family.many_candidates:
        raise invalid("Multiple candidates is not enabled for this model")


def refuse_sampling(model: ModelFamily, body: dict[str, Any]) -> None:
    """Refuse the first sampling parameter. That it is a 400 is documented for speech; the words are a guess.

    Raises:
        ApiError: 400, the request has one.
    """
    config = body.get("generationConfig") or {}
    for name, proto in (("temperature", "temperature"), ("topP", "top_p"), ("topK", "top_k")):
        if name in config:
            raise invalid(f"{proto} is not supported for models/{model.name}")


def unsupported_level(level: str) -> GoogleApiError:
    """The refusal of a thinking level that the model does not have."""
    return invalid(f"Thinking level {level} is not supported for this model. Please retry with other thinking level")


def _within(config: dict[str, Any], name: str, minimum: float, maximum: float) -> None:
    if not minimum <= config.get(name, minimum) <= maximum:
        proto = "top_p" if name == "topP" else name
        raise invalid(
            f"{ROOT}generation_config.{proto}: {proto} must be in the range [{minimum:.1f}, {maximum:.1f}].\n"
        )


def _thinking(model: ModelFamily, body: dict[str, Any]) -> None:
    config = (body.get("generationConfig") or {}).get("thinkingConfig")
    if not config:
        return
    family, budget, level = model.family, config.get("thinkingBudget"), config.get("thinkingLevel")
    if not family.thinks or family.budget is None:
        if budget or level or config.get("includeThoughts"):
            raise invalid(f"Thinking is not enabled for models/{model.name}")
        return
    if level == "THINKING_LEVEL_UNSPECIFIED":
        level = None
    if budget is not None and level is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    if budget is not None and not family.takes_budget:
        raise invalid("Thinking budget is not supported for this model.")
    if level is not None and not family.levels:
        raise invalid("Thinking level is not supported for this model.")
    if level is not None and level not in family.levels:
        raise unsupported_level(level)
    minimum, maximum = family.budget
    if budget == 0 and not family.can_stop:
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    if budget not in {None, 0, -1} and not minimum <= budget <= maximum:
        raise invalid(
            f"The thinking budget {budget} is invalid. Please choose a value between {minimum} and {maximum}."
        )


_OUTPUTS = {"text": {"TEXT"}, "image": {"TEXT", "IMAGE"}, "audio": {"AUDIO"}}


def _output(model: ModelFamily, body: dict[str, Any]) -> None:
    config = body.get("generationConfig") or {}
    asked = set(config.get("responseModalities") or ())
    possible = _OUTPUTS.get(model.family.output, set())
    if model.family.output == "text" and asked - possible:
        raise invalid("This model only supports text output.")
    if asked - possible or (model.family.output == "audio" and asked != possible):
        combination = ", ".join(sorted(asked)) or "TEXT"
        raise invalid(
            f"The requested combination of response modalities ({combination}) is not supported by the model. "
            f"models/{model.name} accepts the following combination of response modalities:\n* "
            + ", ".join(sorted(possible, reverse=True))
            + "\n"
        )
    if (config.get("responseFormat") or {}).get("audio") and not model.family.wav:
        raise invalid(f"response_format is not supported for models/{model.name}")
    schemas = [name for name in ("responseSchema", "responseJsonSchema", "_responseJsonSchema") if name in config]
    mime = config.get("responseMimeType", "")
    if mime not in {"", "text/plain", "application/json", "text/x.enum"}:
        raise invalid(
            f"{ROOT}generation_config.response_mime_type: allowed mimetypes are `text/plain`, `application/json`, "
            "`application/xml`, `application/yaml` and `text/x.enum`.\n"
        )
    if len(schemas) > 1:
        raise invalid(f"{ROOT}generation_config: only one of response_schema and response_json_schema can be set.\n")
    for name in schemas:
        if name == "responseSchema":
            check_openapi(config[name], "generation_config.response_schema")
        else:
            check_json_schema(config[name], "generation_config.response_json_schema", parameters=False)
    if schemas and mime not in {"application/json", "text/x.enum"}:
        raise invalid(
            f"{ROOT}generation_config.response_mime_type: response_mime_type must be set for a response schema.\n"
        )


def _images(model: ModelFamily, body: dict[str, Any]) -> None:
    config = (body.get("generationConfig") or {}).get("imageConfig")
    if not config:
        return
    if model.family.output != "image":
        raise invalid(f"Image config is not enabled for models/{model.name}")
    ratios = model.family.image_ratios
    if (config.get("aspectRatio") or "1:1") not in ratios:
        raise invalid(
            f"{ROOT}generation_config.image_config.aspect_ratio: aspect_ratio must be one of {', '.join(ratios)}.\n"
        )
    size = config.get("imageSize")
    if size and size not in model.family.image_sizes:
        raise invalid(f"Image size {size} is not supported for models/{model.name}")


def _recognition(model: ModelFamily, contents: list[dict[str, object]], settings: dict[str, object]) -> None:
    """What speech recognition takes is documented; the words of its refusals are a guess."""
    config = settings.get("audioTranscriptionConfig")
    if not model.family.transcribes:
        if config:
            raise invalid(f"audio_transcription_config is not supported for models/{model.name}")
        return
    parts = [part for _, part in _every_part(contents)]
    if any("text" in part for part in parts) or not any("inlineData" in p or "fileData" in p for p in parts):
        raise invalid(f"models/{model.name} takes audio, and nothing but audio.")
    if (
        isinstance(config, dict)
        and config.get("mode") == "SMART"
        and (config.get("wordTimestamp") or config.get("diarization"))
    ):
        raise invalid("Word timestamps and diarization are not available in the mode SMART.")


def _logprobs(model: ModelFamily, body: dict[str, Any], *, streaming: bool) -> None:
    config = body.get("generationConfig") or {}
    if not config.get("responseLogprobs"):
        if config.get("logprobs"):
            raise invalid(f"{ROOT}generation_config.logprobs: response_logprobs must be true to use logprobs.\n")
        return
    if streaming:
        raise invalid("LogProbs is not supported in streaming mode")
    if not model.family.logprobs:
        raise invalid("Logprobs is not enabled for this model")
    if not 0 <= config.get("logprobs", 0) <= MAX_LOGPROBS:
        raise invalid(f"{ROOT}generation_config.logprobs: logprobs must be in the range [0, {MAX_LOGPROBS}].\n")
