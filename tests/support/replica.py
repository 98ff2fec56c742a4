"""A gateway that a process of a test's own serves, once it has changed what it wants to."""

import socket
import sys


def serve_replica() -> None:
    """Serve by the environment's settings until the process ends; the address is written to the standard output.

    What is imported here sees what the caller has changed in the package before.
    """
    import uvicorn

    from gemgate.app import create_app
    from gemgate.settings import Settings

    config = uvicorn.Config(create_app(Settings(_env_file=None)), log_config=None, lifespan="on", access_log=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}/v1\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listener])
