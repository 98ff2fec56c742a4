from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator
from tests.support.clock import FakeClock

from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_790_000_000.0)


@pytest.fixture
def app(clock: FakeClock) -> Starlette:
    return create_emulator(clock=clock)


@pytest.fixture
async def emulator(app: Starlette) -> AsyncIterator[Emulator]:
    """The emulator in process: whole answers only, since this transport collects them."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://emulator", headers={"x-goog-api-key": "k"}
    ) as client:
        yield Emulator(client)


@pytest.fixture
def served(app: Starlette) -> Iterator[httpx.Client]:
    """The emulator behind a real socket."""
    with (
        serve_in_thread(app=app) as url,
        httpx.Client(base_url=url, headers={"x-goog-api-key": "k"}, timeout=10) as client,
    ):
        yield client


@pytest.fixture
async def vertex(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the emulator as Vertex AI is called: with an access token."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://emulator", headers={"authorization": "Bearer ya29.mine"}
    ) as client:
        yield client
