"""The calls of an assistant message that wait for their results."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gemgate.translation.tool_results import Result

_MAX_LISTED = 10


@dataclass(slots=True)
class PendingCall:
    """A call of the last assistant message that still waits for its result."""

    id: str
    name: str
    native_id: str | None
    result: Result | None = None


@dataclass(slots=True)
class PendingCalls:
    """The calls of one message in their order; each is found by its id or its name in constant time.

    Attributes:
        calls: Those that were added, by their ids.
    """

    calls: dict[str, PendingCall] = field(default_factory=dict, init=False)
    _by_name: dict[str, deque[PendingCall]] = field(default_factory=dict, init=False)

    def __iter__(self) -> Iterator[PendingCall]:
        return iter(self.calls.values())

    def __contains__(self, call_id: str) -> bool:
        return call_id in self.calls

    def add(self, call: PendingCall) -> None:
        """Add a call, whose id no other one has."""
        self.calls[call.id] = call
        self._by_name.setdefault(call.name, deque()).append(call)

    def by_id(self, call_id: str) -> PendingCall | None:
        """The call with this id, whether it has its result or not."""
        return self.calls.get(call_id)

    def by_name(self, name: str) -> PendingCall | None:
        """The first call of this function without a result, or the last one if all have theirs."""
        waiting = self._by_name.get(name)
        if not waiting:
            return None
        while len(waiting) > 1 and waiting[0].result is not None:
            waiting.popleft()
        return waiting[0]

    def listed(self, *, missing: bool = False) -> str:
        """The ids (or names) of the first calls, or of those that are `missing` a result, for an error."""
        names = [call.id or call.name for call in self if not missing or call.result is None]
        shown = ", ".join(repr(name[:80]) for name in names[:_MAX_LISTED]) or "none"
        return shown + (f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else "")
