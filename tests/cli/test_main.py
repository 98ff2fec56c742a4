import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from tests.support.command import command, refuses
from typer.testing import CliRunner

from gemgate.cli import check, console, emulate, serve
from gemgate.cli import main as cli
from gemgate.cli.check import Finding
from gemgate.emulator import app as emulator_app
from gemgate.emulator import server as emulator_server
from gemgate.settings import Settings, variable

pytestmark = pytest.mark.integration

SECRET = "gemini-key-0123456789"
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _no_settings_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _a_process_left_as_it_was() -> Iterator[None]:
    """Signals, logging and environment as they were: the command owns its process, a test does not."""
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    environment, terminate = dict(os.environ), signal.getsignal(signal.SIGTERM)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    signal.signal(signal.SIGTERM, terminate)
    os.environ.clear()
    os.environ.update(environment)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments)


def interrupted_when_said(
    monkeypatch: pytest.MonkeyPatch, with_signal: signal.Signals, visit: Callable[[str], Any]
) -> list[Any]:
    """Once the command has said where it listens, visits that address, and then sends the signal."""
    seen: list[Any] = []
    say = console.say

    def said(*lines: str) -> None:
        say(*lines)
        found = re.search(r"http://[\d.]+:\d+", lines[0])
        assert found is not None
        threading.Thread(target=go, args=(found[0],)).start()

    def go(url: str) -> None:
        try:
            seen.append(visit(url))
        finally:
            os.kill(os.getpid(), with_signal)

    for module in (serve, emulate):
        monkeypatch.setattr(module, "say", said)
    return seen


def chat(url: str) -> Any:
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(
        f"{url}/v1/chat/completions", json=body, headers={"authorization": "Bearer demo"}, timeout=PATIENCE
    )
    return answer.json()["choices"][0]["message"]["content"]


def models(url: str) -> Any:
    return httpx.get(f"{url}/v1beta/models", headers={"x-goog-api-key": "demo"}, timeout=PATIENCE).json()


def test_the_demo_answers_without_a_key_even_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "invalid")  # the emulator refuses this one
    Path(".env").write_text("GEMINI_API_KEY=invalid\nGEMGATE_CLIENT_KEYS=client\nGEMGATE_CLIENT_KEYS_FILE=none.yaml\n")
    seen = interrupted_when_said(monkeypatch, signal.SIGTERM, chat)
    result = run("serve", "--emulator", "--port", "0")
    assert result.exit_code == 0, result.output
    assert "Hello" in seen[0]


def test_the_command_tells_where_it_listens_and_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_when_said(monkeypatch, signal.SIGTERM, chat)
    result = run("serve", "--emulator", "--port", "0")
    listens, upstream, keys, console, _, curl = result.stdout.splitlines()
    assert re.fullmatch(r"gemgate listens on http://127\.0\.0\.1:\d+/v1", listens)
    assert upstream == "  upstream  the built-in Gemini emulator"
    assert keys == "  keys      any key works"
    assert console == f"  console   {listens.split()[-1].removesuffix('/v1')}/console"
    assert shlex.split(curl)[:2] == ["curl", listens.split()[-1] + "/chat/completions"]


def test_ctrl_c_ends_the_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_when_said(monkeypatch, signal.SIGINT, lambda url: httpx.get(f"{url}/healthz", timeout=PATIENCE).text)
    result = run("serve", "--port", "0")
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_the_emulator_alone_answers_as_google_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = interrupted_when_said(monkeypatch, signal.SIGTERM, models)
    result = run("emulate", "--port", "0")
    assert result.exit_code == 0, result.output
    assert seen[0]["models"]
    assert "GEMGATE_UPSTREAM=http://127.0.0.1:" in result.stdout


def test_ctrl_c_ends_the_emulator_too(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_when_said(monkeypatch, signal.SIGINT, models)
    assert run("emulate", "--port", "0").exit_code == 130


@contextmanager
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_the_version_is_printed_whatever_the_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_PORT", "nonsense")
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"gemgate {version('gemgate')}\n")


@pytest.mark.parametrize(("arguments", "code"), [(("--help",), 0), ((), 2)])
def test_help_names_the_purpose_the_commands_and_the_version(arguments: tuple[str, ...], code: int) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert "Serves the OpenAI API and speaks the native Gemini API to Google." in result.output
    for name in ("--version", "serve", "emulate", "check", "key", "batch"):
        assert name in result.output


@pytest.mark.parametrize("command", ["serve", "emulate"])
def test_a_port_in_use_is_one_clear_sentence(command: str) -> None:
    with taken_port() as port:
        result = run(command, "--port", port)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Cannot listen on 127.0.0.1 port {port}: Address already in use. Choose others with --host and --port.\n"
    )


def test_a_host_that_is_none_is_one_clear_sentence() -> None:
    result = run("serve", "--host", "nowhere.invalid")
    assert result.exit_code == 1
    assert result.stderr.startswith("Cannot listen on nowhere.invalid port 8080: ")
    assert "Traceback" not in result.output


def test_an_open_gateway_with_a_key_refuses_to_start_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    result = run("serve", "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert "would listen on 0.0.0.0 with no GEMGATE_CLIENT_KEYS" in result.stderr
    assert "anyone who reaches it could spend the key" in result.stderr
    assert SECRET not in result.output


def test_wrong_settings_are_a_sentence_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_PORT", "nonsense")
    monkeypatch.setenv("GEMGATE_WORKERS", "0")
    monkeypatch.setenv("GEMGATE_CLIENT_KEY", "typo")
    result = run("serve")
    assert result.exit_code == 1
    warning, port, workers = result.stderr.splitlines()
    assert warning == "Warning: GEMGATE_CLIENT_KEY is not a setting. Did you mean GEMGATE_CLIENT_KEYS?"
    assert port.startswith("GEMGATE_PORT: ")
    assert workers.startswith("GEMGATE_WORKERS: ")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GEMGATE_DATA_DIR": "{taken}/data"}, "data cannot be made: Not a directory. Check GEMGATE_DATA_DIR."),
        ({"GEMGATE_DATA_DIR": "{half}"}, "blobs cannot be made: File exists. Check GEMGATE_DATA_DIR."),
        ({"GEMGATE_DATABASE_URL": "secret"}, "is not a URL, such as postgresql://user:password@host/name"),
        ({"GEMGATE_DATABASE_URL": "mysql://me:secret@db/x"}, "the database is PostgreSQL or SQLite, not mysql"),
        ({"GEMGATE_DATABASE_URL": "sqlite:///{taken}/x"}, "cannot be opened: Not a directory"),
        ({"GEMGATE_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/x"}, "Check GEMGATE_DATABASE_URL and"),
        ({"GEMGATE_BLOBS_URL": "ftp://x"}, "the blobs URL is one of s3://bucket, gs://bucket and"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:1"}, "proxy must be an http or https one, not socks5: check HTTPS_PROXY"),
        ({"SSL_CERT_FILE": "{taken}/none"}, "No certificates can be read where SSL_CERT_FILE or SSL_CERT_DIR says"),
    ],
)
def test_a_gateway_that_cannot_start_says_why_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    places = {"taken": tmp_path / "taken", "half": tmp_path / "half"}
    places["taken"].write_text("not a directory, and no certificate")
    places["half"].mkdir()
    (places["half"] / "blobs").write_text("not a directory")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format_map(places))
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.output
    assert "listens on" not in result.stdout


def test_workers_that_cannot_start_are_not_tried_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_BLOBS_URL", "ftp://x")
    result = run("serve", "--port", "0", "--workers", "2")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_a_setting_that_is_not_json_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_MODEL_FACTS", "{x")
    assert run("serve").stderr == "GEMGATE_MODEL_FACTS is not valid JSON.\n"


@pytest.mark.parametrize("command", [("serve", "--emulator"), ("emulate",)])
def test_missing_packages_of_the_emulator_are_told(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.delitem(sys.modules, emulator_server.__name__, raising=False)
    monkeypatch.setitem(sys.modules, emulator_app.__name__, None)
    result = run(*command)
    assert result.exit_code == 1
    assert result.stderr.endswith("pip install 'gemgate[emulator]'\n")


@pytest.mark.parametrize(
    ("settings", "keys", "bearer"),
    [
        ({}, "each caller's own Gemini key is passed on", "$GEMINI_API_KEY"),
        ({"gemini_api_key": SECRET, "client_keys": "c"}, "callers present one of GEMGATE_CLIENT_KEYS", "$CLIENT_KEY"),
        (
            {"gemini_api_key": SECRET, "client_keys": "c", "client_keys_file": "f"},
            "callers present one of GEMGATE_CLIENT_KEYS and GEMGATE_CLIENT_KEYS_FILE",
            "$CLIENT_KEY",
        ),
        ({"gemini_api_key": SECRET}, "callers need no key; the gateway's own is used", None),
    ],
)
def test_the_banner_tells_whose_keys_are_used(settings: dict[str, Any], keys: str, bearer: str | None) -> None:
    banner = serve._banner(Settings.model_validate(settings), ["http://127.0.0.1:8080"], emulated=False)
    assert keys in banner
    assert "upstream  https://generativelanguage.googleapis.com" in banner
    assert (f'"Authorization: Bearer {bearer}"' in banner) if bearer else ("Authorization" not in banner)
    assert SECRET not in banner


@pytest.mark.parametrize(("is_good", "code"), [(True, 0), (False, 1)])
def test_check_tells_what_it_found(monkeypatch: pytest.MonkeyPatch, is_good: bool, code: int) -> None:
    async def found(_: Settings) -> list[Finding]:
        return [Finding(is_good=is_good, sentence="The key is so.")]

    monkeypatch.setattr(check, "check_keys", found)
    result = run("check")
    assert (result.exit_code, result.stdout) == (code, "The key is so.\n")


def test_a_worker_takes_its_settings_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("GEMGATE_PORT=nonsense\n")
    monkeypatch.setenv("GEMGATE_UPSTREAM", "https://elsewhere.test")
    assert serve.worker_app() is not None


def test_several_workers_are_given_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Supervisor:
        def __init__(self, config: Any, sockets: list[socket.socket]) -> None:
            assert (config.app, config.factory, config.workers) == ("gemgate.cli.serve:worker_app", True, 2)
            assert sockets[0].getsockname()[1]

        def run(self) -> None:
            assert os.environ["GEMGATE_HOST"] == "127.0.0.1"
            assert os.environ["GEMINI_API_KEY"] == ""

    monkeypatch.setattr("gemgate.server.run.Workers", Supervisor)
    result = run("serve", "--port", "0", "--workers", "2")
    assert result.exit_code == 0, result.output


def test_tracing_without_its_exporter_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_TRACING", "true")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "unheard_of")
    result = run("serve", "--port", "0")
    assert result.exit_code == 1
    assert "unheard_of, which is not installed: pip install" in result.stderr


def test_help_does_not_wait_for_the_web_framework() -> None:
    code = (
        "import gemgate.cli.main, sys; sys.exit(bool({'fastapi', 'uvicorn', 'aiohttp', 'pydantic'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_line_to_try_works_as_pasted() -> None:
    with command("serve", "--emulator", "--port", "0") as (process, _):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        answer = subprocess.run(lines[-1], shell=True, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert '"object":"chat.completion"' in answer.stdout


def test_workers_share_the_port_and_end_cleanly() -> None:
    with command("serve", "--emulator", "--port", "0", "--workers", "2") as (process, url):
        assert "Hello" in chat(url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def stream_until_stopped(process: subprocess.Popen[str], url: str, scenario: str) -> str:
    """A streamed answer during which the process is told to stop."""
    body = {"model": scenario, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": "Bearer demo"}
    received = ""
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers, timeout=PATIENCE) as answer:
        for text in answer.iter_text():
            if not received:
                process.send_signal(signal.SIGTERM)
            received += text
    return received


def test_a_stream_that_runs_at_the_stop_signal_is_finished() -> None:
    with command("serve", "--emulator", "--port", "0") as (process, url):
        received = stream_until_stopped(process, url, "emulator-slow-stream-0.4")
        assert process.wait(PATIENCE) == 0
    assert received.endswith("data: [DONE]\n\n")


def test_a_stream_that_outlasts_the_time_it_is_given_ends_with_an_error() -> None:
    with command("serve", "--emulator", "--port", "0", GEMGATE_SHUTDOWN_TIMEOUT="0.1") as (process, url):
        received = stream_until_stopped(process, url, "emulator-slow-stream-20")
        assert process.wait(PATIENCE) == 0
    assert '"code":"server_shutting_down"' in received
    assert "[DONE]" not in received


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gateway_that_is_told_to_stop_takes_no_new_connections_and_ends_its_streams(workers: str) -> None:
    arguments = ("serve", "--emulator", "--port", "0", "--workers", workers)
    body = {"model": "emulator-slow-stream-0.5", "stream": True, "messages": [{"role": "user", "content": "Hello you"}]}
    with command(*arguments) as (process, url), httpx.Client(base_url=url, timeout=PATIENCE) as client:
        headers = {"authorization": "Bearer x"}
        with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            pieces = answer.iter_text()
            received = next(pieces)
            process.send_signal(signal.SIGTERM)
            while not refuses(url):
                pass  # until the signal has arrived
            received += "".join(pieces)
        assert process.wait(PATIENCE) == 0
    assert received.endswith("data: [DONE]\n\n")
