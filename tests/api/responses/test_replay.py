"""Events of responses in the background: kept, replayed from any number on, and followed from any process."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from openai import OpenAI
from tests.api.responses.test_background import ANOTHER, HELLO, PATH, Client, gateway, parsed
from tests.support.answers import native
from tests.support.early import early_answers
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle, sse
from tests.support.responses import FLASH_25, kinds, read_events
from tests.support.server import serve

from gemgate.api.responses import background, background_run

pytestmark = pytest.mark.slow

PIECES = [native({"text": word}) for word in ("One ", "two ", "three")]
STORY = sse(*PIECES, native({"text": "."}, finishReason="STOP"))
ASKED = {"model": FLASH_25, "input": "Hi", "background": True, "stream": True}


class HeldStream(httpx.AsyncByteStream):
    """Google's events, each of which waits until it is let go."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.let_go = asyncio.Semaphore(0)
        self.is_closed = False

    async def __aiter__(self) -> Any:
        for event in self.events:
            await self.let_go.acquire()
            yield b"data: " + orjson.dumps(event) + b"\r\n\r\n"

    async def aclose(self) -> None:
        self.is_closed = True


def held(*events: Any) -> tuple[HeldStream, httpx.Response]:
    stream = HeldStream(*events)
    return stream, httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


async def lines_until(stream: httpx.Response, text: str) -> tuple[str, Any]:
    """What comes until a line has `text` in it; the iterator goes on from there."""
    seen, lines = "", stream.aiter_lines()
    async for line in lines:
        seen += line + "\n"
        if text in line:
            return seen, lines
    raise AssertionError(seen)


async def started(client: Client) -> tuple[str, bytes]:
    answer = await client.client.post(PATH, json=ASKED)
    assert answer.status_code == 200, answer.text
    return parsed(answer.content)[0]["response"]["id"], answer.content


async def test_a_stream_in_the_background_begins_as_queued_and_has_openais_order(tmp_path: Path) -> None:
    async with gateway(tmp_path, STORY) as client:
        _, written = await started(client)
        events = read_events(written)
        assert kinds(events)[:5] == ["created", "queued", "in_progress", "output_item.added", "content_part.added"]
        assert [event["response"]["status"] for event in events[:3]] == ["queued", "queued", "in_progress"]
        assert events[-1]["type"] == "response.completed"
        assert all(event["response"]["background"] for event in (*events[:3], events[-1]))
        assert client.google.methods == ["streamGenerateContent"]


async def test_what_was_streamed_is_replayed_byte_for_byte_from_any_number_on(tmp_path: Path) -> None:
    async with gateway(tmp_path, STORY) as client:
        response_id, written = await started(client)
        whole = read_events(written)
        answer = await client.client.get(f"{PATH}/{response_id}", params={"stream": "true"})
        assert answer.content == written
        for after in range(len(whole)):
            assert await client.events(response_id, starting_after=after) == whole[after + 1 :]
        assert await client.events(response_id, starting_after=len(whole) + 5) == []
        for wrong in ({"starting_after": -1}, {"starting_after": "x"}):
            await client.get(response_id, 400, params={"stream": "true", **wrong})


async def test_what_has_no_events_cannot_be_streamed(tmp_path: Path) -> None:
    async with gateway(tmp_path) as client:
        for body, needed in (({"background": False}, "background=true"), ({}, "stream=true")):
            made = await client.create(**body)
            await client.transport.answered_all()
            error = (await client.get(made["id"], 400, params={"stream": "true"}))["error"]
            assert error["message"] == f"This response cannot be streamed because it was not created with {needed}."
            assert error["param"] == "stream"
        await client.get("resp_unknown", 404, params={"stream": "true"})
        response_id, _ = await started(client)
        await client.get(response_id, 404, params={"stream": "true"}, headers=ANOTHER)


async def test_a_caller_who_goes_comes_back_to_the_rest_while_it_is_generated(tmp_path: Path) -> None:
    source, answer = held(*PIECES, native({"text": "."}, finishReason="STOP"))
    async with gateway(tmp_path, lambda _: answer) as client:
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            source.let_go.release()
            seen, _ = await lines_until(stream, "One ")
        response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
        last = seen.count("data: ") - 1
        assert (await client.get(response_id))["status"] == "in_progress"
        assert not source.is_closed
        async with client.client.stream(
            "GET", f"{PATH}/{response_id}", params={"stream": "true", "starting_after": last}
        ) as stream:
            source.let_go.release()
            seen, lines = await lines_until(stream, "two ")
            for _ in range(3):
                source.let_go.release()
            seen += "".join([line + "\n" async for line in lines])
        events = parsed(seen.encode())
        assert events[0]["sequence_number"] == last + 1
        assert "One " not in seen.split('"type":"response.output_text.done"')[0]
        assert events[-1]["response"]["output"][0]["content"][0]["text"] == "One two three."
        assert events == (await client.events(response_id))[last + 1 :]


async def test_another_process_follows_what_one_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_run, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(background, "FOLLOW_SECONDS", 0.01)
    source, answer = held(*PIECES, native({"text": "."}, finishReason="STOP"))
    other_app = gateway_app(FakeGoogle(HELLO), retries=0, data_dir=tmp_path)
    async with gateway(tmp_path, lambda _: answer) as client, early_answers(other_app) as (other, _):
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            seen, _ = await lines_until(stream, "in_progress")
        response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
        async with other.stream("GET", f"{PATH}/{response_id}", params={"stream": "true"}) as stream:
            source.let_go.release()
            seen, lines = await lines_until(stream, "One ")
            for _ in range(4):
                source.let_go.release()
            seen += "".join([line + "\n" async for line in lines])
        read_events(seen.encode())
        assert parsed(seen.encode()) == await client.events(response_id)


async def test_a_response_is_cancelled_through_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_run, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(background_run, "RENEW_SECONDS", 0.01)
    source, answer = held(*PIECES)
    other_app = gateway_app(FakeGoogle(HELLO), retries=0, data_dir=tmp_path)
    async with gateway(tmp_path, lambda _: answer) as client, early_answers(other_app) as (other, _):
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            source.let_go.release()
            seen, lines = await lines_until(stream, "One ")
            response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
            cancelled = (await other.post(f"{PATH}/{response_id}/cancel")).json()
            assert cancelled["status"] == "cancelled"
            seen += "".join([line + "\n" async for line in lines])
        await client.transport.answered_all()
        assert source.is_closed
        assert await client.get(response_id) == cancelled
        events = read_events(seen.encode())
        assert (events[-1]["type"], events[-1]["response"]["status"]) == ("response.incomplete", "cancelled")
        replayed = await client.events(response_id)
        assert replayed[-1]["type"] == "response.incomplete"
        assert [event["sequence_number"] for event in replayed] == list(range(len(replayed)))


async def test_who_follows_a_response_that_is_deleted_gets_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_run, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(background_run, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(background, "FOLLOW_SECONDS", 0.01)
    source, answer = held(*PIECES)
    other_app = gateway_app(FakeGoogle(HELLO), retries=0, data_dir=tmp_path)
    async with gateway(tmp_path, lambda _: answer) as client, early_answers(other_app) as (other, _):
        async with client.client.stream("POST", PATH, json=ASKED) as first:
            source.let_go.release()
            seen, lines = await lines_until(first, "One ")
            response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
            async with other.stream("GET", f"{PATH}/{response_id}", params={"stream": "true"}) as second:
                elsewhere, further = await lines_until(second, "One ")
                await other.delete(f"{PATH}/{response_id}")
                elsewhere += "".join([line + "\n" async for line in further])
            seen += "".join([line + "\n" async for line in lines])
        last = parsed(elsewhere.encode())[-1]
        assert (last["type"], last["error"]["message"]) == ("error", f"Response with id '{response_id}' not found.")
        assert last["sequence_number"] == len(parsed(elsewhere.encode())) - 1
        assert kinds(read_events(seen.encode()))[-2:] == ["error", "failed"]
        assert source.is_closed


async def test_a_cancelled_stream_ends_with_what_was_said(tmp_path: Path) -> None:
    source, answer = held(*PIECES)
    async with gateway(tmp_path, lambda _: answer) as client:
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            source.let_go.release()
            seen, lines = await lines_until(stream, "One ")
            response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
            cancelled = await client.cancel(response_id)
            seen += "".join([line + "\n" async for line in lines])
        assert source.is_closed
        (message,) = cancelled["output"]
        assert (message["status"], message["content"][0]["text"]) == ("incomplete", "One ")
        events = read_events(seen.encode())
        assert events[-1]["response"] == cancelled
        assert await client.events(response_id) == events


async def test_silence_is_broken_by_events_that_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_run, "FLUSH_SECONDS", 0.01)
    source, answer = held(HELLO)
    async with gateway(tmp_path, lambda _: answer, keepalive_interval=0.02) as client:
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            seen, lines = await lines_until(stream, '"sequence_number":4')
            source.let_go.release()
            source.let_go.release()
            seen += "".join([line + "\n" async for line in lines])
        events = read_events(seen.encode())
        assert kinds(events)[2:5] == ["in_progress"] * 3
        assert await client.events(events[0]["response"]["id"]) == events


async def test_a_shutdown_ends_the_stream_as_failed_for_those_who_come_later(tmp_path: Path) -> None:
    source, answer = held(*PIECES)
    async with gateway(tmp_path, lambda _: answer) as client:
        async with client.client.stream("POST", PATH, json=ASKED) as stream:
            source.let_go.release()
            seen, _ = await lines_until(stream, "One ")
        response_id = orjson.loads(seen.split("data: ")[1].splitlines()[0])["response"]["id"]
        await client.transport.shut_down()
        events = await client.events(response_id)
        assert kinds(events)[-2:] == ["error", "failed"]
        failed = events[-1]["response"]
        assert failed == await client.get(response_id)
        assert failed["output"][0]["content"][0]["text"] == "One "


@pytest.mark.integration
def test_openais_client_polls_replays_and_cancels(tmp_path: Path) -> None:
    app = gateway_app(FakeGoogle(STORY), retries=0, data_dir=tmp_path)
    with serve(app) as origin, OpenAI(api_key="k", base_url=f"{origin}/v1", max_retries=0) as client:
        events = list(client.responses.create(model=FLASH_25, input="Hi", background=True, stream=True))
        response_id = events[0].response.id  # type: ignore[union-attr]
        again = client.responses.retrieve(response_id, stream=True, starting_after=3)
        assert list(again) == events[4:]
        with client.responses.stream(response_id=response_id, starting_after=2) as stream:
            assert stream.get_final_response().output_text == "One two three."
        assert client.responses.cancel(response_id).status == "completed"
