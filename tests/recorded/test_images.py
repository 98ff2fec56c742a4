"""Every recorded image, and every refusal of one, in the words of OpenAI's API."""

import base64
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

import orjson
import pytest
from openai.types import ImagesResponse
from PIL import Image
from tests.recorded.traffic import FOLDER, Json, skip_when_absent

from gemgate.api.images.pictures import from_generate, from_predict, images_response
from gemgate.api.images.refusals import image_error
from gemgate.api.images.request import to_gemini
from gemgate.api.images.wire import GenerationRequest
from gemgate.errors import ApiError
from gemgate.gemini.errors import TransportError, decode_error
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.options import TranslationOptions

skip_when_absent()


class Call(NamedTuple):
    """A recorded call whose answer is one JSON object."""

    name: str
    method: str
    request: Any
    status: int
    answer: Json


@cache
def calls(method: str) -> list[Call]:
    found = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = orjson.loads(line)
            url, answer = record["request"]["url"] or "", record["response"]["body"]
            if f":{method}" in url and f":{method}L" not in url and isinstance(answer, dict):
                request = record["request"].get("body")
                found.append(Call(record["name"], method, request, record["response"]["status"], answer))
    return found


def images_of(answer: Json) -> list[str]:
    """The images of an answer of `generateContent`, read without the product's help."""
    parts = [
        part
        for candidate in answer.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if not part.get("thought") and part.get("inlineData", {}).get("mimeType", "").startswith("image/")
    ]
    return [part["inlineData"]["data"] for part in parts]


def prove(response: Json, images: list[str]) -> None:
    """The answer holds these images, and tells truly what they are."""
    ImagesResponse.model_validate(response, strict=True)
    assert [item["b64_json"] for item in response["data"]] == images
    kinds = {image[:4]: {"iVBO": "png", "/9j/": "jpeg"}[image[:4]] for image in images}
    assert {response["output_format"]} == set(kinds.values())
    assert response["size"] == "{}x{}".format(*Image.open(BytesIO(base64.b64decode(images[0]))).size)


def drawn() -> list[Call]:
    return [call for call in calls("generateContent") if call.status == 200 and images_of(call.answer)]


def predicted() -> list[Call]:
    return [call for call in calls("predict") if "generate-images" in call.name or "GenerateImages" in call.name]


def test_the_recordings_hold_images_and_refusals_of_each_kind() -> None:
    assert len(drawn()) >= 15
    assert len(predicted()) >= 7


@pytest.mark.parametrize("call", drawn(), ids=lambda call: call.name)
def test_a_recorded_image_is_given_with_its_tokens(call: Call) -> None:
    response = images_response([from_generate(call.answer)], created=1)  # type: ignore[arg-type]
    prove(response, images_of(call.answer))
    meta, usage = call.answer["usageMetadata"], response["usage"]
    assert usage["total_tokens"] == meta["totalTokenCount"]
    assert usage["input_tokens"] + usage["output_tokens"] == meta["totalTokenCount"]
    image_tokens = sum(item["tokenCount"] for item in meta["candidatesTokensDetails"] if item["modality"] == "IMAGE")
    assert usage["output_tokens_details"]["image_tokens"] == image_tokens


@pytest.mark.parametrize("call", predicted(), ids=lambda call: call.name)
def test_a_recorded_prediction_is_given_or_refused_with_the_reason(call: Call) -> None:
    predictions = call.answer.get("predictions", [])
    images = [item["bytesBase64Encoded"] for item in predictions if "bytesBase64Encoded" in item]
    reasons = [item["raiFilteredReason"] for item in predictions if "raiFilteredReason" in item]
    if call.status == 400:
        error = image_error(decode_error(400, orjson.dumps(call.answer)), is_imagen=True)
        assert (error.status, error.code) == (400, "moderation_blocked")
        assert call.answer["error"]["message"] in error.message
    elif images:
        prove(images_response([from_predict(call.answer)], created=1), images)  # type: ignore[arg-type]
    elif reasons:
        with pytest.raises(ApiError) as refused:
            from_predict(call.answer)  # type: ignore[arg-type]
        assert (refused.value.status, refused.value.code) == (400, "moderation_blocked")
        assert all(reason in refused.value.message for reason in reasons)
    else:
        with pytest.raises(TransportError, match="hold no images"):
            from_predict(call.answer)  # type: ignore[arg-type]


def test_every_other_recorded_answer_is_a_refusal_or_a_failure() -> None:
    others = [call for call in calls("generateContent") if call.status == 200 and not images_of(call.answer)]
    assert len(others) > 500
    codes = set()
    for call in others:
        with pytest.raises(ApiError) as refused:
            from_generate(call.answer)  # type: ignore[arg-type]
        codes.add((refused.value.status, refused.value.code))
        if call.answer.get("promptFeedback", {}).get("blockReason") and not call.answer.get("candidates"):
            assert refused.value.code == "moderation_blocked", call.name
    assert codes == {
        (400, "moderation_blocked"),
        (400, "content_policy_violation"),
        (502, "upstream_no_answer"),
    }


def test_text_that_an_image_model_answered_is_told() -> None:
    (call,) = (call for call in calls("generateContent") if call.name.endswith("google_image_or_text_output.00"))
    with pytest.raises(ApiError, match="In a hidden cave, a shy axolotl named Pip") as refused:
        from_generate(call.answer)  # type: ignore[arg-type]
    assert (refused.value.status, refused.value.code) == (400, "content_policy_violation")


def test_a_request_that_google_took_is_the_one_that_is_sent() -> None:
    (call,) = (call for call in calls("generateContent") if call.name.endswith("nano_banana_image_generation_smoke.00"))
    prompt = call.request["contents"][0]["parts"][0]["text"]
    request = GenerationRequest(model="gemini-2.5-flash-image", prompt=prompt, size="1024x1024")
    (body,) = to_gemini(request, TranslationOptions(Catalog()), "generateContent").bodies
    assert body["contents"] == call.request["contents"]
    assert body["generationConfig"] == call.request["generationConfig"]
