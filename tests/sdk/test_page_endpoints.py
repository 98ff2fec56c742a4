"""The snippets of Google's page for embeddings, images and models run, changed only in base URL and key."""

import base64
import io
import math
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai.types import CreateEmbeddingResponse, ImagesResponse, Model
from PIL import Image
from tests.sdk.node_project import run_javascript
from tests.sdk.page import Media, run_curl, run_python, snippet
from tests.support.stack import GOOGLE, OPENAI, Stack

BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")

DIMENSIONS = 3072
SQUARE = (1024, 1024)
"""Pixels of an image of `imagen-3.0-generate-002` when no size is asked for."""

FLASH = {OPENAI: "gemini-2.0-flash", GOOGLE: "models/gemini-2.0-flash"}
"""The id of a model, by path."""


@pytest.fixture
def python(servers: Stack, media: Media, prefix: str) -> Any:
    return lambda feature: run_python(snippet(feature, "python", servers.base(prefix), media))


@pytest.fixture
def javascript(project: Path, servers: Stack, media: Media, prefix: str) -> Any:
    return lambda feature: run_javascript(project, snippet(feature, "javascript", servers.base(prefix), media))


@pytest.fixture
def curl(servers: Stack, media: Media, prefix: str) -> Any:
    return lambda feature: orjson.loads(run_curl(snippet(feature, "bash", servers.base(prefix), media)))


def is_a_vector(numbers: list[float]) -> None:
    assert len(numbers) == DIMENSIONS
    assert math.hypot(*numbers) == pytest.approx(1, abs=1e-6)


def is_an_embedding(answer: Any) -> None:
    whole = CreateEmbeddingResponse.model_validate(answer)
    (item,) = whole.data
    is_a_vector(item.embedding)
    assert (whole.object, item.object, item.index) == ("list", "embedding", 0)
    assert whole.model == "gemini-embedding-001"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens > 0


def is_a_picture(data: str | None) -> None:
    with Image.open(io.BytesIO(base64.b64decode(data or "", validate=True))) as image:
        image.load()
        assert image.size == SQUARE


@BOTH
def test_embeddings_in_python(python: Any, prefix: str) -> None:
    names = python("embeddings")
    (vector,) = names["printed"]
    is_a_vector(vector)
    is_an_embedding(names["response"].model_dump())


@BOTH
def test_embeddings_in_javascript(javascript: Any, prefix: str) -> None:
    (answer,) = javascript("embeddings")
    is_an_embedding(answer)


@needs_curl
@BOTH
def test_embeddings_by_curl(curl: Any, prefix: str) -> None:
    is_an_embedding(curl("embeddings"))


@BOTH
def test_images_in_python_can_be_shown(python: Any, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Image.Image] = []

    def show(image: Image.Image) -> None:
        shown.append(image)

    monkeypatch.setattr(Image.Image, "show", show)
    names = python("image_generation")
    (image,) = shown
    image.load()
    assert image.size == SQUARE
    assert isinstance(names["response"], ImagesResponse)


@BOTH
def test_images_in_javascript(javascript: Any, prefix: str) -> None:
    ((item,),) = javascript("image_generation")
    is_a_picture(item["b64_json"])


@needs_curl
@BOTH
def test_images_by_curl_whose_json_ends_in_a_comma(curl: Any, prefix: str) -> None:
    answer = ImagesResponse.model_validate(curl("image_generation"))
    (item,) = answer.data or []
    is_a_picture(item.b64_json)
    assert answer.created > 1_700_000_000


@BOTH
def test_listing_models_in_python(python: Any, prefix: str) -> None:
    names = python("list_models")
    assert FLASH[prefix] in names["printed"]
    assert len(set(names["printed"])) == len(names["printed"]) > 1


@BOTH
def test_listing_models_in_javascript(javascript: Any, prefix: str) -> None:
    models = [Model.model_validate(model) for model in javascript("list_models")]
    assert FLASH[prefix] in [model.id for model in models]
    assert {(model.object, model.owned_by) for model in models} == {("model", "google")}


@needs_curl
@BOTH
def test_listing_models_by_curl(curl: Any, prefix: str) -> None:
    answer = curl("list_models")
    assert answer["object"] == "list"
    assert FLASH[prefix] in [Model.model_validate(model).id for model in answer["data"]]


@BOTH
def test_retrieving_a_model_in_python(python: Any, prefix: str) -> None:
    assert python("retrieve_model")["printed"] == [FLASH[prefix]]


@BOTH
def test_retrieving_a_model_in_javascript(javascript: Any, prefix: str) -> None:
    assert javascript("retrieve_model") == [FLASH[prefix]]


@needs_curl
@BOTH
def test_retrieving_a_model_by_curl(curl: Any, prefix: str) -> None:
    model = Model.model_validate(curl("retrieve_model"))
    assert (model.id, model.object, model.owned_by) == (FLASH[prefix], "model", "google")
