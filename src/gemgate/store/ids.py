"""Ids: random, safe in a URL, and in the order of their making."""

import re
import secrets
from typing import Literal

Kind = Literal["file-", "upload_", "part_", "batch_", "resp_", "conv_"]

_ID = re.compile(r"[a-z]+[-_]([0-9a-f]{8})[0-9a-f]{24}")


_MOST = 0xFFFFF


class _Order:
    """Microseconds of one second that only rise, so that what one process makes is in the order of its making."""

    def __init__(self) -> None:
        self._second = self._microsecond = 0

    def within(self, now: float) -> int:
        second, microsecond = int(now), int(now % 1 * 1_000_000)
        if second == self._second and microsecond <= self._microsecond:
            microsecond = min(self._microsecond + 1, _MOST)
        self._second, self._microsecond = second, microsecond
        return microsecond


_order = _Order()


def new_id(kind: Kind, now: float) -> str:
    """`kind`, the Unix second `now` in 8 hex digits, 5 for the place within it, and 76 random bits in 19."""
    return f"{kind}{int(now):08x}{_order.within(now):05x}{secrets.token_hex(10)[:19]}"


def second_of(identifier: str) -> int | None:
    """The Unix second in which an id was made; None if `new_id` cannot have made it."""
    found = _ID.fullmatch(identifier)
    return int(found[1], 16) if found else None
