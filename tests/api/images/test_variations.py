"""`POST /images/variations`: an edit that asks for another composition."""

import base64
from typing import Any

import httpx
import pytest
from tests.api.images.support import FLASH_25, PRO_3, blob, drawn, fake_google
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.api.images.wire import VARIATIONS, VARY, VariationRequest

PNG = drawn()
FILE = ("a.png", base64.b64decode(PNG))
DEFAULT = "gemini-3.1-flash-image"


async def vary(google: FakeGoogle, fields: dict[str, str], *files: Any, **settings: Any) -> httpx.Response:
    async with in_process(gateway_app(google, **settings)) as client:
        form = [("image", FILE)] if not files else list(files)
        return await client.post("/v1/images/variations", data=fields, files=form)


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(VARIATIONS) == set(VariationRequest.model_fields)


@pytest.mark.parametrize(
    ("fields", "model"), [({}, DEFAULT), ({"model": "dall-e-2"}, DEFAULT), ({"model": PRO_3}, PRO_3)]
)
async def test_an_image_alone_is_varied(fields: dict[str, str], model: str) -> None:
    google = fake_google()
    response = await vary(google, {**fields, "n": "2", "size": "512x512", "user": "u"})
    assert len(response.json()["data"]) == 2
    assert response.headers["x-gemgate-model"] == model
    assert response.headers["x-gemgate-dropped-params"] == "user"
    path, sent = google.calls[0]
    assert path == f"models/{model}:generateContent"
    assert sent["contents"] == [{"role": "user", "parts": [blob(PNG), {"text": VARY}]}]
    assert sent["generationConfig"]["imageConfig"]["aspectRatio"] == "1:1"


async def test_the_operators_table_goes_before_openais_names() -> None:
    google = fake_google()
    await vary(google, {}, models=f"dall-e-2={FLASH_25}")
    assert google.models == [FLASH_25]


async def test_a_json_body_may_name_the_image() -> None:
    google = fake_google()
    async with in_process(gateway_app(google)) as client:
        body = {"image": PNG, "model": FLASH_25, "prompt": "as a drawing"}
        response = await client.post("/v1beta/openai/images/variations", json=body)
    assert response.status_code == 200
    assert google.calls[0][1]["contents"][0]["parts"][1] == {"text": "as a drawing"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("image[]", FILE), ("image[]", FILE)], "array_above_max_length"),
        ([("image", ("a.txt", b"words"))], "unsupported_media_type"),
        ([("other", FILE)], "invalid_type"),
    ],
)
async def test_anything_but_one_image_is_refused(files: list[Any], code: str) -> None:
    google = fake_google()
    response = await vary(google, {}, *files)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert google.requests == []


async def test_another_kind_of_size_or_number_is_refused_by_name() -> None:
    for field, value in (("n", "11"), ("size", "big")):
        response = await vary(fake_google(), {field: value})
        assert (response.status_code, response.json()["error"]["param"]) == (400, field)


async def test_a_dry_run_shows_the_native_request_and_calls_nobody() -> None:
    google = fake_google()
    async with in_process(gateway_app(google)) as client:
        headers = {"x-gemgate-dry-run": "true"}
        response = await client.post("/v1/images/variations", files={"image": FILE}, headers=headers)
    assert response.json()["path"] == f"/v1beta/models/{DEFAULT}:generateContent"
    assert google.requests == []
