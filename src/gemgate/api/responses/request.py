"""A request of the Responses API as a native request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gemgate.api.responses.answer_context import Opening, ResponseContext
from gemgate.api.responses.carrier import CarrierCodec, model_family
from gemgate.api.responses.generation_config import THINKING, answer_settings, generation_config, read_format
from gemgate.api.responses.history import ItemTranslator
from gemgate.api.responses.items import Item
from gemgate.api.responses.other_spellings import AS_WRITTEN, respelled
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.api.responses.tools import plan_response_tools
from gemgate.api.responses.wire import DROPPED, ResponseRequest
from gemgate.encryption import Encryptor
from gemgate.errors import ApiError
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.translation.content import ContentTranslator
from gemgate.translation.declared_calls import declared_functions
from gemgate.translation.extra_body import google_options, list_option, object_option
from gemgate.translation.model_purpose import refuse_other_purposes
from gemgate.translation.native_options import add_cache, native_tier, override_config
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options
from gemgate.translation.refused_parts import leave_out_refused
from gemgate.translation.response_format import HiddenFunction, apply_format
from gemgate.translation.thinking import show_thoughts
from gemgate.translation.tool_plan import drop_functions

GOOGLE_OPTIONS = frozenset({"cached_content", "generation_config", "safety_settings", "thinking_config"})
"""What `extra_body.google` may hold."""

INCLUDABLE = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
"""What `include` may hold."""


@dataclass(slots=True)
class ResponseTranslation:
    """A native request, and what is needed to understand its answer.

    Attributes:
        model: The model's resource name, such as `models/gemini-2.5-flash`.
        body: The native request; empty once it was taken.
        context: What the answer must know.
        calls: How many times to send it.
        notes: What was dropped and adjusted.
    """

    model: str
    body: GenerateContentRequest
    context: ResponseContext
    notes: Notes = field(default_factory=Notes)
    calls: int = 1

    def take_bodies(self) -> list[GenerateContentRequest]:
        """The body, for the one time that it is sent: it may be long, and the answer long in coming."""
        bodies: list[GenerateContentRequest] = [self.body]
        self.body = {}
        return bodies


@dataclass(frozen=True, slots=True)
class Conversation:
    """The items of a request, and how they are to be read.

    Attributes:
        items: All that was said, resolved.
        is_stored: Whether the response is kept.
        use_signatures: Whether thought signatures are sent.
        compacts: The answer is to be a summary of the conversation.
        opening: What the response begins with, if it is the summary of the conversation before.
    """

    items: Sequence[Item]
    is_stored: bool = False
    use_signatures: bool = True
    compacts: bool = False
    opening: Opening | None = None


def to_gemini(
    request: ResponseRequest,
    conversation: Conversation,
    options: Options,
    encryptor: Encryptor | None,
    *,
    model: str = "",
    caller_id: str = "",
    media: Resolved | None = None,
) -> ResponseTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated body.
        conversation: Its items, resolved.
        options: The operator's decisions.
        encryptor: For the carriers of this purpose; None: there are none.
        model: The model to ask, where that is not the one that the request names.
        caller_id: Whose carriers and thought signatures may be used.
        media: What was fetched or looked up before (`items.media_of` lists what is needed).

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    if facts.purpose != "chat":
        refuse_other_purposes(model, facts)
    words = respelled(request, facts, notes) if request.model_extra else AS_WRITTEN
    request = words.request or request
    _note_dropped(request, notes)
    if request.store is not False and not conversation.is_stored:
        notes.adjust("store->false")
    google = google_options(request.google, request.extra_body, GOOGLE_OPTIONS, notes)
    tools = plan_response_tools(request, conversation.items, facts, notes, options)
    if not facts.functions:
        drop_functions(tools.plan, notes)
    content = ContentTranslator(facts, notes, media or {}, options.remote_media, place="input[].content[]")
    turns = ItemTranslator(
        facts,
        notes,
        content,
        tools,
        options.signatures,
        CarrierCodec(encryptor, caller_id),
        model_family(model),
        caller_id,
        options.trailing_assistant,
        conversation.use_signatures,
    )
    contents, system = turns.translate(conversation.items, request.instructions)
    effort, wanted = answer_settings(request, conversation.items)
    config = generation_config(request, effort, google, facts, notes)
    if options.show_thoughts != "off":
        show_thoughts(config, facts)
    if content.resolution:
        config["mediaResolution"] = content.resolution
    if tools.draws:
        config["responseModalities"] = ["TEXT", "IMAGE"]
        if tools.image_config:
            config["imageConfig"] = tools.image_config
    has_functions = bool(tools.plan.declarations) and not facts.json_with_tools
    words.own.add_to(config, has_functions=has_functions, notes=notes)
    hidden = apply_format(read_format(wanted, tools, notes), tools.plan, config, facts, notes, "text.format")
    override_config(config, object_option(google, "generation_config"), facts, notes)
    body: GenerateContentRequest = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    tier = _add_rest(body, request, tools, google, config, notes)
    if (name := google.get("cached_content")) is not None:
        add_cache(body, name, model, facts)
    if facts.learned or facts.refused_fields:
        leave_out_refused(body, facts, options.catalog.refused_values(model), notes)
    is_json = config.get("responseMimeType") == "application/json" or hidden is not None
    context = _context(request, conversation, turns, hidden, tier, is_json=is_json)
    return ResponseTranslation(model, body, context, notes)


def _context(
    request: ResponseRequest,
    conversation: Conversation,
    turns: ItemTranslator,
    hidden: HiddenFunction | None,
    tier: str | None,
    *,
    is_json: bool,
) -> ResponseContext:
    return ResponseContext(
        tools=turns.tools,
        functions=declared_functions(turns.tools.plan.declarations),
        signatures=turns.signatures,
        codec=turns.codec,
        family=turns.family,
        caller_id=turns.caller_id,
        include=checked_include(request.include or ()),
        hidden=hidden,
        is_json=is_json,
        first_call_only=request.parallel_tool_calls is False,
        carries_parts=turns.facts.signatures,
        tier=tier,
        compacts=conversation.compacts,
        opening=conversation.opening,
        is_stored=conversation.is_stored,
    )


def _note_dropped(request: ResponseRequest, notes: Notes) -> None:
    if request.prompt is not None:
        msg = "'prompt' names a template that is kept at OpenAI: send what it says in 'instructions' and 'input'."
        raise ApiError(400, msg, param="prompt", code="unsupported_parameter")
    for name in sorted(request.model_fields_set & DROPPED):
        if getattr(request, name) is not None:
            notes.drop(name)
    extra = dict(request.model_extra or {})
    if isinstance(extra.get("response_format"), dict):
        msg = "'response_format' is a parameter of /chat/completions: send its content as 'text.format', unnested."
        raise ApiError(400, msg, param="response_format", code="unsupported_parameter")
    notes.drop_unknown(extra)
    if request.reasoning is not None:
        for name in ("context", "mode"):
            if getattr(request.reasoning, name) is not None:
                notes.drop(f"reasoning.{name}")
        extra = {name: value for name, value in (request.reasoning.model_extra or {}).items() if name not in THINKING}
        notes.drop_unknown(extra, "reasoning.")
    if request.text is not None:
        if request.text.verbosity is not None:
            notes.drop("text.verbosity")
        notes.drop_unknown(request.text.model_extra, "text.")
    if request.stream_options is not None:
        notes.drop_unknown(request.stream_options.model_extra, "stream_options.")


def checked_include(names: Sequence[str]) -> frozenset[str]:
    """What is to be included, of the `names` in `include`.

    Raises:
        ApiError: 400, naming the first that is unknown.
    """
    for index, name in enumerate(names):
        if name not in INCLUDABLE:
            param = f"include[{index}]"
            choices = ", ".join(sorted(INCLUDABLE))
            msg = f"Invalid value for '{param}': '{name[:80]}'. Supported values are: {choices}."
            raise ApiError(400, msg, param=param, code="invalid_value")
    return frozenset(names)


def _add_rest(
    body: GenerateContentRequest,
    request: ResponseRequest,
    tools: ResponseTools,
    google: Mapping[str, object],
    config: GenerationConfig,
    notes: Notes,
) -> str | None:
    """Tools, config and what is beside them; the service tier that was asked for is returned."""
    if found := tools.plan.tools():
        body["tools"] = found
    if calling := tools.plan.tool_config():
        body["toolConfig"] = calling
    if safety := list_option(google, "safety_settings"):
        body["safetySettings"] = safety
    if config:
        body["generationConfig"] = config
    if tier := native_tier(request.service_tier, notes):
        body["serviceTier"] = tier
    body["store"] = False
    return tier
