"""The models that Google offers to a key: all pages, kept for a while, and kept on when Google is down."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from gemgate.gemini.client.event_stream import check_response
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import ListModelsResponse, ModelResource

PATH = "/v1beta/models"
PAGE_SIZE = 1000
"""The most that Google gives at once."""

MAX_OWNERS = 128
"""Lists kept; the one that was not asked for longest goes first."""

RETRY_PAUSE = 10.0
"""Seconds without a new attempt after one that failed, while there is an old list to answer with."""


class Requests(Protocol):
    """The way to Google: see `GeminiClient.request`."""

    async def request(self, method: str, path: str, *, key: str | None, params: Mapping[str, str]) -> dict[str, object]:
        """The JSON object that is answered."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """What Google offers: by resource name, in Google's order.

    Attributes:
        models: Such as `{"models/gemini-2.5-flash": {…}}`.
        is_stale: Whether the list is older than it should be, because Google gave no newer one.
    """

    models: Mapping[str, ModelResource]
    is_stale: bool = False


@dataclass(slots=True)
class _Kept:
    models: Mapping[str, ModelResource]
    fresh_until: float
    retry_at: float = 0.0


class ModelList:
    """Lists of models by owner: `async with ModelList(gemini, ttl=300) as directory`.

    Lists differ from key to key, so each owner has one of their own. For each owner one refresh runs at a time, and
    everybody who asks meanwhile waits for it. Who leaves does not end it for the others.

    Args:
        gemini: The way to Google.
        ttl: Seconds after which a list is asked for again.
        timeout: Seconds to wait for a new list while there is an old one.
        clock: Seconds of a clock that never goes back.
        announce: Is handed each new list.
    """

    def __init__(
        self,
        gemini: Requests,
        *,
        ttl: float,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        announce: Callable[[Mapping[str, ModelResource]], None] | None = None,
    ) -> None:
        self._announce = announce
        self._gemini = gemini
        self._ttl = ttl
        self._timeout = timeout
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._running: dict[str, asyncio.Task[Mapping[str, ModelResource]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def listing(self, owner: str, key: str | None) -> Listing:
        """The models that `key` may use.

        Args:
            owner: Names whose list it is, without telling the key.
            key: The owner's Gemini key; None for one of the gateway's, which give all owners the same list.

        Raises:
            GeminiError: Google refused; or it is down, and no earlier list was kept.
        """
        if key is None:
            owner = ""
        kept = self._kept.get(owner)
        now = self._clock()
        if kept is not None:
            self._kept.move_to_end(owner)
            if now < kept.fresh_until:
                return Listing(kept.models)
            if now < kept.retry_at:
                return Listing(kept.models, is_stale=True)
        task = self._running.get(owner) or self._refresh(owner, key)
        done, _ = await asyncio.wait({task}, timeout=None if kept is None else self._timeout)
        if kept is None:
            return Listing(task.result())
        if not done:
            return Listing(kept.models, is_stale=True)
        try:
            return Listing(task.result())
        except GeminiError as error:
            if not _is_down(error):
                self._kept.pop(owner, None)
                raise
            kept.retry_at = self._clock() + RETRY_PAUSE
            return Listing(kept.models, is_stale=True)

    def _refresh(self, owner: str, key: str | None) -> asyncio.Task[Mapping[str, ModelResource]]:
        task = asyncio.create_task(self._fetch(owner, key))
        self._running[owner] = task
        task.add_done_callback(lambda task: self._settle(owner, task))
        return task

    def _settle(self, owner: str, task: asyncio.Task[Mapping[str, ModelResource]]) -> None:
        del self._running[owner]
        if not task.cancelled():
            task.exception()  # everybody may have left, and then nobody else looks at it

    async def _fetch(self, owner: str, key: str | None) -> Mapping[str, ModelResource]:
        models = await all_models(lambda params: self._gemini.request("GET", PATH, key=key, params=params))
        if self._announce is not None:
            self._announce(models)
        self._kept[owner] = _Kept(models, self._clock() + self._ttl)
        self._kept.move_to_end(owner)
        if len(self._kept) > MAX_OWNERS:
            self._kept.popitem(last=False)
        return models


async def all_models(page_of: Callable[[Mapping[str, str]], Awaitable[dict[str, Any]]]) -> dict[str, ModelResource]:
    """All pages of Google's list, by resource name, in Google's order.

    Args:
        page_of: Asks for the page of these parameters.

    Raises:
        GeminiError: a page cannot be had, or is not one.
    """
    models: dict[str, ModelResource] = {}
    params, seen = {"pageSize": str(PAGE_SIZE)}, {""}
    while True:
        page = await page_of(params)
        check_response(page, ListModelsResponse)
        for model in page.get("models") or []:
            if name := model.get("name"):
                models.setdefault(name, model)
        token = page.get("nextPageToken") or ""
        if token in seen:
            return models
        seen.add(token)
        params = {**params, "pageToken": token}


def _is_down(error: GeminiError) -> bool:
    """Whether another attempt may go better, so that an old list is better than the error."""
    return error.status >= 500 or error.status == 429
