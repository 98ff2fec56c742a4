"""How the process ends and what it prints: whatever a collector of traces, a finaliser or a library does meanwhile."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import orjson
import pytest
from tests.support.command import PATIENCE, command

pytestmark = pytest.mark.integration

DEMO = {"authorization": "Bearer demo"}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}

IN_A_FINALISER = """
import os, signal, sys, time
from gemgate.cli.console import end_well_on_sigterm
end_well_on_sigterm()

class Closed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass

closed = Closed()
del closed
time.sleep(60)
sys.exit(5)
"""


def test_a_sigterm_that_comes_in_a_finaliser_is_not_lost() -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_FINALISER], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert time.monotonic() - began < 50
    assert "Traceback" not in ended.stderr


def test_a_collector_that_does_not_answer_does_not_hold_the_shutdown() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as collector:
        endpoint = f"http://127.0.0.1:{collector.getsockname()[1]}"
        environment = {"GEMGATE_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with command("serve", "--emulator", "--port", "0", **environment) as (process, origin):
            answer = httpx.post(f"{origin}/v1/chat/completions", json=CHAT, headers=DEMO, timeout=PATIENCE)
            assert answer.status_code == 200
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert time.monotonic() - began < 9  # the exporter itself tries for ten seconds, and again


NOISY = """
import sys, threading, warnings
from gemgate.observability.logs import configure_logging, log_what_python_prints
from gemgate.settings import Settings
configure_logging(Settings(_env_file=None, log_format="json"))
log_what_python_prints()
warnings.warn("a warning of a library")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()

class Broken:
    def __del__(self):
        raise ValueError("in a finaliser")

Broken()
raise KeyError("uncaught")
"""


def test_all_that_python_prints_is_json_where_the_log_is() -> None:
    ended = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, timeout=60, check=False)
    lines = [orjson.loads(line) for line in ended.stderr.splitlines()]
    assert {line["event"].split(" of a library")[0].split(":")[0] for line in lines} >= {
        "uncaught exception",
        "exception ignored",
    }
    assert any("a warning of a library" in line["event"] for line in lines)
    assert len(lines) == 4


def test_a_gateway_that_logs_json_prints_nothing_else() -> None:
    environment = {"GEMGATE_LOG_FORMAT": "json", "GEMGATE_SHUTDOWN_DELAI": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gemgate", "serve", "--emulator", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment,
    )  # fmt: skip
    lines = []
    assert process.stderr is not None
    for text in process.stderr:
        lines.append(orjson.loads(text))
        if lines[-1]["event"] == "gemgate listens":
            break
    (url,) = lines[-1]["urls"]
    assert httpx.post(f"{url}/v1/chat/completions", json=CHAT, headers=DEMO, timeout=PATIENCE).status_code == 200
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    lines.extend(orjson.loads(text) for text in error.splitlines())
    assert out == ""
    assert any("GEMGATE_SHUTDOWN_DELAI is not a setting" in line["event"] for line in lines)
    assert any(line["event"] == "request" for line in lines)


@pytest.mark.parametrize(
    "environment",
    [
        {"GEMGATE_REDIS_URL": "redis://host:not-a-port"},
        {"GEMGATE_DATABASE_URL": "mysql://host/name"},
        {"GEMGATE_BLOBS_URL": "s3://"},
        {"GEMGATE_DATA_DIR": "/dev/null/data"},
        {"GEMGATE_CLIENT_KEYS_FILE": "/nowhere", "GEMINI_API_KEY": "a-key"},
        {"GEMINI_API_KEY_FILE": "/nowhere"},
        {"HTTPS_PROXY": "socks9://nowhere"},
        {"SSL_CERT_FILE": "/nowhere"},
        {"GEMGATE_TRACING": "true", "OTEL_TRACES_EXPORTER": "nothing"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_a_gateway_that_cannot_start_says_why_without_a_traceback(environment: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gemgate", "serve", "--port", "0"],
        capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert 0 < len(ended.stderr.strip().splitlines()) <= 2, ended.stderr
