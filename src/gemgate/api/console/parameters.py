"""What becomes of each parameter of each endpoint, from the endpoints' own tables."""

from collections.abc import Mapping

from gemgate.api.chat.wire import PARAMETERS as CHAT
from gemgate.api.completions.wire import PARAMETERS as COMPLETIONS
from gemgate.api.decisions.wire import PARAMETERS as DECISIONS
from gemgate.api.embeddings.wire import PARAMETERS as EMBEDDINGS
from gemgate.api.images.wire import EDITS, GENERATIONS, VARIATIONS
from gemgate.api.moderations.wire import PARAMETERS as MODERATIONS
from gemgate.api.responses.wire import PARAMETERS as RESPONSES
from gemgate.api.speech.wire import PARAMETERS as SPEECH
from gemgate.api.transcriptions.wire import TRANSCRIPTIONS, TRANSLATIONS
from gemgate.translation.parameters import ParameterSupport

TABLES: Mapping[str, Mapping[str, ParameterSupport]] = {
    "chat/completions": CHAT,
    "responses": RESPONSES,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
    "images/generations": GENERATIONS,
    "images/edits": EDITS,
    "images/variations": VARIATIONS,
    "moderations": MODERATIONS,
    "decisions": DECISIONS,
    "audio/speech": SPEECH,
    "audio/transcriptions": TRANSCRIPTIONS,
    "audio/translations": TRANSLATIONS,
}
"""By the path of the endpoint, without its version: those whose requests the inspector translates."""


def shown() -> dict[str, dict[str, dict[str, str]]]:
    """The tables as JSON: for each endpoint and parameter its `kind` and the `text` that explains it."""
    return {
        path: {name: {"kind": support.kind, "text": support.text} for name, support in table.items()}
        for path, table in TABLES.items()
    }
