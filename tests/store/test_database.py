"""The database: opened by any number of processes at once, with its schema up to date."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gemgate.store import Store, database, schema
from gemgate.store.blobs import Blobs
from gemgate.store.database import Database
from gemgate.store.errors import StoreError
from gemgate.store.tables import Base

pytestmark = pytest.mark.integration

WORK = """
import asyncio, sys, time
from gemgate.store.batches import BatchRows
from gemgate.store.database import Database
from gemgate.store.ids import new_id
from gemgate.store.tables import BatchRow

async def main():
    async with Database.open(sys.argv[1]) as database:
        batches = BatchRows(database, time.time)
        for _ in range(6):
            batch_id = new_id("batch_", time.time())
            given = {"owner": "o", "endpoint": "e", "input_file_id": "f", "completion_window": "w", "status": "s"}
            await batches.create(BatchRow(id=batch_id, display_name=batch_id, created_at=1, next_poll_at=1, **given))
        while (row := await batches.claim(sys.argv[2], 600)) is not None:
            print(row.id)

asyncio.run(main())
"""


def differences(connection: Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)


async def test_an_empty_database_gets_the_tables_at_once(database_url: str) -> None:
    async with Database.open(database_url) as opened, opened.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def test_alembic_is_imported_for_migrations_only(database_url: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from gemgate.store.database import Database\n"
        "async def main():\n"
        f"    async with Database.open({database_url!r}): print('alembic' in sys.modules)\n"
        "asyncio.run(main())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


async def test_the_migrations_arrive_at_the_tables(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:  # as the first version left it
        patch.setattr(schema, "_upgrade", lambda connection: schema._run_migrations(connection, "r0001"))
        async with Database.open(database_url) as opened, opened.engine.connect() as connection:
            assert await connection.run_sync(differences) != []
    async with Database.open(database_url) as opened, opened.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).all() == [(schema.HEAD,)]


def test_the_last_migration_is_the_one_that_an_empty_database_is_taken_for() -> None:
    assert ScriptDirectory.from_config(schema.alembic_config()).get_current_head() == schema.HEAD


async def test_opening_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        async with Database.open(database_url) as opened, opened.read() as session:
            assert (await session.execute(text("SELECT version_num FROM alembic_version"))).all() == [(schema.HEAD,)]


def test_processes_may_open_a_fresh_database_at_once_and_claim_each_job_once(database_url: str) -> None:
    commands = [[sys.executable, "-c", WORK, database_url, f"worker {number}"] for number in range(4)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    claimed = [line for process in started for line in process.communicate(timeout=60)[0].splitlines()]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(claimed) == len(set(claimed)) == 24


async def test_stores_of_one_process_may_open_a_fresh_database_at_once(database_url: str) -> None:
    async def open_it() -> None:
        async with Database.open(database_url) as opened:
            await opened.ping()

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(open_it)
    async with Database.open(database_url) as opened, opened.read() as session:
        assert (await session.execute(text("SELECT version_num FROM alembic_version"))).all() == [(schema.HEAD,)]


async def test_a_schema_of_the_future_is_refused(database_url: str) -> None:
    async with Database.open(database_url) as opened, opened.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreError, match="has a schema this version does not know"):
        async with Database.open(database_url):
            pass


async def test_a_migration_that_fails_leaves_no_half_of_a_schema(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(connection: Connection, _: object, statement: str, *__: object) -> None:
        if "CREATE TABLE batches" in statement:
            raise OSError("broke off")

    event.listen(Connection, "before_cursor_execute", break_off)
    try:
        with pytest.raises(StoreError, match="cannot be opened: broke off"):
            async with Database.open(database_url):
                pass
    finally:
        event.remove(Connection, "before_cursor_execute", break_off)
    monkeypatch.setattr(database, "migrate", lambda _: None)
    async with Database.open(database_url) as opened, opened.engine.connect() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == []


async def test_a_failed_transaction_is_rolled_back(database_url: str) -> None:
    async with Database.open(database_url) as opened:
        await write_in_vain(opened)
        assert await count_uploads(opened) == 0


async def test_a_cancelled_write_gives_way_to_the_next(database_url: str) -> None:
    async with Database.open(database_url) as opened:
        for _ in range(8):
            with anyio.CancelScope() as scope:
                async with opened.write() as session:
                    await insert_upload(session, "u1")
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
        async with opened.write() as session:
            await insert_upload(session, "u2")
        assert await count_uploads(opened) == 1


async def test_writers_of_two_stores_wait_for_each_other(database_url: str) -> None:
    async def count_up(opened: Database) -> None:
        for _ in range(10):
            async with opened.write() as session:
                await session.execute(text("UPDATE uploads SET bytes = bytes + 1"))

    async with Database.open(database_url) as one, Database.open(database_url) as other:
        async with one.write() as session:
            await insert_upload(session, "u1")
        async with anyio.create_task_group() as group:
            for opened in (one, other, one, other):
                group.start_soon(count_up, opened)
        async with one.read() as session:
            assert await session.scalar(text("SELECT bytes FROM uploads")) == 40


async def test_readers_do_not_wait_for_a_writer(database_url: str) -> None:
    async with Database.open(database_url) as opened, opened.write() as session:
        await insert_upload(session, "u1")
        async with asyncio.timeout(5):
            assert await count_uploads(opened) == 0


async def test_foreign_keys_are_kept(database_url: str) -> None:
    async with Database.open(database_url) as opened:
        with pytest.raises(IntegrityError):
            async with opened.write() as session:
                await session.execute(text("INSERT INTO upload_parts VALUES ('p', 'no upload', 'k', 1, 1, NULL)"))


async def test_sqlite_logs_ahead_and_syncs_each_commit(tmp_path: Path) -> None:
    async with Database.open(f"sqlite:///{tmp_path}/a%20b.sqlite3") as opened, opened.read() as session:
        found = [
            await session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert found == ["wal", 2, 30_000]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("no url", "is not a URL"),
        ("mysql://u:secret@localhost/x", "PostgreSQL or SQLite, not mysql"),
        ("sqlite://", "is a file"),
        ("sqlite:///:memory:", "is a file"),
        ("sqlite:////no/such/directory/file", "No such file or directory"),
        ("postgres://u:secret@127.0.0.1:1/x?connect_timeout=3", "cannot be opened: connection"),
    ],
)
async def test_a_database_that_cannot_be_opened_says_why_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as caught:
        async with Database.open(url):
            pass
    assert "secret" not in str(caught.value)


async def test_a_missing_driver_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'gemgate\[postgres\]'"):
        async with Database.open("postgresql://localhost/x"):
            pass


async def test_a_database_that_is_gone_does_not_answer_a_ping(tmp_path: Path) -> None:
    async with Database.open(f"sqlite:///{tmp_path}/test.sqlite3") as opened:
        await opened.ping()
        await opened.engine.dispose()
        make_unusable(tmp_path / "test.sqlite3")
        with pytest.raises(StoreError, match="does not answer"):
            await opened.ping()


async def test_no_thread_outlives_the_database(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with Database.open(f"sqlite:///{tmp_path}/test.sqlite3") as opened:
        for steps in range(30):
            reading = asyncio.create_task(opened.ping())
            for _ in range(steps):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    left = {thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name}
    assert left <= before


async def test_a_connection_whose_user_goes_while_it_is_opened_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered, connect = threading.Event(), threading.Event(), sqlite3.connect
    opened: list[sqlite3.Connection] = []

    def slow(*args: Any, **options: Any) -> sqlite3.Connection:
        asked.set()
        assert answered.wait(30)
        opened.append(connect(*args, **options))
        return opened[-1]

    async with Database.open(f"sqlite:///{tmp_path}/gemgate.db") as there:
        monkeypatch.setattr(sqlite3, "connect", slow)
        ping = asyncio.create_task(there.ping())
        assert await anyio.to_thread.run_sync(asked.wait, 30)
        ping.cancel()
        await asyncio.wait({ping})
        assert ping.cancelled()
        answered.set()
    (connection,) = opened
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


async def test_a_ping_asks_the_database_and_the_blobs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for owner in (Database, Blobs):
        real = owner.ping

        async def ping(self: Any, real: Any = real, name: str = owner.__name__) -> None:
            await real(self)
            asked.append(name)

        monkeypatch.setattr(owner, "ping", ping)
    await store.ping()
    assert asked == ["Database", "Blobs"]


async def test_an_embedded_store_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    async with Store.open(data_dir=tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new" / "data" / "gemgate.sqlite3").exists()


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"file/data cannot be made: Not a directory"):
        async with Store.open(data_dir=tmp_path / "file" / "data"):
            pass


async def insert_upload(session: AsyncSession, upload_id: str) -> None:
    values = {"id": upload_id}
    await session.execute(
        text("INSERT INTO uploads VALUES (:id, 'o', 'n', 'p', 0, 'm', 1, 1, 'pending', NULL, NULL)"), values
    )


async def count_uploads(opened: Database) -> int:
    async with opened.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM uploads")) or 0)


def make_unusable(database: Path) -> None:
    for path in database.parent.iterdir():
        path.unlink()
    database.mkdir()


async def write_in_vain(opened: Database) -> None:
    with suppress(RuntimeError):
        async with opened.write() as session:
            await insert_upload(session, "u1")
            raise RuntimeError
