"""A gateway in a process of its own, whose leases of responses in the background are shorter than the product's."""

import socket
import sys

import uvicorn

from gemgate.api.responses import background, background_run
from gemgate.app import create_app
from gemgate.settings import Settings


def main() -> None:
    """Serve; the address is written to the standard output."""
    background_run.LEASE = 3.0
    background_run.RENEW_SECONDS = 0.3
    background_run.FLUSH_SECONDS = 0.05
    background.FOLLOW_SECONDS = 0.05
    background.REAP_SECONDS = 0.3
    config = uvicorn.Config(create_app(Settings(_env_file=None)), log_config=None, lifespan="on", access_log=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/v1\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
