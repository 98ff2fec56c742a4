"""A chat completion request as a native request."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.messages import MessageTranslator
from gemgate.api.chat.other_spellings import respelled
from gemgate.api.chat.speech import FORMATS, STREAMED, AudioFormat, written_format
from gemgate.api.chat.tools import plan_tools, refuse_many_tools
from gemgate.api.chat.wire import DROPPED, ChatCompletionRequest, ResponseFormat
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.translation.content import ContentTranslator
from gemgate.translation.declared_calls import declared_functions
from gemgate.translation.extra_body import google_options, list_option, object_option
from gemgate.translation.function_names import NameMap
from gemgate.translation.model_purpose import refuse_other_purposes
from gemgate.translation.native_options import add_cache, native_tier, override_config
from gemgate.translation.notes import Notes
from gemgate.translation.options import Dialect, Options, ShownThoughts
from gemgate.translation.refused_parts import leave_out_refused
from gemgate.translation.response_format import Format, HiddenFunction, apply_format, schema_format
from gemgate.translation.sampling import add_penalties, add_sampling, lowered_limit
from gemgate.translation.speech.encoders import can_encode
from gemgate.translation.speech.voices import voice_config
from gemgate.translation.speech.writer import native_format, not_encodable
from gemgate.translation.thinking import show_thoughts, thinking_config
from gemgate.translation.tool_plan import ToolPlan, drop_functions
from gemgate.translation.validation import show

_MAX_STOPS = 5
GOOGLE_OPTIONS = frozenset(
    {"cached_content", "generation_config", "safety_settings", "thinking_config", "tool_config", "tools"}
)
"""What `extra_body.google` may hold."""


@dataclass(slots=True)
class ChatTranslation:
    """A native request, and what is needed to understand its answer.

    Attributes:
        model: The model's resource name, such as `models/gemini-2.5-flash`.
        body: The native request; empty once it was taken.
        calls: How many times to send it; above 1 where the model has no `candidateCount`.
        context: What `completion_from_gemini` and `ChatStream` need to know.
        notes: What was dropped and adjusted.
    """

    model: str
    body: GenerateContentRequest
    calls: int
    context: AnswerContext
    notes: Notes = field(default_factory=Notes)

    def bodies(self) -> list[GenerateContentRequest]:
        """The body of each call. A seed differs from call to call, because equal seeds would give equal answers."""
        seed = self.body.get("generationConfig", {}).get("seed")
        if self.calls == 1 or seed is None:
            return [self.body] * self.calls
        config = self.body["generationConfig"]
        return [
            {**self.body, "generationConfig": {**config, "seed": fold_seed(seed + call)}} for call in range(self.calls)
        ]

    def take_bodies(self) -> list[GenerateContentRequest]:
        """As `bodies`, for the one time that they are sent: they may be long, and the answer long in coming."""
        bodies, self.body = self.bodies(), {}
        return bodies


def to_gemini(
    request: ChatCompletionRequest,
    options: Options,
    *,
    model: str = "",
    dialect: Dialect = "openai",
    caller_id: str = "",
    media: Resolved | None = None,
) -> ChatTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated body.
        options: The operator's decisions.
        model: The model to ask, where that is not the one that the request names.
        dialect: How thoughts look in the answer.
        caller_id: Whose thought signatures may be used.
        media: What was fetched or looked up before (`messages.media_of` lists what is needed).

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    if options.show_thoughts == "tags":
        dialect = "google"
    if facts.purpose != "chat":
        refuse_other_purposes(model, facts)
    words = None
    if request.model_extra or isinstance(request.reasoning_effort, dict):
        words = respelled(request, facts, notes)
        request = words.request
    _drop_unsupported(request, notes)
    has_options = request.google is not None or request.extra_body is not None
    google = google_options(request.google, request.extra_body, GOOGLE_OPTIONS, notes) if has_options else {}
    has_tools = google or request.tools or request.functions or request.web_search_options is not None
    if has_tools or request.tool_choice is not None or request.function_call is not None:
        plan = _plan(request, google, facts, notes, options)
    else:
        plan = ToolPlan(NameMap())
    content = ContentTranslator(facts, notes, media or {}, options.remote_media)
    turns = MessageTranslator(
        facts,
        notes,
        content,
        plan.names,
        options.signatures,
        caller_id,
        options.trailing_assistant,
        has_thought_tags=dialect == "google",
    )
    contents, system = turns.translate(request.messages)
    config = _config(request, google, facts, notes, options.show_thoughts)
    if content.resolution:
        config["mediaResolution"] = content.resolution
    if words is not None:
        words.own.add_to(config, has_functions=bool(plan.declarations) and not facts.json_with_tools, notes=notes)
    wanted = _format(request.response_format, notes, plan) if request.response_format is not None else _TEXT
    hidden = apply_format(wanted, plan, config, facts, notes) if wanted is not _TEXT else None
    calls = 1 if request.n is None else _count(request.n, config, facts)
    if google:
        override_config(config, object_option(google, "generation_config"), facts, notes)
    body: GenerateContentRequest = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if google or plan.declarations or plan.built_in:
        _add_tools(body, plan, object_option(google, "tool_config"))
    _add_options(body, request, google, config, notes)
    if (name := google.get("cached_content")) is not None:
        add_cache(body, name, model, facts)
    if facts.learned or facts.refused_fields:
        leave_out_refused(body, facts, options.catalog.refused_values(model), notes)
    is_json = config.get("responseMimeType") == "application/json" or hidden is not None
    context = _context(request, options, plan, dialect=dialect, caller_id=caller_id, hidden=hidden, is_json=is_json)
    return ChatTranslation(model, body, calls, context, notes)


_TEXT = Format("text")


def _plan(
    request: ChatCompletionRequest, google: dict[str, object], facts: ModelFacts, notes: Notes, options: Options
) -> ToolPlan:
    """The tools of a request that has any, or says something about them."""
    refuse_many_tools(request, options.max_tools)
    plan = plan_tools(request, list_option(google, "tools"), facts, notes, options.cached_search)
    if not facts.functions:
        drop_functions(plan, notes)
    return plan


def _format(wanted: ResponseFormat, notes: Notes, plan: ToolPlan) -> Format:
    named, extra = wanted.json_schema, dict(wanted.model_extra or {})
    param, schema = "response_format.json_schema.schema", named.schema_ if named else None
    if schema is None and wanted.type != "text" and extra.get("schema") is not None:  # as other APIs spell it
        param, schema = "response_format.schema", extra.pop("schema")
    notes.drop_unknown(extra, "response_format.")
    if named:
        notes.drop_unknown(named.model_extra, "response_format.json_schema.")
    if wanted.type == "text" or (wanted.type == "json_object" and not schema):
        if wanted.type == "text" and named:
            notes.drop("response_format.json_schema")
        return Format(wanted.type)
    return schema_format(schema, named.description if named else None, param, notes, plan.schemas)


def _config(
    request: ChatCompletionRequest, google: dict[str, object], facts: ModelFacts, notes: Notes, shown: ShownThoughts
) -> GenerationConfig:
    config = _scalar_config(request, facts, notes)
    effort = request.reasoning_effort if isinstance(request.reasoning_effort, str) else None
    if effort is None and not request.reasoning and not google and shown == "off":
        return config
    if thinking := thinking_config(
        effort, request.reasoning or {}, object_option(google, "thinking_config"), facts, notes
    ):
        config["thinkingConfig"] = thinking
    if shown != "off":
        show_thoughts(config, facts)
    return config


def _context(
    request: ChatCompletionRequest,
    options: Options,
    plan: ToolPlan,
    *,
    dialect: Dialect,
    caller_id: str,
    hidden: HiddenFunction | None,
    is_json: bool,
) -> AnswerContext:
    return AnswerContext(
        model=request.model,
        dialect=dialect,
        caller_id=caller_id,
        names=plan.names,
        signatures=options.signatures,
        custom=frozenset(plan.custom),
        functions=declared_functions(plan.declarations) if plan.declarations else {},
        hidden=hidden,
        first_call_only=request.parallel_tool_calls is False,
        legacy_functions=bool(request.functions) and not request.tools,
        holds_calls=bool(plan.built_in) and plan.server_side_calls,
        is_json=is_json,
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        audio_format=_audio_format(request),
    )


def _drop_unsupported(request: ChatCompletionRequest, notes: Notes) -> None:
    for name in sorted(request.model_fields_set & DROPPED):
        if getattr(request, name) is not None:
            notes.drop(name)
    if request.model_extra:
        notes.drop_unknown(request.model_extra)
    if request.stream_options is not None:
        notes.drop_unknown(request.stream_options.model_extra, "stream_options.")


def _count(wanted: int, config: GenerationConfig, facts: ModelFacts) -> int:
    if wanted > 1 and not facts.candidate_count:
        return wanted
    if wanted > 1:
        config["candidateCount"] = wanted
    return 1


def _add_tools(body: GenerateContentRequest, plan: ToolPlan, explicit: dict[str, object]) -> None:
    if tools := plan.tools():
        body["tools"] = tools
    if config := {**plan.tool_config(), **explicit}:
        body["toolConfig"] = config  # type: ignore[typeddict-item]  # the caller's own fields pass as they are


def _add_options(
    body: GenerateContentRequest,
    request: ChatCompletionRequest,
    google: Mapping[str, object],
    config: GenerationConfig,
    notes: Notes,
) -> None:
    """What is beside contents and tools in a native request."""
    if google and (safety := list_option(google, "safety_settings")):
        body["safetySettings"] = safety
    if config:
        body["generationConfig"] = config
    if request.service_tier is not None and (tier := native_tier(request.service_tier, notes)):
        body["serviceTier"] = tier
    body["store"] = bool(request.store)


def _scalar_config(request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> GenerationConfig:
    """The scalar part of the native config; only what the caller sent.

    Raises:
        ApiError: 400 for more than five stop sequences, logprobs where Gemini has none, or an audio format it cannot
            make.
    """
    config: GenerationConfig = {}
    if request.temperature is not None or request.top_p is not None or request.top_k is not None:
        add_sampling(config, request.temperature, request.top_p, request.top_k, facts, notes)
    if (limit := request.max_completion_tokens or request.max_tokens) is not None:
        config["maxOutputTokens"] = _output_limit(request, limit, facts, notes)
    if request.stop is not None and (stops := _stops(request.stop, notes)):
        config["stopSequences"] = stops
    if request.seed is not None:
        config["seed"] = fold_seed(request.seed)
        if config["seed"] != request.seed:
            notes.adjust(f"seed={request.seed}->{config['seed']}")
    if request.presence_penalty or request.frequency_penalty:
        add_penalties(config, request.presence_penalty, request.frequency_penalty, facts, notes)
    if request.logprobs or request.top_logprobs is not None:
        _add_logprobs(config, request, facts, notes)
    if request.modalities or request.audio is not None:
        _add_modalities(config, request, facts, notes)
    return config


def _output_limit(request: ChatCompletionRequest, limit: int, facts: ModelFacts, notes: Notes) -> int:
    name = "max_completion_tokens" if request.max_completion_tokens else "max_tokens"
    if request.max_tokens not in (None, limit):
        notes.adjust(f"max_tokens={request.max_tokens}->{limit}")
    return lowered_limit(limit, name, facts, notes)


def fold_seed(seed: int) -> int:
    """`seed` modulo 2^32 as a signed 32-bit number, which is what Gemini takes."""
    return (seed + 2**31) % 2**32 - 2**31


def _stops(wanted: str | list[str], notes: Notes) -> list[str]:
    given = [wanted] if isinstance(wanted, str) else wanted
    stops = [stop for stop in given if stop]
    if len(stops) < len(given):
        notes.adjust("stop=''->none")
    if len(stops) > _MAX_STOPS:
        msg = f"'stop' holds {len(stops)} sequences, and Gemini takes {_MAX_STOPS}."
        raise ApiError(400, msg, param="stop", code="invalid_value")
    return stops


def _add_logprobs(config: GenerationConfig, request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> None:
    if request.top_logprobs is not None and not request.logprobs:
        msg = "'top_logprobs' needs 'logprobs': true."
        raise ApiError(400, msg, param="top_logprobs", code="invalid_value")
    if not request.logprobs:
        return
    if request.stream:
        msg = "Gemini gives no logprobs in a stream: send 'stream': false, or leave 'logprobs' out."
        raise ApiError(400, msg, param="logprobs", code="unsupported_parameter")
    if not facts.logprobs and "logprobs" in facts.learned:  # it was taken yesterday: a program goes on without them
        notes.drop("logprobs")
        return
    if not facts.logprobs:
        msg = f"{request.model} gives no logprobs: leave 'logprobs' out, or use a model such as gemini-2.5-flash."
        raise ApiError(400, msg, param="logprobs", code="unsupported_parameter")
    config["responseLogprobs"] = True
    if request.top_logprobs:
        config["logprobs"] = request.top_logprobs


def _add_modalities(config: GenerationConfig, request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> None:
    wanted = request.modalities or []
    if "audio" in wanted or (facts.speech and request.audio):
        config["responseModalities"] = ["AUDIO"]
        config["speechConfig"] = _speech(config, request, facts, notes)
    elif "image" in wanted:
        config["responseModalities"] = [modality.upper() for modality in wanted]


def _audio_format(request: ChatCompletionRequest) -> AudioFormat | None:
    wanted = request.audio.format if request.audio else None
    return next((each for each in FORMATS if each == wanted), None)


def _speech(
    config: GenerationConfig, request: ChatCompletionRequest, facts: ModelFacts, notes: Notes
) -> dict[str, object]:
    audio = request.audio
    if audio is None:
        msg = "'modalities' asks for audio, so 'audio' must name a voice and a format."
        raise ApiError(400, msg, param="audio", code="missing_required_parameter")
    wanted = _audio_format(request)
    formats = STREAMED if request.stream else FORMATS
    if wanted is None or wanted not in formats:
        where = " in a stream" if audio.format in FORMATS else ""
        msg = f"'audio.format' is {show(audio.format)}; speech comes{where} as {', '.join(formats)}."
        raise ApiError(400, msg, param="audio.format", code="unsupported_value")
    if native := native_format(written_format(wanted), facts):
        config["responseFormat"] = {"audio": {"mimeType": native}}
    elif not can_encode(written_format(wanted)):
        raise not_encodable(wanted, "audio.format")
    notes.drop_unknown(audio.model_extra, "audio.")
    return {"voiceConfig": voice_config(audio.voice, "audio.voice", facts, notes)}
