"""The console of one process: what it remembers, and how it asks the other workers and replicas."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from gemgate.api.console.access import ConsoleAccess
from gemgate.api.console.activity import Activity
from gemgate.api.console.replicas import ReplicaPublisher, ReplicaSight, ReplicaWatch, replica_name
from gemgate.api.console.state import client_keys, keys_and_models
from gemgate.api.console.workers import Answer, WorkerPeers
from gemgate.api.services import Services
from gemgate.observability.multiprocess import shared_directory
from gemgate.settings import Settings
from gemgate.shared_state.request_feed import RequestFeed
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
        replica: The name of what they are together, while it runs.
    """

    workers: WorkerPeers
    replica: str
    _feed: RequestFeed | None

    def __init__(self, settings: Settings) -> None:
        self.access = ConsoleAccess(settings)
        self.activity = Activity()
        self._is_alone = settings.workers == 1

    @asynccontextmanager
    async def running(self, services: Services) -> AsyncIterator[None]:
        """Remembers requests, and answers the other workers and replicas, until the block ends."""
        answers: dict[str, Answer] = {
            "requests": self._requests,
            "usage": self._usage,
            "keys": partial(_keys, services),
            "clients": partial(_clients, services),
        }
        directory = None if self._is_alone else shared_directory()
        self.workers = WorkerPeers(answers, directory)
        self.replica = replica_name(directory)
        self._feed = None if services.redis is None else RequestFeed(services.redis)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.activity.folded())
            await stack.enter_async_context(self.workers.listening())
            if self._feed is not None:
                publisher = ReplicaPublisher(self._feed, self.activity, self.replica, os.getpid())
                await stack.enter_async_context(publisher.running())
            yield

    async def feed(self) -> AsyncGenerator[bytes]:
        """Server-sent events: the processes that are seen, and their requests that have ended since the last event."""
        seen: dict[int, int] = {}
        watch = ReplicaWatch(self._feed)
        sight: object = None
        for _ in range(_POLLS):
            found = await self.workers.ask("requests", seen)
            rows: list[dict[str, object]] = []
            for process, ended in found.items():
                if isinstance(ended, list) and ended:
                    seen[process] = ended[-1]["number"]
                    rows += [{"replica": self.replica, "process": process, **row} for row in ended]
            others = await watch.look(self.replica, found)
            rows += others.rows
            shown = self._shown(list(found), others)
            if rows or shown != sight:
                sight = shown
                yield frame({**shown, "rows": sorted(rows, key=lambda row: row["at"])})  # type: ignore[arg-type,return-value]
            await anyio.sleep(_POLL_SECONDS)

    def _shown(self, processes: list[int], others: ReplicaSight) -> dict[str, object]:
        """Which processes are seen: `processes` are those of this host, `replicas` all of them by their replica."""
        replicas = dict(others.replicas)
        replicas[self.replica] = sorted({*processes, *replicas.get(self.replica, ())})
        return {"processes": processes, "replicas": replicas, "redis": others.redis}

    async def client_keys(self, services: Services) -> dict[int, object]:
        """How much of its limits each client key has used, by the process that says so.

        While all count together in Redis, this process alone does.
        """
        if services.redis is not None and services.redis.state == "up":
            return {os.getpid(): await client_keys(services)}
        return await self.workers.ask("clients")

    async def _requests(self, number: int) -> object:
        return self.activity.after(number, _AT_ONCE if number else _AT_FIRST)

    async def _usage(self, _number: int) -> object:
        return self.activity.usage()


async def _keys(services: Services, _number: int) -> object:
    return keys_and_models(services)


async def _clients(services: Services, _number: int) -> object:
    return await client_keys(services)
