"""Conversations: made, changed and listed by their caller, and continued by responses."""

from pathlib import Path
from typing import Any

import pytest
from tests.api.responses.test_kept_responses import ANOTHER, gateway, texts

pytestmark = pytest.mark.slow

PATH = "/v1/conversations"


async def post(client: Any, path: str, body: Any, status: int = 200) -> Any:
    answer = await client.client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_response_adds_its_input_and_output_to_its_conversation(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        made = await post(client, PATH, {"items": [{"role": "user", "content": "Zero"}], "metadata": {"a": "b"}})
        assert made == {
            "id": made["id"],
            "object": "conversation",
            "created_at": made["created_at"],
            "metadata": {"a": "b"},
        }
        first = await client.ask("One", conversation=made["id"])
        assert first["conversation"] == {"id": made["id"]}
        await client.ask("Two", conversation={"id": made["id"]})
        said = [("user", "Zero"), ("user", "One"), ("model", "Hello"), ("user", "Two")]
        assert texts(client.contents) == said
        await client.ask("Three", conversation=made["id"], store=False)
        listed = await client.get(f"{PATH}/{made['id']}/items", params={"order": "asc"})
        assert [item["role"] for item in listed["data"]] == ["user", "user", "assistant", "user", "assistant"]


async def test_items_are_added_listed_and_deleted(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        made = await post(client, PATH, {"items": []})
        path = f"{PATH}/{made['id']}"
        call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
        added = await post(client, f"{path}/items", {"items": [{"role": "user", "content": "Hi", "id": "msg_1"}, call]})
        assert [item["type"] for item in added["data"]] == ["message", "function_call"]
        page = await client.get(f"{path}/items", params={"limit": 1})
        assert (page["data"][0]["call_id"], page["has_more"]) == ("call_1", True)
        rest = await client.get(f"{path}/items", params={"after": page["last_id"]})
        assert [item["id"] for item in rest["data"]] == ["msg_1"]
        assert (await client.get(f"{path}/items/msg_1"))["content"] == [{"type": "input_text", "text": "Hi"}]
        assert (await client.delete(f"{path}/items/msg_1"))["object"] == "conversation"
        await client.get(f"{path}/items/msg_1", status=404)
        await client.get(f"{path}/items", params={"after": "msg_1"}, status=400)
        await post(client, f"{path}/items", {"items": [call] * 21}, 400)


async def test_a_conversation_is_changed_and_deleted_by_its_caller_alone(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        made = await post(client, PATH, {})
        path = f"{PATH}/{made['id']}"
        assert (await post(client, path, {"metadata": {"c": "d"}}))["metadata"] == {"c": "d"}
        assert (await client.get(path))["metadata"] == {"c": "d"}
        own = dict(client.client.headers)
        client.client.headers.update(ANOTHER)
        error = await client.get(path, status=404)
        assert error["error"]["message"] == f"Conversation with id '{made['id']}' not found."
        await client.get(f"{path}/items", status=404)
        await client.delete(path, status=404)
        await post(client, f"{path}/items", {"items": [{"role": "user", "content": "x"}]}, 404)
        await client.ask(conversation=made["id"], status=404)
        client.client.headers.update(own)
        assert await client.delete(path) == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
        await client.get(path, status=404)


async def test_a_gateway_that_keeps_nothing_creates_no_conversation(tmp_path: Path) -> None:
    async with gateway(tmp_path, responses_store=False) as client:
        error = await post(client, PATH, {}, 400)
        assert "GEMGATE_RESPONSES_STORE" in error["error"]["message"]


CALLED = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "id": "fc_1"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
CUSTOM = {"type": "custom_tool_call_output", "call_id": "call_2", "output": "5"}
HI = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("made", "added", "deleted"),
    [
        ([HI, OUTPUT], [], None),
        ([HI], [OUTPUT], None),
        ([HI, CALLED, OUTPUT], [], "fc_1"),
        ([CUSTOM, HI, OUTPUT], [CUSTOM], None),
    ],
    ids=["made with it", "added", "its call is deleted", "several"],
)
async def test_an_output_without_its_call_in_a_conversation_is_left_out_and_named(
    made: list[Any], added: list[Any], deleted: str | None, tmp_path: Path
) -> None:
    async with gateway(tmp_path) as client:
        path = f"{PATH}/{(name := (await post(client, PATH, {'items': made}))['id'])}"
        if added:
            await post(client, f"{path}/items", {"items": added})
        if deleted:
            await client.delete(f"{path}/items/{deleted}")
        for words in ("One", "Two"):
            body = {"model": "gemini-2.5-flash", "input": words, "conversation": name}
            answer = await client.client.post("/v1/responses", json=body)
            assert answer.status_code == 200, answer.text
            assert "its call is not there" in answer.headers["x-gemgate-adjusted"]
        assert texts(client.contents) == [("user", "Hi"), ("user", "One"), ("model", "Hello"), ("user", "Two")]


async def test_an_output_waits_in_its_conversation_for_its_call_and_one_in_the_input_needs_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        made = await post(client, PATH, {"items": [HI, OUTPUT]})
        await client.ask([CALLED, HI], conversation=made["id"])
        assert "functionResponse" in str(client.contents)
        error = await client.ask([CUSTOM], conversation=made["id"], status=400)
        assert (error["error"]["param"], "call_2" in error["error"]["message"]) == ("input[0]", True)
