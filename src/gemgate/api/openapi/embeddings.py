"""The answers of `POST /v1/embeddings`.

Source: https://platform.openai.com/docs/api-reference/embeddings/object
"""

from typing import Literal

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12


class Embedding(TypedDict):
    """A vector of length 1: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Tokens of the input."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(TypedDict):
    """One vector for each item of the input, in its order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
