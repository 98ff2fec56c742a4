"""Google's list of models, read in the background: its facts hold from the start on, and no request waits for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_list import PATH, all_models
from gemgate.gemini.types import ModelResource
from gemgate.tasks import in_background
from gemgate.upstream.client import Upstream

PAGE_SECONDS = 30.0
"""For one page of the list. Nobody waits for it."""

RETRY_SECONDS = 60.0
"""After a first failure; twice as long after each further one."""

_MAX_DOUBLINGS = 10

_log = structlog.get_logger()


@asynccontextmanager
async def models_followed(
    gemini: Upstream,
    every: float,
    announce: Callable[[Mapping[str, ModelResource]], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Reads the list now and then, until the block ends. A failure changes nothing: there is another time.

    Args:
        gemini: The way to Google; a failed call says nothing about its keys.
        every: Seconds between two lists; 0: none is read.
        announce: Gets each list.
        sleep: Waits.
    """
    if not every:
        yield
        return
    async with in_background(_follow(gemini, every, announce, sleep)):
        yield


async def _follow(
    gemini: Upstream,
    every: float,
    announce: Callable[[Mapping[str, ModelResource]], None],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    failures = 0
    while True:
        try:
            announce(await all_models(lambda params: _page(gemini, params)))
            failures = 0
        except GeminiError as error:
            failures += 1
            _log.debug("the list of models could not be read", status=error.status, failures=failures)
        pause = RETRY_SECONDS * 2.0 ** min(failures - 1, _MAX_DOUBLINGS) if failures else every
        await sleep(min(pause, every))


async def _page(gemini: Upstream, params: Mapping[str, str]) -> dict[str, object]:
    return await gemini.request_aside("GET", PATH, key=None, params=params, seconds=PAGE_SECONDS)
