import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gemgate.auth import key_registry as registry
from gemgate.auth.client_keys import Limits
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.keys_file import KeysFileError, entry_text


def write(path: Path, *names: str) -> None:
    path.write_text("keys:\n" + "".join(entry_text(name, f"key-of-{name}") for name in names))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    write(path, "web-app")
    return path


def name_of(keys: ClientKeys, presented: str) -> str | None:
    entry = keys.find(presented)
    return entry.name if entry else None


def test_keys_of_the_environment_and_of_the_file_count(path: Path) -> None:
    keys = ClientKeys(["plain-key"], path)
    assert name_of(keys, "key-of-web-app") == "web-app"
    assert (name_of(keys, "plain-key") or "").startswith("key-")
    assert name_of(keys, "another") is None
    assert not keys.is_open


def test_the_file_wins_over_the_environment_for_the_same_key(path: Path) -> None:
    path.write_text(
        "keys:\n" + entry_text("web-app", "plain-key").replace("# limits", "limits").replace("#   req", "  req")
    )
    found = ClientKeys(["plain-key"], path).find("plain-key")
    assert found is not None
    assert found.limits == Limits(requests_per_minute=60)


def test_a_file_without_keys_lets_nobody_in(path: Path) -> None:
    path.write_text("keys: []")
    keys = ClientKeys((), path)
    assert not keys.is_open
    assert keys.find("key-of-web-app") is None


def test_without_keys_and_file_nobody_is_asked() -> None:
    assert ClientKeys().is_open
    assert not ClientKeys().refresh()


def test_a_bad_file_stops_the_start(path: Path) -> None:
    path.write_text("keys: 5")
    with pytest.raises(KeysFileError):
        ClientKeys((), path)


def test_a_changed_file_is_taken_over(path: Path) -> None:
    keys = ClientKeys((), path)
    assert not keys.refresh()
    write(path, "web-app", "cron")
    with capture_logs() as logs:
        assert keys.refresh()
    assert name_of(keys, "key-of-cron") == "cron"
    assert logs == [{"event": "client keys reloaded", "log_level": "info", "keys": 2, "added": ["cron"], "removed": []}]
    assert not keys.refresh()


def test_a_key_that_was_removed_is_refused(path: Path) -> None:
    keys = ClientKeys((), path)
    write(path, "cron")
    assert keys.refresh()
    assert keys.find("key-of-web-app") is None


def test_a_file_that_is_swapped_with_its_time_and_size_kept_is_seen(path: Path) -> None:
    """Kubernetes swaps a link; the new file may be as large and as old as the one before."""
    keys = ClientKeys((), path)
    status = path.stat()
    successor = path.with_name("new.yaml")
    write(successor, "app-web")
    os.utime(successor, ns=(status.st_atime_ns, status.st_mtime_ns))
    successor.replace(path)
    assert keys.refresh()
    assert name_of(keys, "key-of-app-web") == "app-web"


@pytest.mark.parametrize("content", ["keys: 5", "", "keys: [", None])
def test_a_file_that_becomes_bad_changes_nothing_and_is_told_once(path: Path, content: str | None) -> None:
    keys = ClientKeys((), path)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with capture_logs() as logs:
        assert not keys.refresh()
        assert not keys.refresh()
    assert name_of(keys, "key-of-web-app") == "web-app"
    (line,) = logs
    assert line["log_level"] == "error"
    assert line["problems"] == keys.problems != []
    write(path, "cron")
    assert keys.refresh()
    assert keys.problems == []


async def test_the_file_is_looked_at_in_the_background(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "POLL_SECONDS", 0.001)
    async with ClientKeys((), path).watched() as keys, asyncio.timeout(10):
        write(path, "cron")
        while keys.find("key-of-cron") is None:  # noqa: ASYNC110  there is no event to wait for, only a file
            await asyncio.sleep(0.001)
        assert name_of(keys, "key-of-cron") == "cron"
    assert keys.problems == []


async def test_without_a_file_nothing_is_watched() -> None:
    before = asyncio.all_tasks()
    async with ClientKeys(["plain-key"]).watched():
        assert asyncio.all_tasks() == before
