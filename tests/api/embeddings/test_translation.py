"""An embeddings request as native requests, and vectors as OpenAI's clients read them."""

import math
import struct
from typing import Any, get_type_hints

import orjson
import pybase64
import pytest
from openai.types import embedding_create_params

from gemgate.api.embeddings.inputs import media_of
from gemgate.api.embeddings.translation import (
    EmbeddingsAnswer,
    EmbeddingsTranslation,
    count_request,
    embedding_list,
    embeddings_from_gemini,
    to_gemini,
    unit,
)
from gemgate.api.embeddings.wire import DROPPED, PARAMETERS, EmbeddingRequest
from gemgate.errors import ApiError
from gemgate.gemini.errors import TransportError
from gemgate.gemini.model_catalog import Catalog
from gemgate.media.references import RemoteRef
from gemgate.translation.options import EmbeddingOptions, Policy
from gemgate.translation.validation import parse

MODEL = "gemini-embedding-001"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
FILES = "https://generativelanguage.googleapis.com/v1beta/files/abc"


def translate(policy: Policy = "warn", **body: Any) -> EmbeddingsTranslation:
    raw = orjson.dumps({"model": MODEL, "input": "Hi", **body})
    return to_gemini(parse(EmbeddingRequest, raw), EmbeddingOptions(Catalog(), unsupported_params=policy))


def error(policy: Policy = "warn", **body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(policy, **body)
    assert caught.value.status == 400
    return caught.value


def parts(given: Any) -> list[Any]:
    """The parts of each request that an input becomes."""
    return [request["content"]["parts"] for body in translate(input=given).bodies for request in body["requests"]]


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(PARAMETERS) == set(EmbeddingRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    assert set(get_type_hints(embedding_create_params.EmbeddingCreateParams)) <= set(PARAMETERS)


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert translate().bodies == [
        {"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "Hi"}]}}]}
    ]


@pytest.mark.parametrize("asked", [MODEL, f"models/{MODEL}", f"google/{MODEL}"])
def test_a_prefix_of_the_model_does_not_matter_and_comes_back(asked: str) -> None:
    translation = translate(model=asked)
    assert (translation.asked, translation.model) == (asked, f"models/{MODEL}")


def test_a_name_that_is_no_models_is_refused() -> None:
    assert error(model="../x").param == "model"


class TestInput:
    @pytest.mark.parametrize(
        ("given", "native"),
        [
            ("a", [[{"text": "a"}]]),
            (["a", " "], [[{"text": "a"}], [{"text": " "}]]),
            ([{"type": "text", "text": "a"}, "b"], [[{"text": "a"}], [{"text": "b"}]]),
            (
                [
                    [
                        {"type": "text", "text": "a"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    ],
                    "b",
                ],
                [[{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}], [{"text": "b"}]],
            ),
            (
                [{"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}],
                [[{"inlineData": {"mimeType": "audio/wav", "data": WAV}}]],
            ),
            (
                [{"type": "input_audio", "input_audio": {"data": f"data:audio/wav;base64,{WAV}"}}],
                [[{"inlineData": {"mimeType": "audio/wav", "data": WAV}}]],
            ),
            (
                [{"type": "input_audio", "input_audio": {"data": WAV}}],
                [[{"inlineData": {"mimeType": "audio/wav", "data": WAV}}]],
            ),
            ([{"type": "file", "file": {"file_id": "files/abc"}}], [[{"fileData": {"fileUri": FILES}}]]),
            (
                [{"type": "file", "file": {"file_data": PNG, "filename": "a.png"}}],
                [[{"inlineData": {"mimeType": "image/png", "data": PNG}}]],
            ),
            (
                [{"type": "file", "file": {"file_data": f"data:;base64,{PNG}"}}],
                [[{"inlineData": {"mimeType": "image/png", "data": PNG}}]],
            ),
            ([{"type": "image_url", "image_url": {"url": FILES}}], [[{"fileData": {"fileUri": FILES}}]]),
            (
                [{"type": "video_url", "video_url": {"url": "gs://bucket/a.mp4"}}],
                [[{"fileData": {"fileUri": "gs://bucket/a.mp4", "mimeType": "video/mp4"}}]],
            ),
        ],
    )
    def test_input_becomes_one_request_an_item(self, given: Any, native: Any) -> None:
        assert parts(given) == native

    @pytest.mark.parametrize(
        ("given", "param", "code"),
        [
            ("", "input", "invalid_value"),
            (["a", "b", "c", ""], "input[3]", "invalid_value"),
            ([{"type": "text", "text": ""}], "input[0].text", "invalid_value"),
            ([["x"]], "input[0][0]", "invalid_type"),
            ([], "input", "array_below_min_length"),
            (["a", []], "input[1]", "array_below_min_length"),
            (["a"] * 2049, "input", "array_above_max_length"),
            ([1, 2, 3], "input", "unsupported_value"),
            ([5] * 8191, "input", "unsupported_value"),
            ([[1, 2], [3]], "input[0]", "unsupported_value"),
            (["a", [3]], "input[1]", "unsupported_value"),
            (5, "input", "invalid_type"),
            ([None], "input[0]", "invalid_type"),
            ([{"type": "text"}], "input[0].text", "missing_required_parameter"),
            ([{"type": "refusal", "refusal": "no"}], "input[0].type", "invalid_value"),
            (
                [{"type": "image_url", "image_url": {"url": "https://x.org/a.png"}}],
                "input[0].image_url.url",
                "invalid_image_url",
            ),
            ([{"type": "image_url", "image_url": {"url": "cat.png"}}], "input[0].image_url.url", "invalid_image_url"),
            (
                [{"type": "image_url", "image_url": {"url": "data:image/png;base64,ä"}}],
                "input[0].image_url.url",
                "invalid_base64",
            ),
            ([{"type": "input_audio", "input_audio": {"data": "ä"}}], "input[0].input_audio.data", "invalid_base64"),
            ([[{"type": "file", "file": {"file_data": "ä"}}]], "input[0][0].file.file_data", "invalid_base64"),
            ([{"type": "file", "file": {}}], "input[0].file.file_data", "missing_required_parameter"),
            ([{"type": "file", "file": {"file_id": "file-1"}}], "input[0].file.file_id", "invalid_value"),
        ],
    )
    def test_input_that_cannot_be_embedded_is_refused_by_name(self, given: Any, param: str, code: str) -> None:
        refused = error(input=given)
        assert (refused.param, refused.code) == (param, code)

    def test_input_of_tokens_is_refused_with_the_switch_that_helps(self) -> None:
        assert "check_embedding_ctx_length=False" in error(input=[[1, 2, 3]]).message

    def test_remote_urls_in_the_input_are_listed_once_each_with_their_parameter(self) -> None:
        first, second = ({"type": "image_url", "image_url": {"url": f"https://x.org/{n}.png"}} for n in (1, 2))
        request = EmbeddingRequest.model_validate({"model": "m", "input": ["a", first, [second, first], [1]]})
        assert media_of(request) == [
            RemoteRef("https://x.org/1.png", "input[1].image_url.url"),
            RemoteRef("https://x.org/2.png", "input[2][0].image_url.url"),
        ]
        assert media_of(EmbeddingRequest.model_validate({"model": "m", "input": "a"})) == []

    def test_a_remote_url_that_nobody_fetched_is_refused_with_the_way_out(self) -> None:
        refused = error(input=[{"type": "image_url", "image_url": {"url": "https://x.org/a.png"}}])
        assert refused.param == "input[0].image_url.url"
        assert "data URL" in refused.message

    def test_input_is_cut_into_calls_of_a_hundred_in_order(self) -> None:
        bodies = translate(input=[f"text {number}" for number in range(205)]).bodies
        assert [len(body["requests"]) for body in bodies] == [100, 100, 5]
        assert bodies[2]["requests"][4]["content"] == {"parts": [{"text": "text 204"}]}

    def test_input_of_2048_items_is_taken(self) -> None:
        assert len(translate(input=["a"] * 2048).bodies) == 21

    def test_input_is_counted_as_turns_of_the_user(self) -> None:
        assert count_request(translate(input=["a", "b"]).bodies[0]) == {
            "contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "b"}]}]
        }


class TestOptions:
    def test_dimensions_are_asked_for_in_every_request(self) -> None:
        (body,) = translate(input=["a", "b"], dimensions=768).bodies
        assert [request["outputDimensionality"] for request in body["requests"]] == [768, 768]

    @pytest.mark.parametrize(("value", "code"), [(0, "integer_below_min_value"), ("x", "invalid_type")])
    def test_dimensions_are_a_positive_number(self, value: Any, code: str) -> None:
        refused = error(dimensions=value)
        assert (refused.param, refused.code) == ("dimensions", code)

    def test_another_encoding_is_refused(self) -> None:
        assert error(encoding_format="int8").param == "encoding_format"

    @pytest.mark.parametrize(
        "given",
        [
            {"extra_body": {"google": {"task_type": "retrieval_document", "title": "T"}}},
            {"google": {"taskType": "RETRIEVAL_DOCUMENT", "title": "T"}},
            {"extra_body": {"extra_body": {"google": {"taskType": "RETRIEVAL_DOCUMENT", "title": "T"}}}},
        ],
    )
    def test_task_type_and_title_reach_gemini_in_every_nesting(self, given: dict[str, Any]) -> None:
        translation = translate(**given)
        (request,) = translation.bodies[0]["requests"]
        assert (request["taskType"], request["title"]) == ("RETRIEVAL_DOCUMENT", "T")
        assert translation.notes.headers() == {}

    def test_a_task_type_that_the_model_ignores_is_dropped_visibly(self) -> None:
        google = {"task_type": "RETRIEVAL_QUERY", "title": "T"}
        translation = translate(model="gemini-embedding-2", extra_body={"google": google})
        assert translation.bodies == translate(model="gemini-embedding-2").bodies
        assert translation.notes.dropped == ["extra_body.google.task_type", "extra_body.google.title"]
        refused = error("strict", model="gemini-embedding-2", extra_body={"google": google})
        assert refused.code == "unsupported_parameter"

    def test_an_option_that_is_no_text_is_refused(self) -> None:
        assert error(google={"task_type": 5}).param == "extra_body.google.task_type"

    def test_the_user_is_dropped_visibly(self) -> None:
        assert {"user"} == DROPPED
        assert translate(user="u").notes.headers() == {"x-gemgate-dropped-params": "user"}
        assert translate(user=None).notes.headers() == {}
        assert error("strict", user="u").param == "user"

    def test_what_nobody_knows_is_dropped_visibly(self) -> None:
        given = [
            {"type": "text", "text": "a", "shape": 1},
            {"type": "image_url", "image_url": {"url": FILES, "detail": "low"}},
            {"type": "video_url", "video_url": {"url": FILES, "shape": 1}},
            {"type": "input_audio", "input_audio": {"data": WAV, "speed": 1}},
            {"type": "file", "file": {"file_id": "files/abc", "size": 1}},
        ]
        assert translate(input=given, size=1, extra_body={"google": {"shoe": 44}}).notes.dropped == [
            "size",
            "extra_body.google.shoe",
            "input[].shape",
            "input[].image_url.detail",
            "input[].video_url.shape",
            "input[].input_audio.speed",
            "input[].file.size",
        ]


class TestVectors:
    @pytest.mark.parametrize("length", [0.588, 3.0, 1e-30, 1 + 2e-5])
    def test_vectors_get_length_one(self, length: float) -> None:
        assert math.hypot(*unit([0.6 * length, -0.8 * length])) == pytest.approx(1, abs=1e-12)

    @pytest.mark.parametrize("values", [[0.6, -0.8], [0.6, -0.8000001], [0.0, 0.0, 0.0]])
    def test_vectors_of_length_one_or_zero_stay_exactly_as_they_are(self, values: list[float]) -> None:
        assert unit(values) is values

    @pytest.mark.parametrize("values", [[0.6, -0.8], [3.0, 4.0, 12.0], [0, 1], [0.0] * 4])
    def test_vectors_are_the_same_in_both_encodings(self, values: list[float]) -> None:
        response: Any = {"embeddings": [{"values": values}]}
        floats = orjson.loads(orjson.dumps(embeddings_from_gemini(response, 1, is_base64=False).vectors[0]))
        text = embeddings_from_gemini(response, 1, is_base64=True).vectors[0]
        assert isinstance(text, str)
        decoded = struct.unpack(f"<{len(values)}f", pybase64.b64decode(text, validate=True))
        assert decoded == pytest.approx(floats, rel=2**-23)

    def test_vectors_in_base64_are_little_endian_float32(self) -> None:
        response: Any = {"embeddings": [{"values": [1.0]}]}
        assert embeddings_from_gemini(response, 1, is_base64=True).vectors == ["AACAPw=="]

    @pytest.mark.parametrize("is_base64", [True, False])
    @pytest.mark.parametrize(
        "response",
        [
            {},
            {"embeddings": None},
            {"embeddings": [{"values": [1.0]}] * 2},
            {"embeddings": [{}]},
            {"embeddings": [{"values": None}]},
            {"embeddings": [{"values": ["x"]}]},
            {"embeddings": [{"values": {}}]},
            {"embeddings": [{"values": "12"}]},
            {"embeddings": [None]},
        ],
    )
    def test_vectors_that_are_missing_or_broken_are_googles_failure(self, response: Any, is_base64: bool) -> None:
        with pytest.raises(TransportError) as caught:
            embeddings_from_gemini(response, 1, is_base64=is_base64)
        assert caught.value.status == 502


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"usageMetadata": {"promptTokenCount": 7}}, 7),
        ({"usageMetadata": {}}, None),
        ({"usageMetadata": None}, None),
        ({}, None),
    ],
)
def test_tokens_are_googles_word_or_unknown(usage: dict[str, Any], tokens: int | None) -> None:
    response: Any = {"embeddings": [{"values": [1.0]}], **usage}
    assert embeddings_from_gemini(response, 1, is_base64=False).tokens == tokens


def test_the_answers_of_several_calls_are_one_list() -> None:
    translation = translate(model=f"models/{MODEL}", input=["a", "b", "c"])
    answers = [EmbeddingsAnswer(["AAAA", "BBBB"], 5), EmbeddingsAnswer(["CCCC"], None), EmbeddingsAnswer([], 3)]
    assert orjson.loads(embedding_list(translation, answers)) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": "AAAA"},
            {"object": "embedding", "index": 1, "embedding": "BBBB"},
            {"object": "embedding", "index": 2, "embedding": "CCCC"},
        ],
        "model": f"models/{MODEL}",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
