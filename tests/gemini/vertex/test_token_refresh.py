"""Access tokens: fresh before they end, one refresh at a time, and never a request that waits for a healthy one."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from tests.gemini.vertex.support import Clocks, Source, soon

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex import token_refresh
from gemgate.gemini.vertex.credentials import AccessToken
from gemgate.gemini.vertex.token_refresh import LAST_PAUSE_SECONDS, LOOK_SECONDS, RefreshedTokens


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
async def tokens(clocks: Clocks, source: Source, failures: list[str]) -> AsyncIterator[RefreshedTokens]:
    async with kept(source, clocks, failures) as tokens:
        yield tokens
    source.may_answer.set()


def kept(source: Source, clocks: Clocks, failures: list[str], timeout: float = 10) -> RefreshedTokens:
    return RefreshedTokens(
        source,
        failures.append,
        timeout=timeout,
        monotonic=lambda: clocks.monotonic,
        wall=lambda: clocks.wall,
        sleep=clocks.sleep,
    )


async def test_the_first_token_is_there_after_the_start_with_what_the_credentials_name(
    tokens: RefreshedTokens,
) -> None:
    assert tokens.current() == "ya29.token-1"
    assert (tokens.project, tokens.quota_project) == ("a-project", "a-payer")


async def test_a_token_is_refreshed_at_three_quarters_of_its_life_and_not_before(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    await clocks.advance(2699)
    assert (source.fetched, tokens.current()) == (1, "ya29.token-1")
    await clocks.advance(1)
    await soon(lambda: tokens.current() == "ya29.token-2")
    await clocks.advance(2700)
    await soon(lambda: tokens.current() == "ya29.token-3")


async def test_a_token_that_came_half_used_up_is_refreshed_in_time(clocks: Clocks, source: Source) -> None:
    source.lifetime = 240
    async with kept(source, clocks, []) as tokens:
        await clocks.advance(180)
        await soon(lambda: tokens.current() == "ya29.token-2")


async def test_no_request_waits_while_a_good_token_is_there(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    source.may_answer.clear()
    await clocks.advance(2700)
    await soon(lambda: source.fetched == 2)
    assert {tokens.current() for _ in range(100)} == {"ya29.token-1"}
    assert source.fetched == 2


async def test_a_hundred_requests_with_a_refused_token_fetch_one(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    await clocks.advance(60)
    source.may_answer.clear()
    waiting = [asyncio.create_task(tokens.renewed("ya29.token-1")) for _ in range(100)]
    await soon(lambda: source.fetched == 2)
    source.may_answer.set()
    assert set(await asyncio.gather(*waiting)) == {"ya29.token-2"}
    assert (source.fetched, source.together, tokens.current()) == (2, 1, "ya29.token-2")
    assert await tokens.renewed("ya29.token-1") == "ya29.token-2"
    assert source.fetched == 2


async def test_a_token_that_is_refused_as_soon_as_it_came_is_not_fetched_again_for_each_request(
    tokens: RefreshedTokens, source: Source
) -> None:
    for _ in range(10):
        with pytest.raises(GeminiError, match=r"^401 UNAUTHENTICATED: Google refuses the access token"):
            await tokens.renewed("ya29.token-1")
    assert source.fetched == 1


async def test_who_goes_away_while_waiting_takes_nothing_from_the_others(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    await clocks.advance(60)
    source.may_answer.clear()
    waiting = [asyncio.create_task(tokens.renewed("ya29.token-1")) for _ in range(20)]
    await soon(lambda: source.fetched == 2)
    for task in waiting[:-1]:
        task.cancel()
    await asyncio.wait(waiting[:-1])
    source.may_answer.set()
    assert await waiting[-1] == "ya29.token-2"
    await clocks.advance(60)
    assert await tokens.renewed("ya29.token-2") == "ya29.token-3"


async def test_all_who_wait_may_go_and_the_token_comes_nevertheless(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    await clocks.advance(60)
    source.may_answer.clear()
    waiting = asyncio.create_task(tokens.renewed("ya29.token-1"))
    await soon(lambda: source.fetched == 2)
    waiting.cancel()
    await asyncio.wait((waiting,))
    source.may_answer.set()
    await soon(lambda: tokens.current() == "ya29.token-2")


async def test_while_the_endpoint_is_down_the_old_token_is_used_to_its_end_and_pauses_grow(
    tokens: RefreshedTokens, clocks: Clocks, source: Source, failures: list[str]
) -> None:
    source.is_down = True
    await clocks.advance(2700)
    for count in range(1, 7):
        await soon(lambda count=count: len(failures) == count)  # type: ignore[misc]
        await clocks.advance(min(2 ** (count - 1), LAST_PAUSE_SECONDS))
    assert tokens.current() == "ya29.token-1"
    assert set(failures) == {"the token endpoint is down"}
    await soon(lambda: len(failures) == 7)
    asked = source.fetched
    with pytest.raises(GeminiError, match="has no Google access token"):
        await tokens.renewed("ya29.token-1")
    assert source.fetched == asked, "in a pause nobody is asked"
    clocks.monotonic += 3600
    with pytest.raises(GeminiError) as refused:
        tokens.current()
    assert (refused.value.status, tokens.failure) == (401, "the token endpoint is down")
    assert "endpoint" not in refused.value.message
    source.is_down = False
    await clocks.advance(LAST_PAUSE_SECONDS)
    await soon(lambda: tokens.failure is None)
    assert tokens.current().startswith("ya29.token-")


async def test_a_start_without_a_token_endpoint_is_a_start_and_the_token_comes_later(
    clocks: Clocks, source: Source, failures: list[str]
) -> None:
    source.is_down = True
    async with kept(source, clocks, failures) as tokens:
        with pytest.raises(GeminiError, match=r"^401 UNAUTHENTICATED: The gateway has no Google access token"):
            tokens.current()
        source.is_down = False
        await clocks.advance(1)
        await soon(lambda: tokens.failure is None)
        assert tokens.current() == "ya29.token-2"


async def test_a_refresh_that_hangs_is_given_up_and_another_one_follows(
    clocks: Clocks, source: Source, failures: list[str]
) -> None:
    source.may_answer.clear()
    async with kept(source, clocks, failures, timeout=0.01) as tokens:
        assert failures == ["fetching an access token took longer than 0.01 seconds"]
        while len(failures) < 6:
            count = len(failures)
            await clocks.advance(LAST_PAUSE_SECONDS)
            await soon(lambda count=count: len(failures) > count)  # type: ignore[misc]
        assert source.fetched == 4, "threads that hang do not pile up"
        assert failures[-1] == "earlier refreshes of the access token still wait for an answer"
        tokens._timeout = 10
        source.may_answer.set()
        await soon(lambda: not any(thread.is_alive() for thread in source.threads))
        await clocks.advance(LAST_PAUSE_SECONDS)
        await soon(lambda: tokens.failure is None)
        assert tokens.current() == "ya29.token-5"


async def test_a_wall_clock_that_leaps_forward_as_after_a_machine_slept_refreshes_at_once(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    clocks.wall += 7200
    assert tokens.current() == "ya29.token-1"
    await soon(lambda: tokens.current() == "ya29.token-2")
    assert source.fetched == 2


async def test_a_wall_clock_that_leaps_forward_is_noticed_without_a_request(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    clocks.wall += 7200
    await clocks.advance(LOOK_SECONDS)
    await soon(lambda: source.fetched == 2)


async def test_a_wall_clock_that_is_set_back_makes_no_token_last_longer(
    tokens: RefreshedTokens, clocks: Clocks, source: Source
) -> None:
    clocks.wall -= 100_000
    await clocks.advance(2700)
    await soon(lambda: tokens.current() == "ya29.token-2")
    source.is_down = True
    clocks.monotonic += 3601
    with pytest.raises(GeminiError, match="401"):
        tokens.current()


async def test_a_clock_that_was_set_during_the_fetch_makes_no_token_last_for_days(
    clocks: Clocks, source: Source
) -> None:
    source.lifetime = 1e9
    async with kept(source, clocks, []) as tokens:
        clocks.monotonic += token_refresh.MAX_LIFETIME + 1
        source.is_down = True
        with pytest.raises(GeminiError, match="401"):
            tokens.current()


async def test_a_token_that_had_ended_when_it_came_is_a_failure(
    clocks: Clocks, source: Source, failures: list[str]
) -> None:
    source.lifetime = -5
    async with kept(source, clocks, failures):
        assert failures == ["the access token had ended when it came: is this machine's clock right?"]


async def test_a_failure_that_nobody_foresaw_says_its_kind_and_never_its_text(
    clocks: Clocks, failures: list[str]
) -> None:
    class Broken(Source):
        def fetch(self) -> AccessToken:
            raise RuntimeError("with ya29.a-secret-in-its-text")

    async with kept(Broken(), clocks, failures):
        assert failures == ["fetching an access token failed (RuntimeError)"]


async def test_the_loop_runs_while_a_token_is_fetched_in_a_thread_of_its_own(clocks: Clocks, source: Source) -> None:
    source.may_answer.clear()
    tokens = kept(source, clocks, [])
    start = asyncio.create_task(tokens.__aenter__())
    await soon(lambda: source.fetched == 1)
    assert not start.done()
    assert source.threads[0] not in {threading.main_thread(), threading.current_thread()}
    source.may_answer.set()
    await start
    await tokens.__aexit__(None, None, None)


async def test_an_end_does_not_wait_for_a_refresh_that_hangs(clocks: Clocks, source: Source) -> None:
    async with asyncio.timeout(5), kept(source, clocks, []):
        await clocks.advance(60)
        source.may_answer.clear()
        await clocks.advance(2700)
        await soon(lambda: source.fetched == 2)
    source.may_answer.set()


async def test_who_waits_when_the_gateway_ends_gets_an_answer(clocks: Clocks, source: Source) -> None:
    async with kept(source, clocks, []) as tokens:
        await clocks.advance(60)
        source.may_answer.clear()
        waiting = asyncio.create_task(tokens.renewed("ya29.token-1"))
        await soon(lambda: source.fetched == 2)
    with pytest.raises(GeminiError, match="401"):
        await waiting
    source.may_answer.set()


async def test_a_token_is_in_no_repr(tokens: RefreshedTokens, source: Source) -> None:
    assert "ya29" not in f"{tokens!r} {vars(tokens)!r} {source.fetch()!r}"
