"""The file of Gemini keys, read again when it changes: keys are replaced without a restart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from pydantic import SecretStr

from gemgate.settings.cleaning import check_keys
from gemgate.settings.secret_files import read_secret
from gemgate.settings.variables import variable
from gemgate.tasks import in_background
from gemgate.upstream.key_pool import KeyPool

POLL_SECONDS = 2.0
"""Between two looks at the file. A look sees what file watchers miss: Kubernetes swaps the directory of the file."""

_log = structlog.get_logger()


@asynccontextmanager
async def keys_followed(path: Path | None, pool: KeyPool, announce: Callable[[int], None]) -> AsyncIterator[None]:
    """Has `pool` hold the keys in the file at `path`, until the block ends.

    Args:
        path: The file; None for none.
        pool: What holds the keys.
        announce: Gets the number of keys when they have changed.
    """
    if path is None:
        yield
        return
    async with in_background(_follow(path, pool, announce)):
        yield


async def _follow(path: Path, pool: KeyPool, announce: Callable[[int], None]) -> None:
    before, problem = pool.secrets, ""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            keys = await asyncio.to_thread(_read, path)
        except ValueError as error:
            if str(error) != problem:
                problem = str(error)
                _log.error("the file of Gemini keys is invalid: the previous keys stay in force", problem=problem)
            continue
        problem = ""
        if keys != before:
            before = keys
            pool.replace(keys)
            announce(len(pool))
            _log.info("Gemini keys reloaded", keys=[key.label for key in pool.snapshot()])


def _read(path: Path) -> tuple[str, ...]:
    """The keys.

    Raises:
        ValueError: the file is missing or empty, or holds what no key is.
    """
    text = read_secret(path, variable("gemini_api_key_file"))
    keys = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    check_keys([SecretStr(key) for key in keys])
    if not keys:
        raise ValueError(f"{path} holds no key")
    return keys
