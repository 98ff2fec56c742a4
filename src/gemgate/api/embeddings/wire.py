"""The request of `POST /v1/embeddings`; what becomes of each field is in `parameters.PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/embeddings/create, and openai-python 3.54; content parts are
Google's addition for multimodal models. Objects keep the fields they do not know (`model_extra`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from gemgate.wire import (
    AudioPart,
    FilePart,
    ImagePart,
    Items,
    TextPart,
    VideoPart,
    Wire,
)

Part = Annotated[TextPart | ImagePart | AudioPart | FilePart | VideoPart, Field(discriminator="type")]
Item = str | Part | Items[Part | int] | int
"""One thing to embed. Integers are tokens: they are read so that they can be refused with the way out."""


class EmbeddingRequest(Wire):
    """What is to be embedded, and how."""

    model: str
    input: str | Items[Item]
    dimensions: PositiveInt | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    extra_body: dict[str, Any] | None = None
    google: dict[str, Any] | None = None
