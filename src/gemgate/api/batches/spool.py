"""Records on disk, found again by their number: memory grows by 16 bytes for each."""

import tempfile
from array import array
from pathlib import Path
from typing import IO

STEP = 262_144
"""About how many bytes one call of a session gives out."""

SLICE = 0.25
"""Seconds of CPU time after which a call ends with the line at hand, so that others have their turn."""


class Spool:
    """An unnamed temporary file: it is gone with the process, however that ends."""

    def __init__(self, directory: Path | None = None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  `close` closes it
        self._end = 0
        self._reading = 0

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._end

    def append(self, data: bytes) -> int:
        """Write `data` at the end, and say where it begins."""
        offset = self._end
        self._file.seek(offset)
        self._file.write(data)
        self._end += len(data)
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """What was written there."""
        self._file.seek(offset)
        return self._file.read(length)

    def drain(self, maximum: int) -> bytes:
        """The next `most` bytes from the beginning on; empty at the end."""
        piece = self.read(self._reading, maximum)
        self._reading += len(piece)
        return piece

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


class Records:
    """Records by number; a number may be missing, and the first record under it stays."""

    def __init__(self, directory: Path | None = None) -> None:
        self._spool = Spool(directory)
        self._places = array("Q")

    def __len__(self) -> int:
        return len(self._places) // 2

    def put(self, number: int, record: bytes) -> None:
        """Keep `record`, which is not empty."""
        if missing := number + 1 - len(self):
            self._places.extend([0, 0] * max(missing, 0))
        if not self._places[2 * number + 1]:
            self._places[2 * number] = self._spool.append(record)
            self._places[2 * number + 1] = len(record)

    def get(self, number: int) -> bytes:
        """The record; empty without one."""
        if number >= len(self):
            return b""
        offset, length = self._places[2 * number : 2 * number + 2]
        return self._spool.read(offset, length) if length else b""

    def close(self) -> None:
        """Drop the file."""
        self._spool.close()
