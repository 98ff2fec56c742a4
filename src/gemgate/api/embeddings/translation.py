"""An embeddings request as native requests, and their answers as one list of vectors."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
import pybase64

from gemgate.api.embeddings.inputs import contents
from gemgate.api.embeddings.item_settings import NAMES, settings_in, take_item_settings, task_type
from gemgate.api.embeddings.wire import DROPPED, EmbeddingRequest
from gemgate.errors import ApiError
from gemgate.gemini.errors import Failure, TransportError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import (
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    Content,
    CountTokensRequest,
    EmbedContentRequest,
)
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.translation.content import ContentTranslator
from gemgate.translation.extra_body import google_options
from gemgate.translation.notes import Notes
from gemgate.translation.options import EmbeddingOptions

GOOGLE_OPTIONS = frozenset({"task_type", "title"})
"""What `extra_body.google` may hold."""

BATCH = 100
"""The most requests that `batchEmbedContents` takes."""

UNIT = 1e-5
"""How far from 1 a length may be and stay: what Google normalises is off by 2e-7 at most (recorded)."""

Encoded = str | orjson.Fragment
"""A vector as it is in the answer: base64, or a JSON array that is written already."""


@dataclass(frozen=True, slots=True)
class EmbeddingsTranslation:
    """Native requests, and what is needed to understand their answers.

    Attributes:
        asked: The model's name as it was asked for.
        model: The model's resource name, such as `models/gemini-embedding-001`.
        bodies: The body of each call, in the order of the input.
        facts: What is known about the model.
        is_base64: Whether vectors are answered as base64.
        notes: What was dropped and adjusted.
    """

    asked: str
    model: str
    bodies: list[BatchEmbedContentsRequest]
    facts: ModelFacts
    is_base64: bool
    notes: Notes


@dataclass(frozen=True, slots=True)
class EmbeddingsAnswer:
    """What the calls for one chunk of the input gave; `tokens` is None where Google did not report."""

    vectors: list[Encoded] = field(default_factory=list)
    tokens: int | None = None


def to_gemini(
    request: EmbeddingRequest, options: EmbeddingOptions, media: Resolved | None = None, *, model: str = ""
) -> EmbeddingsTranslation:
    """Translate `request`: one native request for each item, at most `BATCH` in a call.

    Args:
        request: The validated body.
        options: The operator's decisions.
        media: What was fetched or looked up before (`content.media_of` lists what is needed).
        model: The model to ask, where that is not the one that the request names.

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    for name in sorted(request.model_fields_set & DROPPED):
        if getattr(request, name) is not None:
            notes.drop(name)
    extra = request.model_extra or {}
    notes.drop_unknown({name: value for name, value in extra.items() if name not in NAMES})
    settings = settings_in(extra, "", facts, notes)
    settings |= _settings(request, facts, notes)
    request, own = take_item_settings(request, facts, notes)
    translator = ContentTranslator(facts, notes, media or {}, options.remote_media, place="input[]", takes_detail=False)
    found = contents(request, translator)
    _check_repeated(model, settings, found)
    requests: list[EmbedContentRequest] = [
        {"model": model, "content": content, **settings, **own.get(index, {})} for index, content in enumerate(found)
    ]
    bodies: list[BatchEmbedContentsRequest] = [
        {"requests": requests[start : start + BATCH]} for start in range(0, len(requests), BATCH)
    ]
    return EmbeddingsTranslation(request.model, model, bodies, facts, request.encoding_format == "base64", notes)


def count_request(body: BatchEmbedContentsRequest) -> CountTokensRequest:
    """The `countTokens` request for the contents of one call."""
    return {"contents": [{"role": "user", **item["content"]} for item in body["requests"]]}


def embeddings_from_gemini(response: BatchEmbedContentsResponse, expected: int, *, is_base64: bool) -> EmbeddingsAnswer:
    """The answer of one call, with vectors of length 1.

    Raises:
        TransportError: 502, when it does not hold `expected` vectors of numbers.
    """
    embeddings = response.get("embeddings") or []
    if len(embeddings) != expected:
        raise _unreadable(f"{len(embeddings)} vectors for {expected} inputs")
    encode = _base64 if is_base64 else _json
    try:
        vectors = [encode(unit(embedding["values"])) for embedding in embeddings]
    except (KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise _unreadable("a vector that is not a list of numbers") from error
    tokens = (response.get("usageMetadata") or {}).get("promptTokenCount")
    return EmbeddingsAnswer(vectors, tokens if isinstance(tokens, int) else None)


def embedding_list(translation: EmbeddingsTranslation, answers: Sequence[EmbeddingsAnswer]) -> bytes:
    """The whole answer as JSON; tokens that Google did not report count as none."""
    vectors = [vector for answer in answers for vector in answer.vectors]
    tokens = sum(answer.tokens or 0 for answer in answers)
    return orjson.dumps(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
            ],
            "model": translation.asked,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def unit(values: list[float]) -> list[float]:
    """`values` scaled to length 1; what has it already, and what has no direction, stays as it is.

    `math.hypot` is the quickest norm there is without a numerical library: a quarter of `sum(map(mul, v, v))`.

    Raises:
        TypeError: they are not a list of numbers.
    """
    if not isinstance(values, list):
        raise TypeError
    length = math.hypot(*values)
    if abs(length - 1) <= UNIT or not length:
        return values
    return [value / length for value in values]


def _base64(values: list[float]) -> str:
    """Little-endian float32, as OpenAI's clients decode it, whatever this machine's byte order is."""
    return pybase64.b64encode_as_string(struct.pack(f"<{len(values)}f", *values))


def _json(values: list[float]) -> orjson.Fragment:
    """Written for each call by itself, so that a large answer does not hold up the event loop in one piece."""
    return orjson.Fragment(orjson.dumps(values))


def _settings(request: EmbeddingRequest, facts: ModelFacts, notes: Notes) -> EmbedContentRequest:
    settings: EmbedContentRequest = {}
    google = google_options(request.google, request.extra_body, GOOGLE_OPTIONS, notes)
    for name, value in google.items():
        param = f"extra_body.google.{name}"
        if not isinstance(value, str):
            raise ApiError(400, f"'{param}' must be a string.", param=param, code="invalid_type")
        if not facts.task_types:
            notes.drop(param)
        elif name == "task_type":
            settings["taskType"] = task_type(value)
        elif name == "title":
            settings["title"] = value
    if request.dimensions is not None:
        settings["outputDimensionality"] = request.dimensions
    return settings


_FREE = 16_384  # characters


def _check_repeated(model: str, settings: EmbedContentRequest, found: list[Content]) -> None:
    """What is in each native request, of which there is one for each item, must not be most of what is sent."""
    repeated = len(settings.get("title", "")) + len(settings.get("taskType", "")) + max(len(model) - _USUAL_NAME, 0)
    if repeated * len(found) <= _FREE:
        return
    given = sum(len(part.get("text", "")) for content in found for part in content.get("parts", ()))
    if repeated * len(found) > _FREE + _MAX_REPEATED * given:
        param = "extra_body.google.title"
        msg = (
            f"'{param}' and 'model' have {repeated} characters that stand beside each of the {len(found)} items: that "
            f"is over {_MAX_REPEATED} times as much as the items themselves. Send fewer items, or a shorter title."
        )
        raise ApiError(400, msg, param=param, code="invalid_value")


_USUAL_NAME = 64
_MAX_REPEATED = 8


def _unreadable(what: str) -> TransportError:
    return TransportError(Failure.INVALID_BODY, f"The Gemini API sent {what}.")
