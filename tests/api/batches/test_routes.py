from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import httpx2
import openai
import orjson
import pytest
from fastapi import FastAPI
from tests.api.batches.support import CHAT, LEASE, Batches, Json, chat
from tests.support.clock import START

from gemgate.api.batches.routes import router
from gemgate.api.batches.wire import PARAMETERS, BatchRequest
from gemgate.auth.caller import authenticate
from gemgate.auth.key_registry import ClientKeys
from gemgate.settings import Settings
from gemgate.web import error_handlers as handlers

pytestmark = pytest.mark.slow

KEY = {"authorization": "Bearer caller-key"}
OTHER = {"authorization": "Bearer another-key"}


@pytest.fixture
async def app(batches: Batches) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    handlers.install(app)
    settings = Settings(_env_file=None, gemini_api_key=(), client_keys=())
    app.state.services = SimpleNamespace(settings=settings, client_keys=ClientKeys(), batches=batches.service)
    for prefix in ("/v1", "/v1beta/openai"):
        app.include_router(router, prefix=prefix)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway/v1", headers=KEY) as client:
        yield client


async def body_for(batches: Batches, headers: dict[str, str] = KEY, purpose: str = "batch") -> Json:
    settings = Settings(_env_file=None, gemini_api_key=(), client_keys=())
    file = await batches.upload([chat("a")], purpose, authenticate(headers, settings, ClientKeys()))
    return {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}


async def test_a_new_batch_is_openais_object(batches: Batches, client: httpx.AsyncClient) -> None:
    body = await body_for(batches)
    answer = await client.post("/batches", json={**body, "metadata": {"a": "b"}})
    batch = answer.json()
    assert answer.status_code == 200
    assert batch == {
        "id": batch["id"],
        "object": "batch",
        "endpoint": CHAT,
        "model": None,
        "errors": None,
        "input_file_id": body["input_file_id"],
        "completion_window": "24h",
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": int(START),
        "in_progress_at": None,
        "expires_at": int(START) + 86_400,
        "finalizing_at": None,
        "completed_at": None,
        "failed_at": None,
        "expired_at": None,
        "cancelling_at": None,
        "cancelled_at": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": {"a": "b"},
        "usage": None,
    }
    assert batch["id"].startswith("batch_")


async def test_the_official_client_reads_every_answer(batches: Batches, app: FastAPI) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
    async with openai.AsyncOpenAI(api_key="caller-key", base_url="http://gateway/v1", http_client=http) as client:
        body = await body_for(batches)
        batch = await client.batches.create(**body)
        await batches.work()
        batches.google.run()
        await batches.work(LEASE)
        done = await client.batches.retrieve(batch.id)
        assert (done.status, done.output_file_id is not None) == ("completed", True)
        assert done.request_counts is not None
        assert done.request_counts.completed == 1
        assert done.usage is not None
        assert done.usage.total_tokens == 5
        second = await client.batches.create(**body)
        assert (await client.batches.cancel(second.id)).status == "cancelling"
        assert [found.id async for found in client.batches.list(limit=1)] == [second.id, batch.id]


async def test_errors_of_a_failed_batch_are_a_list(batches: Batches, client: httpx.AsyncClient) -> None:
    body = await body_for(batches)
    batch = (await client.post("/batches", json={**body, "endpoint": "/v1/embeddings"})).json()
    await batches.work()
    failed = (await client.get(f"/batches/{batch['id']}")).json()
    assert failed["status"] == "failed"
    assert failed["errors"]["object"] == "list"
    assert failed["errors"]["data"][0]["code"] == "invalid_url"
    assert failed["errors"]["data"][0]["line"] == 1


async def test_lists_are_pages(batches: Batches, client: httpx.AsyncClient) -> None:
    empty = (await client.get("/batches")).json()
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    body = await body_for(batches)
    ids: list[str] = []
    for _ in range(3):
        ids.insert(0, (await client.post("/batches", json=body)).json()["id"])
        batches.clock.now += 1
    page = (await client.get("/batches", params={"limit": 2})).json()
    assert ([item["id"] for item in page["data"]], page["has_more"]) == (ids[:2], True)
    assert (page["first_id"], page["last_id"]) == (ids[0], ids[1])
    rest = (await client.get("/batches", params={"limit": 2, "after": page["last_id"]})).json()
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (ids[2:], False)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"after": "nonsense"}])
async def test_a_page_that_is_none_is_a_400(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await client.get("/batches", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == next(iter(query))


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"endpoint": "/v1/files"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": None}, "input_file_id"),
        ({"input_file_id": "file-unknown"}, "input_file_id"),
        ({"metadata": {"k" * 65: "v"}}, f"metadata.{'k' * 65}"),
        ({"metadata": {str(number): "v" for number in range(17)}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds"),
    ],
)
async def test_what_cannot_be_is_a_400_that_names_it(
    batches: Batches, client: httpx.AsyncClient, changes: dict[str, Any], param: str
) -> None:
    answer = await client.post("/batches", content=orjson.dumps({**await body_for(batches), **changes}))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_an_input_for_another_purpose_is_a_400(batches: Batches, client: httpx.AsyncClient) -> None:
    answer = await client.post("/batches", json=await body_for(batches, purpose="user_data"))
    assert answer.json()["error"]["code"] == "invalid_file_purpose"


async def test_nobody_sees_anothers_batch_or_file(batches: Batches, client: httpx.AsyncClient) -> None:
    batch = (await client.post("/batches", json=await body_for(batches))).json()
    for method, path in (("GET", f"/batches/{batch['id']}"), ("POST", f"/batches/{batch['id']}/cancel")):
        answer = await client.request(method, path, headers=OTHER)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert (await client.get("/batches", headers=OTHER)).json()["data"] == []
    stolen = await client.post("/batches", json=await body_for(batches), headers=OTHER)
    assert stolen.json()["error"]["code"] == "file_not_found"


async def test_a_key_is_demanded(client: httpx.AsyncClient) -> None:
    assert (await client.get("/batches", headers={"authorization": ""})).status_code == 401


async def test_an_unknown_parameter_is_told(batches: Batches, client: httpx.AsyncClient) -> None:
    answer = await client.post("/batches", json={**await body_for(batches), "priority": 3})
    assert answer.headers["x-gemgate-dropped-params"] == "priority"


async def test_an_id_with_a_slash_is_an_unknown_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/batches/batches/abc")).status_code == 404
    assert (await client.post("/batches/batches/abc/cancel")).status_code == 404


async def test_a_batch_is_cancelled_once_and_not_after_its_end(batches: Batches, client: httpx.AsyncClient) -> None:
    path = f"/batches/{(await client.post('/batches', json=await body_for(batches))).json()['id']}"
    first = (await client.post(f"{path}/cancel")).json()
    batches.clock.now += 5
    assert (await client.post(f"{path}/cancel")).json() == first
    await batches.work()
    assert (await client.post(f"{path}/cancel")).json()["status"] == "cancelled"
    done = f"/batches/{(await client.post('/batches', json=await body_for(batches))).json()['id']}"
    await batches.work()
    batches.google.run()
    await batches.work(LEASE)
    refused = await client.post(f"{done}/cancel")
    assert refused.status_code == 400
    assert "completed" in refused.json()["error"]["message"]


async def test_a_cancel_that_meets_a_change_is_done_again(
    batches: Batches, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = (await client.post("/batches", json=await body_for(batches))).json()
    real = batches.store.batches.update

    async def late(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(batches.store.batches, "update", real)

    monkeypatch.setattr(batches.store.batches, "update", late)
    assert (await client.post(f"/batches/{batch['id']}/cancel")).json()["status"] == "cancelling"


async def test_the_dialect_is_that_of_the_endpoint(batches: Batches, client: httpx.AsyncClient) -> None:
    url = "http://gateway/v1beta/openai/batches"
    batch = (await client.post(url, json=await body_for(batches))).json()
    row = (await batches.store.batches.list(authenticate(KEY, _settings(), ClientKeys()).id)).rows[0]
    assert row.id == batch["id"]
    assert row.progress == {"dialect": "google"}


def _settings() -> Settings:
    return Settings(_env_file=None, gemini_api_key=(), client_keys=())


def test_every_parameter_has_a_fate() -> None:
    assert set(PARAMETERS) == set(BatchRequest.model_fields)
