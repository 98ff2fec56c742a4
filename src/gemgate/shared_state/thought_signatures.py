"""Thought signatures that all workers and replicas know. No stream waits for Redis, and no client that sends them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gemgate.shared_state.connection import RedisConnection, RedisDownError, WrongAnswerError
from gemgate.shared_state.write_behind import WriteBehind
from gemgate.translation.thought_signatures import Signatures

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisSignatures:
    """Signatures in memory, written to Redis behind the stream, and looked up there only when one is missing here.

    Args:
        local: Those of this process.
        link: Redis.
        behind: Sends what is written.
        ttl: Seconds for which they are kept.
    """

    def __init__(self, local: Signatures, link: RedisConnection, behind: WriteBehind, ttl: float) -> None:
        self._local = local
        self._link = link
        self._behind = behind
        self._milliseconds = max(1, int(ttl * 1000))

    @property
    def is_shared(self) -> bool:
        """Whether `recall` may find out more."""
        return self._link.is_up

    def get(self, key: bytes) -> str | None:
        """The signature under `key`, if this process knows it."""
        return self._local.get(key)

    def put(self, key: bytes, signature: str) -> None:
        """Keep `signature` under `key`, here and soon for the others."""
        self._local.put(key, signature)
        self._behind.add(lambda pipeline: pipeline.set(_name(key), signature, px=self._milliseconds))

    async def recall(self, keys: Sequence[bytes]) -> None:
        """Find out what the others know of those `keys` that this process does not."""
        missing = [key for key in keys if self._local.get(key) is None]
        if not missing:
            return
        names = [_name(key) for key in missing]
        with suppress(RedisDownError):
            found = await self._link.run(lambda redis: _found(redis, names))
            for key, signature in zip(missing, found, strict=True):
                if signature is not None:
                    self._local.put(key, signature)


async def _found(redis: "Redis", names: list[str]) -> list[str | None]:
    """The signatures under `names`.

    Raises:
        WrongAnswerError: what came is another's.
        UnicodeDecodeError: one of them is not ASCII.
    """
    found: object = await redis.mget(names)
    if not isinstance(found, list) or len(found) != len(names):
        raise WrongAnswerError("the signatures are not as many as were asked for")
    return [signature.decode("ascii") if isinstance(signature, bytes) else None for signature in found]


def _name(key: bytes) -> str:
    return f"gemgate:signature:{key.hex()}"
