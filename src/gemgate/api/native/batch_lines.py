"""Looks at the lines of a file of requests before a job runs it, where callers share the gateway's keys.

Each line is a request that Google runs with the gateway's key, and may name files, caches and models like any other.
Google gives no upload back: what is read is the gateway's copy, which is byte for byte what Google has.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing
from functools import partial

from anyio import to_thread

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.request_body import parsed, parsed_unambiguously
from gemgate.auth.resource_access import ResourceAccess
from gemgate.errors import ApiError
from gemgate.gemini.named_resources import Named, may_name
from gemgate.model_routing.model_name import model_name
from gemgate.store import BlobMissingError


async def check_lines(exchange: Exchange, name: str) -> None:
    """Refuse a file of requests one of which names what this caller may not use.

    Raises:
        ApiError: 404 for a resource of another's, 403 for a model, 400 without a copy, or when a line of it cannot be
            read.
    """
    store, caller = exchange.services.store, exchange.caller
    row = await store.files.get(caller.id, name)
    if row is None:
        raise _no_copy(name)
    try:
        async with aclosing(store.files.open(row)) as pieces, aclosing(checked(exchange, pieces)) as good:
            async for _ in good:
                pass
    except BlobMissingError:
        raise _no_copy(name) from None


async def checked(exchange: Exchange, pieces: AsyncIterable[bytes], folder: str = "") -> AsyncGenerator[bytes]:
    """The same pieces of a file of requests, each as soon as the lines that it completes are found good.

    Args:
        exchange: Who asks.
        pieces: Of any size.
        folder: What the addresses of objects begin with that lines may name; empty: none. With one, each line must be
            an object of JSON.

    Raises:
        ApiError: 404 for a resource of another's, 403 for a model, 400 when a line cannot be read.
    """
    named_in = partial(_named, exchange.services.access, is_strict=bool(folder))
    lines = _CheckedLines(exchange.services.settings.max_body_bytes)
    seen: set[str] = set()
    async for piece in pieces:
        await _check(exchange, await to_thread.run_sync(named_in, lines.feed(piece)), seen, folder)
        yield piece
    await _check(exchange, await to_thread.run_sync(named_in, lines.finish()), seen, folder)


async def _check(exchange: Exchange, named: Named, seen: set[str], folder: str) -> None:
    caller, access = exchange.caller, exchange.services.access
    if new := {name for name in named.names - seen if not _is_below(name, folder)}:
        await access.check_names(caller, new)
        seen |= new
    if caller.models is not None:
        for model in sorted(named.models):
            caller.check_model(model_name(model).removeprefix("models/"))


def _is_below(name: str, folder: str) -> bool:
    return bool(folder) and name.startswith(folder) and ".." not in name


def _named(access: ResourceAccess, lines: Iterable[bytes], *, is_strict: bool) -> Named:
    """What the lines name together.

    Raises:
        ApiError: 400 for a line that names something and could be read in two ways; if `is_strict`, for any that is no
            object of JSON.
    """
    together = Named()
    for line in lines:
        if is_strict and line.strip() and not isinstance(parsed(line), dict):
            raise ApiError(400, "A line of the input of the batch is not an object.", code="invalid_json")
        if may_name(line):
            parsed_unambiguously(line)
        if (named := access.named_in_line(line)) is not None:
            together.names |= named.names
            together.models |= named.models
    return together


class _CheckedLines:
    """Cuts pieces at line ends; a line of more than `most` bytes is refused."""

    def __init__(self, maximum: int) -> None:
        self._max = maximum
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that `piece` completes."""
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join([*self._held, line])
            self._held, self._size = [], 0
        self._held.append(rest)
        self._size += len(rest)
        if self._size > self._max:
            msg = f"A line of the input of the batch is longer than {self._max} bytes."
            raise ApiError(413, msg, code="line_too_long")

    def finish(self) -> Iterator[bytes]:
        """A last line without an end."""
        yield b"".join(self._held)


def _no_copy(name: str) -> ApiError:
    msg = (
        f"The gateway has no copy of {name[:80]} and cannot see what its requests name: it keeps one of a .jsonl file "
        "of at most 200 MiB that is uploaded with the resumable protocol. Upload it so, or send the requests inlined."
    )
    return ApiError(400, msg, code="batch_input_not_kept")
