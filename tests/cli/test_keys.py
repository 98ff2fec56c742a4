"""`gemgate key`, and what `gemgate serve` says of a file of client keys."""

import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.auth.support import settings_with, write_keys
from typer.testing import CliRunner

from gemgate.auth.client_keys import digest_of, owner_of_key, owner_of_name
from gemgate.auth.keys_file import parse_keys
from gemgate.cli import keys, serve
from gemgate.cli import main as cli
from gemgate.settings import Settings, variable


@pytest.fixture(autouse=True)
def _no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, typed: str | None = None) -> Any:
    return CliRunner().invoke(cli.app, arguments, input=typed)


def test_a_new_key_is_shown_with_the_entry_of_its_hash() -> None:
    result = run("key", "new", "web-app")
    assert result.exit_code == 0
    key = re.findall(r"^sk-gemgate-\S+$", result.stdout, re.MULTILINE)[0]
    entry = result.stdout.partition("GEMGATE_CLIENT_KEYS_FILE:\n\n")[2]
    (made,) = parse_keys(f"keys:\n{entry}", "k")
    assert (made.name, made.digests, made.owner) == ("web-app", (digest_of(key),), owner_of_name("web-app"))
    assert result.stdout.count(key) == 1


def test_the_entry_of_a_key_there_is_keeps_its_files() -> None:
    result = run("key", "entry", "web-app", typed="an-older-key\n")
    (made,) = parse_keys("keys:\n" + result.stdout.partition("\n\n")[2], "k")
    assert (made.digests, made.owner) == ((digest_of("an-older-key"),), owner_of_key("an-older-key"))
    assert "an-older-key" not in result.output


def test_without_a_key_there_is_no_entry() -> None:
    result = run("key", "entry", "web-app", typed="\n")
    assert result.exit_code == 1
    assert result.stderr == "No key was given. Type it at the prompt, or pass it on standard input.\n"


def test_a_key_is_asked_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_arguments, **options: "typed" if options["hide_input"] else "")
    shown: list[str] = []
    monkeypatch.setattr(keys, "say", lambda *lines: shown.extend(lines))
    keys.key_entry("web-app")
    assert digest_of("typed").hex() in shown[-1]


@pytest.mark.parametrize("command", ["new", "entry"])
def test_a_bad_name_is_told(command: str) -> None:
    result = run("key", command, "two words", typed="key\n")
    assert result.exit_code == 1
    assert "'keys[0].name' must begin with a letter or a digit" in result.stderr


def test_a_bad_file_is_told_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("keys.yaml").write_text("keys:\n  - name: web-app\n")
    monkeypatch.setenv("GEMINI_API_KEY", "gemini-key")
    monkeypatch.setenv("GEMGATE_CLIENT_KEYS_FILE", "keys.yaml")
    result = run("serve", "--port", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "keys.yaml, line 2: 'keys[0].hash' is missing.\n"


def test_a_missing_package_for_redis_is_told_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_REDIS_URL", "redis://redis.test")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = run("serve", "--port", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "GEMGATE_REDIS_URL needs the package redis: pip install 'gemgate[redis]'\n"


@pytest.mark.parametrize(
    ("changes", "limits", "is_told"),
    [
        ({"workers": 2}, {"requests_per_minute": 1}, True),
        ({"workers": 1}, {"requests_per_minute": 1}, False),
        ({"workers": 2}, {}, False),
        ({"workers": 2, "redis_url": "redis://redis.test"}, {"requests_per_minute": 1}, False),
    ],
)
def test_workers_that_count_each_for_itself_are_told_at_the_start(
    changes: dict[str, Any], limits: dict[str, int], is_told: bool
) -> None:
    path = write_keys(Path("keys.yaml"), web={"limits": limits})
    settings = Settings.model_validate({**settings_with(path), **changes})
    with capture_logs() as logs:
        serve._warn_of_limits(settings, serve._client_keys(settings))
    assert [(line["log_level"], line["workers"]) for line in logs] == ([("warning", 2)] if is_told else [])
