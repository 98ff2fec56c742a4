"""What the commands share: words for the terminal, the settings, and how a command ends."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from gemgate.settings import Settings

_AGAIN_SECONDS = 0.05

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


def say(*lines: str) -> None:
    """Write lines to the standard output."""
    for line in lines:
        typer.echo(line)


def warn(sentence: str, level: str = "warning") -> None:
    """Write a sentence to the standard error, as a line of the log where that is JSON."""
    from gemgate.settings.variables import logs_json

    if logs_json():
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        sentence = json.dumps({"event": sentence, "level": level, "timestamp": stamp})
    elif level == "warning":
        sentence = f"Warning: {sentence}"
    typer.echo(sentence, err=True)


def stop(*sentences: str) -> NoReturn:
    """Ends the command with 1, after saying why."""
    for sentence in sentences:
        warn(sentence, "error")
    raise typer.Exit(1)


def read_settings(overrides: dict[str, Any]) -> "Settings":
    """The settings, with `overrides` from the command line; ends the command when one is invalid."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from gemgate.settings import Settings, misspelt, problems

    for sentence in misspelt():
        warn(sentence)
    try:
        return Settings(**overrides)
    except (ValidationError, SettingsError) as error:
        stop(*problems(error))
    except (OSError, UnicodeDecodeError) as error:
        stop(f".env cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.")


def end_well_on_sigterm() -> None:
    """Let SIGTERM end the command with 0: to be stopped is not a failure.

    uvicorn handles the signal itself, and raises it again once it has shut down. Python drops what is raised in a
    finaliser: then the signal is sent once more.
    """
    signal.signal(signal.SIGTERM, _leave)
    sys.unraisablehook = _after(sys.unraisablehook)


class _TerminatedError(SystemExit):
    """SIGTERM has come."""


def _leave(_signal: int, _frame: object) -> NoReturn:
    raise _TerminatedError(0)


def _after(hook: Callable[["sys.UnraisableHookArgs"], object]) -> Callable[["sys.UnraisableHookArgs"], object]:
    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, _TerminatedError):
            again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
            again.daemon = True
            again.start()
        else:
            hook(dropped)

    return send_again
