"""The command `gemgate emulate`."""

import os
import threading
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gemgate.cli.console import INTERRUPTED, end_well_on_sigterm, say, stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def emulate(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8081,
    date: Annotated[
        str, typer.Option(help="The day whose models are served, such as 2026-12-01. Absent: all, each as itself.")
    ] = "",
) -> None:
    """Serve the emulator of the native Gemini API alone: to test applications without a key."""
    end_well_on_sigterm()
    serve_in_thread = import_emulator()
    from gemgate.emulator.app import create_emulator

    try:
        app = create_emulator(day=date)
    except ValueError:
        stop(f"--date is a day such as 2026-12-01, not {date!r}.")
    try:
        with serve_in_thread(port, host=host, app=app) as url:
            say(
                f"The Gemini emulator listens on {url}",
                f"  gemgate       GEMGATE_UPSTREAM={url} gemgate serve",
                f"  google-genai  Client(api_key='demo', http_options={{'base_url': '{url}'}})",
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        _stop_listening(host, port, error)


def import_emulator() -> "Callable[..., AbstractContextManager[str]]":
    """`serve_in_thread` of the emulator; ends the command when its packages are not installed."""
    try:
        from gemgate.emulator.server import serve_in_thread
    except ModuleNotFoundError as error:
        stop(f"The emulator needs more packages ({error.name} is missing): pip install 'gemgate[emulator]'")
    return serve_in_thread


def _stop_listening(host: str, port: int, error: OSError) -> NoReturn:
    stop(f"Cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}. Choose others with --host and --port.")
