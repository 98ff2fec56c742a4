"""The emulator agrees with Google on every recorded call about embeddings, predictions, token counts and models."""

import math
from collections import Counter
from typing import Any

import httpx
import orjson
from tests.emulator.support import Call, Emulator, needs_recordings, recorded_calls

from gemgate.emulator.families import find

# What is answered differently, and why.
EXCEPTIONS: dict[str, str] = {}


async def _ask(emulator: Emulator, call: Call) -> httpx.Response:
    refused_key = "API key not valid" in str(call.answer)
    return await emulator.client.request(
        call.method,
        call.path,
        content=None if call.body is None else orjson.dumps(call.body),
        headers={"x-goog-api-key": "invalid" if refused_key else "k"},
    )


@needs_recordings
async def test_recorded_calls_are_accepted_and_refused_as_google_did(emulator: Emulator) -> None:
    wrong = {}
    asked: Counter[str] = Counter()
    for call in recorded_calls():
        response = await _ask(emulator, call)
        asked[call.kind] += 1
        reason = _reason(response.json()) if "json" in response.headers["content-type"] else "html"
        if (response.status_code, reason) != (call.status, _reason(call.answer)):
            wrong[call.name] = (response.status_code, response.text[:200])
    assert wrong.keys() == EXCEPTIONS.keys(), wrong
    assert asked["batchEmbedContents"] > 30
    assert asked["countTokens"] > 5
    assert asked["models"] > 2


def _reason(answer: dict[str, Any]) -> str:
    error = answer.get("error") or {}
    # The last sentence names ListModels or ModelService.ListModels.
    return f"{error.get('status', '')}: {error.get('message', '').split('. ')[0]}"


@needs_recordings
async def test_vectors_are_as_many_as_long_and_as_large_as_googles(emulator: Emulator) -> None:
    compared = 0
    for call in recorded_calls():
        if call.kind != "batchEmbedContents" or call.status != 200:
            continue
        ours = (await _ask(emulator, call)).json()
        assert len(ours["embeddings"]) == len(call.answer["embeddings"])
        for our, google in zip(ours["embeddings"], call.answer["embeddings"], strict=True):
            assert our.keys() == google.keys()
            assert len(our["values"]) == len(google["values"])
            assert math.isclose(math.hypot(*our["values"]), math.hypot(*google["values"]), rel_tol=0.12), call.name
            compared += 1
    assert compared > 50


@needs_recordings
async def test_usage_of_embeddings_has_googles_keys(emulator: Emulator) -> None:
    for call in recorded_calls():
        if "usageMetadata" in (call.answer or {}):
            ours = (await _ask(emulator, call)).json()["usageMetadata"]
            google = call.answer["usageMetadata"]
            assert ours.keys() == google.keys()
            assert {each["modality"] for each in ours["promptTokenDetails"]} == {
                each["modality"] for each in google["promptTokenDetails"]
            }
            assert sum(each["tokenCount"] for each in ours["promptTokenDetails"]) == ours["promptTokenCount"]


@needs_recordings
def test_models_are_described_as_google_describes_them() -> None:
    compared = set()
    described = {"displayName", "description", "version", "name"}
    for call in recorded_calls():
        if call.kind != "models" or call.status != 200:
            continue
        for google in call.answer["models"]:
            model = find(google["name"].removeprefix("models/"))
            if model is not None:
                ours = model.resource()
                assert {key: ours[key] for key in ours.keys() - described} == {
                    key: google[key] for key in google.keys() - described
                }, google["name"]
                compared.add(model.name)
    assert len(compared) > 25
