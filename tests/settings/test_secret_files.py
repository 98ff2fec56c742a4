"""Secrets in files, and values as people paste them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gemgate.settings import Settings, problems, variable
from gemgate.settings.secret_files import SECRETS

KEY = "AIzaSyOneKeyOfTheGatewayOfThirtyNineXXX"
OTHER = "AIzaSyAnotherKeyOfTheGatewayOfThirtyNin"
VALUES = {
    "vertex_api_key": (KEY, (KEY,)),
    "gemini_api_key": (KEY, (KEY,)),
    "database_url": ("postgresql://user:password@host/name", "postgresql://user:password@host/name"),
    "redis_url": ("redis://:password@host:6379/0", "redis://:password@host:6379/0"),
    "secret": ("a long secret", ("a long secret",)),
    "metrics_token": ("token", "token"),
    "console_token": ("a token of the console", "a token of the console"),
}


@pytest.fixture(autouse=True)
def _no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, tuple) else value.get_secret_value()


def said(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    return " ".join(problems(caught.value))


def test_every_secret_of_the_settings_is_one_that_may_be_in_a_file() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    has_own_file = {"client_keys", "vertex_service_account"}  # GOOGLE_APPLICATION_CREDENTIALS names the latter's
    assert secrets - has_own_file == set(SECRETS) == set(VALUES)


@pytest.mark.parametrize("name", list(VALUES))
def test_each_secret_may_be_in_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, expected = VALUES[name]
    (tmp_path / "secret.txt").write_text(f"{given}\n")
    monkeypatch.setenv(variable(f"{name}_file"), str(tmp_path / "secret.txt"))
    assert plain(getattr(Settings(), name)) == expected


def test_several_keys_may_be_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# of two projects\n{KEY}\n\n  {OTHER}  \r\n")
    assert plain(Settings(gemini_api_key_file=path).gemini_api_key) == (KEY, OTHER)


def test_workers_read_the_files_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    settings = Settings(gemini_api_key_file=path)
    for name, text in settings.as_environment().items():
        monkeypatch.setenv(name, text)
    assert KEY not in settings.as_environment().values()
    assert Settings(_env_file=None) == settings


def test_a_secret_that_is_given_twice_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    assert "cannot be read" in said(gemini_api_key_file=path)
    path.write_text("\n")
    assert "is empty" in said(gemini_api_key_file=path)
    path.write_text(KEY)
    text = said(gemini_api_key_file=path, gemini_api_key=OTHER)
    assert "GEMINI_API_KEY and GEMINI_API_KEY_FILE are both set" in text
    assert KEY not in text
    assert OTHER not in text


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("GEMGATE_PORT", " 9000\n", 9000),
        ("GEMGATE_LOG_FORMAT", "json ", "json"),
        ("GEMGATE_UPSTREAM", " https://proxy.example/\n", "https://proxy.example"),
        ("GEMGATE_TRACING", "true\r\n", True),
        ("GEMGATE_DATA_DIR", " /data ", Path("/data")),
        ("GEMGATE_HOST", "  ", "127.0.0.1"),
    ],
)
def test_blanks_around_a_value_are_no_part_of_it(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(Settings(), name.removeprefix("GEMGATE_").lower()) == value


@pytest.mark.parametrize("name", ["metrics_token", "redis_url", "database_url"])
def test_blanks_around_a_secret_are_no_part_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(name), f" {VALUES[name][0]}\n")
    assert getattr(Settings(), name).get_secret_value() == VALUES[name][0]


@pytest.mark.parametrize("name", ["gemini_api_key", "client_keys"])
@pytest.mark.parametrize(
    ("key", "why"),
    [
        ('"AIzaSyOneKey"', "quotation mark"),
        ("AIza SyOneKey", "a blank"),
        ("AIza\nSyOneKey", "a blank or a line end"),
        ("AIzaSyOneKe\u00ff", "the character '\\xff'"),
        ("AIza\u200bSyOneKey", "the character '\\u200b'"),
        ("\u201cAIzaSyOneKey\u201d", "quotation mark"),
    ],
)
def test_a_key_that_no_key_can_be_is_refused_at_the_start(name: str, key: str, why: str) -> None:
    others = {} if name == "gemini_api_key" else {"gemini_api_key": KEY}
    text = said(**{name: key}, **others)
    assert variable(name) in text
    assert why in text
    assert "SyOneKe" not in text
