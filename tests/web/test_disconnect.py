import asyncio
import gc
import socket
import threading
import weakref

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message
from tests.support.apps import app_with
from tests.support.server import serve

from gemgate.web.disconnect import DISCONNECT, Disconnect, cancelled_on_disconnect


def request(*messages: Message) -> Request:
    """A request whose client sends `messages` and then stays."""
    coming = list(messages)

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


GONE: Message = {"type": "http.disconnect"}


async def test_a_block_whose_client_stays_runs_to_its_end() -> None:
    async with cancelled_on_disconnect(request()):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_has_watched_is_freed_without_the_garbage_collector() -> None:
    watched = request()
    gone = weakref.ref(watched)
    gc.disable()
    try:
        async with cancelled_on_disconnect(watched):
            await asyncio.sleep(0)
        del watched
        await asyncio.sleep(0)
        assert gone() is None
    finally:
        gc.enable()


async def test_a_block_whose_client_goes_is_cancelled() -> None:
    with pytest.raises(ClientDisconnect):
        async with cancelled_on_disconnect(request({"type": "http.request"}, GONE)):
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        async with cancelled_on_disconnect(request()):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_cancellation_from_outside_wins_over_a_disconnect() -> None:
    async def work() -> None:
        async with cancelled_on_disconnect(request(GONE)):
            try:
                await asyncio.Event().wait()
            finally:
                outer.cancel()

    outer = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await outer


async def test_an_error_in_the_block_passes() -> None:
    with pytest.raises(KeyError):
        async with cancelled_on_disconnect(request()):
            raise KeyError


async def test_the_watcher_does_not_outlive_the_block() -> None:
    before = asyncio.all_tasks()
    async with cancelled_on_disconnect(request()):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def test_outside_of_a_task_there_is_nothing_to_cancel() -> None:
    entering = cancelled_on_disconnect(request()).__aenter__()
    loop = asyncio.new_event_loop()
    try:
        outcome: list[BaseException] = []

        def step() -> None:
            try:
                entering.send(None)
            except RuntimeError as error:
                outcome.append(error)
            loop.stop()

        loop.call_soon(step)
        loop.run_forever()
    finally:
        loop.close()
    assert str(outcome[0]) == "there is no task to cancel"


def test_a_buffered_call_whose_client_goes_is_cancelled_within_a_second() -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def endpoint(request: Request) -> Response:
        await request.body()
        async with cancelled_on_disconnect(request):
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return Response()

    with serve(app_with(endpoint)) as url:
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port or 0)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
            assert started.wait(30)
        assert cancelled.wait(30)


def request_over(disconnect: Disconnect) -> Request:
    """A request over a connection of ours, whose disconnect no message tells."""
    over = request()
    over.scope[DISCONNECT] = disconnect
    return over


async def test_a_block_whose_connection_breaks_is_cancelled_without_a_task_that_waits_for_it() -> None:
    disconnect, before = Disconnect(), asyncio.all_tasks()
    asyncio.get_running_loop().call_soon(disconnect.set)
    with pytest.raises(ClientDisconnect):
        async with cancelled_on_disconnect(request_over(disconnect)):
            await asyncio.wait_for(asyncio.Event().wait(), 5) if asyncio.all_tasks() == before else None
    assert not disconnect.watched


async def test_a_block_whose_connection_broke_before_is_cancelled_at_once() -> None:
    disconnect = Disconnect()
    disconnect.set()
    with pytest.raises(ClientDisconnect):
        async with cancelled_on_disconnect(request_over(disconnect)):
            await asyncio.Event().wait()


async def test_a_connection_that_breaks_after_the_block_harms_nobody() -> None:
    disconnect = Disconnect()
    before = asyncio.all_tasks()
    async with cancelled_on_disconnect(request_over(disconnect)):
        await asyncio.sleep(0)
    disconnect.set()
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert asyncio.all_tasks() == before
