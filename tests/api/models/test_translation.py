"""A model as Google describes it, and as OpenAI would."""

from typing import Any, get_type_hints

import pytest
from openai.types import Model as OpenAiModel

from gemgate.api.models.translation import CREATED, model_from_gemini, resource_name
from gemgate.api.models.wire import Model
from gemgate.gemini.model_catalog import Catalog

NATIVE: Any = {
    "name": "models/gemini-2.5-flash",
    "version": "001",
    "displayName": "Gemini 2.5 Flash",
    "description": "Stable version of Gemini 2.5 Flash.",
    "inputTokenLimit": 1048576,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"],
    "temperature": 1,
    "thinking": True,
}


def model(is_prefixed: bool = False, **native: Any) -> Model:
    return model_from_gemini(NATIVE | native, Catalog(), is_prefixed=is_prefixed)


def capabilities(name: str, *methods: str, thinking: bool = False) -> dict[str, Any]:
    found = model(name=f"models/{name}", supportedGenerationMethods=list(methods), thinking=thinking)
    return {key: value for key, value in found["capabilities"].items() if value}


def test_a_model_is_openais_with_what_more_is_known() -> None:
    assert model() == {
        "id": "gemini-2.5-flash",
        "object": "model",
        "created": CREATED,
        "owned_by": "google",
        "display_name": "Gemini 2.5 Flash",
        "description": "Stable version of Gemini 2.5 Flash.",
        "context_window": 1048576,
        "max_output_tokens": 65536,
        "capabilities": {
            "chat": True,
            "embeddings": False,
            "images": False,
            "audio": False,
            "thinking": "budget",
            "thinking_budget": {"min": 0, "max": 24576},
        },
    }


def test_the_official_clients_required_fields_are_there() -> None:
    required = {name for name, field in OpenAiModel.model_fields.items() if field.is_required()}
    assert required <= set(get_type_hints(Model))
    assert OpenAiModel.model_validate(model()).created > 0


def test_the_id_keeps_its_prefix_where_googles_endpoint_has_it() -> None:
    assert model(is_prefixed=True)["id"] == "models/gemini-2.5-flash"


def test_what_google_does_not_tell_is_left_out() -> None:
    bare = model_from_gemini({"name": "models/x"}, Catalog(), is_prefixed=False)
    nothing = {"chat": False, "embeddings": False, "images": False, "audio": False, "thinking": None}
    assert bare == {
        "id": "x",
        "object": "model",
        "created": CREATED,
        "owned_by": "google",
        "capabilities": nothing,
    }


@pytest.mark.parametrize(
    ("name", "methods", "thinking", "able"),
    [
        ("gemini-2.5-pro", ["generateContent"], True, {"thinking_budget": {"min": 128, "max": 32768}}),
        ("gemini-2.5-flash-lite", ["generateContent"], True, {"thinking_budget": {"min": 0, "max": 24576}}),
        ("gemini-3-pro-preview", ["generateContent"], True, {"thinking_levels": ["low", "high"]}),
        ("gemini-9-pro", ["generateContent"], True, {"thinking_levels": ["low", "medium", "high"]}),
        ("gemini-9-pro", ["generateContent"], False, {}),
        ("gemma-4-31b-it", ["generateContent"], True, {"thinking_levels": ["minimal", "high"]}),
        ("gemma-3-27b-it", ["generateContent"], True, {}),
    ],
)
def test_thinking_is_set_by_a_budget_or_by_levels(
    name: str, methods: list[str], thinking: bool, able: dict[str, Any]
) -> None:
    kind = {"thinking": next(iter(able)).removeprefix("thinking_")} if able else {}
    assert capabilities(name, *methods, thinking=thinking) == {"chat": True} | kind | able


@pytest.mark.parametrize(
    ("name", "methods", "able"),
    [
        ("gemini-embedding-001", ["embedContent", "countTokens"], {"embeddings"}),
        ("text-embedding-9", ["batchEmbedContents"], {"embeddings"}),
        ("imagen-4.0-generate-001", ["predict"], {"images"}),
        ("gemini-2.5-flash-image", ["generateContent", "countTokens"], {"chat", "images"}),
        ("nano-banana-pro-preview", ["generateContent", "countTokens"], {"chat", "images"}),
        ("gemini-2.5-flash-preview-tts", ["countTokens", "generateContent"], {"audio"}),
        ("gemini-2.5-flash-native-audio-latest", ["countTokens", "bidiGenerateContent"], set()),
        ("veo-3.1-generate-preview", ["predictLongRunning"], set()),
        ("aqa", ["generateAnswer"], set()),
    ],
)
def test_capabilities_are_what_the_gateway_can_do_with_a_model(name: str, methods: list[str], able: set[str]) -> None:
    assert set(capabilities(name, *methods)) == able


@pytest.mark.parametrize("asked", ["x", "models/x", "google/x"])
def test_every_spelling_names_the_same_model(asked: str) -> None:
    assert resource_name(asked) == "models/x"
