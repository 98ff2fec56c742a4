"""Conversations that last: compacted, sent again after a broken connection, and as long as 200 turns."""

import asyncio
import base64
import gc
import random
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.api.responses.test_kept_responses import HELLO, gateway, texts
from tests.support.answers import native
from tests.support.early import early_answers
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle
from tests.support.responses import FLASH_25

from gemgate.store.tables import ResponseRow


async def test_a_response_goes_on_from_a_compaction(tmp_path: Path) -> None:
    """The wish for it was answered, and is not in the chain."""
    async with gateway(tmp_path, native({"text": "A summary."}, finishReason="STOP")) as client:
        asked = [{"role": "user", "content": "One"}, {"type": "compaction_trigger"}]
        first = await client.ask(asked)
        assert [item["type"] for item in first["output"]] == ["compaction"]
        await client.ask("Two", previous_response_id=first["id"])
        assert "A summary." in texts(client.contents)[-2][1]
        assert texts(client.contents)[-1] == ("user", "Two")


COMPACT = [{"role": "user", "content": "and now"}, {"type": "compaction_trigger"}]
KIND = {"role": "developer", "content": "Be kind."}


async def test_after_a_compaction_the_turns_before_it_are_sent_no_more(tmp_path: Path) -> None:
    summary = native({"text": "A summary."}, finishReason="STOP")
    async with gateway(tmp_path, HELLO, HELLO, summary, HELLO) as client:
        first = await client.ask([KIND, {"role": "user", "content": "One"}])
        second = await client.ask("Two", previous_response_id=first["id"])
        third = await client.ask(COMPACT, previous_response_id=second["id"])
        assert [text for _, text in texts(client.contents)][:4] == ["One", "Hello", "Two", "Hello"]
        fourth = await client.ask("Three", previous_response_id=third["id"])
        await client.ask("Four", previous_response_id=fourth["id"])
        said = texts(client.contents)
        assert "A summary." in said[0][1]
        assert said[1:] == [("user", "Three"), ("model", "Hello"), ("user", "Four")]
        assert client.google.bodies[-1]["systemInstruction"] == {"parts": [{"text": "Be kind."}]}
        for gone in (first, second):
            await client.delete(f"/v1/responses/{gone['id']}")
        await client.ask("Five", previous_response_id=fourth["id"])
        shown = await client.get(f"/v1/responses/{third['id']}")
        assert shown["previous_response_id"] == second["id"]


async def test_after_a_compaction_a_conversation_goes_on_from_it(tmp_path: Path) -> None:
    summary = native({"text": "A summary."}, finishReason="STOP")
    key_is_known = native()
    async with gateway(tmp_path, key_is_known, HELLO, summary, HELLO) as client:
        talk = (await client.client.post("/v1/conversations", json={})).json()["id"]
        await client.ask([KIND, {"role": "user", "content": "One"}], conversation=talk)
        await client.ask(COMPACT, conversation=talk)
        await client.ask("Two", conversation=talk)
        said = texts(client.contents)
        assert "A summary." in said[0][1]
        assert said[1:] == [("user", "Two")]
        assert client.google.bodies[-1]["systemInstruction"] == {"parts": [{"text": "Be kind."}]}
        listed = await client.get(f"/v1/conversations/{talk}/items", params={"order": "asc"})
        kinds = [item["type"] for item in listed["data"]]
        assert kinds == ["message", "message", "message", "message", "compaction", "message", "message"]


MANAGED: dict[str, Any] = {"context_management": [{"type": "compaction", "compact_threshold": 50}]}
COUNT = httpx.Response(200, json={"totalTokens": 60})


async def test_a_chain_goes_on_from_a_compaction_that_an_answer_began_with(tmp_path: Path) -> None:
    summary = native({"text": "A summary."}, finishReason="STOP")
    async with gateway(tmp_path, HELLO, COUNT, summary, HELLO) as client:
        first = await client.ask([KIND, {"role": "user", "content": "One"}])
        second = await client.ask("Two", previous_response_id=first["id"], **MANAGED)
        assert [item["type"] for item in second["output"]] == ["compaction", "message"]
        assert texts(client.contents)[-1] == ("user", "Two")
        await client.ask("Three", previous_response_id=second["id"])
        said = texts(client.contents)
        assert "A summary." in said[0][1]
        assert said[1:] == [("model", "Hello"), ("user", "Three")]
        assert client.google.bodies[-1]["systemInstruction"] == {"parts": [{"text": "Be kind."}]}


async def test_a_conversation_goes_on_from_a_compaction_that_an_answer_began_with(tmp_path: Path) -> None:
    summary = native({"text": "A summary."}, finishReason="STOP")
    async with gateway(tmp_path, native(), HELLO, COUNT, summary, HELLO) as client:
        talk = (await client.client.post("/v1/conversations", json={})).json()["id"]
        await client.ask([KIND, {"role": "user", "content": "One"}], conversation=talk)
        await client.ask("Two", conversation=talk, **MANAGED)
        await client.ask("Three", conversation=talk)
        said = texts(client.contents)
        assert "A summary." in said[0][1]
        assert said[1:] == [("model", "Hello"), ("user", "Three")]


async def test_a_conversation_is_continued_once_by_a_request_that_is_sent_again_after_a_broken_connection(
    tmp_path: Path,
) -> None:
    google = FakeGoogle(HELLO)
    app = gateway_app(google, retries=0, data_dir=tmp_path)
    async with early_answers(app) as (client, transport):
        talk = (await client.post("/v1/conversations", json={})).json()["id"]
        asked = {"model": FLASH_25, "input": "One", "conversation": talk}
        google.gate = asyncio.Event()
        for stream in (False, True):
            broken = await transport.begun("/v1/responses", {**asked, "stream": stream})
            google.arrived.clear()
            await google.arrived.wait()
            broken.leave()
            await transport.answered_all()
        assert google.cancelled == 2
        google.gate.set()
        assert (await client.post("/v1/responses", json=asked)).status_code == 200
        listed = (await client.get(f"/v1/conversations/{talk}/items", params={"order": "asc"})).json()
        assert [item["role"] for item in listed["data"]] == ["user", "assistant"]


@pytest.mark.slow
async def test_a_conversation_of_200_turns_with_images_costs_what_its_turns_cost(tmp_path: Path) -> None:
    """Bytes on the disk, and what is still held when a turn has ended: the last turns cost what early ones do."""
    randoms = random.Random(0)
    async with gateway(tmp_path) as client:
        client.google.keeps_requests = False
        store = client.client._transport.app.state.services.store  # type: ignore[attr-defined]
        previous: str | None = None
        sizes: list[int] = []
        sent: list[int] = []

        async def turns(number: int) -> None:
            nonlocal previous
            for _ in range(number):
                image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + randoms.randbytes(1_500)).decode()
                parts = [
                    {"type": "input_text", "text": "And this?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{image}"},
                ]
                answer = await client.ask([{"role": "user", "content": parts}], previous_response_id=previous)
                previous = answer["id"]

        async def stored() -> int:
            async with store.database.read() as session:
                return int(await session.scalar(select(func.sum(ResponseRow.size))) or 0)

        async def held_after(number: int) -> int:
            tracemalloc.start()
            await turns(number)
            sent.append(len(client.contents))
            client.google.requests.clear()
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return held

        early = await held_after(5)
        await turns(95)
        sizes.append(await stored())
        await turns(95)
        late = await held_after(5)
        sizes.append(await stored())
    assert sent == [9, 399]
    first, second = sizes[0], sizes[1] - sizes[0]
    assert abs(second - first) < 100 * 100  # the first turn goes on from none; ids are of one length
    assert first < 100 * (1_500 * 4 / 3 + 4_000)
    assert late - early < 100_000  # the images of the conversation are 400,000 bytes
