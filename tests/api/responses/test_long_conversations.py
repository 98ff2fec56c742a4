"""Conversations that last: compacted, sent again after a broken connection, and as long as 200 turns."""

import asyncio
import base64
import gc
import random
import tracemalloc
from pathlib import Path

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
    async with gateway(tmp_path, HELLO, summary, HELLO) as client:
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


async def test_a_conversation_of_200_turns_with_images_costs_what_its_turns_cost(tmp_path: Path) -> None:
    """Bytes on the disk and in the memory of the gateway: the second hundred turns cost what the first cost."""
    randoms = random.Random(0)
    async with gateway(tmp_path) as client:
        client.google.keeps_requests = False
        store = client.client._transport.app.state.services.store  # type: ignore[attr-defined]
        previous, stored, held = None, [], []
        for number in range(200):
            image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + randoms.randbytes(1_500)).decode()
            parts = [
                {"type": "input_text", "text": str(number)},
                {"type": "input_image", "image_url": f"data:image/png;base64,{image}"},
            ]
            answer = await client.ask([{"role": "user", "content": parts}], previous_response_id=previous)
            previous = answer["id"]
            if number == 0:
                tracemalloc.start()
            if number in (9, 104, 199):
                turns = len(client.contents)
                client.google.requests.clear()
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
                async with store.database.read() as session:
                    stored.append(int(await session.scalar(select(func.sum(ResponseRow.size))) or 0))
        tracemalloc.stop()
        first, second = stored[1] - stored[0], stored[2] - stored[1]
        assert abs(second - first) < 95 * 100  # ids and numbers differ by a few digits
        assert first < 95 * (1_500 * 4 / 3 + 4_000)
        assert turns == 399
        assert held[2] - held[1] < 95 * 1_000
