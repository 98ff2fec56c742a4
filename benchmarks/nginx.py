"""nginx, twice: as a Google that costs next to nothing, and as a floor, a plain proxy before it."""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.exchanges import BUFFERED, EMBEDDINGS, STREAM, TOKENS

_FILES = {"chat.json": BUFFERED, "stream.txt": STREAM, "embeddings.json": EMBEDDINGS, "tokens.json": TOKENS}

_COMMON = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log error; {user}
events {{ worker_connections 8192; }}
http {{
  access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600;
  client_max_body_size 0; client_body_buffer_size 16m; client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  open_file_cache max=100; types {{ application/json json; text/event-stream txt; }}
"""

# A file answers GET alone, and SSI takes the length away, which makes nginx send the body in chunks, as Google does.
_GOOGLE = (
    _COMMON
    + """
  upstream paced {{ server 127.0.0.1:{paced}; keepalive 2048; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; {tls} root {dir}/files; ssi on; ssi_types application/json text/event-stream;
    location ~ /gemini-(paced|held):stream {{
      proxy_pass http://paced; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off; ssi off;
    }}
    location ~ :streamGenerateContent {{ error_page 405 =200 /stream.txt; try_files /stream.txt =404; }}
    location ~ :generateContent       {{ error_page 405 =200 /chat.json; try_files /chat.json =404; }}
    location ~ :batchEmbedContents    {{ error_page 405 =200 /embeddings.json; try_files /embeddings.json =404; }}
    location ~ :countTokens           {{ error_page 405 =200 /tokens.json; try_files /tokens.json =404; }}
  }}
}}
"""
)

_PROXY = (
    _COMMON
    + """
  upstream google {{ server 127.0.0.1:{upstream}; keepalive 2048; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://google; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off;
    }}
  }}
}}
"""
)


def find() -> str | None:
    """nginx; where there is none and we may install it from Debian, it is installed first."""
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    if shutil.which("nginx", path=path) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing nginx-light", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "nginx-light"]):
            subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which("nginx", path=path)


_TLS = "listen {address}:443 ssl backlog=4096; ssl_certificate {dir}/google.pem; ssl_certificate_key {dir}/google.key;"


def google(nginx: str, directory: Path, port: int, paced: int, tls: tuple[str, Path] | None = None) -> list[str]:
    """The command of a server of canned answers; with `tls` also at that address, with certificates of that folder."""
    files = directory / "files"
    files.mkdir(parents=True)
    for name, content in _FILES.items():
        (files / name).write_bytes(content)
    also = _TLS.format(address=tls[0], dir=tls[1]) if tls else ""
    return _command(nginx, directory, _GOOGLE, port=port, paced=paced, tls=also)


def proxy(nginx: str, directory: Path, port: int, upstream: int) -> list[str]:
    """The command of a plain proxy."""
    directory.mkdir(parents=True)
    return _command(nginx, directory, _PROXY, port=port, upstream=upstream)


def _command(nginx: str, directory: Path, text: str, **values: object) -> list[str]:
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(text.format(dir=directory, user=user, **values))
    return [nginx, "-p", str(directory), "-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log")]
