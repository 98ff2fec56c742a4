"""The prompts of a request, each as a chat."""

from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.completions.wire import MAX_CHOICES, TextCompletionRequest
from gemgate.errors import ApiError

CONTINUE = "Continue the text. Answer with the continuation only: do not repeat the text, and do not comment on it."
FILL_IN = (
    "A text has a gap between its two parts, <before> and <after>. Answer with the text of the gap only: do not repeat "
    "either part, and do not comment on it."
)
BEGIN = "Begin a text of your choice."
"""The text in the place of an empty prompt, which Google refuses."""

_PASSED = ("frequency_penalty", "n", "presence_penalty", "seed", "temperature", "top_p")
_DROPPED = ("logit_bias", "user")
_MOST_STOPS = 5
_SHORTEST_MARK, _LONGEST_MARK = 4, 64


def prompts_of(request: TextCompletionRequest) -> list[str]:
    """The prompts as texts, in their order.

    Raises:
        ApiError: 400 for token numbers, an empty list, and more texts than a request may ask for.
    """
    given = request.prompt if request.prompt is not None else ""
    if isinstance(given, str):
        return [given]
    if not given:
        raise ApiError(400, "'prompt' is an empty list.", param="prompt", code="array_below_min_length")
    prompts = [prompt for prompt in given if isinstance(prompt, str)]
    if len(prompts) < len(given):
        msg = "'prompt' holds token numbers, and Gemini has tokens of its own: send the text."
        raise ApiError(400, msg, param="prompt", code="unsupported_value")
    if (texts := len(prompts) * (request.n or 1)) > MAX_CHOICES:
        msg = f"Invalid 'prompt': {len(prompts)} prompts times 'n' are {texts} texts, and one request may ask for "
        raise ApiError(400, f"{msg}{MAX_CHOICES}.", param="prompt", code="array_above_max_length")
    return prompts


def chat_of(request: TextCompletionRequest, google: dict[str, object]) -> ChatCompletionRequest:
    """The chat that all prompts of a request have in common, with no messages worth sending.

    Args:
        request: The validated body.
        google: What it holds for `extra_body.google`.
    """
    fields: dict[str, object] = {name: getattr(request, name) for name in (*_PASSED, *_DROPPED)}
    fields |= {"model": request.model, "stream": request.stream, "messages": [{"role": "user", "content": ""}]}
    if google:
        fields["google"] = google
    if request.logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": request.logprobs or None}
    if stops := _stops(request):
        fields["stop"] = stops
    return ChatCompletionRequest.model_validate({name: value for name, value in fields.items() if value is not None})


def messages_of(prompt: str, suffix: str) -> list[dict[str, object]]:
    """The turns that ask for what follows `prompt`, or for what is between it and `suffix`."""
    if suffix:
        text = f"<before>{prompt}</before>\n<after>{suffix}</after>"
        return [{"role": "system", "content": FILL_IN}, {"role": "user", "content": text}]
    return [{"role": "system", "content": CONTINUE}, {"role": "user", "content": prompt if prompt.strip() else BEGIN}]


def _stops(request: TextCompletionRequest) -> list[str]:
    """The stop sequences, and the beginning of the suffix: a model that fills a gap likes to go on with what follows.

    A suffix that begins like much else, such as a bracket, would end too many texts.
    """
    stops = [request.stop] if isinstance(request.stop, str) else list(request.stop or ())
    mark = (request.suffix or "").strip().partition("\n")[0][:_LONGEST_MARK]
    if len(mark) >= _SHORTEST_MARK and len(stops) < _MOST_STOPS:
        stops.append(mark)
    return stops
