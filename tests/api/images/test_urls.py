"""Images as URLs: kept by the gateway for a while, at an address that is a secret, and within the limits of storage."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.api.images.support import FLASH_25, PRO_3, blob, drawn, fake_google, native
from tests.support.gateway import gateway_app, in_process

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from gemgate.store import Store

Json = dict[str, Any]

PNG = drawn()
BYTES = base64.b64decode(PNG)
OTHER = {"authorization": "Bearer another-key"}


async def asked(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    body = {"model": FLASH_25, "prompt": "a cat", "response_format": "url", **more}
    return await client.post("/v1/images/generations", json=body)


async def test_an_image_has_an_address_that_needs_no_key(tmp_path: Path) -> None:
    google = fake_google(native(blob(PNG), blob(drawn("jpeg"), "image/jpeg")))
    async with in_process(gateway_app(google, data_dir=tmp_path), base_url="https://ai.example.com") as client:
        answer = await asked(client, n=1)
        first, second = [item["url"] for item in answer.json()["data"]]
        assert "b64_json" not in answer.text
        assert first.startswith("https://ai.example.com/v1/images/content/")
        assert (first[-10:], second[-10:]) == ("/image.png", "/image.jpg")
        bare = httpx.AsyncClient(transport=httpx.ASGITransport(client._transport.app))  # type: ignore[attr-defined]
        async with bare:
            image, head = await bare.get(first), await bare.head(first)
            part = await bare.get(first, headers={"range": "bytes=1-3"})
    assert (image.status_code, image.content, image.headers["content-type"]) == (200, BYTES, "image/png")
    assert image.headers["content-disposition"] == "inline"
    assert image.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in image.headers["content-security-policy"]
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(BYTES)))
    assert (part.status_code, part.content) == (206, BYTES[1:4])


@pytest.mark.parametrize("endpoint", ["generations", "edits"])
async def test_the_public_url_is_its_host_and_both_endpoints_have_addresses(tmp_path: Path, endpoint: str) -> None:
    app = gateway_app(fake_google(), data_dir=tmp_path, public_url="https://public.example/ai")
    body = {"model": PRO_3, "prompt": "a cat", "response_format": "url"} | (
        {"image": PNG} if endpoint == "edits" else {}
    )
    async with in_process(app) as client:
        answer = await client.post(f"/v1beta/openai/images/{endpoint}", json=body)
    assert answer.json()["data"][0]["url"].startswith("https://public.example/ai/v1/images/content/")


async def test_an_address_that_is_wrong_or_of_a_deleted_image_is_a_404(tmp_path: Path) -> None:
    async with in_process(gateway_app(fake_google(), data_dir=tmp_path)) as client:
        url = (await asked(client)).json()["data"][0]["url"]
        token = url.split("/")[-2]
        for wrong in (token[:-8] + "AAAAAAA=", "x", "gAAAA", "%00", "é"):
            missing = await client.get(url.replace(token, wrong))
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "image_not_found")
        (file,) = (await client.get("/v1/files")).json()["data"]
        assert (file["purpose"], file["bytes"]) == ("vision", len(BYTES))
        assert (await client.get("/v1/files", headers=OTHER)).json()["data"] == []
        assert (await client.delete(f"/v1/files/{file['id']}", headers=OTHER)).status_code == 404
        assert (await client.get(url)).status_code == 200
        assert (await client.delete(f"/v1/files/{file['id']}")).status_code == 200
        assert (await client.get(url)).status_code == 404


async def test_its_time_is_over_one_day_and_the_bytes_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = gateway_app(fake_google(), data_dir=tmp_path, image_url_lifetime=60)
    async with in_process(app) as client:
        url = (await asked(client)).json()["data"][0]["url"]
        store: Store = app.state.services.store
        (file,) = (await client.get("/v1/files")).json()["data"]
        assert file["expires_at"] - file["created_at"] == 60
        monkeypatch.setattr(store, "_clock", lambda: file["expires_at"] + 1.0)
        monkeypatch.setattr(store.files, "_clock", lambda: file["expires_at"] + 1.0)
        assert (await client.get(url)).status_code == 404
        assert (await store.sweep()).files == 1


async def test_a_caller_whose_room_is_used_up_is_refused_before_anything_is_paid_for(tmp_path: Path) -> None:
    google = fake_google()
    async with in_process(gateway_app(google, data_dir=tmp_path, storage_files_per_caller=1)) as client:
        assert (await asked(client)).status_code == 200
        refused = await asked(client)
        assert (refused.status_code, len(google.requests)) == (403, 1)
        assert refused.json()["error"]["code"] == "storage_quota_exceeded"
        assert (await asked(client, response_format="b64_json")).status_code == 200
        assert (await client.get("/v1/files")).json()["data"][0]["bytes"] == len(BYTES)


async def test_images_that_are_larger_than_the_room_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    app = gateway_app(fake_google(), data_dir=tmp_path, storage_bytes_per_caller=len(BYTES) - 1)
    async with in_process(app) as client:
        assert (await asked(client)).json()["error"]["code"] == "storage_quota_exceeded"
        assert (await client.get("/v1/files")).json()["data"] == []


async def test_a_gateway_that_keeps_none_says_so(tmp_path: Path) -> None:
    google = fake_google()
    async with in_process(gateway_app(google, data_dir=tmp_path, image_url_lifetime=0)) as client:
        refused = await asked(client)
    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["code"]) == (400, "response_format", "unsupported_value")
    assert "GEMGATE_IMAGE_URL_LIFETIME" in error["message"]
    assert google.requests == []


async def test_a_stream_has_base64_and_says_so(tmp_path: Path) -> None:
    async with in_process(gateway_app(fake_google(), data_dir=tmp_path)) as client:
        answer = await asked(client, stream=True)
    assert answer.headers["x-gemgate-adjusted"] == "response_format=url->b64_json"
    assert PNG in answer.text


async def test_pages_may_show_the_images_of_a_gateway_that_asks_for_no_key(tmp_path: Path) -> None:
    app = gateway_app(fake_google(), data_dir=tmp_path, gemini_api_key=("AIza-any-key-will-do",))
    page = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    async with in_process(app, headers={}, base_url="http://127.0.0.1:8080") as client:
        url = (await asked(client)).json()["data"][0]["url"]
        assert (await client.get(url, headers=page)).status_code == 200
        assert (await client.get("/v1/files", headers=page)).status_code == 403


async def test_the_log_does_not_hold_the_address(tmp_path: Path) -> None:
    async with in_process(gateway_app(fake_google(), data_dir=tmp_path)) as client:
        url = (await asked(client)).json()["data"][0]["url"]
        with capture_logs() as logs:
            await client.get(url)
    (line,) = [line for line in logs if line["event"] == "request"]
    assert url.split("/")[-2] not in str(logs)
    assert line["path"] == "/v1/images/content/***/image.png"
