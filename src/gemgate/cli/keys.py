"""The command `gemgate key`: keys for callers, and their entries for the file of client keys."""

import sys
from typing import Annotated

import typer

from gemgate.cli.console import say, stop

app = typer.Typer(help="Create client keys for callers.", no_args_is_help=True)

KeyName = Annotated[str, typer.Argument(help="The caller's name, for logs, metrics and messages.")]


@app.command("new")
def new_key(name: KeyName) -> None:
    """Create a client key, and show it once, together with its entry for GEMGATE_CLIENT_KEYS_FILE."""
    from gemgate.auth import client_keys as keys

    key = keys.new_key()
    say(f"The client key of {name}. It is not stored: give it to its caller now.", "", key, "")
    _say_entry(name, key)


@app.command("entry")
def key_entry(name: KeyName) -> None:
    """Read an existing key, such as one of GEMGATE_CLIENT_KEYS, and show its entry; it keeps its files."""
    from gemgate.auth.client_keys import owner_of_key

    key = typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not (key := key.strip()):
        stop("No key was given. Type it at the prompt, or pass it on standard input.")
    _say_entry(name, key, owner_of_key(key))


def _say_entry(name: str, key: str, owner: str | None = None) -> None:
    from gemgate.auth.keys_file import KeysFileError, entry_text, parse_keys

    entry = entry_text(name, key, owner)
    try:
        parse_keys(f"keys:\n{entry}", "NAME")
    except KeysFileError as error:
        stop(*error.problems)
    say("Below 'keys:' in GEMGATE_CLIENT_KEYS_FILE:", "", entry)
