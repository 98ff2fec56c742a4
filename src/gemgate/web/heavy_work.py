"""The work of requests that may take long: beside the event loop, one at a time, callers in turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import to_thread

from gemgate.translation.request_size import LIGHT_BYTES
from gemgate.web.turns import Turns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HeavyWork:
    """The one thread for such work: several would hold up the event loop together."""

    turns: Turns = field(default_factory=Turns)

    async def run(self, caller: str, work: Callable[[], T]) -> T:
        """What `work` gives, which is done in a thread once it is the turn of `caller`."""
        async with self.turns.of(caller):
            return await to_thread.run_sync(work)

    def aside(self, caller: str, *, is_heavy: bool) -> "Aside":
        """How one request of `caller` has its work done."""
        return Aside(self, caller, is_heavy)


@dataclass(frozen=True, slots=True)
class Aside:
    """Does the work of one request where it holds up nobody.

    Attributes:
        is_heavy: Whether it may take so long that it is done beside the event loop.
    """

    heavy: HeavyWork
    caller: str
    is_heavy: bool

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives."""
        return await self.heavy.run(self.caller, work) if self.is_heavy else work()

    def with_kept(self, kept_bytes: int) -> "Aside":
        """The same for a request that goes on from `kept_bytes` of JSON."""
        return Aside(self.heavy, self.caller, self.is_heavy or kept_bytes > LIGHT_BYTES)
