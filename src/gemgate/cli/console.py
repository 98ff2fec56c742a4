"""What the commands share: words for the terminal, the settings, and how a command ends."""

import signal
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from gemgate.settings import Settings

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


def say(*lines: str) -> None:
    """Write lines to the standard output."""
    for line in lines:
        typer.echo(line)


def stop(*sentences: str) -> NoReturn:
    """Ends the command with 1, after saying why."""
    for sentence in sentences:
        typer.echo(sentence, err=True)
    raise typer.Exit(1)


def read_settings(overrides: dict[str, Any]) -> "Settings":
    """The settings, with `overrides` from the command line; ends the command when one is invalid."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from gemgate.settings import Settings, misspelt, problems

    for sentence in misspelt():
        typer.echo(f"Warning: {sentence}", err=True)
    try:
        return Settings(**overrides)
    except (ValidationError, SettingsError) as error:
        stop(*problems(error))


def end_well_on_sigterm() -> None:
    """Let SIGTERM end the command with 0: to be stopped is not a failure.

    uvicorn handles the signal itself, and raises it again once it has shut down.
    """
    signal.signal(signal.SIGTERM, _leave)


def _leave(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)
