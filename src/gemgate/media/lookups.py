"""Look-ups of hosts that callers name: bounded in number and in time, and apart from all other look-ups."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from weakref import WeakValueDictionary

from gemgate.gemini.client.addresses import Found, look_up

PLACES = 32
"""Look-ups at once, in a process."""

CALLER_PLACES = 8
"""Of these, for the requests of one caller."""

REQUEST_PLACES = 4
"""Of these, for one request."""

THREADS = 128
"""Look-ups that run at the system, with those that nobody waits for any more."""

LOOKUP_SECONDS = 5.0
"""For one look-up, the wait for a place included."""

_places: ContextVar[tuple[asyncio.Semaphore, ...]] = ContextVar("gemgate_lookup_places", default=())


class Lookups:
    """The look-ups of one process for callers.

    A look-up that is cancelled or takes too long gives its places back at once, though the system may go on with it.

    Args:
        resolve: Looks one host up.
        seconds: For one look-up.
    """

    def __init__(
        self, resolve: Callable[[str, int], Awaitable[Found]] = look_up, seconds: float = LOOKUP_SECONDS
    ) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._all = asyncio.Semaphore(PLACES)
        self._of_callers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._running: set[asyncio.Task[Found]] = set()

    @contextmanager
    def of_request(self, caller: str, places: asyncio.Semaphore) -> Iterator[None]:
        """What is looked up in this block takes one of the `places` of a request, and one of its caller's."""
        of_caller = self._of_callers.get(caller)
        if of_caller is None:
            of_caller = self._of_callers[caller] = asyncio.Semaphore(CALLER_PLACES)
        token = _places.set((places, of_caller))
        try:
            yield
        finally:
            _places.reset(token)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`.

        Raises:
            OSError: the name has none, or is not found in time.
        """
        try:
            async with asyncio.timeout(self._seconds), AsyncExitStack() as held:
                for places in (*_places.get(), self._all):
                    await held.enter_async_context(places)
                found = await asyncio.shield(self._started(host, port))
        except TimeoutError:
            msg = f"the look-up took more than {self._seconds:g} s"
            raise OSError(msg) from None
        return list(dict.fromkeys(address for _, address in found))

    def _started(self, host: str, port: int) -> "asyncio.Task[Found]":
        if len(self._running) >= THREADS:
            msg = "too many look-ups are still running"
            raise OSError(msg)
        task = asyncio.ensure_future(self._resolve(host, port))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Found]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may wait for it any more

    async def close(self) -> None:
        """Wait for none that still runs."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
