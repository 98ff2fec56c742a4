from typing import Any

import pytest

from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.vertex.methods import count_body, embedding_calls, embeddings_in, models_in


def asked(*texts: str, **settings: Any) -> dict[str, Any]:
    return {"requests": [{"model": "models/x", "content": {"parts": [{"text": text}]}, **settings} for text in texts]}


def test_tokens_are_counted_of_fields_at_the_top_level() -> None:
    whole = {"model": "models/x", "contents": [1], "systemInstruction": 2, "tools": [3], "toolConfig": {}, "safety": 4}
    counted = count_body({"generateContentRequest": whole})
    assert counted == {"contents": [1], "systemInstruction": 2, "tools": [3]}
    assert count_body({"contents": [1]}) == {"contents": [1]}


def test_embedding_001_is_a_prediction_for_each_text() -> None:
    calls = embedding_calls(
        "gemini-embedding-001", asked("a", "b", taskType="RETRIEVAL_QUERY", outputDimensionality=256)
    )
    assert [call.method for call in calls] == ["predict", "predict"]
    assert calls[1].body == {
        "instances": [{"content": "b", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 256},
    }


def test_older_models_take_many_texts_at_once() -> None:
    (call,) = embedding_calls("text-embedding-005", asked("a", "b", title="t"))
    assert call.body == {"instances": [{"content": "a", "title": "t"}, {"content": "b", "title": "t"}]}


def test_embedding_2_is_asked_for_one_content_at_a_time_media_included() -> None:
    body = asked("a", outputDimensionality=256)
    image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    body["requests"].append({"model": "models/x", "content": {"parts": [image]}})
    first, second = embedding_calls("gemini-embedding-2", body)
    assert (first.method, first.body) == (
        "embedContent",
        {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 256},
    )
    assert second.body == {"content": {"parts": [image]}}


def test_media_for_a_model_of_text_alone_are_refused() -> None:
    with pytest.raises(GeminiError, match="text alone"):
        embedding_calls("gemini-embedding-001", {"requests": [{"content": {"parts": [{"inlineData": {}}]}}]})


def test_vectors_of_both_forms_are_one_list_in_order_with_all_tokens() -> None:
    predicted = [{"embeddings": {"values": [n], "statistics": {"token_count": 2, "truncated": False}}} for n in (1, 2)]
    found = embeddings_in(
        [{"predictions": predicted}, {"embedding": {"values": [3]}, "usageMetadata": {"promptTokenCount": 5}}]
    )
    assert found == {
        "embeddings": [{"values": [1]}, {"values": [2]}, {"values": [3]}],
        "usageMetadata": {"promptTokenCount": 9},
    }


def test_tokens_that_one_answer_does_not_give_are_not_guessed() -> None:
    assert "usageMetadata" not in embeddings_in([{"embedding": {"values": [3]}}])


def test_a_prediction_without_vectors_is_no_answer() -> None:
    with pytest.raises(TransportError):
        embeddings_in([{"predictions": [{"x": 1}]}])


def test_the_list_of_publisher_models_is_googles_list_with_methods_by_the_catalog() -> None:
    page = models_in(
        {
            "publisherModels": [
                {"name": "publishers/google/models/gemini-2.5-flash", "versionId": "001"},
                {"name": "publishers/google/models/gemini-embedding-001"},
                {"name": "publishers/google/models/imagen-4.0-generate-001"},
                {"bad": 1},
            ],
            "nextPageToken": "t",
        },
        Catalog(),
    )
    models: Any = page["models"]
    assert [model["name"] for model in models] == [
        "models/gemini-2.5-flash",
        "models/gemini-embedding-001",
        "models/imagen-4.0-generate-001",
    ]
    assert [model["supportedGenerationMethods"][0] for model in models] == [
        "generateContent",
        "embedContent",
        "predict",
    ]
    assert models[0]["version"] == "001"
    assert page["nextPageToken"] == "t"
