"""Recorded embeddings, through the translation and back."""

import functools
import math
import struct
from typing import Any

import orjson
import pybase64
import pytest
from tests.recorded.traffic import FOLDER, skip_when_absent

from gemgate.api.embeddings.translation import count_request, embeddings_from_gemini, to_gemini
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.gemini.errors import decode_error
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.extra_body import camel
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.options import EmbeddingOptions
from gemgate.translation.validation import parse

skip_when_absent()

HOST = "generativelanguage.googleapis.com"
OPTIONS = EmbeddingOptions(Catalog())


@functools.cache
def exchanges(method: str) -> list[dict[str, Any]]:
    """The recorded calls of a method of the Developer API."""
    lines = [line for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    records = [orjson.loads(line) for line in lines if method.encode() in line]
    return [
        record
        for record in records
        if (url := record["request"]["url"] or "").partition("?")[0].endswith(f":{method}") and HOST in url
    ]


def answered(method: str) -> list[dict[str, Any]]:
    """Those that went well."""
    return [record for record in exchanges(method) if record["response"]["status"] == 200]


def named(records: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("record", records, ids=[record["name"] for record in records])


def as_openai(native: dict[str, Any]) -> dict[str, Any]:
    """The request that a caller of ours would have made."""
    requests = [camel(request) for request in native["requests"]]
    first = requests[0]
    optional = {"dimensions": first.get("outputDimensionality")}
    google = {"task_type": first.get("taskType"), "title": first.get("title")}
    return {
        "model": first["model"],
        "input": [_item(request["content"]["parts"]) for request in requests],
        "extra_body": {"google": google},
        **{name: value for name, value in optional.items() if value is not None},
    }


def as_batch(answer: dict[str, Any]) -> Any:
    """The answer of `embedContent` as that of a batch of one."""
    return {**answer, "embeddings": [answer["embedding"]]} if "embedding" in answer else answer


def _item(parts: list[dict[str, Any]]) -> Any:
    if len(parts) == 1 and "text" in parts[0]:
        return parts[0]["text"]
    return [_part(part) for part in parts]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    blob = part["inlineData"]
    return {"type": "image_url", "image_url": {"url": f"data:{blob['mimeType']};base64,{blob['data']}"}}


@named([record for record in answered("batchEmbedContents") if record["request"]["body"]])
def test_a_recorded_request_comes_out_of_ours(record: dict[str, Any]) -> None:
    native = record["request"]["body"]
    translation = to_gemini(parse(EmbeddingRequest, orjson.dumps(as_openai(native))), OPTIONS)
    expected = [camel(request) for request in native["requests"]]
    if not translation.facts.task_types:
        for request in expected:
            if request.pop("taskType", None) is not None:
                assert translation.notes.dropped == ["extra_body.google.task_type"]
    assert translation.bodies == [{"requests": expected}]
    assert record["request"]["url"].partition("?")[0].endswith(f"/{translation.model}:batchEmbedContents")


@named(answered("batchEmbedContents") + answered("embedContent"))
def test_recorded_vectors_keep_their_direction_and_have_length_one(record: dict[str, Any]) -> None:
    native = as_batch(record["response"]["body"])
    count = len((record["request"]["body"] or {}).get("requests", native["embeddings"]))
    plain = embeddings_from_gemini(native, count, is_base64=False)
    packed = embeddings_from_gemini(native, count, is_base64=True)
    for embedding, written, text in zip(native["embeddings"], plain.vectors, packed.vectors, strict=True):
        values, floats = embedding["values"], orjson.loads(orjson.dumps(written))
        length = math.hypot(*values)
        assert math.hypot(*floats) == pytest.approx(1, abs=1e-6)
        assert floats == (values if abs(length - 1) < 1e-6 else pytest.approx([value / length for value in values]))
        assert isinstance(text, str)
        assert struct.unpack(f"<{len(values)}f", pybase64.b64decode(text)) == pytest.approx(floats, rel=2**-23)
    usage = native.get("usageMetadata", {})
    assert plain.tokens == packed.tokens == usage.get("promptTokenCount")


def test_the_recordings_hold_every_kind() -> None:
    records = answered("batchEmbedContents")
    assert len(records) > 25
    lengths = [math.hypot(*record["response"]["body"]["embeddings"][0]["values"]) for record in records]
    assert min(lengths) < 0.6
    assert any("usageMetadata" in record["response"]["body"] for record in records)
    requests = [record["request"]["body"]["requests"][0] for record in records if record["request"]["body"]]
    assert any(len(request["content"]["parts"]) > 1 for request in requests)


@named([record for record in exchanges("batchEmbedContents") if record["response"]["status"] != 200])
def test_a_recorded_refusal_is_openais(record: dict[str, Any]) -> None:
    response = record["response"]
    error = error_from_gemini(decode_error(response["status"], orjson.dumps(response["body"])))
    assert (error.status, error.code) == (404, "model_not_found")


@named([record for record in answered("countTokens") if "embedding" in record["request"]["url"]])
def test_tokens_of_embeddings_are_counted_as_recorded(record: dict[str, Any]) -> None:
    (content,) = record["request"]["body"]["contents"]
    asked = {"model": "gemini-embedding-001", "input": [part["text"] for part in content["parts"]]}
    (body,) = to_gemini(parse(EmbeddingRequest, orjson.dumps(asked)), OPTIONS).bodies
    assert count_request(body) == record["request"]["body"]
