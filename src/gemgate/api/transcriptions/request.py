"""A request for a transcript, or for a translation, as a native request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemgate.api.transcriptions.cutting import can_cut
from gemgate.api.transcriptions.languages import native_code
from gemgate.api.transcriptions.plan import TIMED, HeardAudio, TranscriptPlan
from gemgate.api.transcriptions.prompt import instructions, schema, vocabulary_in
from gemgate.api.transcriptions.wire import (
    RECOGNIZER,
    TRANSLATOR,
    TranscriptFormat,
    TranscriptionRequest,
    TranslationRequest,
)
from gemgate.errors import ApiError, duration
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig, Part, ThinkingConfig
from gemgate.model_routing.model_name import model_name
from gemgate.translation.extra_body import google_options, list_option, object_option
from gemgate.translation.model_purpose import unfit_model
from gemgate.translation.native_options import override_config
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options
from gemgate.translation.sampling import add_sampling

GOOGLE_OPTIONS = frozenset({"generation_config", "safety_settings"})
"""What `extra_body.google` may hold."""

_WHISPERS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-latest",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-03-20",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
)
TRANSCRIBING = dict.fromkeys(_WHISPERS, RECOGNIZER)
"""OpenAI's models, and Gemini's that transcribes under their names unless the operator's table says otherwise."""

TRANSLATING = dict.fromkeys(_WHISPERS, TRANSLATOR)
"""The same for translations, which need a general model."""

MAX_VOCABULARY = 1000
"""Words and terms that the model takes: google-genai 3.6.1, `AudioTranscriptionConfig`."""

_STREAMED = frozenset({"json", "text", "diarized_json"})


@dataclass(slots=True)
class TranscriptionTranslation:
    """A native request, and what is needed to answer the caller.

    Attributes:
        model: The model's resource name, such as `models/gemini-3.5-transcribe`.
        body: The native request; empty once it was taken.
        calls: One for each piece of the audio.
        notes: What was dropped and adjusted.
        plan: How the answer is read and written.
        pieces: The parts that stand in the place of the first one, for the calls after the first.
    """

    model: str
    body: GenerateContentRequest
    calls: int
    notes: Notes
    plan: TranscriptPlan
    pieces: Sequence[Part] = ()

    def take_bodies(self) -> list[GenerateContentRequest]:
        """The body for each piece of the audio, for the one time that they are sent."""
        body, self.body = self.body, {}
        if not self.pieces:
            return [body]
        (content,) = body["contents"]
        bodies = [body]
        for piece in self.pieces:
            following = body.copy()
            following["contents"] = [{**content, "parts": [piece, *content["parts"][1:]]}]
            bodies.append(following)
        return bodies


def to_gemini(
    request: TranscriptionRequest | TranslationRequest, audio: HeardAudio, options: Options, *, model: str = ""
) -> TranscriptionTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated fields.
        audio: The file.
        options: The operator's decisions.
        model: The model to ask, where that is not the one that the request names.

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    plan = _plan(request, audio)
    _check_model(model, facts, plan)
    _drop(request, notes)
    google = google_options(request.google, request.extra_body, GOOGLE_OPTIONS, notes)
    config: GenerationConfig = {}
    if facts.purpose == "transcription" and isinstance(request, TranscriptionRequest):
        _check_length(audio, facts, model, longest_piece(request, facts), is_timed=plan.needs_times)
        parts = [audio.parts[0]]
        plan = _recognize(config, request, plan, facts, notes)
    else:
        plan = replace(plan, is_structured=plan.needs_times, has_words=False)
        parts = _ask(config, request, plan, audio, facts, notes)
    add_sampling(config, request.temperature, None, None, facts, notes)
    override_config(config, object_option(google, "generation_config"), facts, notes)
    body: GenerateContentRequest = {"contents": [{"role": "user", "parts": parts}]}
    if safety := list_option(google, "safety_settings"):
        body["safetySettings"] = safety
    if config:
        body["generationConfig"] = config
    if "store" not in facts.refused_fields:
        body["store"] = False
    if audio.spans:
        notes.adjust(f"file={len(audio.spans)} pieces")
    return TranscriptionTranslation(model, body, len(audio.parts), notes, plan, audio.parts[1:])


def _plan(request: TranscriptionRequest | TranslationRequest, audio: HeardAudio) -> TranscriptPlan:
    wanted: TranscriptFormat = request.response_format or "json"
    temperature = request.temperature or 0.0
    if isinstance(request, TranslationRequest):
        return TranscriptPlan(
            wanted,
            is_translation=True,
            language="english",
            seconds=audio.seconds,
            temperature=temperature,
            spans=audio.spans,
        )
    asked = request.timestamp_granularities or ["segment"]
    return TranscriptPlan(
        wanted,
        has_words="word" in asked,
        has_segments="segment" in asked,
        language=request.language or "",
        seconds=audio.seconds,
        temperature=temperature,
        spans=audio.spans,
    )


def _check_model(model: str, facts: ModelFacts, plan: TranscriptPlan) -> None:
    hears = facts.purpose == "chat" and not (facts.speech or facts.images)
    if facts.purpose == "transcription" and plan.is_translation:
        name = model.removeprefix("models/")
        msg = f"The model '{name}' transcribes and does not translate. Use a general one such as {TRANSLATOR}."
        raise ApiError(400, msg, param="model", code="model_not_supported")
    if facts.purpose != "transcription" and not hears:
        known = TRANSLATOR if plan.is_translation else f"{RECOGNIZER} or {TRANSLATOR}"
        raise unfit_model(model, "does not transcribe", f"Use one such as {known}.", {"purpose": "transcription"})


def longest_piece(request: TranscriptionRequest | TranslationRequest, facts: ModelFacts) -> int:
    """The longest audio, in seconds, that the model takes for this request; 0: only the tokens are limited."""
    if facts.purpose != "transcription" or isinstance(request, TranslationRequest):
        return 0
    is_timed = (request.response_format or "json") in TIMED
    return facts.timed_audio_limit if is_timed else facts.audio_limit


def _check_length(audio: HeardAudio, facts: ModelFacts, model: str, longest: int, *, is_timed: bool) -> None:
    lasting = max((span.end - span.start for span in audio.spans), default=audio.seconds)
    if lasting is None or not longest or lasting <= longest:
        return
    what = " with times or speakers" if is_timed else ""
    other = f" Without times it takes {duration(facts.audio_limit)}." if facts.audio_limit > longest else ""
    msg = (
        f"'file' lasts {duration(audio.seconds or lasting)}, and {model.removeprefix('models/')} takes "
        f"{duration(longest)} at most{what}.{other} {_way_out(audio)}, or ask a general model such as {TRANSLATOR}."
    )
    raise ApiError(400, msg, param="file", code="audio_too_long")


def _way_out(audio: HeardAudio) -> str:
    if audio.mime_type == "audio/wav" or can_cut(audio.mime_type):
        return "Send it in pieces"
    return "Send it as WAV, have the operator install gemgate[audio], which cuts other files"


def _drop(request: TranscriptionRequest | TranslationRequest, notes: Notes) -> None:
    notes.drop_unknown(request.model_extra)
    if request.stream and (request.response_format or "json") not in _STREAMED:
        notes.drop("stream")
    if isinstance(request, TranslationRequest):
        return
    for name in ("include", "chunking_strategy", "known_speaker_names", "known_speaker_references"):
        if getattr(request, name):
            notes.drop(name)
    if request.timestamp_granularities and request.response_format != "verbose_json":
        notes.drop("timestamp_granularities")


def _recognize(
    config: GenerationConfig,
    request: TranscriptionRequest,
    plan: TranscriptPlan,
    facts: ModelFacts,
    notes: Notes,
) -> TranscriptPlan:
    """Set the options of the model that recognizes speech."""
    wanted: dict[str, object] = {}
    if codes := _codes(request, notes):
        wanted["languageCodes"] = codes
    if words := _vocabulary(request, notes):
        wanted["customVocabulary"] = words
    if plan.needs_times:
        wanted["wordTimestamp"] = True
    if plan.format == "diarized_json":
        wanted["diarization"] = True
    if not wanted:
        return plan
    if "audioTranscriptionConfig" not in facts.refused_fields:
        config["audioTranscriptionConfig"] = wanted
        return plan
    for native, name in _OPENAI_NAMES.items():
        if native in wanted and getattr(request, name, None):
            notes.drop(name)
    return plan


_OPENAI_NAMES = {"languageCodes": "language", "customVocabulary": "prompt", "wordTimestamp": "timestamp_granularities"}


def _codes(request: TranscriptionRequest, notes: Notes) -> list[str]:
    codes = []
    for asked in [*([request.language] if request.language else []), *(request.languages or ())]:
        code = native_code(asked)
        if code is None:
            msg = f"'language': {asked[:40]!r} is not a language. Write it as ISO 639-1 has it, such as 'en'."
            raise ApiError(400, msg, param="language", code="invalid_value")
        if code not in codes:
            codes.append(code)
            if code.lower() != asked.lower():
                notes.adjust(f"language={asked}->{code}")
    return codes


def _vocabulary(request: TranscriptionRequest, notes: Notes) -> list[str]:
    listed = vocabulary_in(request.prompt) if request.prompt else []
    if request.prompt and not listed:
        notes.drop("prompt")
    words = list(dict.fromkeys([*(word for word in request.keywords or () if word.strip()), *listed]))
    if len(words) > MAX_VOCABULARY:
        notes.adjust(f"keywords={len(words)}->{MAX_VOCABULARY}")
    return words[:MAX_VOCABULARY]


def _ask(
    config: GenerationConfig,
    request: TranscriptionRequest | TranslationRequest,
    plan: TranscriptPlan,
    audio: HeardAudio,
    facts: ModelFacts,
    notes: Notes,
) -> list[Part]:
    """Set the options of a general model, and tell it what to do with the audio."""
    if isinstance(request, TranscriptionRequest) and "word" in (request.timestamp_granularities or ()):
        notes.drop("timestamp_granularities=word")
    if plan.is_structured:
        config["responseMimeType"] = "application/json"
        if "responseJsonSchema" not in facts.refused_fields:
            config["responseJsonSchema"] = schema(plan)
        notes.adjust("timestamps=estimated")
    if (thinking := _least_thinking(facts)) and "thinkingConfig" not in facts.refused_fields:
        config["thinkingConfig"] = thinking
    return [audio.parts[0], {"text": instructions(request, plan)}]


def _least_thinking(facts: ModelFacts) -> ThinkingConfig:
    """To write down what is said needs no thoughts, which cost time and tokens."""
    if facts.thinking == "level":
        return {"thinkingLevel": facts.levels[0]}
    return {"thinkingBudget": 0} if facts.thinking == "budget" and facts.can_stop_thinking else {}
