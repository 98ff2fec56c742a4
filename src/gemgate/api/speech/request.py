"""A request for speech as a native request."""

import re
from dataclasses import dataclass

from gemgate.api.speech.wire import SpeechRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, GenerationConfig, Part
from gemgate.model_routing.model_name import model_name
from gemgate.translation.extra_body import google_options, list_option, object_option
from gemgate.translation.model_purpose import unfit_model
from gemgate.translation.native_options import override_config
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options
from gemgate.translation.other_spellings import take_google
from gemgate.translation.speech.encoders import SpeechFormat, can_encode
from gemgate.translation.speech.voices import voice_config
from gemgate.translation.speech.writer import native_format, not_encodable
from gemgate.translation.turns import ItemBudget

GOOGLE_OPTIONS = frozenset({"generation_config", "safety_settings", "speech_config", "speech_metadata"})
"""What `extra_body.google` may hold."""

OPENAI_MODELS = {
    "tts-1": "gemini-3.8-flash-lite-tts",
    "tts-1-hd": "gemini-3.8-flash-tts",
    "gpt-4o-mini-tts": "gemini-3.8-flash-lite-tts",
    "gpt-4o-mini-tts-2025-12-15": "gemini-3.8-flash-lite-tts",
}
"""OpenAI's models, and Gemini's that answer to their names unless the operator's table says otherwise."""

MAX_DIALOGUE = 1_000_000
"""Characters of a text of several speakers."""

MAX_REPEATED = 1_000_000
"""Characters of what is said of each turn of such a text, all turns together."""

_TURN = re.compile(r"[ \t]*+([^:\n]{1,80}+):[ \t]*+(.*+)")


@dataclass(slots=True)
class SpeechTranslation:
    """A native request, and what is needed to answer the caller.

    Attributes:
        model: The model's resource name, such as `models/gemini-3.8-flash-tts`.
        body: The native request; empty once it was taken.
        calls: 1.
        notes: What was dropped and adjusted.
        format: What the caller gets.
    """

    model: str
    body: GenerateContentRequest
    calls: int
    notes: Notes
    format: SpeechFormat

    def take_bodies(self) -> list[GenerateContentRequest]:
        """The body, for the one time that it is sent."""
        body, self.body = self.body, {}
        return [body]


def to_gemini(request: SpeechRequest, options: Options, *, model: str = "") -> SpeechTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated body.
        options: The operator's decisions.
        model: The model to ask, where that is not the one that the request names.

    Raises:
        ApiError: 400 that names the parameter which Gemini or this installation cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    _check_model(model, facts)
    google = google_options(_google(request, notes), request.extra_body, GOOGLE_OPTIONS, notes)
    if not isinstance(request.voice, str):
        notes.drop_unknown(request.voice.model_extra, "voice.")
    config: GenerationConfig = {
        "responseModalities": ["AUDIO"],
        "speechConfig": object_option(google, "speech_config") or _voice(request, facts, notes),
    }
    wanted: SpeechFormat = request.response_format or "mp3"
    if native := native_format(wanted, facts):
        config["responseFormat"] = {"audio": {"mimeType": native}}
    elif not can_encode(wanted):
        raise not_encodable(wanted, "response_format")
    override_config(config, object_option(google, "generation_config"), facts, notes)
    body: GenerateContentRequest = {
        "contents": [{"role": "user", "parts": _parts(request, google, config, facts, notes)}]
    }
    if safety := list_option(google, "safety_settings"):
        body["safetySettings"] = safety
    body["generationConfig"] = config
    if "store" not in facts.refused_fields:
        body["store"] = False
    return SpeechTranslation(model, body, 1, notes, wanted)


def _google(request: SpeechRequest, notes: Notes) -> dict[str, object] | None:
    """The field `google`, with Google's options from the top level; what is left there is noted as dropped."""
    if not request.model_extra:
        return request.google
    extra = dict(request.model_extra)
    google = take_google(extra, request.google, request.extra_body, notes, GOOGLE_OPTIONS)
    notes.drop_unknown(extra)
    return request.google if google is None else google


def _check_model(model: str, facts: ModelFacts) -> None:
    if facts.speech:
        return
    raise unfit_model(model, "does not speak", "Use one such as gemini-3.8-flash-tts.", {"speech": True})


def _voice(request: SpeechRequest, facts: ModelFacts, notes: Notes) -> dict[str, object]:
    voice = request.voice if isinstance(request.voice, str) else {"id": request.voice.id}
    return {"voiceConfig": voice_config(voice, "voice", facts, notes)}


def _parts(
    request: SpeechRequest, google: dict[str, object], config: GenerationConfig, facts: ModelFacts, notes: Notes
) -> list[Part]:
    """The text, and how it is said: beside it or, on older models, before it."""
    style = _style(request, notes)
    if facts.speech_style == "text":
        if google.get("speech_metadata"):
            notes.drop("extra_body.google.speech_metadata")
        return [{"text": f"{style}: {request.input}" if style else request.input}]
    metadata = {**({"style": style} if style else {}), **object_option(google, "speech_metadata")}
    turns = _turns(request.input, _speakers(config)) or [("", request.input)]
    _check_dialogue(turns, metadata)
    return [_part(text, {**({"speaker": speaker} if speaker else {}), **metadata}) for speaker, text in turns]


def _check_dialogue(turns: list[tuple[str, str]], metadata: dict[str, object]) -> None:
    """Refuse so many turns, or so long a style of each, that what is sent is many times what came.

    Raises:
        ApiError: 400, naming the parameter.
    """
    ItemBudget().take(len(turns), "input")
    if len(turns) > 1 and (size := len(turns) * len(str(metadata))) > MAX_REPEATED:
        msg = (
            f"How to speak is repeated for each of the {len(turns):,} turns of the text, and makes {size:,} "
            f"characters; at most {MAX_REPEATED:,} are sent. Shorten 'instructions', or send fewer turns."
        )
        raise ApiError(400, msg, param="instructions", code="string_above_max_length")


def _part(text: str, metadata: dict[str, object]) -> Part:
    part: dict[str, object] = {"text": text, **({"speechMetadata": metadata} if metadata else {})}
    return part  # type: ignore[return-value]  # a field that only models which speak have


def _style(request: SpeechRequest, notes: Notes) -> str:
    """How to say it, in words without a colon at the end."""
    style = (request.instructions or "").strip().rstrip(":.")
    if request.speed is None or request.speed == 1:
        return style
    pace = f"at {request.speed:g} times the normal pace"
    notes.adjust(f"speed={request.speed:g}->style")
    return f"{style}, {pace}" if style else f"Speak {pace}"


def _speakers(config: GenerationConfig) -> set[str]:
    """The names of several speakers."""
    several = (config.get("speechConfig") or {}).get("multiSpeakerVoiceConfig")
    voices = several.get("speakerVoiceConfigs") if isinstance(several, dict) else None
    if not isinstance(voices, list):
        return set()
    found = [voice.get("speaker") for voice in voices if isinstance(voice, dict)]
    return {name for name in found if isinstance(name, str) and name}


def _turns(text: str, speakers: set[str]) -> list[tuple[str, str]]:
    """Who says what, of a text whose lines begin with a speaker's name and a colon; empty if it has none of these.

    Raises:
        ApiError: 400, the text is too long to be looked at line by line.
    """
    if not speakers:
        return []
    if len(text) > MAX_DIALOGUE:
        msg = f"A text of several speakers has at most {MAX_DIALOGUE:,} characters, and 'input' has {len(text):,}."
        raise ApiError(400, msg, param="input", code="string_above_max_length")
    turns: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        found = _TURN.fullmatch(line)
        if found and found[1].strip() in speakers:
            turns.append((found[1].strip(), [found[2]]))
        elif turns:
            turns[-1][1].append(line)
        elif line.strip():
            return []
    return [(speaker, "\n".join(lines).strip()) for speaker, lines in turns]
