"""The command `gemgate`: serve, emulate, check, key, batch."""

import typer

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
