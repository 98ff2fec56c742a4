"""Recorded lists of models, through the translation."""

from typing import Any

import orjson
import pytest
from openai.types import Model as OpenAiModel
from tests.recorded.traffic import FOLDER, skip_when_absent

from gemgate.api.models.translation import model_from_gemini
from gemgate.api.models.wire import Model
from gemgate.gemini.errors import decode_error
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.google_errors import error_from_gemini

skip_when_absent()


def exchanges() -> list[dict[str, Any]]:
    """The recorded calls of `models.list`."""
    lines = [line for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    records = [orjson.loads(line) for line in lines if b"/v1beta/models" in line]
    paths = [(record, (record["request"]["url"] or "").partition("?")[0]) for record in records]
    return [record for record, path in paths if path.endswith("/v1beta/models")]


LISTS = [record for record in exchanges() if record["response"]["status"] == 200]
REFUSALS = [record for record in exchanges() if record["response"]["status"] != 200]


def translated(record: dict[str, Any]) -> dict[str, Model]:
    catalog = Catalog()
    models = [model_from_gemini(native, catalog, is_prefixed=False) for native in record["response"]["body"]["models"]]
    return {model["id"]: model for model in models}


@pytest.mark.parametrize("record", LISTS, ids=[record["name"] for record in LISTS])
def test_every_recorded_model_is_openais(record: dict[str, Any]) -> None:
    models = translated(record)
    assert len(models) == len(record["response"]["body"]["models"]) >= 50
    for name, model in models.items():
        assert OpenAiModel.model_validate(model).id == name
        assert model["context_window"] > 0
        assert model["display_name"]


@pytest.mark.parametrize("record", LISTS, ids=[record["name"] for record in LISTS])
def test_what_recorded_models_can_do_is_what_their_names_say(record: dict[str, Any]) -> None:
    models = translated(record)
    for name, model in models.items():
        able = model["capabilities"]
        assert able["embeddings"] == ("embedding" in name), name
        assert able["images"] == ("image" in name or "banana" in name), name
        assert able["audio"] == ("tts" in name), name
        assert not (able["chat"] and any(kind in name for kind in ("veo", "embedding", "live", "tts"))), name
    assert models["gemini-2.5-flash"]["capabilities"]["thinking"] == "budget"
    assert models["gemini-3.5-flash"]["capabilities"]["thinking"] == "levels"
    assert models["gemini-embedding-001"]["capabilities"]["thinking"] is None


@pytest.mark.parametrize("record", REFUSALS, ids=[record["name"] for record in REFUSALS])
def test_a_recorded_refusal_is_openais(record: dict[str, Any]) -> None:
    response = record["response"]
    error = error_from_gemini(decode_error(response["status"], orjson.dumps(response["body"])))
    assert (error.status, error.code) == (401, "invalid_api_key")
