"""openai-python over a real socket: what it sends is understood, and what it gets it understands."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from tests.api.images.support import (
    FLASH_25,
    IMAGEN,
    IMAGEN_IS_OFF,
    PRO_3,
    SHOWN_USAGE,
    USAGE,
    blob,
    drawn,
    fake_google,
    native,
    opened,
)
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle, failure
from tests.support.server import serve

PNG, JPEG = drawn(), drawn("jpeg", (1376, 768))
IMAGES: Any = [base64.b64decode(PNG), ("photo.jpg", base64.b64decode(JPEG), "image/jpeg")]
OFF = failure(404, IMAGEN_IS_OFF)


@contextmanager
def client_before(google: FakeGoogle, **settings: Any) -> Iterator[openai.OpenAI]:
    with (
        serve(gateway_app(google, **settings)) as origin,
        openai.OpenAI(api_key="k", base_url=f"{origin}/v1", max_retries=0) as client,
    ):
        yield client


def test_the_image_of_the_product_pages_snippet_opens() -> None:
    with client_before(fake_google({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PNG}]})) as client:
        response = client.images.generate(
            model=IMAGEN,
            prompt="a portrait of a sheepadoodle wearing a cape",
            response_format="b64_json",
            n=1,
        )
    (image,) = response.data or []
    assert opened(image.b64_json).size == (16, 9)


def test_an_answer_tells_what_it_is() -> None:
    with client_before(fake_google(native(blob(JPEG, "image/jpeg"), usage=USAGE))) as client:
        raw = client.images.with_raw_response.generate(model=PRO_3, prompt="a cat", size="1536x1024", n=2)
    response = raw.parse()
    assert raw.headers["x-gemgate-adjusted"] == "size=1536x1024->3:2,1K"
    assert (response.output_format, response.size, response.background) == ("jpeg", "1376x768", "opaque")
    assert [opened(image.b64_json).size for image in response.data or []] == [(1376, 768)] * 2
    assert response.usage is not None
    assert response.usage.total_tokens == 2 * USAGE["totalTokenCount"]


def test_a_stream_is_events_of_the_clients_own_types() -> None:
    with client_before(fake_google(native(blob(PNG), usage=USAGE))) as client:
        events = list(client.images.generate(model=FLASH_25, prompt="a cat", n=2, stream=True))
    for event in events:
        assert isinstance(event, openai.types.ImageGenCompletedEvent)
        assert opened(event.b64_json).size == (16, 9)
        assert event.usage.to_dict() == SHOWN_USAGE
    assert len(events) == 2


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES[1:], IMAGES], ids=["one", "one in a list", "several"])
def test_an_edit_is_a_form_of_images(images: Any) -> None:
    google = fake_google()
    with client_before(google) as client:
        response = client.images.edit(model=FLASH_25, image=images, prompt="größer", n=2, size="1024x1024")
    assert len(response.data or []) == len(google.calls) == 2
    (turn,) = google.calls[0][1]["contents"]
    *sent, prompt = turn["parts"]
    assert prompt == {"text": "größer"}
    known = {PNG: blob(PNG), JPEG: blob(JPEG, "image/jpeg")}
    wanted = (
        [known[PNG], known[JPEG]] if images is IMAGES else [known[JPEG] if isinstance(images, list) else known[PNG]]
    )
    assert sent == wanted


def test_an_edit_carries_googles_options() -> None:
    google = fake_google()
    settings = [{"category": "A", "threshold": "B"}, {"category": "C", "threshold": "D"}]
    options = {"aspect_ratio": "21:9", "safety_settings": settings, "generation_config": {"image_config": {"x": "y"}}}
    with client_before(google) as client:
        client.images.edit(
            model=PRO_3, image=IMAGES[0], prompt="p", extra_body={"extra_body": {"google": options}}, svg={"model": "m"}
        )
    sent = google.calls[0][1]
    assert sent["safetySettings"] == settings
    assert sent["generationConfig"]["imageConfig"] == {"aspectRatio": "21:9", "x": "y"}


def test_a_streamed_edit_is_an_event_of_its_own_type() -> None:
    with client_before(fake_google()) as client:
        (event,) = client.images.edit(model=FLASH_25, image=IMAGES[0], prompt="p", stream=True)
    assert isinstance(event, openai.types.ImageEditCompletedEvent)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (native(finish="IMAGE_SAFETY"), openai.BadRequestError, "moderation_blocked"),
        (native({"text": "I will not."}), openai.BadRequestError, "content_policy_violation"),
        ({"predictions": [{"raiFilteredReason": "Bad."}]}, openai.BadRequestError, "moderation_blocked"),
        (OFF, openai.NotFoundError, "model_not_found"),
    ],
)
def test_a_refusal_is_an_error_with_its_code(answer: Any, kind: type[openai.APIStatusError], code: str) -> None:
    model = IMAGEN if answer in (OFF, {"predictions": [{"raiFilteredReason": "Bad."}]}) else FLASH_25
    with client_before(fake_google(answer)) as client, pytest.raises(kind) as caught:
        client.images.generate(model=model, prompt="p")
    assert caught.value.code == code


def test_a_form_beyond_the_limit_is_told_to_the_client() -> None:
    with client_before(fake_google(), max_body_bytes=100_000) as client, pytest.raises(openai.APIStatusError) as caught:
        client.images.edit(model=FLASH_25, image=b"\x89PNG\r\n\x1a\n" + b"x" * 150_000, prompt="p")
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")


def test_a_mask_is_refused_by_name() -> None:
    with client_before(fake_google()) as client, pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model=FLASH_25, image=IMAGES[0], mask=IMAGES[0], prompt="p")
    assert (caught.value.param, caught.value.code) == ("mask", "unsupported_parameter")
