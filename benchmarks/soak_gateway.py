"""The gateway as `gemgate serve` runs it, which also tells at `/soak/tasks` how many tasks its loop has."""

import asyncio
from collections import Counter

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.app import create_app
from gemgate.observability.logs import configure_logging
from gemgate.server.run import serve_here
from gemgate.server.sockets import listening
from gemgate.settings import Settings

PATH = "/soak/tasks"


def _tasks() -> Counter[str]:
    """By the name of what they run."""
    return Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())


def watched(app: ASGIApp) -> ASGIApp:
    """`app`, and the path that tells."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await Response(orjson.dumps(_tasks()), media_type="application/json")(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings(_env_file=None)
    configure_logging(settings)
    with listening(settings.hosts, settings.port) as listeners:
        serve_here(watched(create_app(settings)), settings, listeners)


if __name__ == "__main__":
    main()
