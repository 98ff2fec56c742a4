"""The command `gemgate`: serve, emulate, check, key, batch."""

from typing import Annotated

import typer

from gemgate import __version__
from gemgate.cli.batch import app as batch_app
from gemgate.cli.console import read_settings, say
from gemgate.cli.emulate import emulate
from gemgate.cli.keys import app as key_app
from gemgate.cli.serve import serve

app = typer.Typer(
    help="Serves the OpenAI API and speaks the native Gemini API to Google.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve)
app.command()(emulate)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        say(f"gemgate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def check() -> None:
    """Validate the settings, make one test call to Google, and report problems in words."""
    import asyncio

    from gemgate.cli.check import check_keys

    settings = read_settings({})
    findings = asyncio.run(check_keys(settings))
    for finding in findings:
        say(finding.sentence)
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(1)


app.add_typer(key_app, name="key")
app.add_typer(batch_app, name="batch")
