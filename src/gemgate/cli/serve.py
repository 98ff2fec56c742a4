"""The command `gemgate serve`."""

import gc
import os
import shlex
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from gemgate.cli.console import INTERRUPTED, end_well_on_sigterm, read_settings, say, stop
from gemgate.cli.emulate import import_emulator
from gemgate.observability.multiprocess import shared_by_workers

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from gemgate.auth.key_registry import ClientKeys
    from gemgate.settings import Settings

MODEL = "gemini-3.8-flash"
"""The model of the line to try."""

_SAFE_LENGTH = 20

Host = Annotated[
    str | None,
    typer.Option(
        help="The address to listen on, or several with commas; unix:/path is a Unix domain socket.  "
        "[default: GEMGATE_HOST, or 127.0.0.1]"
    ),
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port to listen on.  [default: GEMGATE_PORT, or 8080]")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of processes.  [default: GEMGATE_WORKERS, or 1]")]
Emulator = Annotated[
    bool, typer.Option("--emulator", help="Answer from the built-in Gemini emulator: no key, no network.")
]


def serve(host: Host = None, port: Port = None, workers: Workers = None, emulator: Emulator = False) -> None:
    """Serve the gateway. Settings come from the environment and from .env."""
    end_well_on_sigterm()
    given = {"host": host, "port": port, "workers": workers}
    overrides: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    with _uncollected(), import_emulator()() if emulator else nullcontext() as upstream:
        if upstream is not None:
            overrides |= {"upstream": upstream, "gemini_api_key": (), "client_keys": (), "client_keys_file": None}
        settings = read_settings(overrides)
        if emulator and not (settings.allowed_hosts or settings.is_open):
            settings = settings.model_copy(update={"allowed_hosts": ("localhost",)})  # no page may use it
        keys = _client_keys(settings)
        _check_redis(settings)
        _check_tracing(settings)
        with _listen(settings) as listeners, shared_by_workers(settings.workers):
            from gemgate.observability.logs import configure_logging, log_what_python_prints
            from gemgate.server.sockets import url_of

            configure_logging(settings)
            log_what_python_prints()
            _warn_of_limits(settings, keys)
            warn_of_short_keys(settings)
            _preflight(settings)
            _announce(settings, [url_of(each) for each in listeners], emulated=emulator)
            _run(settings, listeners)


@contextmanager
def _uncollected() -> "Iterator[None]":
    """Without collections of garbage, of which imports make none: they would take a tenth of the time to start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def worker_app() -> "ASGIApp":
    """The application of one of several worker processes, whose settings are in the environment alone."""
    with _uncollected():
        from gemgate.app import create_app
        from gemgate.observability.logs import configure_logging, log_what_python_prints
        from gemgate.settings import Settings

    settings = Settings(_env_file=None)
    configure_logging(settings)
    log_what_python_prints()
    return create_app(settings)


def _client_keys(settings: "Settings") -> "ClientKeys":
    """Stops before anything is served, when the file of client keys is bad."""
    from gemgate.auth.key_registry import ClientKeys
    from gemgate.auth.keys_file import KeysFileError

    try:
        return ClientKeys.of(settings)
    except KeysFileError as error:
        stop(*error.problems)


def _check_tracing(settings: "Settings") -> None:
    """Stops the command if a package is missing; the workers would, one after another, without a word."""
    from gemgate.observability.tracing_setup import TracingError, check_tracing

    try:
        check_tracing(settings)
    except TracingError as error:
        stop(str(error))


def _preflight(settings: "Settings") -> None:
    """Preflight: exits with one sentence if store, proxy or certificates are unusable."""
    if settings.workers == 1:
        obstacle = _obstacle(settings)
    else:  # in a process of its own: the one that looks after the workers stays half as large
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            obstacle = pool.submit(_obstacle, settings).result()
    if obstacle:
        stop(obstacle)


def _obstacle(settings: "Settings") -> str | None:
    import asyncio

    from gemgate.startup.lifespan import StartError, preflight

    try:
        asyncio.run(preflight(settings))
    except StartError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever it is, the operator gets a sentence
        from gemgate.redaction import redact

        return redact(f"The gateway cannot start: {type(error).__name__}: {error}")
    return None


def _check_redis(settings: "Settings") -> None:
    from importlib.util import find_spec

    if settings.redis_url and find_spec("redis") is None:
        stop("GEMGATE_REDIS_URL needs the package redis: pip install 'gemgate[redis]'")


def _warn_of_limits(settings: "Settings", keys: "ClientKeys") -> None:
    """Each worker would count for itself, and so allow the whole limit."""
    import structlog

    if keys.has_limits and settings.workers > 1 and not settings.redis_url:
        structlog.get_logger().warning(
            "each worker counts the limits of client keys for itself: set GEMGATE_REDIS_URL to count together",
            workers=settings.workers,
        )


def warn_of_short_keys(settings: "Settings") -> None:
    """Wrong keys are not throttled: only its length keeps a client key from being guessed."""
    import structlog

    if any(len(key.get_secret_value()) < _SAFE_LENGTH for key in settings.client_keys):
        structlog.get_logger().warning(
            "GEMGATE_CLIENT_KEYS holds a key that can be guessed: use those of 'gemgate key new'",
            shorter_than=_SAFE_LENGTH,
        )


def _run(settings: "Settings", listeners: "list[socket.socket]") -> None:
    """Serves until SIGTERM (the command ends with 0) or Ctrl-C (130)."""
    from gemgate.server.run import serve_here, serve_in_workers

    if settings.workers > 1:
        os.environ.update(settings.as_environment())
        serve_in_workers("gemgate.cli.serve:worker_app", settings, listeners)
        return
    from gemgate.app import create_app

    try:
        serve_here(create_app(settings), settings, listeners)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _listen(settings: "Settings") -> "Iterator[list[socket.socket]]":
    from gemgate.server.sockets import ListenError, listening

    try:
        with listening(settings.hosts, settings.port) as listeners:
            yield listeners
    except ListenError as error:
        stop(str(error))


def _announce(settings: "Settings", urls: list[str], *, emulated: bool) -> None:
    """Says where the gateway listens, as a line of the log where that is JSON."""
    banner = _banner(settings, urls, emulated=emulated)
    if settings.log_format != "json":
        say(banner)
        return
    import structlog

    structlog.get_logger().info("gemgate listens", urls=urls, banner=banner.partition("\n  try")[0].splitlines())


def _named_upstream(settings: "Settings") -> str:
    named = [settings.origin] if settings.asks_developer_api else []
    if settings.asks_vertex:
        where = f"{settings.google_cloud_project}, {settings.google_cloud_location}"
        named.append(f"Vertex AI ({'express mode' if settings.vertex_api_key else where})")
    return " and ".join(named)


def _banner(settings: "Settings", urls: list[str], *, emulated: bool) -> str:
    from gemgate.settings import UNIX, variable

    upstream = "the built-in Gemini emulator" if emulated else _named_upstream(settings)
    credential: str | None
    if emulated:
        keys, credential = "any key works", "demo"
    elif settings.passes_keys_through and settings.asks_vertex:
        keys, credential = "each caller's own access token is passed on", "$(gcloud auth print-access-token)"
    elif settings.passes_keys_through:
        keys, credential = "each caller's own Gemini key is passed on", "$GEMINI_API_KEY"
    elif settings.asks_for_client_keys:
        named = [variable(name) for name in ("client_keys", "client_keys_file") if getattr(settings, name)]
        keys, credential = f"callers present one of {' and '.join(named)}", "$CLIENT_KEY"
    else:
        keys, credential = "callers need no key; the gateway's own is used", None
    body = f'{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    bearer = f' -H "Authorization: Bearer {credential}"' if credential else ""
    if (url := urls[0]).startswith(UNIX):
        url = f"--unix-socket {url.removeprefix(UNIX)} http://gemgate"
    console = [f"  console   {urls[0]}/console"] if settings.serves_console and not url.startswith("--") else []
    return "\n".join(
        (
            f"gemgate listens on {' and '.join(each if each.startswith(UNIX) else f'{each}/v1' for each in urls)}",
            f"  upstream  {upstream}",
            f"  keys      {keys}",
            *console,
            "  try",
            f"curl {url}/v1/chat/completions -H 'Content-Type: application/json'{bearer} -d {shlex.quote(body)}",
        )
    )
