"""What is left behind: files that others may not read, lines of the log, and settings that would protect nothing."""

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.raw_http import ask, request
from tests.support.stack import gateway
from typer.testing import CliRunner

from gemgate.cli.main import app
from gemgate.cli.serve import warn_of_short_keys
from gemgate.observability.logs import configure_logging
from gemgate.settings import Settings

_NOWHERE = "http://127.0.0.1:9"


@contextmanager
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def readable(directory: Path) -> list[str]:
    """The files in `directory` that others than their owner may read, where a directory lets them."""
    found = [path for path in directory.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
    return [path.name for path in found]


@pytest.mark.parametrize("is_old", [False, True], ids=["a new one", "with files of before"])
def test_the_database_is_its_owners_in_a_directory_that_was_there(tmp_path: Path, is_old: bool) -> None:
    tmp_path.chmod(0o755)
    if is_old:
        with gateway(_NOWHERE, data_dir=tmp_path):
            pass
        for path in tmp_path.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o644)
    with open_umask(), gateway(_NOWHERE, data_dir=tmp_path) as url:
        assert ask(url, request("GET", "/v1/files", "authorization: Bearer demo"))[0] == 200
        assert readable(tmp_path) == []
        assert {path.name for path in tmp_path.iterdir()} >= {
            "gemgate.sqlite3", "gemgate.sqlite3-wal", "gemgate.sqlite3-shm", "gemgate.sqlite3.lock", "blobs",
        }  # fmt: skip
    assert readable(tmp_path) == []


CONTROLS = [
    "%1b%5b2J",
    "%08%08",
    "%07",
    "%00",
    "%c2%9b31m",
    "%7f",
    "%0d%0ainjected",
    "%e2%80%ae",
    "%1b%5d0;t%07",
    "%c2%85",
]


@pytest.mark.parametrize("form", ["console", "json", "terminal"])
def test_no_control_character_of_a_path_reaches_the_log(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    seen = io.StringIO()
    monkeypatch.setattr(seen, "isatty", lambda: form == "terminal")
    monkeypatch.setattr(sys, "stderr", seen)
    before = structlog.get_config()
    settings = Settings(_env_file=None, log_format="json" if form == "json" else "console")
    configure_logging(settings)
    try:
        with gateway(_NOWHERE) as url:
            for control in CONTROLS:
                assert ask(url, request("GET", f"/x{control}y"))[0] == 404
        structlog.get_logger().warning("a message\x1b[2J", model="m\x9b", traceback="one\ntwo")
    finally:
        structlog.configure(**before)
    lines = seen.getvalue().splitlines()
    requests = [line for line in lines if "request" in line and "404" in line]
    assert len(requests) == len(CONTROLS)
    text = "".join(lines)
    if form == "terminal":  # which has colours of its own
        assert "\x1b[2J" not in text
        assert "\x1b]" not in text
        text = text.replace("\x1b[", "")
    assert text.isprintable()


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("name", ["GEMGATE_CLIENT_KEYS", "GEMGATE_CLIENT_KEYS_FILE"])
def test_client_keys_without_a_gemini_key_are_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv(name, "a-client-key")
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 1
    assert name in result.output
    assert "GEMINI_API_KEY" in result.output


@pytest.mark.parametrize(
    ("keys", "warnings"), [("1234", 1), ("gg-0123456789012345678901,1234", 1), ("gg-0123456789012345678901", 0)]
)
def test_a_client_key_that_may_be_guessed_is_warned_of(keys: str, warnings: int) -> None:
    settings = Settings(_env_file=None, gemini_api_key="demo", client_keys=keys)
    with capture_logs() as seen:
        warn_of_short_keys(settings)
    assert len(seen) == warnings
    assert "1234" not in str(seen)
