"""Facts of models that differ where Vertex AI is asked: what is said here goes before the table of models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.vertex.differences import KNOWN_TO_TRANSLATORS

SOURCE = "Vertex AI: google-genai 3.6.1; calls and reports named in gemini/vertex/facts.py"
"""Where these facts come from."""


@dataclass(frozen=True, slots=True)
class VertexRow:
    """Facts of the models in Vertex AI whose names a pattern fits.

    Attributes:
        pattern: As of `fnmatch`.
        changes: Facts by their names.
        source: Where that is known from.
    """

    pattern: str
    changes: Mapping[str, object] = field(default_factory=dict)
    source: str = ""


ROWS = (
    VertexRow(
        "*",
        {"call_ids": False, "mcp_servers": False},
        "google-genai 3.6.1; vercel/ai 14655 and 15891, LiteLLM PR 28324",
    ),
    VertexRow(
        "gemini-3.1-flash-image*",
        {"thinking": "level", "levels": ("MINIMAL", "LOW", "MEDIUM", "HIGH")},
        "calls of 2026-09-30 (pydantic-ai 2.68): the full scale, of which the Developer API takes two levels",
    ),
    VertexRow(
        "gemini-embedding-001",
        {"embedding_usage": True},
        "google-genai 3.6.1: the statistics of each embedding hold its tokens",
    ),
)
"""All rows that fit a name hold, later ones before earlier ones."""


def changes_of(name: str, facts: ModelFacts) -> dict[str, object]:
    """What is different of the model `name`, whose facts at the Developer API are `facts`, in Vertex AI."""
    changes: dict[str, object] = {}
    for row in ROWS:
        if fnmatchcase(name, row.pattern):
            changes |= row.changes
    changes["refused_fields"] = (*facts.refused_fields, *KNOWN_TO_TRANSLATORS)
    return changes


@dataclass(frozen=True, slots=True)
class EmbeddingRow:
    """How Vertex AI embeds with the models whose names a pattern fits.

    Attributes:
        pattern: As of `fnmatch`.
        method: `embedContent`, with one content; or `predict`, with texts.
        texts: How many texts one call takes.
        source: Where that is known from.
    """

    pattern: str
    method: str
    texts: int
    source: str


EMBEDDING_ROWS = (
    EmbeddingRow("gemini-embedding-001", "predict", 1, "google-genai 3.6.1, `EmbeddingApiType`; docs: one text a call"),
    EmbeddingRow("text-*", "predict", 100, "google-genai 3.6.1, `EmbeddingApiType`"),
    EmbeddingRow("*", "embedContent", 1, "google-genai 3.6.1, `EmbeddingApiType`"),
)
"""The first row that fits a name holds."""


@dataclass(frozen=True, slots=True)
class EmbeddingJobRow:
    """Where Vertex AI runs batch jobs of an embedding model.

    Attributes:
        name: The model.
        locations: In which of the locations.
        source: Where that is known from.
    """

    name: str
    locations: tuple[str, ...]
    source: str


_EMBEDDING_JOBS = (
    "docs.cloud.google.com/gemini-enterprise-agent-platform/models/embeddings/batch-prediction-genai-embeddings"
)
EMBEDDING_JOB_ROWS = (
    EmbeddingJobRow(
        "gemini-embedding-001",
        ("us-central1", "us-east1", "us-east4", "us-west1", "us-west4", "europe-west1", "europe-west4"),
        _EMBEDDING_JOBS,
    ),
    EmbeddingJobRow("gemini-embedding-2", ("global", "us", "eu"), _EMBEDDING_JOBS),
)
"""The models whose jobs take a key with each content and give it back. Those of `text-embedding-…` give none back, and
take one size of vectors for a whole job (llumiverse PR 647): the gateway does not use them."""


def embedding_job_locations(name: str) -> tuple[str, ...]:
    """Where batch jobs of the embedding model `name` run; empty for a model that is not in the table."""
    return next((row.locations for row in EMBEDDING_JOB_ROWS if row.name == name), ())


def embedding_row(name: str) -> EmbeddingRow:
    """The row of the model `name`."""
    return next(row for row in EMBEDDING_ROWS if fnmatchcase(name, row.pattern))
