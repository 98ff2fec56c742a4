"""Responses that are kept: what later requests refer to, what is shown of it, and whose it is."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, overloaded, sse
from tests.support.responses import FLASH_3, FLASH_25, WEATHER, read_events

from gemgate.store import Conversations, Responses, StoreUnavailableError
from gemgate.store.limits import StorageRoom
from gemgate.store.tables import ResponseRow

pytestmark = pytest.mark.slow

HELLO = native({"text": "Hello"}, finishReason="STOP")
CALL = native(
    {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}, "id": "n1"}, "thoughtSignature": "c2ln"},
    finishReason="STOP",
)
ANOTHER = {"authorization": "Bearer another-key"}


class Client:
    """Asks one gateway with one Google."""

    def __init__(self, client: httpx.AsyncClient, google: FakeGoogle) -> None:
        self.client = client
        self.google = google

    async def ask(self, given: Any = "Hi", *, status: int = 200, **body: Any) -> Any:
        answer = await self.client.post("/v1/responses", json={"model": FLASH_25, "input": given, **body})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, *, status: int = 200, **options: Any) -> Any:
        answer = await self.client.get(path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def delete(self, path: str, *, status: int = 200) -> Any:
        answer = await self.client.delete(path)
        assert answer.status_code == status, answer.text
        return answer.json()

    @property
    def contents(self) -> Any:
        return orjson.loads(self.google.last.content)["contents"]


@asynccontextmanager
async def gateway(tmp_path: Path, *answers: Any, **settings: Any) -> AsyncIterator[Client]:
    google = FakeGoogle(*(answers or (HELLO,)))
    async with in_process(gateway_app(google, retries=0, data_dir=tmp_path, **settings)) as client:
        yield Client(client, google)


def texts(contents: Any) -> list[tuple[str, str]]:
    return [(turn["role"], part["text"]) for turn in contents for part in turn["parts"]]


async def test_a_response_goes_on_from_the_one_before_without_its_instructions_and_tools(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One", instructions="Be brief.", tools=[WEATHER])
        assert first["store"] is True
        second = await client.ask("Two", previous_response_id=first["id"])
        assert second["previous_response_id"] == first["id"]
        await client.ask("Three", previous_response_id=second["id"], store=False)
        said = [("user", "One"), ("model", "Hello"), ("user", "Two"), ("model", "Hello"), ("user", "Three")]
        assert texts(client.contents) == said
        assert "systemInstruction" not in client.google.bodies[-1]
        assert "tools" not in client.google.bodies[-1]


async def test_a_kept_response_is_there_when_its_end_is_sent(tmp_path: Path) -> None:
    """The end of a stream is held until the row is written."""
    async with gateway(tmp_path) as client:
        body = {"model": FLASH_25, "input": "Hi", "stream": True}
        answer = await client.client.post("/v1/responses", json=body)
        last = read_events(answer.content)[-1]["response"]
        assert await client.get(f"/v1/responses/{last['id']}") == last
        assert (await client.get(f"/v1beta/openai/responses/{last['id']}"))["output"] == last["output"]


async def test_store_false_writes_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        found = await client.ask(store=False)
        assert found["store"] is False
        error = await client.get(f"/v1/responses/{found['id']}", status=404)
        assert error["error"]["message"] == f"Response with id '{found['id']}' not found."
        answer = await client.ask(previous_response_id=found["id"], status=400)
        assert answer["error"]["code"] == "previous_response_not_found"


async def test_a_stream_that_was_cut_is_kept_as_failed_with_what_came(tmp_path: Path) -> None:
    async with gateway(tmp_path, sse(native({"text": "Hel"})), HELLO) as client:
        body = {"model": FLASH_25, "input": "Hi", "stream": True}
        answer = await client.client.post("/v1/responses", json=body)
        last = read_events(answer.content)[-1]
        assert last["type"] == "response.failed"
        kept = await client.get(f"/v1/responses/{last['response']['id']}")
        assert kept == last["response"]
        assert (kept["status"], kept["error"]["code"]) == ("failed", "server_error")
        await client.ask("Go on", previous_response_id=kept["id"])
        assert texts(client.contents) == [("user", "Hi"), ("model", "Hel"), ("user", "Go on")]


async def test_a_failure_whose_id_nobody_knows_is_not_kept(tmp_path: Path) -> None:
    async with gateway(tmp_path, overloaded()) as client:
        for stream in (False, True):
            await client.ask(stream=stream, status=503)
        store = client.client._transport.app.state.services.store  # type: ignore[attr-defined]
        assert await _owners(store) == []


async def test_a_stream_that_fails_before_its_model_says_anything_is_kept_where_it_has_begun(tmp_path: Path) -> None:
    """The caller has its id by then, from the event that breaks the silence."""

    async def late(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return overloaded()

    async with gateway(tmp_path, late, stream_start_after=0.02) as client:
        body = {"model": FLASH_25, "input": "Hi", "stream": True}
        answer = await client.client.post("/v1/responses", json=body)
        failed = read_events(answer.content)[-1]["response"]
        assert await client.get(f"/v1/responses/{failed['id']}") == failed


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_that_could_not_be_kept_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("the database does not answer")

    monkeypatch.setattr(Responses, "create", fail)
    async with gateway(tmp_path) as client:
        answer = await client.client.post("/v1/responses", json={"model": FLASH_25, "input": "Hi", "stream": stream})
        response = read_events(answer.content)[-1]["response"] if stream else answer.json()
        assert (response["status"], response["store"]) == ("completed", False)
        assert response["output"][0]["content"][0]["text"] == "Hello"
        if not stream:
            assert answer.headers["x-gemgate-adjusted"] == "store->false"
        error = (await client.ask(previous_response_id=response["id"], status=400))["error"]
        assert error["code"] == "previous_response_not_found"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_store_that_fails_keeps_nobody_from_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    asked = []

    async def fail(*_: Any, **__: Any) -> None:
        asked.append(1)
        raise StoreUnavailableError("the database does not answer")

    async with gateway(tmp_path, storage_bytes_per_caller=10_000_000) as client:
        monkeypatch.setattr(StorageRoom, "_stored", fail)
        for _ in range(3):
            body = {"model": FLASH_25, "input": "Hi", "stream": stream}
            answer = await client.client.post("/v1/responses", json=body)
            response = read_events(answer.content)[-1]["response"] if stream else answer.json()
            assert (response["status"], response["store"]) == ("completed", False)
            assert answer.headers["x-gemgate-adjusted"] == "store->false"
        assert len(asked) == 1, "a database that has failed is not asked with each request"
        error = (await client.ask(background=True, status=503))["error"]
        assert error["code"] == "store_unavailable"


async def test_a_conversation_that_could_not_be_continued_is_said_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("the database does not answer")

    async with gateway(tmp_path) as client:
        talk = (await client.client.post("/v1/conversations", json={})).json()["id"]
        monkeypatch.setattr(Conversations, "append", fail)
        response = await client.ask(conversation=talk)
        assert response["store"] is False
        await client.get(f"/v1/responses/{response['id']}", status=404)


@pytest.mark.parametrize("path", ["/v1/responses/input_tokens", "/v1/responses/compact", "dry run"])
async def test_what_stores_nothing_needs_no_room(tmp_path: Path, path: str) -> None:
    counted = httpx.Response(200, json={"totalTokens": 3})
    async with gateway(tmp_path, counted if "tokens" in path else HELLO, storage_bytes_per_caller=10) as client:
        await client.ask("x" * 100, status=403)
        headers = {"x-gemgate-dry-run": "1"} if path == "dry run" else {}
        url = "/v1/responses" if path == "dry run" else path
        body = {"model": FLASH_25, "input": "x" * 100, "background": True}
        answer = await client.client.post(url, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "x-gemgate-adjusted" not in answer.headers


async def test_a_missing_link_is_named(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        second = await client.ask("Two", previous_response_id=first["id"])
        third = await client.ask("Three", previous_response_id=second["id"])
        assert await client.delete(f"/v1/responses/{second['id']}") == {
            "id": second["id"],
            "object": "response",
            "deleted": True,
        }
        await client.delete(f"/v1/responses/{second['id']}", status=404)
        error = (await client.ask(previous_response_id=third["id"], status=400))["error"]
        assert error["code"] == "previous_response_not_found"
        assert error["param"] == "previous_response_id"
        assert second["id"] in error["message"]


@pytest.mark.parametrize("name", ["resp_unknown", "a\0b", "", "x" * 200, "../etc"])
async def test_an_id_that_nobody_has_is_not_found(tmp_path: Path, name: str) -> None:
    async with gateway(tmp_path) as client:
        error = (await client.ask(previous_response_id=name, status=400))["error"]
        assert error["code"] == "previous_response_not_found"
        assert client.google.calls == []


async def test_another_callers_response_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        path = f"/v1/responses/{first['id']}"
        client.client.headers.update(ANOTHER)
        for ending in ("", "/input_items"):
            await client.get(path + ending, status=404)
        await client.delete(path, status=404)
        unknown = (await client.ask(previous_response_id="resp_0", status=400))["error"]
        error = (await client.ask(previous_response_id=first["id"], status=400))["error"]
        assert error["message"].replace(first["id"], "resp_0") == unknown["message"]
        reference = [{"type": "item_reference", "id": first["output"][0]["id"]}]
        await client.ask(reference, status=404)


async def test_references_to_items_of_earlier_turns_are_replaced_by_them(tmp_path: Path) -> None:
    """As the AI SDK sends its own history when `store` is left out."""
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        asked = [
            {"role": "user", "content": "One"},
            reference,
            {"id": "rs_unknown"},
            {"role": "user", "content": "Two"},
        ]
        second = await client.ask(asked)
        assert texts(client.contents) == [("user", "One"), ("model", "Hello"), ("user", "Two")]
        await client.ask("Three", previous_response_id=second["id"])
        assert texts(client.contents)[:3] == [("user", "One"), ("model", "Hello"), ("user", "Two")]
        error = (await client.ask([{"id": "msg_unknown"}], status=404))["error"]
        assert error["message"] == "Item with id 'msg_unknown' not found."
        await client.delete(f"/v1/responses/{first['id']}")
        await client.ask([reference, {"role": "user", "content": "Two"}], status=404)


async def test_a_reference_to_what_the_chain_says_already_does_not_say_it_twice(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        await client.ask([reference, {"role": "user", "content": "Two"}], previous_response_id=first["id"])
        assert texts(client.contents) == [("user", "One"), ("model", "Hello"), ("user", "Two")]


@pytest.mark.parametrize("how", ["chain", "references"])
async def test_signatures_come_back_from_the_store_where_the_secret_has_changed(tmp_path: Path, how: str) -> None:
    ask: dict[str, Any] = {"model": FLASH_3, "tools": [WEATHER]}
    async with gateway(tmp_path, CALL, secret=("first-secret-0123456789",)) as client:
        first = await client.ask("Rome?", **ask)
    call = next(item for item in first["output"] if item["type"] == "function_call")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    async with gateway(tmp_path, HELLO, secret=("other-secret-0123456789",)) as client:
        if how == "chain":
            await client.ask([output], previous_response_id=first["id"], **ask)
        else:
            references = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
            await client.ask([{"role": "user", "content": "Rome?"}, *references, output], **ask)
        part = client.contents[1]["parts"][0]
        assert part["thoughtSignature"] == "c2ln"
        assert part["functionCall"]["id"] == "n1"


async def test_a_signature_that_no_carrier_holds_is_kept_all_the_same(tmp_path: Path) -> None:
    large = base64.b64encode(random.Random(1).randbytes(200_000)).decode()
    call = native({"functionCall": {"name": "get_weather", "args": {}}, "thoughtSignature": large}, finishReason="STOP")
    ask: dict[str, Any] = {"model": FLASH_3, "tools": [WEATHER]}
    async with gateway(tmp_path, call) as client:
        first = await client.ask("Rome?", **ask)
        assert "encrypted_content" not in first["output"][0]
    async with gateway(tmp_path, HELLO) as client:
        output = {"type": "function_call_output", "call_id": first["output"][1]["call_id"], "output": "sunny"}
        await client.ask([output], previous_response_id=first["id"], **ask)
        assert client.contents[1]["parts"][0]["thoughtSignature"] == large


async def test_the_signature_of_a_text_is_sent_back_behind_it(tmp_path: Path) -> None:
    signed = native({"text": "Hello"}, {"text": "", "thoughtSignature": "dGV4dA=="}, finishReason="STOP")
    async with gateway(tmp_path, signed) as client:
        first = await client.ask("One", model=FLASH_3)
    async with gateway(tmp_path, HELLO) as client:
        await client.ask("Two", model=FLASH_3, previous_response_id=first["id"])
        assert client.contents[1]["parts"] == [{"text": "Hello"}, {"text": "", "thoughtSignature": "dGV4dA=="}]


async def test_input_items_have_ids_that_stay_and_come_in_pages(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        given = [{"role": "user", "content": f"{number}", "id": f"msg_{number}"} for number in range(5)]
        first = await client.ask([*given, {"role": "user", "content": [{"type": "input_text", "text": "no id"}]}])
        path = f"/v1/responses/{first['id']}/input_items"
        page = await client.get(path, params={"limit": 2})
        assert page["data"][0]["content"] == [{"type": "input_text", "text": "no id"}]
        assert page["data"][1]["id"] == "msg_4"
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], "msg_4")
        assert (page["object"], page["has_more"]) == ("list", True)
        assert await client.get(path, params={"limit": 2}) == page
        rest = await client.get(path, params={"after": "msg_4"})
        assert [item["id"] for item in rest["data"]] == ["msg_3", "msg_2", "msg_1", "msg_0"]
        assert rest["has_more"] is False
        upwards = await client.get(path, params={"order": "asc", "limit": 1, "after": "msg_0"})
        assert [item["id"] for item in upwards["data"]] == ["msg_1"]
        for wrong in ({"after": "msg_unknown"}, {"limit": 0}, {"limit": 101}, {"order": "up"}, {"include[]": "all"}):
            await client.get(path, params=wrong, status=400)


async def test_a_text_is_listed_as_a_message(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("Hi")
        (item,) = (await client.get(f"/v1/responses/{first['id']}/input_items"))["data"]
        assert item.pop("id").startswith("msg_")
        content = [{"type": "input_text", "text": "Hi"}]
        assert item == {"type": "message", "role": "user", "status": "completed", "content": content}


async def test_what_is_asked_together_and_excludes_each_other_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        both = {"previous_response_id": "resp_1", "conversation": "conv_1"}
        assert (await client.ask(**both, status=400))["error"]["param"] == "previous_response_id"
        assert (await client.ask(background=True, store=False, status=400))["error"]["param"] == "background"
        assert (await client.ask(None, status=400))["error"]["param"] == "input"


async def test_where_nothing_may_be_kept_it_is_said(tmp_path: Path) -> None:
    async with gateway(tmp_path, responses_store=False) as client:
        answer = await client.client.post("/v1/responses", json={"model": FLASH_25, "input": "Hi"})
        assert answer.json()["store"] is False
        assert answer.headers["x-gemgate-adjusted"] == "store->false"
        await client.get(f"/v1/responses/{answer.json()['id']}", status=404)
        error = (await client.ask(previous_response_id="resp_1", status=400))["error"]
        assert "GEMGATE_RESPONSES_STORE" in error["message"]


async def test_a_caller_who_has_stored_enough_is_refused_before_google_is_asked(tmp_path: Path) -> None:
    async with gateway(tmp_path, storage_bytes_per_caller=2_000) as client:
        first = await client.ask("Hi")
        error = (await client.ask("x" * 2_000, status=403))["error"]
        assert error["code"] == "storage_quota_exceeded"
        assert len(client.google.calls) == 1
        await client.ask("x" * 2_000, store=False)
        await client.delete(f"/v1/responses/{first['id']}")


async def _owners(store: Any) -> list[str]:
    async with store.database.read() as session:
        return list(await session.scalars(select(ResponseRow.owner).distinct()))
