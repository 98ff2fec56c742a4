"""The request of `POST /v1/moderations`; what becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/moderations/create, and openai-python 3.54. Objects keep the
fields they do not know (`model_extra`). `null` means absent.
"""

from typing import Annotated

from pydantic import Field

from gemgate.gemini.decisions import MODEL
from gemgate.translation.parameters import ParameterSupport, mapped
from gemgate.wire import ImagePart, Items, TextPart, Wire

MAX_INPUTS = 256
"""Texts of one request."""

DEFAULT_MODEL = "omni-moderation-latest"

OPENAI_MODELS = dict.fromkeys(
    (
        DEFAULT_MODEL,
        "omni-moderation-2024-09-26",
        "text-moderation-latest",
        "text-moderation-stable",
        "text-moderation-007",
    ),
    MODEL,
)
"""OpenAI's models, and Gemini's that answers to their names unless the operator's table says otherwise."""

ModeratedPart = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ModerationRequest(Wire):
    """What is to be judged: a text, several, or the parts of one input."""

    input: Annotated[str | Items[str] | Items[ModeratedPart], Field(union_mode="left_to_right")]
    model: Annotated[str, Field(min_length=1)] | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "input": mapped(
        "`input` of a decision, one for each text; a list of parts is one input. A general model gets it as the user's "
        "turn"
    ),
    "model": mapped("the model that judges; OpenAI's names are answered by `gemini-decision-1` (see above)"),
}
