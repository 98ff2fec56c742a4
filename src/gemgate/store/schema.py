"""The schema, brought up to date under a lock, also when others start at the same moment.

Alembic runs the migrations, and only then is imported: it takes 10 MB and a seventh of a second. A schema that is up to
date needs none, and an empty database gets the tables as they are now.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, NullPool, create_engine, inspect, text

from gemgate.store.tables import Base

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "r0008"
"""The newest of the migrations, which arrives at the tables of `Base`."""

_MIGRATIONS = Path(__file__).with_name("migrations")
_CONNECT_SECONDS = 10
_ADVISORY_LOCK = 0x67656D67617465  # "gemgate" in ASCII


# As Alembic makes it.
_VERSION_TABLE = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


class UnknownSchemaError(Exception):
    """The database is of a newer version, or of something else."""


def migrate(url: URL) -> None:
    """Apply the migrations that the database at `url` lacks, all in one transaction. Blocks: run it in a thread.

    Processes that start together wait for each other: on PostgreSQL by an advisory lock that ends with the
    transaction (so a pooler may be in between), on SQLite by a lock on a file beside the database.

    Raises:
        UnknownSchemaError: the database was migrated beyond what this code knows.
    """
    if url.get_backend_name() == "sqlite":
        with _lock_beside(Path(str(url.database))):
            _migrate_sqlite(url.set(drivername="sqlite+pysqlite"))
        return
    options = {"prepare_threshold": None, "connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _ADVISORY_LOCK})
        _upgrade(connection)


@contextmanager
def _lock_beside(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrate_sqlite(url: URL) -> None:
    # With AUTOCOMMIT the driver begins nothing of its own: left to itself it would commit before each CREATE TABLE.
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"timeout": 30})
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL").close()  # an open row may forbid a COMMIT
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _upgrade(connection)
        connection.exec_driver_sql("COMMIT")


def _upgrade(connection: Connection) -> None:
    inspector = inspect(connection)
    if inspector.has_table("alembic_version"):
        if connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD:
            return
    elif not any(inspector.has_table(name) for name in Base.metadata.tables):
        Base.metadata.create_all(connection)
        connection.execute(text(_VERSION_TABLE))
        connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})
        return
    _run_migrations(connection, "head")


def _run_migrations(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.util.exc import CommandError

    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise UnknownSchemaError(str(error)) from error


def alembic_config() -> "Config":
    """How Alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
