"""Native answers as pictures, and pictures as OpenAI's answers."""

import base64
import struct
from typing import Any

import pytest
from openai.types import ImageEditCompletedEvent, ImageGenCompletedEvent, ImagesResponse
from tests.api.images.support import IMAGEN_IS_OFF, SHOWN_USAGE, USAGE, blob, drawn, native

from gemgate.api.images.dimensions import dimensions
from gemgate.api.images.pictures import (
    ImagesAnswer,
    Picture,
    completed_events,
    from_generate,
    from_predict,
    images_response,
    usage,
)
from gemgate.api.images.refusals import image_error
from gemgate.errors import ApiError
from gemgate.gemini.errors import Failure, GeminiError, TransportError

PNG, JPEG = drawn("png"), drawn("jpeg", (8, 4))


def drawn_by(*parts: Any, **candidate: Any) -> list[Picture]:
    return from_generate(native(*parts, **candidate)).pictures  # type: ignore[arg-type]


def refused(answer: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        from_generate(answer)
    return caught.value


def test_an_image_is_told_by_its_bytes() -> None:
    (picture,) = drawn_by(blob(JPEG, "image/png"))
    assert picture == Picture(JPEG, "jpeg", (8, 4))


def test_an_image_whose_bytes_tell_nothing_is_what_google_says() -> None:
    data = base64.b64encode(b"\0" * 40).decode()
    assert drawn_by(blob(data, "image/tiff")) == [Picture(data, "tiff")]
    assert drawn_by({"inlineData": {"data": data}}) == [Picture(data, "unknown")]


def test_thoughts_and_what_is_no_image_are_left_out() -> None:
    parts = [
        blob(JPEG, thought=True),
        {"text": "let me see", "thought": True},
        {},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"inlineData": {"mimeType": "image/png"}},
        blob(PNG),
    ]
    assert drawn_by(*parts) == [Picture(PNG, "png", (16, 9))]


def test_all_images_of_all_candidates_are_there() -> None:
    answer = native(blob(PNG), blob(JPEG, "image/jpeg"))
    answer["candidates"].append(native(blob(PNG))["candidates"][0])
    assert [picture.format for picture in from_generate(answer).pictures] == ["png", "jpeg", "png"]  # type: ignore[arg-type]


def test_text_and_sources_beside_an_image_are_kept() -> None:
    answer = from_generate(native({"text": "Here: "}, blob(PNG), groundingMetadata={"webSearchQueries": ["q"]}))  # type: ignore[arg-type]
    response = images_response([answer], created=1)
    google = {"text": "Here:", "grounding_metadata": {"webSearchQueries": ["q"]}}
    assert response["data"] == [{"b64_json": PNG, "extra_content": {"google": google}}]


@pytest.mark.parametrize("data", ["%%%", "A"])
def test_an_image_that_is_not_base64_is_googles_failure(data: str) -> None:
    with pytest.raises(TransportError) as failed:
        drawn_by(blob(data))
    assert failed.value.failure is Failure.INVALID_BODY


@pytest.mark.parametrize(
    "reason",
    [
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
        "PROHIBITED_CONTENT",
        "SAFETY",
        "SPII",
    ],
)
def test_what_a_filter_took_is_moderation_blocked(reason: str) -> None:
    error = refused(native(finish=reason, finishMessage="Try another prompt."))
    assert (error.status, error.code, error.param) == (400, "moderation_blocked", "prompt")
    assert error.message == f"Google blocked the image ({reason}). Try another prompt."
    assert error.google == {"status": reason, "details": []}


@pytest.mark.parametrize("reason", ["IMAGE_OTHER", "IMAGE_RECITATION", "NO_IMAGE", "RECITATION"])
def test_what_the_model_would_not_draw_is_content_policy_violation(reason: str) -> None:
    error = refused(native(finish=reason))
    assert (error.status, error.code, error.message) == (
        400,
        "content_policy_violation",
        f"Gemini made no image ({reason}).",
    )


def test_text_in_place_of_an_image_is_content_policy_violation_with_the_text() -> None:
    error = refused(native({"text": "I cannot "}, {"text": "draw that."}))
    assert (error.status, error.code) == (400, "content_policy_violation")
    assert error.message == "Gemini made no image (STOP). The model said: I cannot draw that."
    assert "(NO_IMAGE)" in refused(native({"text": "No."}, finish=None)).message
    assert len(refused(native({"text": "x" * 5000})).message) < 1100


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({}, "no reason"),
        ({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}, "STOP"),
        ({"candidates": [{"finishReason": "OTHER", "finishMessage": "Internal error."}]}, "OTHER"),
        ({"promptFeedback": {"safetyRatings": []}}, "no reason"),
    ],
)
def test_nothing_at_all_is_googles_failure(answer: Any, reason: str) -> None:
    error = refused(answer)
    assert (error.status, error.code, error.type) == (502, "upstream_no_answer", "server_error")
    assert f"({reason})" in error.message


def test_a_blocked_prompt_is_moderation_blocked() -> None:
    error = refused({"promptFeedback": {"blockReason": "IMAGE_SAFETY", "blockReasonMessage": "Not this."}})
    assert (error.status, error.code) == (400, "moderation_blocked")
    assert error.message == "Google blocked the prompt (IMAGE_SAFETY). Not this."
    assert "(Not this.)" in refused({"promptFeedback": {"blockReasonMessage": "Not this."}}).message


class TestImagen:
    def test_imagen_gives_predictions(self) -> None:
        prediction: Any = {"mimeType": "image/png", "bytesBase64Encoded": PNG, "prompt": "a nicer cat"}
        answer = from_predict({"predictions": [prediction, {"raiFilteredReason": "one was not right"}]})
        assert answer == ImagesAnswer([Picture(PNG, "png", (16, 9), "a nicer cat")])
        response = images_response([answer], created=1)
        assert response["data"] == [{"b64_json": PNG, "revised_prompt": "a nicer cat"}]
        assert "usage" not in response

    def test_a_filtered_prediction_of_imagen_is_moderation_blocked_with_the_reason(self) -> None:
        with pytest.raises(ApiError) as caught:
            from_predict({"predictions": [{"raiFilteredReason": "No."}, {"raiFilteredReason": "Never."}]})
        assert (caught.value.status, caught.value.code) == (400, "moderation_blocked")
        assert caught.value.message == "Google filtered all images (RAI_FILTERED). No. Never."

    def test_an_answer_of_imagen_without_predictions_was_filtered_without_a_reason(self) -> None:
        with pytest.raises(ApiError, match="It gave no reason") as caught:
            from_predict({})
        assert caught.value.code == "moderation_blocked"

    def test_an_answer_of_imagen_with_images_elsewhere_is_googles_failure(self) -> None:
        elsewhere: Any = {"predictions": [{"gcsUri": "gs://b/i.png", "mimeType": "image/png"}]}
        with pytest.raises(TransportError) as failed:
            from_predict(elsewhere)
        assert failed.value.failure is Failure.INVALID_BODY

    def test_imagen_when_it_is_switched_off_is_told_in_googles_words_with_the_way_out(self) -> None:
        error = image_error(GeminiError(404, IMAGEN_IS_OFF, "NOT_FOUND"), is_imagen=True)
        assert (error.status, error.code) == (404, "model_not_found")
        assert error.message.startswith(IMAGEN_IS_OFF)
        assert "switched Imagen off" in error.message
        other = image_error(GeminiError(404, IMAGEN_IS_OFF, "NOT_FOUND"), is_imagen=False)
        assert other.message == IMAGEN_IS_OFF

    def test_a_prompt_that_imagen_refuses_is_moderation_blocked(self) -> None:
        message = "This prompt contains sensitive words that violate Google's Responsible AI practices."
        error = image_error(GeminiError(400, message, "INVALID_ARGUMENT"), is_imagen=True)
        assert (error.status, error.code) == (400, "moderation_blocked")


@pytest.mark.parametrize(
    ("field", "param"), [("contents[0].parts", "prompt"), ("generationConfig.responseModalities", "model")]
)
def test_an_error_of_googles_names_the_parameter_of_this_endpoint(field: str, param: str) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field}]}]
    assert image_error(GeminiError(400, "bad", "INVALID_ARGUMENT", details), is_imagen=False).param == param


class TestTheAnswer:
    def test_the_answer_tells_the_true_format_and_size(self) -> None:
        answer = from_generate(native(blob(PNG), usage=USAGE))  # type: ignore[arg-type]
        response = images_response([answer, answer], created=7)
        assert response == {
            "created": 7,
            "data": [{"b64_json": PNG}] * 2,
            "background": "opaque",
            "output_format": "png",
            "size": "16x9",
            "usage": {
                "input_tokens": 532,
                "input_tokens_details": {"image_tokens": 516, "text_tokens": 16},
                "output_tokens": 2620,
                "output_tokens_details": {"image_tokens": 2580, "text_tokens": 40},
                "total_tokens": 3152,
            },
        }
        ImagesResponse.model_validate(response, strict=True)

    def test_the_answer_leaves_out_what_differs_and_what_is_not_known(self) -> None:
        response = images_response([ImagesAnswer([Picture("", "png", (1, 2)), Picture("", "jpeg", (1, 2))])], created=7)
        assert ("output_format" in response, response["size"]) == (False, "1x2")
        response = images_response([ImagesAnswer([Picture("", "png", (1, 2)), Picture("", "png", (2, 2))])], created=7)
        assert ("size" in response, response["output_format"]) == (False, "png")
        assert "size" not in images_response([ImagesAnswer([Picture("", "webp")])], created=7)

    @pytest.mark.parametrize(
        ("kind", "model"), [("image_generation", ImageGenCompletedEvent), ("image_edit", ImageEditCompletedEvent)]
    )
    def test_a_streamed_answer_is_an_event_for_each_image_and_the_tokens_come_once(self, kind: str, model: Any) -> None:
        answer = from_generate(native(blob(PNG), blob(JPEG), usage=USAGE))  # type: ignore[arg-type]
        first, second = completed_events(kind, answer, created=7)
        assert first["usage"]["total_tokens"] == 0
        assert second == {
            "type": f"{kind}.completed",
            "b64_json": JPEG,
            "created_at": 7,
            "size": "8x4",
            "quality": "auto",
            "background": "opaque",
            "output_format": "jpeg",
            "usage": SHOWN_USAGE,
        }
        model.model_validate(second, strict=True)
        assert completed_events(kind, ImagesAnswer([Picture("", "webp")]), created=7)[0]["size"] == "auto"


@pytest.mark.parametrize(
    ("meta", "shown"),
    [
        ({}, (0, 0, 0, 0, 0)),
        ({"promptTokenCount": 5, "candidatesTokenCount": 9}, (5, 0, 9, 0, 14)),
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 4, "totalTokenCount": 9}, (9, 0, 0, 0, 9)),
        (
            {"candidatesTokenCount": 5, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 9}]},
            (0, 0, 5, 5, 5),
        ),
    ],
)
def test_tokens_that_google_does_not_tell_are_none(meta: Any, shown: tuple[int, ...]) -> None:
    found = usage(meta)
    assert shown == (
        found["input_tokens"],
        found["input_tokens_details"]["image_tokens"],
        found["output_tokens"],
        found["output_tokens_details"]["image_tokens"],
        found["total_tokens"],
    )


class TestDimensions:
    @pytest.mark.parametrize("kind", ["png", "jpeg"])
    @pytest.mark.parametrize("size", [(1, 1), (640, 3), (1376, 768)])
    def test_dimensions_are_read_from_the_header(self, kind: str, size: tuple[int, int]) -> None:
        assert dimensions(base64.b64decode(drawn(kind, size))) == size

    def test_dimensions_are_found_behind_long_metadata(self) -> None:
        whole = base64.b64decode(drawn("jpeg", (8, 4)))
        segment = b"\xff\xeb" + struct.pack(">H", 65535) + b"c" * 65533
        data = base64.b64encode(whole[:2] + segment * 2 + b"\xff" + whole[2:]).decode()
        (picture,) = drawn_by(blob(data))
        assert picture.pixels == (8, 4)

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"GIF89a",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xd9" + b"\0" * 20,
            b"\xff\xd8\xff\xe0\x00\x04\x00\x00" + b"\0" * 20,
            b"\xff\xd8\xff\xc4\x00\x04\x00\x00\xff",
        ],
    )
    def test_dimensions_that_cannot_be_read_are_not_known(self, head: bytes) -> None:
        assert dimensions(head) is None
