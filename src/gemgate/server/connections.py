"""Callers' connections: how many a process holds, and which are closed when there are too many.

A connection takes a descriptor, and so does each call to Google. A process without a free descriptor accepts nobody,
and cannot say why: callers' connections are bounded well below the limit of descriptors.
"""

import resource
from contextlib import suppress
from typing import Protocol

DEFAULT_MAX = 10_000
"""Connections of callers in each process, where descriptors allow so many."""

_FOR_FILES = 32
_LARGE = 65_536


def raise_descriptor_limit() -> int:
    """Raise the process's soft limit of open descriptors to the hard one, for its children as well.

    Returns:
        The limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _LARGE):  # macOS calls its hard limit infinite, and then refuses it
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                break
    return descriptor_limit()


def descriptor_limit() -> int:
    """How many descriptors this process may have open at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def connection_bound(wanted: int | None, descriptors: int) -> int:
    """Connections of callers at once: those `wanted`, as far as half of the `descriptors` stays for calls to Google."""
    return max(min(wanted or DEFAULT_MAX, descriptors // 2 - _FOR_FILES), 1)


class Connection(Protocol):
    """One connection of a caller."""

    def give_way(self) -> None:
        """Close it: another caller needs its place."""


class OpenConnections:
    """The connections of one process, which makes room for a new one at the cost of one that asks for nothing.

    The first to go is the oldest on which nothing was ever asked, then the one on which nothing was asked for longest,
    then the one whose request has been coming in for longest. Connections whose request is being answered stay.

    Args:
        maximum: Connections at once.

    Attributes:
        arriving: Those whose request has a body that comes in, which takes more than one read.
    """

    def __init__(self, maximum: int) -> None:
        self._max = maximum
        self._silent: dict[Connection, bool] = {}
        self._idle: dict[Connection, bool] = {}
        self.arriving: dict[Connection, bool] = {}
        self._given_up: set[Connection] = set()
        self._open = 0

    def opened(self, connection: Connection) -> bool:
        """A caller has connected; False when each of the others is at work, so that this one must be closed."""
        has_room = self._open < self._max or self._make_room()
        self._open += 1
        self._silent[connection] = True
        return has_room

    def asked(self, connection: Connection) -> None:
        """The headers of a request have come."""
        if not self._idle.pop(connection, False):
            self._silent.pop(connection, False)

    def receiving(self, connection: Connection) -> None:
        """The body of the request takes more than one read."""
        self.arriving.setdefault(connection, True)

    def received(self, connection: Connection) -> None:
        """The body has come to its end."""
        self.arriving.pop(connection, False)

    def answered(self, connection: Connection) -> None:
        """All that was asked is answered."""
        self._idle[connection] = True

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        if connection in self._given_up:
            self._given_up.remove(connection)
        else:
            self._open -= 1
        for held in (self._silent, self._idle, self.arriving):
            held.pop(connection, None)

    def _make_room(self) -> bool:
        kinds = (self._silent, self._idle, self.arriving)
        for held in kinds:
            while held:
                oldest = next(iter(held))
                for each in kinds:
                    each.pop(oldest, None)
                if oldest not in self._given_up:  # it answers what it had in hand, and is closed already
                    self._given_up.add(oldest)
                    self._open -= 1
                    oldest.give_way()
                    return True
        return False
