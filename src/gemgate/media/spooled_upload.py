"""A file that a request brings and that is used once: in memory while it is small, then on disk."""

import asyncio
import io
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from anyio import to_thread

from gemgate.store.errors import DiskFullError, is_no_space

T = TypeVar("T")

IN_MEMORY = 1_048_576
"""Bytes that are held in memory; more are written to an unnamed temporary file."""

_PIECE = 1_048_576


class SpooledUpload:
    """Bytes that come in pieces, and are read again from the beginning.

    Args:
        directory: Where the temporary file is, if there has to be one; the system's folder if that does not exist.

    Attributes:
        size: Bytes that have come.
    """

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self._directory = directory
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def of(cls, file: IO[bytes], directory: Path) -> "SpooledUpload":
        """The bytes of a file that is there already, which `close` closes."""
        spool = cls(directory)
        spool._file, spool.size = file, file.seek(0, 2)
        return spool

    async def write(self, piece: bytes) -> None:
        """Append bytes.

        Raises:
            DiskFullError: the disk takes no more.
        """
        self.size += len(piece)
        self._held += piece
        if len(self._held) > IN_MEMORY:
            held, self._held = self._held, bytearray()
            with full_disk_named():
                await self._at_file(lambda: self._append(held))

    async def head(self, length: int) -> bytes:
        """The first `length` bytes."""
        return await self._read(0, length)

    async def whole(self) -> bytes:
        """All of them, for a file that is known to be small."""
        return await self._read(0, self.size)

    async def pieces(self, offset: int = 0) -> AsyncGenerator[bytes]:
        """The bytes from an offset on, a piece at a time."""
        while offset < self.size and (piece := await self._read(offset, _PIECE)):
            offset += len(piece)
            yield piece

    async def inspect(self, look: Callable[[IO[bytes]], T]) -> T:
        """What `look` finds in the file, which it reads in a thread, from the beginning."""
        if self._file is None:
            return await to_thread.run_sync(lambda: look(io.BytesIO(self._held)))
        held, self._held = self._held, bytearray()
        return await self._at_file(lambda: look(self._appended(held)))

    def close(self) -> None:
        """Drop the bytes."""
        self._held.clear()
        if self._file is not None:
            self._file.close()

    async def _read(self, offset: int, length: int) -> bytes:
        if self._file is None:
            return bytes(self._held[offset : offset + length])
        held, self._held = self._held, bytearray()
        return await self._at_file(lambda: self._from(held, offset, length))

    async def _at_file(self, work: Callable[[], T]) -> T:
        async with self._lock:
            return await to_thread.run_sync(work)

    def _from(self, held: bytearray, offset: int, length: int) -> bytes:
        file = self._appended(held)
        file.seek(offset)
        return file.read(length)

    def _appended(self, held: bytearray) -> IO[bytes]:
        """The file, with what was still held in memory, at its beginning."""
        file = self._append(held)
        file.seek(0)
        return file

    def _append(self, held: bytearray) -> IO[bytes]:
        if self._file is None:
            self._file = unnamed_file(self._directory)
        self._file.seek(0, 2)
        self._file.write(held)
        return self._file


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Raises `DiskFullError` in the place of the system's word for it."""
    try:
        yield
    except OSError as error:
        if is_no_space(error):
            raise DiskFullError(str(error)) from error
        raise


def unnamed_file(directory: Path) -> IO[bytes]:
    """A temporary file without a name in `directory`; in the system's folder if that does not exist."""
    return tempfile.TemporaryFile(dir=directory if directory.is_dir() else None)
