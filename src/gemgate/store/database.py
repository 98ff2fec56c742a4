"""One database, SQLite or PostgreSQL: transactions, and the schema brought up to date at start."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiosqlite
import orjson
from anyio import to_thread
from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gemgate.store.errors import DiskFullError, StoreError, StoreUnavailableError, is_no_space
from gemgate.store.schema import UnknownSchemaError, migrate
from gemgate.store.tables import Base

if TYPE_CHECKING:
    from threading import Thread

    from sqlalchemy.dialects import postgresql

Clock = Callable[[], float]

_POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})
_BUSY_SECONDS = 30
TIMEOUT = 10.0
"""Seconds for one transaction, the wait for a connection included; SQLite has `_BUSY_SECONDS` at least."""

_OWNER_ONLY = 0o600
_CLOSING_SECONDS = 5.0
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}",
    "PRAGMA journal_size_limit=67108864",
)


class Database:
    """Sessions over one engine; on SQLite only one task of the process writes at a time.

    Other processes on the same SQLite file are waited for, up to 30 seconds.

    Args:
        engine: The way to the database.
        seconds: What one transaction may take.
    """

    def __init__(self, engine: AsyncEngine, seconds: float = TIMEOUT) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._seconds = max(seconds, _BUSY_SECONDS) if self._is_sqlite else seconds
        self._writer: AbstractAsyncContextManager[object] = asyncio.Lock() if self._is_sqlite else nullcontext()
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        self._writers = async_sessionmaker(engine.execution_options(writes=True), expire_on_commit=False)

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str | URL, seconds: float = TIMEOUT) -> AsyncIterator[Self]:
        """The database at `sqlite:///path` or `postgresql://…`, with every migration applied.

        Any number of processes may open the same one at once. A transaction may take `seconds`.

        Raises:
            StoreError: the URL is not understood, the driver is missing, the database does not answer, or its schema
                is newer than this code.
        """
        url, threads = _parsed(database_url), _Threads()
        try:
            engine = _engine(url, threads, seconds)
        except ImportError:
            raise StoreError("PostgreSQL needs its driver: pip install 'gemgate[postgres]'") from None
        try:
            if url.get_backend_name() == "sqlite":
                await to_thread.run_sync(_keep_to_owner, Path(str(url.database)))
            await _up_to_date(url)
            yield cls(engine, seconds)
        finally:
            await engine.dispose()
            await threads.ended()

    @property
    def directory(self) -> Path | None:
        """Where SQLite's file is; None for PostgreSQL."""
        return Path(str(self.engine.url.database)).parent if self._is_sqlite else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads.

        Raises:
            StoreUnavailableError: the database fails, or does not answer in time.
        """
        with _as_unavailable():
            async with asyncio.timeout(self._seconds), self._readers.begin() as session:
                yield session

    @asynccontextmanager
    async def write(self, seconds: float | None = None) -> AsyncIterator[AsyncSession]:
        """A transaction that may write: committed at the end, rolled back by an exception.

        Args:
            seconds: What it may take, where that is more than others may.

        Raises:
            StoreUnavailableError: the database fails, or does not answer in time.
        """
        with _as_unavailable():
            async with asyncio.timeout(seconds or self._seconds), self._writer, self._writers.begin() as session:
                yield session

    def upsert(self, table: type[Base]) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that takes `on_conflict_do_update`."""
        if self._is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        async with self.read() as session:
            await session.execute(text("SELECT 1"))


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailableError("the database does not answer in time") from error
    except IntegrityError:
        raise  # what was asked for is at fault
    except (SQLAlchemyError, OSError) as error:
        if _is_full(error):
            raise DiskFullError(f"the database's disk is full: {_reason(error)}") from error
        raise StoreUnavailableError(f"the database does not answer: {_reason(error)}") from error


def _is_full(error: Exception) -> bool:
    """Whether the database has no room: SQLite's code, PostgreSQL's state (`disk_full`), or the system's."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    return code in _FULL or getattr(cause, "sqlstate", None) == "53100" or is_no_space(cause)


_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""The second is given where the index of the log cannot grow."""


def _parsed(database_url: str | URL) -> URL:
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise StoreError("the database URL is not a URL, such as postgresql://user:password@host/name") from None
    if url.drivername in _POSTGRESQL:
        defaults = {"application_name": "gemgate"}
        return url.set(drivername="postgresql+psycopg").update_query_dict({**defaults, **url.query})
    if url.drivername not in _SQLITE:
        raise StoreError(f"the database is PostgreSQL or SQLite, not {url.drivername}")
    if not url.database or url.database == ":memory:":
        raise StoreError("the SQLite database is a file: sqlite:///path/to/file")
    return url.set(drivername="sqlite+aiosqlite")


class _Threads:
    """The threads of SQLite's connections.

    A connection whose user was cancelled is closed by SQLAlchemy without waiting for it.
    """

    def __init__(self) -> None:
        self._threads: WeakSet[Thread] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> aiosqlite.Connection:
        """An open connection with a thread of its own; closed, if the caller is cancelled while it is being opened."""
        connection = aiosqlite.connect(*args, **options)
        thread = connection._thread  # noqa: SLF001  there is no other way to it
        thread.daemon = True
        self._threads.add(thread)
        opening = asyncio.ensure_future(connection)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_stop_opened)
            raise

    async def ended(self) -> None:
        """Wait until all have ended: they report what they still have to say to the event loop, which must be there."""
        await to_thread.run_sync(self._join)

    def _join(self) -> None:
        end = time.monotonic() + _CLOSING_SECONDS
        for thread in list(self._threads):
            if thread.ident is not None:
                thread.join(max(end - time.monotonic(), 0))


def _stop_opened(opening: asyncio.Future[aiosqlite.Connection]) -> None:
    """Closes a connection that nobody waited for, unless it could not be opened."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().stop()


def _engine(url: URL, threads: _Threads, seconds: float) -> AsyncEngine:
    as_json: dict[str, object] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
    if url.get_backend_name() == "sqlite":
        connect_args = {"timeout": _BUSY_SECONDS, "async_creator_fn": threads.connect}
        engine = create_async_engine(url, connect_args=connect_args, **as_json)
        _serve_transactions(engine.sync_engine)
        return engine
    # Without server-side prepared statements a pooler that shares connections (pgbouncer) may stand between.
    from gemgate.store.postgres import bounded_connect, without_nuls

    connect_args = {"prepare_threshold": None, "async_creator_fn": bounded_connect(seconds)}
    engine = create_async_engine(
        url, connect_args=connect_args, pool_pre_ping=True, pool_recycle=1800, pool_timeout=seconds, **as_json
    )
    event.listen(engine.sync_engine, "before_cursor_execute", without_nuls, retval=True)
    return engine


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def _serve_transactions(engine: Engine) -> None:
    """Begin transactions ourselves: a writer takes SQLite's lock at once, so that it never fails half-way."""

    @event.listens_for(engine, "connect")
    def _connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _keep_to_owner(path: Path) -> None:
    """Makes the file of the database and those beside it their owner's only, whatever directory they are in.

    SQLite gives each file that it makes beside a database the mode of the database.

    Raises:
        StoreError: the file cannot be made.
    """
    try:
        for suffix in ("", ".lock"):
            os.close(os.open(f"{path}{suffix}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY))
    except OSError as error:
        raise StoreError(f"the database {path} cannot be opened: {error.strerror}") from error
    for suffix in ("", ".lock", "-wal", "-shm", "-journal"):
        with suppress(OSError):  # another's file, which its owner opened to us, or none
            Path(f"{path}{suffix}").chmod(_OWNER_ONLY)


async def _up_to_date(url: URL) -> None:
    try:
        await to_thread.run_sync(migrate, url)
    except UnknownSchemaError as error:
        msg = f"the database {url.render_as_string()} has a schema this version does not know: {error}"
        raise StoreError(msg) from error
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"the database {url.render_as_string()} cannot be opened: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
