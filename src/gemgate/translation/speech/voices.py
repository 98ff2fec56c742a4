"""Voices by OpenAI's names and by Gemini's own."""

from collections.abc import Mapping

from gemgate.gemini.model_facts import ModelFacts
from gemgate.translation.notes import Notes

# OpenAI's voices, and Gemini's that come near. Other names are taken for Gemini's own.
VOICES = {
    "alloy": "Kore",
    "ash": "Charon",
    "ballad": "Enceladus",
    "cedar": "Iapetus",
    "coral": "Leda",
    "echo": "Puck",
    "fable": "Fenrir",
    "marin": "Despina",
    "nova": "Aoede",
    "onyx": "Orus",
    "sage": "Sulafat",
    "shimmer": "Zephyr",
    "verse": "Umbriel",
}

PREBUILT = (
    "Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe", "Autonoe", "Enceladus",
    "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib", "Rasalgethi", "Laomedeia", "Achernar", "Alnilam",
    "Schedar", "Gacrux", "Pulcherrima", "Achird", "Zubenelgenubi", "Vindemiatrix", "Sadachbia", "Sadaltager",
    "Sulafat",
)  # fmt: skip
"""Gemini's prebuilt voices: https://ai.google.dev/gemini-api/docs/speech-generation."""

_SPELLINGS = {name.lower(): name for name in PREBUILT}


def voice_config(voice: str | Mapping[str, object], param: str, facts: ModelFacts, notes: Notes) -> dict[str, object]:
    """The `voiceConfig` of a voice, given by name or as `{"id": …}`.

    Newer models take the ids of designed and replicated voices in a field of its own
    (https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/text-to-speech/migration-guide).

    Args:
        voice: The caller's.
        param: Where it was given, for the note about another name.
        facts: Of the model.
        notes: Where it is noted.
    """
    asked = voice if isinstance(voice, str) else str(voice.get("id", ""))
    name = VOICES.get(asked.lower()) or _SPELLINGS.get(asked.lower(), asked)
    if name.lower() != asked.lower():
        notes.adjust(f"{param}={asked}->{name}")
    if facts.speech_style == "metadata" and name not in PREBUILT:
        return {"voice": name}
    return {"prebuiltVoiceConfig": {"voiceName": name}}
