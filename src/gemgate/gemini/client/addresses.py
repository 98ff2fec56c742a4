"""Addresses of hosts, looked up outside of the pools that others share, and kept ahead of their use.

The event loop's own look-ups wait in one short queue: a few slow names hold up every connection. Here each look-up has
a thread of its own; how many there may be is its user's part.
"""

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

RENEW_SECONDS = 30.0
"""How often addresses that are in use are looked up again."""

STALE_SECONDS = 3600.0
"""For how long addresses are used that cannot be looked up again."""

UNUSED_SECONDS = 600.0
"""After which addresses that nobody asks for are no longer renewed."""

Found = list[tuple[socket.AddressFamily, str]]
LookUp = Callable[[str, int, socket.AddressFamily], Awaitable[Found]]


async def look_up(host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Found:
    """The addresses of `host` by the system's resolver, in its order.

    A cancelled look-up goes on in its thread, which nothing waits for, not even the end of the process.

    Raises:
        OSError: the name has none.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Found] = loop.create_future()

    def settle(found: Found, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def run() -> None:
        found: Found = []
        failure: Exception | None = None
        try:
            rows = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys((row[0], _address(row[4])) for row in rows))
        except OSError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  a name that cannot be written for DNS
            failure = OSError(str(error))
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=run, name="look-up", daemon=True).start()
    return await future


def _address(sockaddr: tuple[object, ...]) -> str:
    """The address with its zone, where it has one."""
    address = str(sockaddr[0])
    scope = sockaddr[3] if len(sockaddr) > 3 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address


@dataclass(slots=True)
class _KnownAddresses:
    addresses: deque[tuple[socket.AddressFamily, str]]
    at: float
    used: float


class KeptAddresses:
    """Resolves hosts from memory: only the first request for a host waits for its look-up.

    Addresses are renewed every `RENEW_SECONDS` while they are in use; while that fails the last ones are used. Each
    request gets them turned by one, so that connections spread.

    Args:
        resolve: Looks a host up.
        clock: Seconds, never going back.
    """

    def __init__(self, resolve: LookUp = look_up, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._clock = clock
        self._kept: dict[tuple[str, int, socket.AddressFamily], _KnownAddresses] = {}
        self._running: dict[tuple[str, int, socket.AddressFamily], asyncio.Task[None]] = {}
        self._renewal: asyncio.Task[None] | None = None

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Found:
        """The addresses of `host`.

        Raises:
            OSError: the name has none.
        """
        name = (host, port, family)
        kept = self._kept.get(name)
        if kept is None or self._clock() - kept.at > STALE_SECONDS:
            await asyncio.shield(self._look_up(name))
            kept = self._kept[name]
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew_forever())
        kept.used = self._clock()
        kept.addresses.rotate(-1)
        return list(kept.addresses)

    async def close(self) -> None:
        """End what still looks up."""
        tasks = [*self._running.values(), *([self._renewal] if self._renewal else [])]
        self._renewal = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def renew(self) -> None:
        """Look up again what is in use; what cannot be found stays as it was."""
        now = self._clock()
        for name in [name for name, kept in self._kept.items() if now - kept.used > UNUSED_SECONDS]:
            del self._kept[name]
        await asyncio.gather(*(self._look_up(name) for name in self._kept), return_exceptions=True)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.renew()

    def _look_up(self, name: tuple[str, int, socket.AddressFamily]) -> asyncio.Task[None]:
        """The look-up of a host that is on its way, or a new one."""
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.create_task(self._keep(name))
            task.add_done_callback(lambda done: self._done(name, done))
        return task

    def _done(self, name: tuple[str, int, socket.AddressFamily], task: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        if not task.cancelled():
            task.exception()  # those who wait have it; all may have gone

    async def _keep(self, name: tuple[str, int, socket.AddressFamily]) -> None:
        found = await self._resolve(*name)
        if not found:
            msg = "no address"
            raise OSError(msg)
        now = self._clock()
        old = self._kept.get(name)
        self._kept[name] = _KnownAddresses(deque(found), now, old.used if old else now)
