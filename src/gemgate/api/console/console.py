"""The console of one process: what it remembers, and how it asks the other workers."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from gemgate.api.console.access import ConsoleAccess
from gemgate.api.console.activity import Activity
from gemgate.api.console.state import client_keys, keys_and_models
from gemgate.api.console.workers import Answer, WorkerPeers
from gemgate.api.services import Services
from gemgate.observability.multiprocess import shared_directory
from gemgate.settings import Settings
from gemgate.web.sse import frame

_POLL_SECONDS = 0.5
_POLLS = 1200
"""After which the page connects again, and shows again that it may."""

_AT_FIRST = 300
_AT_ONCE = 100
"""Requests of one worker in one event: more in half a second than a reader can see would cost what nobody gets."""


class Console:
    """Is built with the application, and runs while it does.

    Attributes:
        access: Who may open it.
        activity: The last requests of this process.
        workers: This process and those beside it, while it runs.
    """

    workers: WorkerPeers

    def __init__(self, settings: Settings) -> None:
        self.access = ConsoleAccess(settings)
        self.activity = Activity()
        self._is_alone = settings.workers == 1

    @asynccontextmanager
    async def running(self, services: Services) -> AsyncIterator[None]:
        """Remembers requests and answers the other workers, until the block ends."""
        answers: dict[str, Answer] = {
            "requests": self._requests,
            "usage": self._usage,
            "keys": partial(_keys, services),
            "clients": partial(_clients, services),
        }
        self.workers = WorkerPeers(answers, None if self._is_alone else shared_directory())
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.activity.folded())
            await stack.enter_async_context(self.workers.listening())
            yield

    async def feed(self) -> AsyncGenerator[bytes]:
        """Server-sent events: the processes that are seen, and their requests that have ended since the last event."""
        seen: dict[int, int] = {}
        processes: list[int] = []
        for _ in range(_POLLS):
            found = await self.workers.ask("requests", seen)
            rows: list[dict[str, object]] = []
            for process, ended in found.items():
                if isinstance(ended, list) and ended:
                    seen[process] = ended[-1]["number"]
                    rows += [{"process": process, **row} for row in ended]
            if rows or list(found) != processes:
                processes = list(found)
                yield frame({"processes": processes, "rows": sorted(rows, key=lambda row: row["at"])})  # type: ignore[arg-type,return-value]
            await anyio.sleep(_POLL_SECONDS)

    async def _requests(self, number: int) -> object:
        return self.activity.after(number, _AT_ONCE if number else _AT_FIRST)

    async def _usage(self, _number: int) -> object:
        return self.activity.usage()


async def _keys(services: Services, _number: int) -> object:
    return keys_and_models(services)


async def _clients(services: Services, _number: int) -> object:
    return await client_keys(services)
