"""Gateways whose upstream is Google by name: TensorZero, and gemgate beside it.

TensorZero's address of Google is fixed. Both therefore run where Google's name leads to the bench's nginx: in a mount
namespace with a hosts file of its own, and with a certificate of an authority that only they trust.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.contestants import BENCH, ROOT, Contestant, gemgate_environment, quietly
from benchmarks.exchanges import MODEL
from benchmarks.rows import PACED

TENSORZERO = "tensorzero==2026.6.0"
HOST = "generativelanguage.googleapis.com"
ADDRESS = "127.0.0.2"
"""Of nginx, with TLS; on 127.0.0.1 something else may have the port."""

_CHAT_ROWS = frozenset({"1", "2", "3"})

_CONFIG = "[gateway]\nobservability.enabled = false\n" + "".join(
    f'[models."{model}"]\nrouting = ["google"]\n[models."{model}".providers.google]\n'
    f'type = "google_ai_studio_gemini"\nmodel_name = "{model}"\n'
    for model in (MODEL, PACED)
)

# Its wheel has no command: the gateway is started for a client of OpenAI's, on a port that it chooses.
_START = """
import sys, threading, openai, tensorzero
client = openai.OpenAI(api_key="benchmark")
tensorzero.patch_openai_client(client, config_file=sys.argv[1], async_setup=False)
print(client.base_url, flush=True)
threading.Event().wait()
"""


def contestants(directory: Path, only: set[str]) -> list[Contestant]:
    """Both, unless `only` has other names; their hosts file and the certificates for `nginx.google` are in `directory`.

    Raises:
        OSError: this machine has no mount namespaces for us, or no `openssl`.
        subprocess.CalledProcessError: a command failed.
    """
    if only and not only & {"tensorzero", "gemgate, tls"}:
        return []
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("unshare"):
        raise OSError("it needs Linux, root and unshare")
    directory.mkdir(parents=True)
    hosts = directory / "hosts"
    hosts.write_text(f"{Path('/etc/hosts').read_text()}\n{ADDRESS} {HOST}\n")
    subprocess.run(_within(hosts, ["true"]), check=True, capture_output=True)
    authority = _certificates(directory)
    python = _installed()
    trusting = {"SSL_CERT_FILE": str(authority)}

    def tensorzero(_port: int, _upstream: int, own: Path) -> list[str]:
        config = own / "tensorzero.toml"
        config.write_text(_CONFIG)
        return _within(hosts, [str(python), "-c", _START, str(config)])

    serve = [sys.executable, "-m", "gemgate", "serve", "--port"]
    return [
        Contestant(
            "gemgate, TLS",
            lambda port, *_: _within(hosts, [*serve, str(port)]),
            lambda _port, _upstream, own: trusting | gemgate_environment(own),
            rows=_CHAT_ROWS,
        ),
        Contestant(
            "TensorZero",
            tensorzero,
            lambda *_: trusting | {"GOOGLE_AI_STUDIO_API_KEY": "benchmark"},
            rows=_CHAT_ROWS,
            model_prefix="tensorzero::model_name::",
            base_path="/openai",
            port_pattern=r"http://127\.0\.0\.1:(\d+)/",
        ),
    ]


def _within(hosts: Path, command: list[str]) -> list[str]:
    mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted, str(hosts), *command]


def _certificates(directory: Path) -> Path:
    """Make `google.pem` with its `google.key`; the certificate of its authority."""
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=gemgate bench", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new, "-subj", f"/CN={HOST}", "-keyout", "google.key", "-out", "google.csr"],
        [
            *("openssl", "x509", "-req", "-days", "2", "-in", "google.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-extfile", "names", "-out", "google.pem"),
        ],
    ):
        (directory / "names").write_text(f"subjectAltName=DNS:{HOST}")
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return directory / "ca.pem"


def _installed() -> Path:
    home = BENCH / "tensorzero"
    python = home / "bin/python"
    if not (home / "ready").exists():
        quietly([sys.executable, "-m", "venv", str(home)], ROOT)
        quietly([str(home / "bin/pip"), "install", "--quiet", TENSORZERO, "openai"], ROOT)
        (home / "ready").touch()
    return python
