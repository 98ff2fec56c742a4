"""The gateway behind nginx with TLS, as it is configured by default: streams come at once, addresses are right."""

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.shared_state.test_sentinel import free_port
from tests.support.command import command

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed (Debian: apt-get install nginx)"),
]

DEMO = {"authorization": "Bearer demo"}
CONFIG = """
daemon off; pid {directory}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;
    location / {{
      proxy_pass {origin}; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""


def certify(directory: Path) -> None:
    """A certificate for 127.0.0.1, by itself."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    certify(tmp_path)
    port = free_port()
    with command("serve", "--emulator", "--port", "0", GEMGATE_ALLOWED_HOSTS="*") as (_, origin):
        (tmp_path / "nginx.conf").write_text(CONFIG.format(directory=tmp_path, port=port, origin=origin))
        with subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]) as nginx:
            try:
                trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
                with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trust, headers=DEMO, timeout=30) as made:
                    wait_for(made)
                    yield made
            finally:
                nginx.terminate()


def wait_for(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/healthz")
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("nginx did not start")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/chat/completions",
            {"model": "emulator-slow-stream-3", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
        ),
        (
            "/v1beta/models/emulator-slow-stream-3:streamGenerateContent?alt=sse",
            {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        ),
    ],
)
def test_events_come_through_nginx_one_by_one(client: httpx.Client, path: str, body: dict[str, object]) -> None:
    with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        times = [time.monotonic() for piece in answer.iter_bytes() if b"data: " in piece]
    assert times[-1] - times[0] > 1


def test_the_address_of_an_upload_is_that_of_nginx(client: httpx.Client) -> None:
    headers = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    headers["x-goog-upload-header-content-length"] = "1"
    begun = client.post("/upload/v1beta/files", headers=headers, json={"file": {}})
    assert begun.headers["x-goog-upload-url"].startswith(str(client.base_url))
