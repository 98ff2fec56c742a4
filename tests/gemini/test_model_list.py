"""The list of models: whole, kept for a while, and kept on when Google is down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.support.clock import FakeClock
from tests.support.google import FakeGoogle, Json, failure

from gemgate.gemini import model_list as module
from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_list import RETRY_PAUSE, Listing, ModelList
from gemgate.upstream.client import Upstream
from gemgate.upstream.retry import RetryOptions, Shared

TTL = 300.0
ONCE = Shared(options=RetryOptions(retries=0))


def pages(*names: str) -> Json:
    """A list of these models on one page."""
    return {"models": [{"name": name} for name in names]}


def page_tokens(google: FakeGoogle) -> list[str]:
    """The page that each call asked for; each asks for as many models as a page can hold."""
    assert {(request.url.path, request.url.params["pageSize"]) for request in google.requests} == {
        ("/v1beta/models", "1000")
    }
    return [request.url.params.get("pageToken", "") for request in google.requests]


@asynccontextmanager
async def directory(google: FakeGoogle, clock: FakeClock, within: float = 5.0) -> AsyncIterator[ModelList]:
    async with (
        GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as gemini,
        ModelList(Upstream(gemini, ONCE), ttl=TTL, timeout=within, clock=clock) as models,
    ):
        yield models


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def names(listing: Listing) -> list[str]:
    return list(listing.models)


async def test_all_pages_are_one_list_in_googles_order(clock: FakeClock) -> None:
    listed = {
        "": {"models": [{"name": "models/b"}, {"name": "models/a"}], "nextPageToken": "p2"},
        "p2": {"models": [{"name": "models/c"}, {"name": "models/a", "version": "again"}, {}], "nextPageToken": "p3"},
        "p3": {},
    }
    google = FakeGoogle(lambda request: listed[request.url.params.get("pageToken", "")])
    async with directory(google, clock) as models:
        listing = await models.listing("me", "key")
    assert names(listing) == ["models/b", "models/a", "models/c"]
    assert listing.models["models/a"] == {"name": "models/a"}
    assert page_tokens(google) == ["", "p2", "p3"]


async def test_pages_that_go_in_a_circle_come_to_an_end(clock: FakeClock) -> None:
    google = FakeGoogle({"nextPageToken": "p2"}, {"models": [{"name": "models/a"}], "nextPageToken": "p2"})
    async with directory(google, clock) as models:
        assert names(await models.listing("me", "key")) == ["models/a"]


async def test_a_list_is_kept_for_its_time_and_then_asked_for_again(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        await models.listing("me", "key")
        google.answers = [pages("models/b")]
        clock.now += TTL - 1
        assert names(await models.listing("me", "key")) == ["models/a"]
        clock.now += 1
        assert await models.listing("me", "key") == Listing({"models/b": {"name": "models/b"}})
    assert len(page_tokens(google)) == 2


async def test_each_owner_has_a_list_of_their_own(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        await models.listing("me", "key-1")
        await models.listing("you", "key-2")
        await models.listing("me", "key-1")
    assert google.keys == ["key-1", "key-2"]


async def test_the_list_that_was_not_asked_for_longest_is_given_up(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OWNERS", 2)
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        for owner in ("one", "two", "one", "three", "one", "two"):
            await models.listing(owner, owner)
    assert google.keys == ["one", "two", "three", "two"]


async def test_those_who_ask_at_once_share_one_call_and_its_list(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        listings = await asyncio.gather(*(models.listing("me", "key") for _ in range(5)))
    assert [names(listing) for listing in listings] == [["models/a"]] * 5
    assert len(page_tokens(google)) == 1


async def test_those_who_ask_at_once_share_one_failure(clock: FakeClock) -> None:
    google = FakeGoogle(failure(503))
    async with directory(google, clock) as models:
        failures = await asyncio.gather(*(models.listing("me", "key") for _ in range(5)), return_exceptions=True)
        assert [getattr(error, "status", None) for error in failures] == [503] * 5
        google.answers = [pages("models/a")]
        assert not (await models.listing("me", "key")).is_stale
    assert len(page_tokens(google)) == 2


async def test_who_leaves_does_not_end_the_call_for_the_others(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    google.gate = asyncio.Event()
    async with directory(google, clock) as models:
        first = asyncio.create_task(models.listing("me", "key"))
        second = asyncio.create_task(models.listing("me", "key"))
        await google.arrived.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        google.gate.set()
        assert names(await second) == ["models/a"]
    assert len(page_tokens(google)) == 1


async def test_a_call_that_nobody_waits_for_any_more_ends_with_the_application(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    google.gate = asyncio.Event()
    async with directory(google, clock) as models:
        asking = asyncio.create_task(models.listing("me", "key"))
        await google.arrived.wait()
        asking.cancel()
    assert not models._running


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_old_list_is_better_than_none(clock: FakeClock, status: int) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        await models.listing("me", "key")
        google.answers = [failure(status)]
        clock.now += TTL
        for _ in range(3):
            assert await models.listing("me", "key") == Listing({"models/a": {"name": "models/a"}}, is_stale=True)
        assert len(page_tokens(google)) == 2, "Google is left in peace for a while"
        google.answers = [pages("models/a")]
        clock.now += RETRY_PAUSE
        assert not (await models.listing("me", "key")).is_stale


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_an_old_list_is_not_for_a_key_that_google_refuses(clock: FakeClock, status: int) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock) as models:
        await models.listing("me", "key")
        google.answers = [failure(status)]
        clock.now += TTL
        for _ in range(2):
            with pytest.raises(GeminiError):
                await models.listing("me", "key")
    assert len(page_tokens(google)) == 3


async def test_who_waits_too_long_gets_the_old_list_while_the_new_one_is_on_its_way(clock: FakeClock) -> None:
    google = FakeGoogle(pages("models/a"))
    async with directory(google, clock, within=0) as models:
        await models.listing("me", "key")
        google.answers, google.gate = [pages("models/b")], asyncio.Event()
        clock.now += TTL
        assert names(await models.listing("me", "key")) == ["models/a"]
        assert (await models.listing("me", "key")).is_stale
        google.gate.set()
        await models._running["me"]
        assert names(await models.listing("me", "key")) == ["models/b"]
    assert len(page_tokens(google)) == 2
