"""What was said before counts, is shown in dry runs, and is gone when it is deleted."""

import base64
import random
from pathlib import Path
from typing import Any

import httpx
import orjson
from tests.api.responses.test_kept_responses import gateway, texts
from tests.support.answers import native
from tests.support.google import json_for
from tests.support.responses import FLASH_25, WEATHER, request_of

from gemgate.api.responses.echo import echo_of

HELLO = native({"text": "Hello"}, finishReason="STOP")
SAID = [("user", "One"), ("model", "Hello"), ("user", "Two")]


def counts_and_answers(request: httpx.Request) -> httpx.Response:
    """Google, that counts 7 tokens and says "Hello"."""
    return json_for(request, {"totalTokens": 7} if "countTokens" in request.url.path else HELLO)


async def test_earlier_turns_are_counted_with_the_instructions_and_tools_of_the_request(tmp_path: Path) -> None:
    async with gateway(tmp_path, counts_and_answers) as client:
        first = await client.ask("One", instructions="Be brief.")
        talk = (await client.client.post("/v1/conversations", json={})).json()["id"]
        await client.ask("One", conversation=talk)
        for before in ({"previous_response_id": first["id"]}, {"conversation": talk}):
            body = {"model": FLASH_25, "input": "Two", "instructions": "Be kind.", "tools": [WEATHER], **before}
            answer = await client.client.post("/v1/responses/input_tokens", json=body)
            assert answer.json() == {"object": "response.input_tokens", "input_tokens": 7}
            asked = orjson.loads(client.google.last.content)["generateContentRequest"]
            assert texts(asked["contents"]) == SAID
            assert asked["systemInstruction"] == {"parts": [{"text": "Be kind."}]}
            assert len(asked["tools"]) == 1
        listed = await client.get(f"/v1/conversations/{talk}/items")
        assert len(listed["data"]) == 2


async def test_earlier_turns_are_compacted(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        body = {"model": FLASH_25, "input": "Two", "previous_response_id": first["id"]}
        compacted = (await client.client.post("/v1/responses/compact", json=body)).json()
        assert texts(client.contents)[:3] == SAID
        assert [item["type"] for item in compacted["output"]] == ["message", "message", "compaction"]
        await client.get(f"/v1/responses/{compacted['id']}", status=404)


async def test_a_dry_run_shows_what_was_said_before(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask("One")
        body = {"model": FLASH_25, "input": "Two", "previous_response_id": first["id"]}
        answer = await client.client.post("/v1/responses", json=body, headers={"x-gemgate-dry-run": "1"})
        assert texts(answer.json()["body"]["contents"]) == SAID
        assert len(client.google.calls) == 1


async def test_a_deleted_response_is_gone_with_its_items(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        first = await client.ask([{"role": "user", "content": "One", "id": "msg_mine"}])
        path = f"/v1/responses/{first['id']}"
        assert await client.delete(path) == {"id": first["id"], "object": "response", "deleted": True}
        await client.delete(path, status=404)
        await client.get(path, status=404)
        await client.get(f"{path}/input_items", status=404)
        for name in ("msg_mine", first["output"][0]["id"]):
            error = (await client.ask([{"type": "item_reference", "id": name}], status=404))["error"]
            assert name in error["message"]
        error = (await client.ask("Two", previous_response_id=first["id"], status=400))["error"]
        assert error["code"] == "previous_response_not_found"


async def test_the_large_signature_of_an_image_is_in_no_response_and_in_no_later_request(tmp_path: Path) -> None:
    signature = base64.b64encode(random.Random(1).randbytes(1_050_000)).decode()
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "thoughtSignature": signature}
    model = "gemini-3-pro-image-preview"
    ask: dict[str, Any] = {"model": model, "tools": [{"type": "image_generation"}]}
    async with gateway(tmp_path, native(image, finishReason="STOP"), HELLO) as client:
        first = await client.ask("A cat", **ask)
        assert [item["type"] for item in first["output"]][-1] == "image_generation_call"
        assert len(orjson.dumps(first)) < 10_000
        await client.ask("Blue, please", previous_response_id=first["id"], **ask)
        sent = orjson.dumps(client.contents)
        assert b"iVBORw0KGgo=" in sent  # as an image of the user's, which needs no signature
        assert len(sent) < 10_000


def test_the_echo_of_tools_is_json_once_for_all_events_of_a_response() -> None:
    tools = [{**WEATHER, "name": f"tool_{number}", "description": "x" * 1_000} for number in range(40)]
    echo = echo_of(request_of(tools=tools, instructions="x" * 10_000), is_stored=False)
    assert isinstance(echo.between["tools"], orjson.Fragment)
    assert isinstance(echo.before["instructions"], orjson.Fragment)
    assert [tool["name"] for tool in orjson.loads(orjson.dumps(echo.between["tools"]))][:2] == ["tool_0", "tool_1"]
