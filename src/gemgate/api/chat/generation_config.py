"""Sampling, length, logprobs and modalities as `generationConfig`."""

from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerationConfig
from gemgate.translation.notes import Notes
from gemgate.translation.sampling import add_penalties, add_sampling, lowered_limit
from gemgate.translation.speech.voices import voice_config

_MAX_STOPS = 5
_AUDIO_FORMATS = ("wav", "pcm16")


def generation_config(request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> GenerationConfig:
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
        config["speechConfig"] = _speech(request, facts, notes)
    elif "image" in wanted:
        config["responseModalities"] = [modality.upper() for modality in wanted]


def _speech(request: ChatCompletionRequest, facts: ModelFacts, notes: Notes) -> dict[str, object]:
    audio = request.audio
    if audio is None:
        msg = "'modalities' asks for audio, so 'audio' must name a voice and a format."
        raise ApiError(400, msg, param="audio", code="missing_required_parameter")
    formats = _AUDIO_FORMATS[1:] if request.stream else _AUDIO_FORMATS
    if audio.format not in formats:
        msg = f"'audio.format' is {audio.format!r}; Gemini's speech comes as {' or '.join(formats)}."
        raise ApiError(400, msg, param="audio.format", code="unsupported_value")
    notes.drop_unknown(audio.model_extra, "audio.")
    return {"voiceConfig": voice_config(audio.voice, "audio.voice", facts, notes)}
