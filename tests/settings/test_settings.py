from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from gemgate.model_routing.aliases import ModelLists
from gemgate.settings import (
    ClientSettings,
    Settings,
    misspelt,
    problems,
    variable,
)

ROOT = Path(__file__).parents[2]
SECRET = "gemini-key-0123456789"


@pytest.fixture(autouse=True)
def _no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor the `.env` of whoever runs the tests counts."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)


def sentences(**values: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    return problems(caught.value)


def shown_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return str(default).lower()
    if default in (None, ()) or field.annotation == ModelLists:
        return ""
    return "{}" if default == {} else str(default)


def test_the_example_file_lists_every_setting_with_its_default_and_its_meaning() -> None:
    expected = "\n\n".join(
        f"# {field.description}\n#{variable(name)}={shown_default(field)}"
        for name, field in Settings.model_fields.items()
    )
    assert (ROOT / ".env.example").read_text().partition("\n\n")[2] == expected + "\n"


def test_the_example_file_with_every_line_in_force_changes_nothing() -> None:
    Path(".env").write_text((ROOT / ".env.example").read_text().replace("\n#GEM", "\nGEM"))
    assert Settings() == Settings(_env_file=None)


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "one, two,")
    monkeypatch.setenv("GEMGATE_PORT", "9000")
    monkeypatch.setenv("GEMGATE_UPSTREAM", "https://elsewhere.test/")
    settings = Settings()
    assert settings.gemini_api_key == (SecretStr("one"), SecretStr("two"))
    assert not settings.passes_keys_through
    assert (settings.port, settings.upstream) == (9000, "https://elsewhere.test")


def test_settings_come_from_the_env_file_too() -> None:
    Path(".env").write_text("GEMGATE_PORT=9001\nUNRELATED=1\n")
    assert Settings().port == 9001


def test_what_the_command_gives_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    monkeypatch.setenv("GEMGATE_PORT", "9000")
    settings = Settings(gemini_api_key=(), port=9001)
    assert (settings.passes_keys_through, settings.port) == (True, 9001)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # that it is refused is the point


def test_no_key_appears_in_what_settings_show() -> None:
    settings = Settings.model_validate({"gemini_api_key": SECRET, "client_keys": "client-secret"})
    assert SECRET not in repr(settings) + str(settings)
    assert "client-secret" not in repr(settings)


def test_a_worker_reads_the_same_settings_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "gemini_api_key": f"{SECRET},other",
        "client_keys": "client",
        "client_keys_file": "keys.yaml",
        "host": "0.0.0.0",
        "model_facts": {"gemini-9-*": {"thinking": "level"}},
        "models": "gpt-4o=gemini-2.5-flash,gemini-2.5-flash-lite; small = gemini-2.5-flash-lite",
        "retry_empty": False,
        "keepalive_interval": 1.5,
    }
    settings = Settings.model_validate(values)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == settings


def test_a_worker_of_a_demo_has_no_key_whatever_the_env_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"GEMINI_API_KEY={SECRET}\n")
    for name, value in Settings(gemini_api_key=()).as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None).passes_keys_through


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "gateway.test"])
def test_a_gateway_with_a_key_and_no_client_keys_does_not_listen_beyond_loopback(host: str) -> None:
    (sentence,) = sentences(gemini_api_key=SECRET, host=host)
    assert host in sentence
    assert "GEMGATE_CLIENT_KEYS" in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_it_may(host: str) -> None:
    assert Settings.model_validate({"gemini_api_key": SECRET, "host": host}).host == host


def test_with_client_keys_or_without_a_key_it_may_listen_anywhere() -> None:
    assert Settings.model_validate({"gemini_api_key": SECRET, "client_keys": "c", "host": "0.0.0.0"}).client_keys
    assert Settings(host="0.0.0.0").passes_keys_through


def test_a_file_of_client_keys_protects_as_well() -> None:
    values = {"gemini_api_key": SECRET, "client_keys_file": "keys.yaml", "host": "0.0.0.0"}
    assert Settings.model_validate(values).asks_for_client_keys


def test_a_file_of_client_keys_that_could_not_hold_is_refused() -> None:
    (sentence,) = sentences(client_keys_file="keys.yaml")
    assert sentence.startswith("GEMGATE_CLIENT_KEYS_FILE names client keys, and without GEMINI_API_KEY")


@pytest.mark.parametrize("url", ["redis://:secret@redis:6379/0", "rediss://redis", "unix:///run/redis.sock?db=1"])
def test_redis_is_named_by_a_url_that_nobody_sees(url: str) -> None:
    settings = Settings.model_validate({"redis_url": url})
    assert settings.redis_url == SecretStr(url)
    assert url not in repr(settings)


def test_another_url_is_no_redis() -> None:
    (sentence,) = sentences(redis_url="http://:secret@redis:6379")
    assert sentence.startswith("GEMGATE_REDIS_URL: this is not a Redis URL, such as redis://redis:6379/0")
    assert "secret" not in sentence


def test_each_problem_is_a_sentence_that_names_the_variable() -> None:
    assert sentences(port=70000, upstream="ftp://x", log_level="loud") == [
        "GEMGATE_UPSTREAM: 'ftp://x' is not an http(s) URL, such as https://generativelanguage.googleapis.com.",
        "GEMGATE_PORT: Input should be less than or equal to 65535, but it is '70000'.",
        "GEMGATE_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error', but it is 'loud'.",
    ]


def test_a_problem_with_a_key_does_not_show_it() -> None:
    assert sentences(gemini_api_key=5) == ["GEMINI_API_KEY: Input should be a valid tuple."]


def test_unknown_facts_of_a_model_are_told() -> None:
    (sentence,) = sentences(model_facts={"gemini-9-*": {"smell": 1}})
    assert sentence.startswith("GEMGATE_MODEL_FACTS: ")
    assert "smell" in sentence


def test_facts_that_are_not_json_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_MODEL_FACTS", "{x")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert problems(caught.value) == ["GEMGATE_MODEL_FACTS is not valid JSON."]
    assert problems(SettingsError("cannot read it")) == ["cannot read it."]


def test_a_variable_that_is_no_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_CLIENT_KEY", "secret")
    monkeypatch.setenv("GEMGATE_XYZZY", "1")
    monkeypatch.setenv("GEMGATE_PORT", "1")
    assert misspelt() == [
        "GEMGATE_CLIENT_KEY is not a setting. Did you mean GEMGATE_CLIENT_KEYS?",
        "GEMGATE_XYZZY is not a setting.",
    ]


def test_the_command_for_batches_has_settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMGATE_BASE_URL", "GEMGATE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert (ClientSettings().base_url, ClientSettings().api_key) == ("http://127.0.0.1:8080/v1", None)
    monkeypatch.setenv("GEMINI_API_KEY", "one, two")
    assert ClientSettings().api_key == SecretStr("one")
    monkeypatch.setenv("GEMGATE_API_KEY", "mine")
    monkeypatch.setenv("GEMGATE_BASE_URL", "https://gateway.test/v1")
    assert (ClientSettings().base_url, ClientSettings().api_key) == ("https://gateway.test/v1", SecretStr("mine"))
    assert misspelt() == []
