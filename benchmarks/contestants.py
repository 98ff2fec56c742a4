"""Who is measured: gemgate, two peers, two floors. Peers are installed below `.bench/`, each in its own environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import nginx

ROOT = Path(__file__).parent.parent
BENCH = ROOT / ".bench"
PORTKEY = "@portkey-ai/gateway@1.15.2"
LITELLM = "litellm[proxy]"
KEY = "sk-benchmark-0123456789abcdef0123456789abcdef"

NATIVE = "/v1beta/models/{model}:{method}"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One gateway, not yet started.

    Attributes:
        name: As the table has it.
        command: From the port to listen on, the port of the upstream and a directory of its own, to the command.
        environment: From the same to what it needs beside ours.
        headers: Beside the body's, from the port of the upstream.
        is_native: Whether it takes native requests only, and passes them on.
        ends_streams: Whether a stream ends with `[DONE]`, as OpenAI's do.
        rows: The numbers of those that it is measured in; None is all.
        model_prefix: What stands before the names of models.
        base_path: What stands before `/v1/…`.
        port_pattern: What it prints of the port that it chooses itself, if it does.
    """

    name: str
    command: Callable[[int, int, Path], list[str]]
    environment: Callable[[int, int, Path], dict[str, str]] = field(default=lambda *_: {})
    headers: Callable[[int], dict[str, str]] = field(default=lambda _: {"authorization": f"Bearer {KEY}"})
    is_native: bool = False
    ends_streams: bool = True
    rows: frozenset[str] | None = None
    model_prefix: str = ""
    base_path: str = ""
    port_pattern: str = ""

    def takes(self, number: str) -> bool:
        """Whether it is measured in a row."""
        return self.rows is None or number in self.rows

    def body(self, body: bytes) -> bytes:
        """A request as it takes it."""
        return body.replace(b'{"model":"', b'{"model":"' + self.model_prefix.encode(), 1)


def gemgate_environment(directory: Path) -> dict[str, str]:
    """What gemgate is measured with, whatever its upstream is."""
    return {
        "GEMINI_API_KEY": "AIza-benchmark",
        "GEMGATE_CLIENT_KEYS": KEY,
        "GEMGATE_MAX_CONCURRENT_REQUESTS_PER_CALLER": "1000",
        "GEMGATE_DATA_DIR": str(directory / "data"),
    }


GEMGATE = Contestant(
    "gemgate",
    lambda port, _upstream, _dir: [sys.executable, "-m", "gemgate", "serve", "--port", str(port)],
    lambda _port, upstream, dir_: gemgate_environment(dir_) | {"GEMGATE_UPSTREAM": f"http://127.0.0.1:{upstream}"},
)
BARE = Contestant(
    "bare ASGI + aiohttp",
    lambda port, _upstream, _dir: [
        *(sys.executable, "-m", "uvicorn", "benchmarks.passthrough:app", "--port", str(port), "--backlog", "4096"),
        *("--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"),
    ],
    lambda _port, upstream, _dir: {"UPSTREAM": f"http://127.0.0.1:{upstream}"},
    is_native=True,
    ends_streams=False,
)


def contestants(proxy: str | None, only: set[str]) -> tuple[list[Contestant], list[str]]:
    """Those that this machine can run, and why others cannot; with `only`, peers of other names are not installed."""
    found, missing = [GEMGATE], []
    for install in (_portkey, _litellm):
        try:
            if not only or install.__name__[1:] in only:
                found.append(install())
        except (OSError, subprocess.CalledProcessError) as error:
            missing.append(f"{install.__name__[1:]}: not installed ({error})")
    found.append(BARE)
    if proxy is None:
        missing.append("nginx: not installed (Debian's nginx-light)")
    else:
        found.append(
            Contestant(
                "nginx",
                lambda port, upstream, dir_: nginx.proxy(proxy, dir_ / "proxy", port, upstream),
                is_native=True,
                ends_streams=False,
            )
        )
    return found, missing


def _portkey() -> Contestant:
    home = BENCH / "portkey"
    script = home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise OSError("it needs node and npm")
    if not script.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}\n')
        quietly([npm, "install", "--no-audit", "--no-fund", PORTKEY], home)
    return Contestant(
        "Portkey",
        lambda port, _upstream, _dir: [node, str(script), "--headless", f"--port={port}"],
        lambda *_: {"NODE_ENV": "production"},
        lambda upstream: {
            "authorization": f"Bearer {KEY}",
            "x-portkey-provider": "google",
            "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1beta",
        },
        ends_streams=False,
    )


_LITELLM_CONFIG = """
model_list:
  - model_name: "*"
    litellm_params: {{model: "gemini/*", api_base: "http://127.0.0.1:{upstream}", api_key: benchmark}}
litellm_settings: {{set_verbose: false, num_retries: 0, request_timeout: 600}}
general_settings: {{disable_spend_logs: true, allow_requests_on_db_unavailable: true}}
"""


def _litellm() -> Contestant:
    home = BENCH / "litellm"
    command = home / "bin/litellm"
    if not command.exists():
        quietly([sys.executable, "-m", "venv", str(home)], ROOT)
        quietly([str(home / "bin/pip"), "install", "--quiet", LITELLM], ROOT)

    def run(port: int, upstream: int, directory: Path) -> list[str]:
        config = directory / "litellm.yaml"
        config.write_text(_LITELLM_CONFIG.format(upstream=upstream))
        return [
            *(str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
            *("--num_workers", "1", "--telemetry", "False"),
        ]

    return Contestant(
        "LiteLLM",
        run,
        lambda *_: {
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
    )


def versions() -> str:
    """Of the peers that are installed."""
    packages = sorted((BENCH / "litellm/lib").glob("python*/site-packages/litellm-*.dist-info"))
    litellm = [f"LiteLLM {package.name.split('-')[1].removesuffix('.dist')}" for package in packages]
    return ", ".join([f"Portkey {PORTKEY.rpartition('@')[2]}", *litellm])


def quietly(command: list[str], directory: Path) -> None:
    """Run what installs something.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    print("installing:", " ".join(command[:6]), flush=True)
    subprocess.run(command, cwd=directory, env=dict(os.environ), stdout=subprocess.DEVNULL, check=True)
