"""A request for texts as native requests: chat's translation of each prompt, with room for thoughts."""

from dataclasses import dataclass, replace
from typing import cast

from gemgate.api.chat.answer_context import AnswerContext
from gemgate.api.chat.request import ChatTranslation
from gemgate.api.chat.request import to_gemini as chat_to_gemini
from gemgate.api.completions.prompts import chat_of, messages_of, prompts_of
from gemgate.api.completions.wire import DEFAULT_TOKENS, TextCompletionRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig, ThinkingConfig
from gemgate.translation.extra_body import google_options
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options
from gemgate.translation.sampling import lowered_limit
from gemgate.translation.thinking import least_thinking

GOOGLE_OPTIONS = frozenset({"generation_config", "safety_settings", "thinking_config"})
"""What `extra_body.google` may hold."""

HEAD_ROOM = 1024
"""Tokens for thoughts at the lowest level, which has none or a few hundred of them."""

_OWN_HEAD_ROOM = 8192
"""The same where the caller says how to think."""

_PARAMS = {"messages": "prompt", "max_completion_tokens": "max_tokens", "top_logprobs": "logprobs"}


@dataclass(slots=True)
class TextCompletionTranslation:
    """The native requests of all prompts, and what is needed to answer the caller.

    Attributes:
        model: The model's resource name.
        body: The native request of the first prompt; empty once it was taken.
        calls: Calls of all prompts.
        notes: What was dropped and adjusted.
        chats: The translation of each prompt, without its body once that was taken.
        prompts: The texts before the answers; empty without `echo`.
        n: Texts for each prompt.
        limit: Tokens after which the gateway cuts a text; None: Google does.
        include_usage: A stream ends with a usage chunk.
    """

    model: str
    body: GenerateContentRequest
    calls: int
    notes: Notes
    chats: list[ChatTranslation]
    prompts: list[str]
    n: int
    limit: int | None
    include_usage: bool

    @property
    def context(self) -> AnswerContext:
        """What an answer must know of its request: it is the same for all prompts."""
        return self.chats[0].context

    @property
    def calls_each(self) -> int:
        """Calls of one prompt."""
        return self.chats[0].calls

    def bodies(self) -> list[GenerateContentRequest]:
        """The body of each call, prompt by prompt."""
        return [body for chat in self.chats for body in chat.bodies()]

    def take_bodies(self) -> list[GenerateContentRequest]:
        """As `bodies`, for the one time that they are sent."""
        self.body = {}
        return [body for chat in self.chats for body in chat.take_bodies()]


def to_gemini(request: TextCompletionRequest, options: Options, *, model: str = "") -> TextCompletionTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated body.
        options: The operator's decisions.
        model: The model to ask, where that is not the one that the request names.

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    prompts = prompts_of(request)
    _check(request)
    options = replace(options, show_thoughts="off")  # a text has no place for them
    unknown = Notes(options.unsupported_params)
    google = google_options(request.google, request.extra_body, GOOGLE_OPTIONS, unknown)
    chat, suffix = chat_of(request, google), request.suffix or ""
    try:
        chats = [
            chat_to_gemini(chat.model_copy(update={"messages": messages_of(prompt, suffix)}), options, model=model)
            for prompt in prompts
        ]
    except ApiError as error:
        raise in_prompt_words(error) from error
    first, notes = chats[0], chats[0].notes
    notes.dropped += unknown.dropped
    facts = options.catalog.facts(first.model)
    _note(request, prompts, notes)
    config, limit = _lengths(request, first, facts)
    for each in chats:
        if config:
            each.body["generationConfig"] = cast(
                "GenerationConfig", {**each.body.get("generationConfig", {}), **config}
            )
    return TextCompletionTranslation(
        model=first.model,
        body=first.body,
        calls=sum(each.calls for each in chats),
        notes=notes,
        chats=chats,
        prompts=prompts if request.echo else [],
        n=request.n or 1,
        limit=limit,
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )


def in_prompt_words(error: ApiError) -> ApiError:
    """An error of chat's, which names its parameters, for a caller who has sent prompts."""
    if error.param is not None:
        head, bracket, rest = error.param.partition("[")
        error.param = _PARAMS.get(head, head) + ("" if head in _PARAMS else bracket + rest)
    return error


def _check(request: TextCompletionRequest) -> None:
    if request.echo and request.logprobs is not None:
        msg = "'echo' with 'logprobs' asks for the probabilities of the prompt, which Gemini does not give."
        raise ApiError(400, msg, param="echo", code="unsupported_value")
    if request.best_of is not None and request.best_of < (request.n or 1):
        msg = f"'best_of' is {request.best_of}, and must not be less than 'n', which is {request.n}."
        raise ApiError(400, msg, param="best_of", code="invalid_value")
    if request.best_of is not None and request.best_of > 1 and request.stream:
        msg = "The best of several texts cannot be streamed: send 'stream': false, or leave 'best_of' out."
        raise ApiError(400, msg, param="best_of", code="invalid_value")
    if request.max_tokens == 0:
        msg = "'max_tokens' is 0, and Gemini writes one token at least."
        raise ApiError(400, msg, param="max_tokens", code="invalid_value")


def _note(request: TextCompletionRequest, prompts: list[str], notes: Notes) -> None:
    notes.drop_unknown(request.model_extra)
    if request.stream_options is not None:
        notes.drop_unknown(request.stream_options.model_extra, "stream_options.")
    if request.best_of is not None and request.best_of > (request.n or 1):
        notes.drop("best_of")
    if request.suffix:
        notes.adjust("suffix=prompted")
    elif not all(prompt.strip() for prompt in prompts):
        notes.adjust("prompt=''->begin")


def _lengths(
    request: TextCompletionRequest, chat: ChatTranslation, facts: ModelFacts
) -> tuple[GenerationConfig, int | None]:
    """What bounds the text and the thoughts, and the tokens after which the gateway cuts.

    Thoughts count against `maxOutputTokens`: 16 of them would leave no text. So a model that cannot stop thinking gets
    room for the least that it thinks.
    """
    config: GenerationConfig = {}
    notes, given = chat.notes, chat.body.get("generationConfig", {})
    own = given.get("thinkingConfig")
    if own is None and (least := least_thinking(facts)):
        config["thinkingConfig"] = least
    wanted = DEFAULT_TOKENS if request.max_tokens is None else request.max_tokens
    is_own = "generation_config.maxOutputTokens" in notes.explicit
    if wanted == -1 or is_own or "maxOutputTokens" in facts.refused_fields:
        if wanted != -1 and not is_own:
            notes.drop("max_tokens")
        return config, None
    room = _head_room(own, facts)
    longest = lowered_limit(wanted, "max_tokens", facts, notes)
    config["maxOutputTokens"] = min(longest + room, facts.output_limit)
    if not room:
        return config, None
    notes.adjust(f"max_tokens={wanted}->{config['maxOutputTokens']}")
    return config, longest


def _head_room(own: ThinkingConfig | None, facts: ModelFacts) -> int:
    """Tokens for thoughts; 0 where there are none."""
    if own is not None:
        budget = own.get("thinkingBudget")
        return budget if isinstance(budget, int) and budget >= 0 else _OWN_HEAD_ROOM
    if facts.thinking == "none" or (facts.thinking == "budget" and facts.can_stop_thinking):
        return 0
    return max(HEAD_ROOM, facts.budget[0]) if facts.thinking == "budget" else HEAD_ROOM
