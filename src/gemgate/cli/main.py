"""The command `gemgate`: serve, emulate, check, key, batch."""

import gc
import os
import shlex
import signal
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gemgate.cli.batch import app as batch_app
from gemgate.observability.multiprocess import shared_by_workers

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from gemgate.auth.key_registry import ClientKeys
    from gemgate.settings import Settings

MODEL = "gemini-2.5-flash"
"""The model of the line to try."""

_INTERRUPTED = 130

app = typer.Typer(
    help="Serves the OpenAI API and speaks the native Gemini API to Google.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
key_app = typer.Typer(help="Create client keys for callers.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(batch_app, name="batch")

KeyName = Annotated[str, typer.Argument(help="The caller's name, for logs, metrics and messages.")]
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


@app.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None, emulator: Emulator = False) -> None:
    """Serve the gateway. Settings come from the environment and from .env."""
    signal.signal(signal.SIGTERM, _leave)
    given = {"host": host, "port": port, "workers": workers}
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with _uncollected(), _import_emulator()() if emulator else nullcontext() as upstream:
        if upstream is not None:
            overrides |= {"upstream": upstream, "gemini_api_key": (), "client_keys": (), "client_keys_file": None}
        settings = _settings(overrides)
        keys = _client_keys(settings)
        _check_redis(settings)
        _check_tracing(settings)
        with _listen(settings) as listeners, shared_by_workers(settings.workers):
            from gemgate.observability.logs import configure_logging
            from gemgate.server.sockets import url_of

            configure_logging(settings)
            _warn_of_limits(settings, keys)
            _rehearse(settings)
            _say(_banner(settings, [url_of(each) for each in listeners], emulated=emulator))
            _run(settings, listeners)


@app.command()
def emulate(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8081,
) -> None:
    """Serve the emulator of the native Gemini API alone: to test applications without a key."""
    signal.signal(signal.SIGTERM, _leave)
    serve_in_thread = _import_emulator()
    try:
        with serve_in_thread(port, host=host) as url:
            _say(
                f"The Gemini emulator listens on {url}",
                f"  gemgate       GEMGATE_UPSTREAM={url} gemgate serve",
                f"  google-genai  Client(api_key='demo', http_options={{'base_url': '{url}'}})",
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    except OSError as error:
        _stop_listening(host, port, error)


@app.command()
def check() -> None:
    """Validate the settings, make one test call to Google, and report problems in words."""
    import asyncio

    from gemgate.cli.check import check as check_google

    settings = _settings({})
    findings = asyncio.run(check_google(settings))
    for finding in findings:
        _say(finding.sentence)
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(1)


@key_app.command("new")
def new_key(name: KeyName) -> None:
    """Create a client key, and show it once, together with its entry for GEMGATE_CLIENT_KEYS_FILE."""
    from gemgate.auth import client_keys as keys

    key = keys.new_key()
    _say(f"The client key of {name}. It is not stored: give it to its caller now.", "", key, "")
    _say_entry(name, key)


@key_app.command("entry")
def key_entry(name: KeyName) -> None:
    """Read an existing key, such as one of GEMGATE_CLIENT_KEYS, and show its entry; it keeps its files."""
    from gemgate.auth.client_keys import owner_of_key

    key = typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not (key := key.strip()):
        _stop("No key was given. Type it at the prompt, or pass it on standard input.")
    _say_entry(name, key, owner_of_key(key))


def _say_entry(name: str, key: str, owner: str | None = None) -> None:
    from gemgate.auth.keys_file import KeysFileError, entry_text, parse_keys

    entry = entry_text(name, key, owner)
    try:
        parse_keys(f"keys:\n{entry}", "NAME")
    except KeysFileError as error:
        _stop(*error.problems)
    _say("Below 'keys:' in GEMGATE_CLIENT_KEYS_FILE:", "", entry)


@contextmanager
def _uncollected() -> "Iterator[None]":
    """Without collections of garbage, of which imports make none: they would take a tenth of the time to start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def worker_app() -> "ASGIApp":
    """The application of one of several worker processes, whose settings stand in the environment alone."""
    with _uncollected():
        from gemgate.app import create_app
        from gemgate.observability.logs import configure_logging
        from gemgate.settings import Settings

    settings = Settings(_env_file=None)
    configure_logging(settings)
    return create_app(settings)


def _settings(overrides: dict[str, Any]) -> "Settings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from gemgate.settings import Settings, misspelt, problems

    for sentence in misspelt():
        typer.echo(f"Warning: {sentence}", err=True)
    try:
        return Settings(**overrides)
    except (ValidationError, SettingsError) as error:
        _stop(*problems(error))


def _client_keys(settings: "Settings") -> "ClientKeys":
    """Stops before anything is served, when the file of client keys is bad."""
    from gemgate.auth.key_registry import ClientKeys
    from gemgate.auth.keys_file import KeysFileError

    try:
        return ClientKeys.of(settings)
    except KeysFileError as error:
        _stop(*error.problems)


def _check_tracing(settings: "Settings") -> None:
    """Stops the command if a package is missing; the workers would, one after another, without a word."""
    from gemgate.observability.tracing_setup import TracingError, check_tracing

    try:
        check_tracing(settings)
    except TracingError as error:
        _stop(str(error))


def _rehearse(settings: "Settings") -> None:
    """Stops before anything is told, when the store, the proxy or the certificates cannot be used."""
    if settings.workers == 1:
        obstacle = _obstacle(settings)
    else:  # in a process of its own: the one that looks after the workers stays half as large
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            obstacle = pool.submit(_obstacle, settings).result()
    if obstacle:
        _stop(obstacle)


def _obstacle(settings: "Settings") -> str | None:
    import asyncio

    from gemgate.startup.lifespan import StartError, preflight

    try:
        asyncio.run(preflight(settings))
    except StartError as error:
        return str(error)
    return None


def _check_redis(settings: "Settings") -> None:
    from importlib.util import find_spec

    if settings.redis_url and find_spec("redis") is None:
        _stop("GEMGATE_REDIS_URL needs the package redis: pip install 'gemgate[redis]'")


def _warn_of_limits(settings: "Settings", keys: "ClientKeys") -> None:
    """Each worker would count for itself, and so allow the whole limit."""
    import structlog

    if keys.has_limits and settings.workers > 1 and not settings.redis_url:
        structlog.get_logger().warning(
            "each worker counts the limits of client keys for itself: set GEMGATE_REDIS_URL to count together",
            workers=settings.workers,
        )


def _run(settings: "Settings", listeners: "list[socket.socket]") -> None:
    """Serves until SIGTERM (the command ends with 0) or Ctrl-C (130)."""
    from gemgate.server.run import serve_here, serve_in_workers

    if settings.workers > 1:
        os.environ.update(settings.as_environment())
        serve_in_workers("gemgate.cli.main:worker_app", settings, listeners)
        return
    from gemgate.app import create_app

    try:
        serve_here(create_app(settings), settings, listeners)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _leave(_signal: int, _frame: object) -> NoReturn:
    """Exit with 0: being stopped is a normal end. uvicorn raises the signal again once it has shut down."""
    raise SystemExit(0)


@contextmanager
def _listen(settings: "Settings") -> "Iterator[list[socket.socket]]":
    from gemgate.server.sockets import ListenError, listening

    try:
        with listening(settings.hosts, settings.port) as listeners:
            yield listeners
    except ListenError as error:
        _stop(str(error))


def _import_emulator() -> "Callable[..., AbstractContextManager[str]]":
    try:
        from gemgate.emulator.server import serve_in_thread
    except ModuleNotFoundError as error:
        _stop(f"The emulator needs more packages ({error.name} is missing): pip install 'gemgate[emulator]'")
    return serve_in_thread


def _stop_listening(host: str, port: int, error: OSError) -> NoReturn:
    _stop(
        f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. Choose others with --host and --port."
    )


def _banner(settings: "Settings", urls: list[str], *, emulated: bool) -> str:
    from gemgate.settings import UNIX, variable

    upstream = "the built-in Gemini emulator" if emulated else settings.upstream
    credential: str | None
    if emulated:
        keys, credential = "any key works", "demo"
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
    return "\n".join(
        (
            f"gemgate listens on {' and '.join(each if each.startswith(UNIX) else f'{each}/v1' for each in urls)}",
            f"  upstream  {upstream}",
            f"  keys      {keys}",
            "  try",
            f"curl {url}/v1/chat/completions -H 'Content-Type: application/json'{bearer} -d {shlex.quote(body)}",
        )
    )


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _stop(*sentences: str) -> NoReturn:
    """Ends the command with 1, after saying why."""
    for sentence in sentences:
        typer.echo(sentence, err=True)
    raise typer.Exit(1)
