"""The command `gemgate`: serve, emulate, check."""

import math
import os
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from gemgate.settings import Settings

MODEL = "gemini-2.5-flash"
"""The model of the line to try."""

_KEEP_ALIVE_SECONDS = 75  # longer than the 60 s that load balancers keep an idle connection
_HUNG_SECONDS = 30  # a worker that gives no sign of life for so long is replaced
_BACKLOG = 2048
_INTERRUPTED = 130

app = typer.Typer(
    help="Serves the OpenAI API and speaks the native Gemini API to Google.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Host = Annotated[str | None, typer.Option(help="The address to listen on.  [default: GEMGATE_HOST, or 127.0.0.1]")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port to listen on.  [default: GEMGATE_PORT, or 8080]")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to serve with.  [default: GEMGATE_WORKERS, or 1]")]
Emulator = Annotated[
    bool, typer.Option("--emulator", help="Answer from the built-in Gemini emulator: no key, no network.")
]


@app.command()
def serve(host: Host = None, port: Port = None, workers: Workers = None, emulator: Emulator = False) -> None:
    """Serve the gateway. Settings come from the environment and from .env."""
    signal.signal(signal.SIGTERM, _leave)
    given = {"host": host, "port": port, "workers": workers}
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with _import_emulator()() if emulator else nullcontext() as upstream:
        if upstream is not None:
            overrides |= {"upstream": upstream, "gemini_api_key": (), "client_keys": ()}
        settings = _settings(overrides)
        with _listen(settings.host, settings.port) as listener:
            from gemgate.telemetry import configure_logging

            configure_logging(settings)
            _say(_banner(settings, _url(listener), emulated=emulator))
            _run(settings, listener)


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
    """Read the settings, make one real call to Google, and say in words what is wrong."""
    import asyncio

    from gemgate.check import check as check_google

    settings = _settings({})
    findings = asyncio.run(check_google(settings))
    for finding in findings:
        _say(finding.sentence)
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(1)


def worker_app() -> "ASGIApp":
    """The application of one of several worker processes, whose settings stand in the environment alone."""
    from gemgate.app import create_app
    from gemgate.settings import Settings
    from gemgate.telemetry import configure_logging

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


def _run(settings: "Settings", listener: socket.socket) -> None:
    if settings.workers == 1:
        from gemgate.app import create_app

        _serve_here(create_app(settings), listener, settings.shutdown_timeout)
    else:
        from uvicorn.supervisors import Multiprocess

        os.environ.update(settings.as_environment())
        config = _config("gemgate.cli:worker_app", settings.shutdown_timeout, factory=True, workers=settings.workers)
        Multiprocess(config, sockets=[listener]).run()


def _serve_here(application: "ASGIApp", listener: socket.socket, shutdown_timeout: float) -> None:
    """Serves until SIGTERM (the command ends with 0) or Ctrl-C (130)."""
    import uvicorn

    try:
        uvicorn.Server(_config(application, shutdown_timeout)).run(sockets=[listener])
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _leave(_signal: int, _frame: object) -> NoReturn:
    """To be stopped is no failure. uvicorn handles the signal itself, and raises it again once it has shut down."""
    raise SystemExit(0)


def _config(application: Any, shutdown_timeout: float, **options: Any) -> Any:
    import uvicorn

    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_worker_healthcheck=_HUNG_SECONDS,
        timeout_graceful_shutdown=math.ceil(shutdown_timeout) + 1,  # streams end themselves a little earlier
        **options,
    )


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; with it in hand, the address that is told is true."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        _stop_listening(host, port, error)
    with listener:
        listener.set_inheritable(True)
        yield listener


def _import_emulator() -> "Callable[..., AbstractContextManager[str]]":
    try:
        from gemgate.emulator.server import serve_in_thread
    except ModuleNotFoundError as error:
        _stop(f"The emulator needs the package {error.name}: pip install 'gemgate[emulator]'")
    return serve_in_thread


def _stop_listening(host: str, port: int, error: OSError) -> NoReturn:
    _stop(
        f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. Choose others with --host and --port."
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def _banner(settings: "Settings", url: str, *, emulated: bool) -> str:
    upstream = "the built-in Gemini emulator" if emulated else settings.upstream
    credential: str | None
    if emulated:
        keys, credential = "any will do", "demo"
    elif settings.passes_keys_through:
        keys, credential = "each caller's own Gemini key is passed on", "$GEMINI_API_KEY"
    elif settings.client_keys:
        keys, credential = "callers present one of GEMGATE_CLIENT_KEYS", "$CLIENT_KEY"
    else:
        keys, credential = "callers need none; the gateway's own is used", None
    body = f'{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    bearer = f' -H "Authorization: Bearer {credential}"' if credential else ""
    return "\n".join(
        (
            f"gemgate listens on {url}/v1",
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
