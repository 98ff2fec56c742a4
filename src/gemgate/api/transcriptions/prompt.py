"""What general models are asked, and the words that the model which recognizes speech is given."""

import re

from gemgate.api.transcriptions.languages import english_name
from gemgate.api.transcriptions.plan import TranscriptPlan
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest

_LONGEST_TERM = 60
_WORDS_OF_A_TERM = 5
_LISTS = re.compile(r"[,;\n\u3001\uff0c\uff1b]")

_TRANSCRIBE = "Transcribe the speech in this audio word for word, in the language that is spoken."
_TRANSLATE = "Translate the speech in this audio into English."
_ALONE = "Answer with the {what} alone: without a heading, times, names of speakers or descriptions of other sounds."
_SEGMENTS = (
    "Answer with JSON: `segments` in the order of their times, each a sentence or less, with `start` and `end` from "
    "the beginning of the audio as MM:SS.mmm, and `text`"
)


def vocabulary_in(prompt: str) -> list[str]:
    """The names and terms of a prompt that is a list of them; empty for sentences.

    OpenAI's prompt is free text, which Gemini's speech recognition has no field for; a list is its vocabulary.
    """
    terms = [term.strip(" \t\r.\"'") for term in _LISTS.split(prompt)]
    terms = [term for term in terms if term]
    is_list = all(len(term) <= _LONGEST_TERM and len(term.split()) <= _WORDS_OF_A_TERM for term in terms)
    return list(dict.fromkeys(terms)) if is_list else []


def instructions(request: TranscriptionRequest | TranslationRequest, plan: TranscriptPlan) -> str:
    """The text beside the audio."""
    what = "translation" if plan.is_translation else "transcript"
    lines = [_TRANSLATE if plan.is_translation else _TRANSCRIBE]
    if not plan.is_structured:
        lines.append(_ALONE.format(what=what))
    else:
        speaker = ", and `speaker`, a letter for each voice: A, B, …" if plan.format == "diarized_json" else ""
        lines.append(f"{_SEGMENTS}{speaker}. `language` is the ISO 639-1 code of the spoken language.")
    lines.append("If nobody speaks, leave it empty.")
    if isinstance(request, TranscriptionRequest):
        if named := [english_name(each) for each in (request.language, *(request.languages or ())) if each]:
            lines.append(f"The language is {' or '.join(dict.fromkeys(named))}.")
        if request.keywords:
            lines.append(f"These may occur, in this spelling: {', '.join(request.keywords)}.")
    if request.prompt:
        lines.append(f"What was said before, or how to spell it, which is not to be repeated: {request.prompt}")
    return "\n".join(lines)


def schema(plan: TranscriptPlan) -> dict[str, object]:
    """The JSON Schema of segments with their times, which are texts: models write numbers of seconds worse."""
    time = {"type": "string", "description": "MM:SS.mmm"}
    fields: dict[str, object] = {"start": time, "end": time}
    if plan.format == "diarized_json":
        fields["speaker"] = {"type": "string"}
    fields["text"] = {"type": "string"}
    segment = {"type": "object", "properties": fields, "required": list(fields)}
    properties = {"language": {"type": "string"}, "segments": {"type": "array", "items": segment}}
    return {"type": "object", "properties": properties, "required": list(properties)}
