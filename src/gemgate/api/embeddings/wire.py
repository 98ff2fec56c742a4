"""The request of `POST /v1/embeddings`; what becomes of each field is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/embeddings/create, and openai-python 3.54; content parts are
Google's addition for multimodal models. Objects keep the fields they do not know (`model_extra`).
"""

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, PositiveInt

from gemgate.translation.parameters import (
    ParameterSupport,
    dropped,
    handled,
    mapped,
)
from gemgate.wire import (
    STEP,
    AudioPart,
    AudioUrlPart,
    FilePart,
    ImagePart,
    Items,
    TextPart,
    VideoPart,
    Wire,
)


def _tokens(value: object) -> list[int]:
    """The first of a list of tokens.

    Raises:
        ValueError: it begins with something else.
    """
    if not (isinstance(value, list) and value and type(value[0]) is int):
        msg = "a list of tokens begins with an integer"
        raise ValueError(msg)
    return value[:1]


Part = Annotated[
    TextPart | ImagePart | AudioPart | AudioUrlPart | FilePart | VideoPart, Field(discriminator="type"), STEP
]
Tokens = Annotated[list[int], PlainValidator(_tokens, json_schema_input_type=list[int])]
Item = Annotated[str | Part | Items[Part] | Tokens | int, Field(union_mode="left_to_right")]
"""One thing to embed. Integers are tokens: they are read so that they can be refused with the way out."""


class EmbeddingRequest(Wire):
    """What is to be embedded, and how."""

    model: str
    input: Annotated[str | Items[Item], Field(union_mode="left_to_right")]
    dimensions: PositiveInt | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    extra_body: dict[str, object] | None = None
    google: dict[str, object] | None = None


PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "input": mapped(
        "`requests[].content`, one for each item: a text, a content part, or a list of parts; a `file_id` is uploaded"
    ),
    "dimensions": mapped("`outputDimensionality`; vectors have length 1 whatever the model returns"),
    "encoding_format": handled("`float`, or `base64` of little-endian float32"),
    "extra_body": mapped(
        "`extra_body.google`: task_type, title; both dropped on models that ignore them (gemini-embedding-2)"
    ),
    "google": mapped("as `extra_body.google`"),
    "user": dropped("Gemini takes no identifiers of end users"),
}

DROPPED = frozenset(name for name, support in PARAMETERS.items() if support.kind == "dropped")
