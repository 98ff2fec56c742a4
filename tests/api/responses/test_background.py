"""Responses in the background: answered at once, generated beside their callers, polled, cancelled, and bounded."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openai.types.responses import Response
from tests.support.answers import native
from tests.support.early import EarlyTransport, early_answers
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle, bad_key, failure, overloaded, sse
from tests.support.responses import FLASH_25, kinds, read_events

from gemgate.api.responses import background_run, kept_turn
from gemgate.api.responses.kept_responses import KeptResponses
from gemgate.api.responses.kept_turn import KeptTurn
from gemgate.store import StoreUnavailableError

pytestmark = pytest.mark.slow

PATH = "/v1/responses"
HELLO = native({"text": "Hello"}, finishReason="STOP") | {
    "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 1, "totalTokenCount": 3}
}
ANOTHER = {"authorization": "Bearer another-key"}


class Client:
    """Asks one gateway with one Google, whose answers are held back while its gate is closed."""

    def __init__(self, client: httpx.AsyncClient, google: FakeGoogle, transport: EarlyTransport) -> None:
        self.client = client
        self.google = google
        self.transport = transport

    async def create(self, status: int = 200, headers: Any = None, **body: Any) -> Any:
        asked = {"model": FLASH_25, "input": "Hi", "background": True, **body}
        answer = await self.client.post(PATH, json=asked, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, response_id: str, status: int = 200, **options: Any) -> Any:
        answer = await self.client.get(f"{PATH}/{response_id}", **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def cancel(self, response_id: str, status: int = 200, **options: Any) -> Any:
        answer = await self.client.post(f"{PATH}/{response_id}/cancel", **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def ended(self, response_id: str) -> Any:
        """The response, once it has ended."""
        await self.transport.answered_all()
        found = await self.get(response_id)
        assert found["status"] not in ("queued", "in_progress")
        return found

    async def events(self, response_id: str, **query: Any) -> list[Any]:
        answer = await self.client.get(f"{PATH}/{response_id}", params={"stream": "true", **query})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        return parsed(answer.content)


def parsed(written: bytes) -> list[Any]:
    """The events of a stream that may begin anywhere."""
    assert written.endswith(b"data: [DONE]\n\n")
    blocks = [block for block in written.split(b"\n\n")[:-2] if not block.startswith(b":")]
    return [orjson.loads(block.split(b"\ndata: ")[1]) for block in blocks]


@asynccontextmanager
async def gateway(tmp_path: Path, *answers: Any, is_held: bool = False, **settings: Any) -> AsyncIterator[Client]:
    google = FakeGoogle(*(answers or (HELLO,)))

    async def taking_keys(request: httpx.Request) -> httpx.Response:
        """The question whether a key is known is not among the calls that the tests count and hold."""
        return httpx.Response(200, json={"models": []}) if request.method == "GET" else await google(request)

    app = gateway_app(taking_keys, retries=0, data_dir=tmp_path, **settings)
    async with early_answers(app) as (client, transport):
        if is_held:
            google.gate = asyncio.Event()
        yield Client(client, google, transport)
        if google.gate is not None:
            google.gate.set()


async def test_it_is_answered_at_once_and_polled_until_it_has_ended(tmp_path: Path) -> None:
    async with gateway(tmp_path, is_held=True) as client:
        made = await client.create(metadata={"a": "b"})
        Response.model_validate(made)
        assert (made["status"], made["background"], made["store"], made["output"]) == ("queued", True, True, [])
        running = await client.get(made["id"])
        assert (running["status"], running["background"], running["completed_at"]) == ("in_progress", True, None)
        assert client.google.gate is not None
        client.google.gate.set()
        ended = await client.ended(made["id"])
        assert ended["status"] == "completed"
        assert ended["output"][0]["content"][0]["text"] == "Hello"
        assert ended["usage"]["total_tokens"] == 3
        assert ended["created_at"] == made["created_at"]
        assert ended["metadata"] == {"a": "b"}
        assert client.google.methods == ["generateContent"]


async def test_its_conversation_is_compacted_before_it_is_answered(tmp_path: Path) -> None:
    count = httpx.Response(200, json={"totalTokens": 60})
    asked = [{"role": role, "content": text} for role, text in (("user", "One"), ("assistant", "Hi"), ("user", "Two"))]
    managed = [{"type": "compaction", "compact_threshold": 50}]
    async with gateway(tmp_path, count, native({"text": "A summary."}, finishReason="STOP"), HELLO) as client:
        made = await client.create(input=asked, context_management=managed)
        ended = await client.ended(made["id"])
        assert [item["type"] for item in ended["output"]] == ["compaction", "message"]
        assert client.google.methods == ["countTokens", "generateContent", "generateContent"]


async def test_it_is_part_of_a_chain_and_of_a_conversation_once_it_has_ended(tmp_path: Path) -> None:
    async with gateway(tmp_path, is_held=True) as client:
        talk = (await client.client.post("/v1/conversations", json={})).json()["id"]
        made = await client.create(input="One", conversation=talk)
        refused = await client.create(400, background=False, previous_response_id=made["id"])
        assert "has not ended" in refused["error"]["message"]
        assert client.google.gate is not None
        client.google.gate.set()
        await client.ended(made["id"])
        listed = (await client.client.get(f"/v1/conversations/{talk}/items", params={"order": "asc"})).json()
        assert [item["role"] for item in listed["data"]] == ["user", "assistant"]
        await client.create(background=False, input="Two", previous_response_id=made["id"])
        assert [turn["parts"][0]["text"] for turn in client.google.bodies[-1]["contents"]] == ["One", "Hello", "Two"]
        items = (await client.client.get(f"{PATH}/{made['id']}/input_items")).json()["data"]
        assert items[0]["content"][0]["text"] == "One"


async def test_what_cannot_be_kept_cannot_be_in_the_background(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        error = (await client.create(400, store=False))["error"]
        assert (error["param"], error["code"]) == ("background", "invalid_value")
    async with gateway(tmp_path, responses_store=False) as client:
        assert "GEMGATE_RESPONSES_STORE" in (await client.create(400))["error"]["message"]
        await client.cancel("resp_1", 404)
    async with gateway(tmp_path, max_background_responses=0) as client:
        assert "GEMGATE_MAX_BACKGROUND_RESPONSES" in (await client.create(400))["error"]["message"]
        assert client.google.requests == []


async def test_nothing_is_kept_for_a_key_that_google_does_not_take(tmp_path: Path) -> None:
    google = FakeGoogle(bad_key())
    async with early_answers(gateway_app(google, retries=0, data_dir=tmp_path)) as (client, _):
        answer = await client.post(PATH, json={"model": FLASH_25, "input": "Hi", "background": True})
        assert answer.status_code == 401
        assert google.paths == ["/v1beta/models?pageSize=1"]


async def test_a_request_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        orphan = {"type": "function_call_output", "call_id": "call_x", "output": ""}
        assert (await client.create(400, input=[orphan]))["error"]["param"].startswith("input")
        answer = await client.client.post(
            PATH, json={"model": FLASH_25, "input": "Hi", "background": True}, headers={"x-gemgate-dry-run": "1"}
        )
        assert answer.json()["object"] == "gemgate.dry_run"
        assert client.google.requests == []


async def test_a_failure_is_kept_with_its_reason(tmp_path: Path) -> None:
    async with gateway(tmp_path, overloaded()) as client:
        made = await client.create()
        ended = await client.ended(made["id"])
        Response.model_validate({**ended, "error": {"code": "server_error", "message": "no"}})
        assert ended["status"] == "failed"
        assert ended["error"]["code"] == "server_error"
        assert "overloaded" in ended["error"]["message"]
        assert (ended["usage"], ended["completed_at"]) == (None, None)


async def test_what_google_cut_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    async with gateway(tmp_path, sse(native({"text": "Hel"}))) as client:
        written = await client.client.post(
            PATH, json={"model": FLASH_25, "input": "Hi", "background": True, "stream": True}
        )
        events = read_events(written.content)
        assert kinds(events)[-2:] == ["error", "failed"]
        ended = await client.ended(events[0]["response"]["id"])
        assert ended == events[-1]["response"]
        assert ended["output"][0]["status"] == "incomplete"
        assert ended["output"][0]["content"][0]["text"] == "Hel"


async def test_a_blocked_prompt_fails_as_invalid(tmp_path: Path) -> None:
    async with gateway(tmp_path, {"promptFeedback": {"blockReason": "SAFETY"}}) as client:
        ended = await client.ended((await client.create())["id"])
        assert (ended["status"], ended["error"]["code"]) == ("failed", "invalid_prompt")


async def test_a_response_that_is_cancelled_stays_so_and_its_call_is_broken_off(tmp_path: Path) -> None:
    async with gateway(tmp_path, is_held=True) as client:
        made = await client.create()
        await client.google.arrived.wait()
        cancelled = await client.cancel(made["id"])
        Response.model_validate(cancelled)
        assert (cancelled["id"], cancelled["status"]) == (made["id"], "cancelled")
        assert await client.cancel(made["id"]) == cancelled
        assert await client.get(made["id"]) == cancelled
        assert client.google.cancelled == 1
        await client.cancel(made["id"], 404, headers=ANOTHER)
        await client.cancel("resp_unknown", 404)


async def test_cancelling_what_has_ended_gives_it_as_it_is(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        ended = await client.ended((await client.create())["id"])
        assert await client.cancel(ended["id"]) == ended
        plain = await client.create(background=False)
        error = (await client.cancel(plain["id"], 400))["error"]
        assert error["message"] == "Cannot cancel a synchronous response."


async def test_what_is_large_is_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who asks again and again for a large response must not hold up the others."""
    read, where = KeptTurn.of, list[bool]()

    def watched(payload: bytes) -> KeptTurn:
        where.append(threading.current_thread() is threading.main_thread())
        return read(payload)

    monkeypatch.setattr(kept_turn, "LARGE", 0)
    monkeypatch.setattr(KeptTurn, "of", watched)
    async with gateway(tmp_path, HELLO) as client:
        created = await client.create(stream=False)
        await client.ended(created["id"])
        assert (await client.cancel(created["id"]))["status"] == "completed"
        await client.client.get(f"{PATH}/{created['id']}", params={"stream": "true"})
    assert len(where) >= 3
    assert not any(where)


async def test_a_deleted_response_is_generated_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_run, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(background_run, "RENEW_SECONDS", 0.01)
    async with gateway(tmp_path, is_held=True) as client:
        made = await client.create()
        await client.google.arrived.wait()
        assert (await client.client.delete(f"{PATH}/{made['id']}")).json()["deleted"] is True
        await client.transport.aclose()
        assert client.google.cancelled == 1
        await client.get(made["id"], 404)


async def test_the_number_of_responses_is_bounded_by_caller_and_by_process(tmp_path: Path) -> None:
    limits = {"max_background_responses": 3, "max_background_responses_per_caller": 2}
    async with gateway(tmp_path, is_held=True, **limits) as client:
        first, _ = await client.create(), await client.create()
        error = (await client.create(429))["error"]
        assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
        await client.create(headers=ANOTHER)
        error = (await client.create(503, headers=ANOTHER))["error"]
        assert error["code"] == "server_overloaded"
        await client.cancel(first["id"])
        await client.create()


async def test_it_may_take_so_long_and_not_longer(tmp_path: Path) -> None:
    async with gateway(tmp_path, is_held=True, background_timeout=0.05) as client:
        ended = await client.ended((await client.create())["id"])
        assert (ended["status"], ended["error"]["code"]) == ("failed", "server_error")
        assert "0.05 seconds" in ended["error"]["message"]
        assert client.google.cancelled == 1


async def test_a_shutdown_waits_for_it_and_ends_it_as_failed_when_the_time_is_up(tmp_path: Path) -> None:
    async with gateway(tmp_path, is_held=True) as client:
        made = await client.create()
        await client.google.arrived.wait()
        assert client.transport.running == 1
        await client.transport.shut_down()
        ended = await client.get(made["id"])
        assert ended["status"] == "failed"
        assert "shutting down" in ended["error"]["message"]


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
async def test_what_ends_while_the_store_keeps_it_is_not_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    begin, asked, may_keep = KeptResponses.begin, asyncio.Event(), asyncio.Event()

    async def slow(self: KeptResponses, *given: Any) -> None:
        asked.set()
        await may_keep.wait()
        await begin(self, *given)

    monkeypatch.setattr(KeptResponses, "begin", slow)
    async with gateway(tmp_path) as client:
        background = client.client._transport._app.state.services.responses.background  # type: ignore[attr-defined]
        async with background.running():
            creating = asyncio.create_task(client.create())
            await asked.wait()
            (run,) = background._runs.values()
            cancelling = asyncio.create_task(run.cancel()) if how == "cancelled" else None
            asyncio.get_running_loop().call_later(0, may_keep.set)
        made = await creating
        ended = await client.ended(made["id"])
        assert cancelling is None or cancelling.done()
        assert ended["status"] == ("failed" if how == "stopped" else "cancelled")
        assert background._runs == {}
        assert client.google.methods == []


async def test_what_the_store_does_not_keep_holds_up_no_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_fail = asyncio.Event(), asyncio.Event()

    async def failing(_self: KeptResponses, *_given: Any) -> None:
        asked.set()
        await may_fail.wait()
        raise StoreUnavailableError("the disk is gone")

    monkeypatch.setattr(KeptResponses, "begin", failing)
    monkeypatch.setattr(background_run, "_STOP_SECONDS", 600.0)
    async with gateway(tmp_path) as client:
        background = client.client._transport._app.state.services.responses.background  # type: ignore[attr-defined]
        async with background.running():
            creating = asyncio.create_task(client.create(503))
            await asked.wait()
            asyncio.get_running_loop().call_later(0, may_fail.set)
        await creating
        assert background._runs == {}


async def test_a_response_whose_process_is_gone_ends_as_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as client:
        services = client.client._transport._app.state.services  # type: ignore[attr-defined]
        made = await client.create(background=False)
        caller = await _owner(services.store)
        store = services.store.responses
        kept = await store.get(caller, made["id"])
        payload = kept.payload.replace(b'"status":"completed"', b'"status":"in_progress"', 1)
        await store.create(caller, "resp_lost", payload, status="in_progress", expires_after=60, lease=-1.0)
        assert await services.responses.background.end_abandoned() == 1
        assert await services.responses.background.end_abandoned() == 0
        ended = await client.get("resp_lost")
        assert (ended["status"], ended["error"]["code"]) == ("failed", "server_error")


async def _owner(store: Any) -> str:
    from sqlalchemy import select

    from gemgate.store.tables import ResponseRow

    async with store.database.read() as session:
        return str(await session.scalar(select(ResponseRow.owner).limit(1)))


async def test_the_log_has_one_line_with_the_tokens_of_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with gateway(tmp_path, HELLO, failure(400, "no")) as client:
        for _ in range(2):
            await client.create()
            await client.transport.answered_all()
        metrics = (await client.client.get("/metrics")).text
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    first, second = [line for line in out.splitlines() if "method=POST" in line]
    assert "outcome=completed" in first
    assert "prompt_tokens=2" in first
    assert "outcome=failed" in second
    counted = [line for line in metrics.splitlines() if "gemgate_requests_total{" in line and "responses" in line]
    assert sum(float(line.split()[-1]) for line in counted) == 2
