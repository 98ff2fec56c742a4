"""Ids: random, safe in a URL, and in the order of their making."""

import re
import secrets
from typing import Literal

Kind = Literal["file-", "upload_", "part_", "batch_", "resp_", "conv_"]

_ID = re.compile(r"[a-z]+[-_]([0-9a-f]{8})[0-9a-f]{24}")


def new_id(kind: Kind, now: float) -> str:
    """`kind`, then the Unix second `now` in 8 hex digits, then 96 random bits in 24."""
    return f"{kind}{int(now):08x}{secrets.token_hex(12)}"


def second_of(identifier: str) -> int | None:
    """The Unix second in which an id was made; None if `new_id` cannot have made it."""
    found = _ID.fullmatch(identifier)
    return int(found[1], 16) if found else None
