"""`POST /images/generations` and `POST /images/edits`, from the caller to Google and back."""

import asyncio
import base64
import sys
from typing import Any, ClassVar

import httpx
import orjson
import pytest
from tests.api.images.support import (
    FLASH_25,
    IMAGEN,
    IMAGEN_4,
    IMAGEN_IS_OFF,
    PRO_3,
    SHOWN_USAGE,
    USAGE,
    blob,
    drawn,
    fake_google,
    generate,
    native,
    opened,
)
from tests.support.gateway import CALLER, gateway_app, in_process
from tests.support.google import failure, overloaded

pytestmark = pytest.mark.slow

PNG, JPEG = drawn(), drawn("jpeg")
GOOD = native(blob(PNG), usage=USAGE)
REFUSED = native(finish="IMAGE_SAFETY")
OVERLOADED = overloaded()


def error_of(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json()["error"]["code"]


def events_in(response: httpx.Response) -> list[tuple[str, Any]]:
    """The name and the data of each event, comments left out."""
    found = []
    for text in response.text.strip().split("\n\n"):
        if not text.startswith(":"):
            name, data = text.split("\n")
            found.append((name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))))
    return found


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_a_prompt_is_an_image(prefix: str) -> None:
    google = fake_google()
    body = {"model": PRO_3, "prompt": "a cat", "size": "1536x1024", "user": "u"}
    async with in_process(gateway_app(google)) as client:
        response = await client.post(f"{prefix}/images/generations", json=body)
    ((path, sent),) = google.calls
    assert path == f"models/{PRO_3}:generateContent"
    assert sent == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "3:2", "imageSize": "1K"},
        },
        "store": False,
    }
    assert response.headers["x-gemgate-dropped-params"] == "user"
    assert response.headers["x-gemgate-adjusted"] == "size=1536x1024->3:2,1K"
    answer = response.json()
    assert answer.pop("created") > 0
    assert answer == {
        "data": [{"b64_json": PNG}],
        "background": "opaque",
        "output_format": "png",
        "size": "16x9",
        "usage": SHOWN_USAGE,
    }


async def test_n_images_are_n_calls_and_their_tokens_are_summed() -> None:
    google = fake_google()
    answer = (await generate(google, {"n": 10})).json()
    assert len(google.calls) == len(answer["data"]) == 10
    assert answer["usage"]["total_tokens"] == 10 * USAGE["totalTokenCount"]


class TestPartialFailure:
    async def test_a_partial_failure_gives_the_images_that_came_and_says_how_many(self) -> None:
        response = await generate(fake_google(GOOD, OVERLOADED, REFUSED, GOOD), {"n": 4}, retries=0)
        assert len(response.json()["data"]) == 2
        assert response.headers["x-gemgate-adjusted"] == "n=4->2"

    async def test_when_all_calls_fail_the_answer_is_the_first_error(self) -> None:
        assert error_of(await generate(fake_google(REFUSED, OVERLOADED), {"n": 3}, retries=0)) == (
            400,
            "moderation_blocked",
        )
        assert error_of(await generate(fake_google(OVERLOADED, REFUSED), {"n": 3}, retries=0)) == (
            503,
            "server_overloaded",
        )

    async def test_images_beyond_those_asked_for_are_no_partial_failure(self) -> None:
        response = await generate(fake_google(native(blob(PNG), blob(PNG))), {"n": 1})
        assert len(response.json()["data"]) == 2
        assert response.headers["x-gemgate-adjusted"] == "n=1->2"

    async def test_a_partial_failure_of_imagen_is_fewer_predictions(self) -> None:
        predictions = [{"bytesBase64Encoded": PNG, "mimeType": "image/png"}, {"raiFilteredReason": "one was bad"}]
        response = await generate(fake_google({"predictions": predictions}), {"model": IMAGEN, "n": 2})
        assert len(response.json()["data"]) == 1
        assert response.headers["x-gemgate-adjusted"] == "n=2->1"


class TestImagen:
    async def test_imagen_makes_the_images_of_the_product_page(self) -> None:
        google = fake_google({"predictions": [{"bytesBase64Encoded": PNG, "mimeType": "image/png"}]})
        response = await generate(google, {"model": IMAGEN, "response_format": "b64_json", "n": 1})
        ((path, sent),) = google.calls
        assert path == f"models/{IMAGEN}:predict"
        assert sent == {
            "instances": [{"prompt": "a cat"}],
            "parameters": {"sampleCount": 1, "includeRaiReason": True},
        }
        answer = response.json()
        assert answer["data"] == [{"b64_json": PNG}]
        assert "usage" not in answer
        assert "x-gemgate-adjusted" not in response.headers

    async def test_imagen_makes_ten_images_in_three_calls(self) -> None:
        google = fake_google({"predictions": [{"bytesBase64Encoded": PNG}] * 4})
        await generate(google, {"model": IMAGEN_4, "n": 10})
        assert [call["parameters"]["sampleCount"] for _, call in google.calls] == [4, 4, 2]

    async def test_imagen_when_google_has_switched_it_off_is_a_clear_404(self) -> None:
        response = await generate(fake_google(failure(404, IMAGEN_IS_OFF)), {"model": IMAGEN})
        assert error_of(response) == (404, "model_not_found")
        message = response.json()["error"]["message"]
        assert message.startswith(IMAGEN_IS_OFF)
        assert "switched Imagen off" in message

    async def test_imagen_edits_nothing(self) -> None:
        google = fake_google()
        async with in_process(gateway_app(google)) as client:
            response = await client.post(
                "/v1/images/edits", json={"model": IMAGEN, "prompt": "p", "image": PNG}, headers=CALLER
            )
        assert error_of(response) == (400, "unsupported_value")
        assert not google.calls


class TestModelsThatTheCatalogDoesNotKnow:
    LISTING: ClassVar[Any] = {
        "models": [
            {"name": "models/painter-1", "supportedGenerationMethods": ["predict"]},
            {"name": "models/painter-2", "supportedGenerationMethods": ["generateContent"]},
        ]
    }

    @pytest.mark.parametrize(
        ("model", "method"),
        [("painter-1", "predict"), ("painter-2", "generateContent"), ("dall-e-3", "generateContent")],
    )
    async def test_an_unknown_model_is_asked_as_its_resource_says(self, model: str, method: str) -> None:
        answer = {"predictions": [{"bytesBase64Encoded": PNG}]} if method == "predict" else GOOD
        google = fake_google(self.LISTING, answer)
        async with in_process(gateway_app(google)) as client:
            for _ in range(2):
                response = await client.post("/v1/images/generations", json={"model": model, "prompt": "p"})
                assert response.json()["data"] == [{"b64_json": PNG}]
        assert [path for path, _ in google.calls] == ["models", *[f"models/{model}:{method}"] * 2]

    async def test_an_unknown_model_fails_with_the_list_of_models(self) -> None:
        response = await generate(fake_google(OVERLOADED), {"model": "painter-1"})
        assert error_of(response) == (503, "server_overloaded")

    async def test_an_unknown_model_can_be_described_by_the_operator(self) -> None:
        google = fake_google({"predictions": [{"bytesBase64Encoded": PNG}]})
        facts = {"painter-*": {"image_method": "predict", "aspect_ratios": ["1:1", "7:5"]}}
        await generate(google, {"model": "painter-9", "size": "1400x1000"}, model_facts=facts)
        ((path, sent),) = google.calls
        assert path == "models/painter-9:predict"
        assert sent["parameters"]["aspectRatio"] == "7:5"


class TestFormats:
    async def test_images_are_converted_to_the_format_asked_for(self) -> None:
        response = await generate(fake_google(native(blob(JPEG, "image/jpeg"))), {"output_format": "webp"})
        answer = response.json()
        assert answer["output_format"] == "webp"
        assert opened(answer["data"][0]["b64_json"]).format == "WEBP"
        assert "x-gemgate-adjusted" not in response.headers

    async def test_images_are_compressed_as_asked(self) -> None:
        body = {"output_format": "jpeg", "output_compression": 1}
        response = await generate(fake_google(native(blob(JPEG, "image/jpeg"))), body)
        assert opened(response.json()["data"][0]["b64_json"]).format == "JPEG"
        assert response.json()["data"][0]["b64_json"] != JPEG
        assert "x-gemgate-adjusted" not in response.headers

    async def test_a_format_that_nobody_asked_for_is_told_truly(self) -> None:
        response = await generate(fake_google(native(blob(JPEG, "image/png"))), {})
        assert response.json()["output_format"] == "jpeg"
        assert "x-gemgate-adjusted" not in response.headers

    async def test_a_format_that_cannot_be_made_is_noted(self) -> None:
        response = await generate(fake_google(), {"output_format": "svg"})
        assert response.json()["output_format"] == "png"
        assert response.headers["x-gemgate-adjusted"] == "output_format=svg->png"

    async def test_images_keep_their_format_without_pillow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        google = fake_google(native(blob(JPEG, "image/jpeg")))
        monkeypatch.setitem(sys.modules, "PIL", None)
        response = await generate(google, {"output_format": "png"})
        assert response.json()["output_format"] == "jpeg"
        assert response.headers["x-gemgate-adjusted"] == "output_format=png->jpeg"
        response = await generate(google, {"output_format": "jpeg", "output_compression": 50})
        assert response.headers["x-gemgate-adjusted"] == "output_compression=50->none"


class TestStreams:
    async def test_a_stream_is_one_completed_event_for_each_image(self) -> None:
        response = await generate(fake_google(), {"stream": True, "n": 2, "partial_images": 2})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-gemgate-dropped-params"] == "partial_images"
        events = events_in(response)
        assert [name for name, _ in events] == ["image_generation.completed"] * 2
        for _, event in events:
            assert event.pop("created_at") > 0
            assert event == {
                "type": "image_generation.completed",
                "b64_json": PNG,
                "size": "16x9",
                "quality": "auto",
                "background": "opaque",
                "output_format": "png",
                "usage": SHOWN_USAGE,
            }
        assert "x-gemgate-adjusted" not in response.text

    async def test_the_events_of_a_streamed_edit_are_named_so(self) -> None:
        async with in_process(gateway_app(fake_google())) as client:
            body = {"model": FLASH_25, "prompt": "p", "image": PNG, "stream": True}
            response = await client.post("/v1/images/edits", json=body)
        assert [name for name, _ in events_in(response)] == ["image_edit.completed"]

    async def test_a_stream_gives_what_came_and_says_at_the_end_what_did_not(self) -> None:
        response = await generate(fake_google(GOOD, REFUSED), {"stream": True, "n": 2})
        assert len(events_in(response)) == 1
        assert response.text.endswith("\n\n: x-gemgate-adjusted: n=2->1\n\n")

    async def test_a_stream_says_nothing_of_it_when_the_operator_wants_no_notes(self) -> None:
        response = await generate(fake_google(GOOD, REFUSED), {"stream": True, "n": 2}, unsupported_params="ignore")
        assert "x-gemgate" not in response.text

    async def test_a_stream_that_fails_before_the_first_image_has_the_errors_status(self) -> None:
        assert error_of(await generate(fake_google(REFUSED), {"stream": True, "n": 2})) == (400, "moderation_blocked")
        assert error_of(await generate(fake_google(OVERLOADED), {"stream": True})) == (503, "server_overloaded")


class TestEdits:
    async def test_an_edit_sends_the_images_before_the_prompt(self) -> None:
        google = fake_google()
        async with in_process(gateway_app(google)) as client:
            response = await client.post(
                "/v1/images/edits",
                data={"model": FLASH_25, "prompt": "bluer", "n": "2", "input_fidelity": "high"},
                files=[("image[]", ("a.png", base64.b64decode(PNG))), ("image[]", ("b", base64.b64decode(JPEG)))],
            )
        assert len(response.json()["data"]) == 2
        assert response.headers["x-gemgate-dropped-params"] == "input_fidelity"
        path, sent = google.calls[0]
        assert path == f"models/{FLASH_25}:generateContent"
        parts = [blob(PNG), blob(JPEG, "image/jpeg"), {"text": "bluer"}]
        assert sent["contents"] == [{"role": "user", "parts": parts}]

    async def test_an_edit_with_a_mask_is_refused(self) -> None:
        google = fake_google()
        async with in_process(gateway_app(google)) as client:
            files = {"image": ("a.png", base64.b64decode(PNG)), "mask": ("m.png", base64.b64decode(PNG))}
            response = await client.post("/v1/images/edits", data={"model": FLASH_25, "prompt": "p"}, files=files)
        assert error_of(response) == (400, "unsupported_parameter")
        assert response.json()["error"]["param"] == "mask"
        assert not google.calls

    async def test_an_edit_beyond_the_limit_is_refused(self) -> None:
        async with in_process(gateway_app(fake_google(), max_body_bytes=1000)) as client:
            files = {"image": ("a.png", b"x" * 2000)}
            response = await client.post("/v1/images/edits", data={"model": FLASH_25, "prompt": "p"}, files=files)
        assert error_of(response) == (413, "request_too_large")

    async def test_an_edit_that_is_neither_a_form_nor_json_is_refused(self) -> None:
        async with in_process(gateway_app(fake_google())) as client:
            response = await client.post("/v1/images/edits", data={"model": FLASH_25, "prompt": "p"})
        assert error_of(response) == (415, "unsupported_content_type")

    async def test_an_edit_without_a_key_is_refused_before_anything_is_read(self) -> None:
        async with in_process(gateway_app(fake_google())) as client:
            response = await client.post("/v1/images/edits", content=b"{", headers={"authorization": ""})
        assert response.status_code == 401


@pytest.mark.parametrize(("model", "method"), [(PRO_3, "generateContent"), ("painter-1", "generateContent")])
async def test_a_dry_run_shows_the_native_request_and_calls_nobody(model: str, method: str) -> None:
    google = fake_google()
    body = {"model": model, "n": 2, "style": "vivid", "size": "1792x1024", "stream": True}
    response = await generate(google, body, headers={"x-gemgate-dry-run": "true"})
    assert not google.calls
    shown = response.json()
    assert shown.pop("body")["contents"] == [{"role": "user", "parts": [{"text": "a cat"}]}]
    (adjusted,) = shown.pop("adjusted")
    assert adjusted.startswith("size=1792x1024->16:9,")
    assert shown == {
        "object": "gemgate.dry_run",
        "method": "POST",
        "path": f"/v1beta/models/{model}:{method}",
        "calls": 2,
        "dropped_params": ["style"],
    }


async def test_a_number_that_json_cannot_hold_is_a_400() -> None:
    google = fake_google()
    content = b'{"model": "%s", "prompt": "p", "google": {"generation_config": {"x": %d}}}' % (
        FLASH_25.encode(),
        10**30,
    )
    async with in_process(gateway_app(google)) as client:
        response = await client.post("/v1/images/generations", content=content)
    assert error_of(response) == (400, "invalid_value")
    assert not google.calls


async def test_seeds_of_several_calls_differ() -> None:
    google = fake_google()
    await generate(google, {"n": 2, "google": {"generation_config": {"seed": 5}}})
    assert sorted(call["generationConfig"]["seed"] for _, call in google.calls) == [5, 6]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_all_calls(stream: bool) -> None:
    started, cancelled = 0, 0
    all_started = asyncio.Event()

    async def google(_request: httpx.Request) -> httpx.Response:
        nonlocal started, cancelled
        started += 1
        if started == 3:
            all_started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise
        raise AssertionError

    app = gateway_app(google)
    body = orjson.dumps({"model": FLASH_25, "prompt": "p", "n": 3, "stream": stream})
    messages: list[Any] = [{"type": "http.request", "body": body}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await all_started.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None: ...

    headers = [(b"authorization", CALLER["authorization"].encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/images/generations",
        "query_string": b"",
        "headers": headers,
    }
    async with app.router.lifespan_context(app):
        await app({**scope, "asgi": {"version": "3.0"}, "app": app}, receive, send)
    assert (started, cancelled) == (3, 3)
