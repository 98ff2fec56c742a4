"""The schema, brought up to date under a lock, whoever else starts at the same moment."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, NullPool, create_engine, text

_MIGRATIONS = Path(__file__).with_name("migrations")
_ADVISORY_LOCK = 0x67656D67617465  # "gemgate" in ASCII


def migrate(url: URL) -> None:
    """Apply the migrations that the database at `url` lacks, all in one transaction. Blocks: run it in a thread.

    Processes that start together wait for each other: on PostgreSQL by an advisory lock that ends with the
    transaction (so a pooler may stand between), on SQLite by a lock on a file beside the database.
    """
    if url.get_backend_name() == "sqlite":
        with _lock_beside(Path(str(url.database))):
            _migrate_sqlite(url.set(drivername="sqlite+pysqlite"))
        return
    engine = create_engine(url, poolclass=NullPool, connect_args={"prepare_threshold": None})
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
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _upgrade(connection)
        connection.exec_driver_sql("COMMIT")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
