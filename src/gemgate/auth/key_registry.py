"""The client keys in force: those of the environment and those of a file, which is read again when it changes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from gemgate.auth.client_keys import ClientKey, digest_of, plain_key
from gemgate.auth.keys_file import KeysFileError, read_keys
from gemgate.settings import Settings
from gemgate.tasks import in_background

POLL_SECONDS = 2.0
"""Between two looks at the file. A look costs a `stat`, and sees what file watchers miss: network file systems, and
Kubernetes, which swaps the directory that a mounted file is in."""

_log = structlog.get_logger()

Stamp = tuple[int, int, int] | None


class ClientKeys:
    """Finds the entry of a presented key.

    Args:
        plain: Keys of the environment.
        path: The file with named ones.

    Raises:
        KeysFileError: the file is bad. (One that becomes bad later does no harm: the keys of before stay in force.)

    Attributes:
        is_open: Whether no key is asked for, because none is configured.
        has_limits: Whether any key has limits of requests or tokens.
        has_budgets: Whether any key has a budget.
        problems: Why the file as it is now is not in force; empty when it is.
    """

    def __init__(self, plain: Sequence[str] = (), path: Path | None = None) -> None:
        self._plain = [plain_key(key) for key in plain]
        self._path = path
        self.is_open = not plain and path is None
        self._stamp = _stamp(path)
        self._entries = read_keys(path) if path else []
        self._table = self._index()
        self.has_limits = any(entry.limits.has_rate for entry in self)
        self.has_budgets = any(entry.limits.has_budget for entry in self)
        self.problems: list[str] = []

    @classmethod
    def of(cls, settings: Settings) -> "ClientKeys":
        """The keys that these settings name.

        Raises:
            KeysFileError: the file is bad.
        """
        return cls([key.get_secret_value() for key in settings.client_keys], settings.client_keys_file)

    def find(self, presented: str) -> ClientKey | None:
        """The entry of a key that a caller presented; None when it is unknown."""
        return self._table.get(digest_of(presented))

    def find_owner(self, owner: str) -> ClientKey | None:
        """The entry of the key in force that belongs to this owner, or None."""
        return next((entry for entry in self if entry.owner == owner), None)

    def has_owner(self, owner: str) -> bool:
        """Whether a key in force belongs to this owner."""
        return any(entry.owner == owner for entry in self)

    def __iter__(self) -> Iterator[ClientKey]:
        return iter((*self._plain, *self._entries))

    def refresh(self) -> bool:
        """Reads the file again if it has changed; says whether new keys are in force now."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp:
            return False
        self._stamp = stamp
        try:
            entries = read_keys(self._path)
        except KeysFileError as error:
            self.problems = error.problems
            _log.error("the new client keys file is invalid: the previous keys stay in force", problems=error.problems)
            return False
        before = {entry.name for entry in self._entries}
        after = {entry.name for entry in entries}
        self._entries, self.problems = entries, []
        self._table = self._index()
        self.has_limits = any(entry.limits.has_rate for entry in self)
        self.has_budgets = any(entry.limits.has_budget for entry in self)
        _log.info(
            "client keys reloaded", keys=len(entries), added=sorted(after - before), removed=sorted(before - after)
        )
        return True

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["ClientKeys"]:
        """Looks at the file every `POLL_SECONDS`, in a thread, until the block ends."""
        if self._path is None:
            yield self
            return
        async with in_background(self._watch()):
            yield self

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _index(self) -> dict[bytes, ClientKey]:
        """By digest. An entry of the file beats a plain key, so that its limits count if the environment has it too."""
        return {digest: entry for entry in self for digest in entry.digests}


def _stamp(path: Path | None) -> Stamp:
    """What changes when the file does; None without one."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
