"""The command `gemgate batch`: a file of requests in, a file of answers out, by way of a running gateway."""

import shlex
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from gemgate.batch_limits import FINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import Progress

    from gemgate.cli.batch_client import GatewayClient, GatewayError, Json
    from gemgate.cli.batch_state import Input, State

T = TypeVar("T")

app = typer.Typer(help="Run batches at a gateway.", no_args_is_help=True)

INTERRUPTED = 130
PATIENCE = 600.0
"""Seconds for which a gateway that does not answer is asked again."""

_FIRST_PAUSE = 1.0
_MAX_PAUSE = 15.0
_SHOWN_ERRORS = 20

Source = Annotated[Path, typer.Argument(metavar="INPUT", help="Requests in OpenAI's format: a line of JSON each.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file for the answers.")]
ErrorFile = Annotated[
    Path | None, typer.Option(help="The file for failed lines.  [default: OUTPUT.errors.jsonl, if there are any]")
]
BaseUrl = Annotated[
    str | None, typer.Option(help="The gateway.  [default: GEMGATE_BASE_URL, or http://127.0.0.1:8080/v1]")
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        help="The key for the gateway; other users of the machine can see it here.  "
        "[default: GEMGATE_API_KEY, or GEMINI_API_KEY]"
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")]


@app.callback()
def _group() -> None:
    """Run batches at a gateway."""


@app.command()
def run(
    source: Source,
    output: Output,
    error_file: ErrorFile = None,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
    overwrite: Overwrite = False,
) -> None:
    """Upload INPUT, wait until it is answered, and write OUTPUT; exit with 1 if a line failed.

    Ctrl-C leaves the batch running. The same command resumes it.
    """
    from rich.console import Console

    from gemgate.cli.batch_client import GatewayClient, GatewayError
    from gemgate.cli.batch_state import (
        Input,
        InputError,
        State,
        batch_of,
        errors_path,
        state_path,
    )
    from gemgate.settings import ClientSettings

    settings = ClientSettings()
    url = (base_url or settings.base_url).rstrip("/")
    key = api_key or (settings.api_key.get_secret_value() if settings.api_key else None)
    errors = error_file or errors_path(output)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        given = Input.read(source)
        state = State.load(state_path(output), given, url)
        _check_places(given, output, errors, may_replace=overwrite or state.batch_id is not None)
        if (other := batch_of(state_path(output))) not in (None, state.batch_id):
            console.print(f"{state_path(output)} is about another input or gateway ({other}): ignored.")
        with GatewayClient(url, key) as gateway:
            work = _Run(gateway, console, given, output, errors, state, state_path(output))
            is_good = work.finish()
    except (InputError, GatewayError) as error:
        _stop(str(error))
    except KeyboardInterrupt:
        _tell_how_to_resume(state_path(output), source, output, error_file, base_url)
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if is_good else 1)


class _Run:
    """One run, which may begin where an earlier one stopped."""

    def __init__(
        self,
        gateway: "GatewayClient",
        console: "Console",
        source: "Input",
        output: Path,
        errors: Path,
        state: "State",
        state_path: Path,
    ) -> None:
        self._gateway = gateway
        self._console = console
        self._source = source
        self._output = output
        self._errors = errors
        self._state = state
        self._state_path = state_path

    def finish(self) -> bool:
        """Come to the end; whether every line was answered."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
        )
        batch = self._resumed()
        with Progress(
            *columns,
            console=self._console,
            disable=not self._console.is_terminal,
            # Everything is printed by the console. A thread that prints to a redirected stream while the redirection
            # ends can crash the interpreter (rich's proxy of the stream looks itself up without end).
            redirect_stdout=False,
            redirect_stderr=False,
        ) as progress:
            if batch is None:
                batch = self._created(progress)
            batch = self._waited_for(batch, progress)
        is_good = self._fetched(batch)
        self._state_path.unlink(missing_ok=True)
        return is_good

    def _resumed(self) -> "Json | None":
        """The batch of an earlier run, if the gateway still has it."""
        state = self._state
        batch = self._known(lambda: self._gateway.batch(state.batch_id or "")) if state.batch_id else None
        if batch is None and state.file_id:
            # It may have been created by a run that was stopped before it could remember it.
            batch = self._gateway.find_batch(state.file_id)
            if batch is None and not self._known(lambda: self._gateway.file(state.file_id or "")):
                state.file_id = None
        if batch is not None:
            self._console.print(f"Resuming {batch['id']} ({batch['status']}).")
            self._remember(batch)
        return batch

    def _known(self, call: "Callable[[], Json]") -> "Json | None":
        from gemgate.cli.batch_client import GatewayError

        try:
            return call()
        except GatewayError as error:
            if error.status != 404:
                raise
            return None

    def _created(self, progress: "Progress") -> "Json":
        if self._state.file_id is None:
            self._state.file_id = self._uploaded(progress)["id"]
            self._state.save(self._state_path)
        batch = self._patiently(self._create_once(self._state.file_id))
        self._remember(batch)
        self._console.print(f"Created {batch['id']}.")
        return batch

    def _create_once(self, file_id: str) -> "Callable[[], Json]":
        """A call that may be repeated: a creation whose answer was lost is looked for before there is another one."""
        is_first = True

        def create() -> "Json":
            nonlocal is_first
            found = None if is_first else self._gateway.find_batch(file_id)
            is_first = False
            return found or self._gateway.create(file_id, self._source.endpoint)

        return create

    def _patiently(self, call: "Callable[[], T]") -> "T":
        from gemgate.cli.batch_client import patient

        return patient(call, PATIENCE, _FIRST_PAUSE * 5, self._grumble)

    def _uploaded(self, progress: "Progress") -> "Json":
        amount = f"{self._source.size / 1e6:.1f} MB"
        task = progress.add_task("Uploading", total=self._source.size, amount=amount)
        with progress.open(self._source.path, "rb", task_id=task) as stream:
            return self._gateway.upload(stream, self._source.path.name)

    def _remember(self, batch: "Json") -> None:
        self._state.file_id, self._state.batch_id = batch["input_file_id"], batch["id"]
        self._state.save(self._state_path)

    def _waited_for(self, batch: "Json", progress: "Progress") -> "Json":
        task = progress.add_task("Waiting", total=None, amount="")
        began, batch_id, status = time.monotonic(), batch["id"], ""
        while True:
            if batch["status"] != status:
                status = batch["status"]
                if not self._console.is_terminal:
                    self._console.print(f"{batch_id} is {status}.")
            counts = batch["request_counts"]
            done = counts["completed"] + counts["failed"]
            amount = f"{done:,} of {counts['total']:,}" + (f", {counts['failed']:,} failed" if counts["failed"] else "")
            progress.update(task, description=status, total=counts["total"] or None, completed=done, amount=amount)
            if status in FINAL:
                return batch
            pause = min(max((time.monotonic() - began) / 10, _FIRST_PAUSE), _MAX_PAUSE)
            time.sleep(pause)
            batch = self._patiently(lambda: self._gateway.batch(batch_id))

    def _grumble(self, error: "GatewayError") -> None:
        self._console.print(f"{error} Trying again.")

    def _fetched(self, batch: "Json") -> bool:
        """Write the files, and say what they hold."""
        for file_id, place in ((batch["output_file_id"], self._output), (batch["error_file_id"], self._errors)):
            if file_id:
                self._patiently(partial(self._gateway.download, file_id, place))
            elif batch["status"] == "completed":
                place.unlink(missing_ok=True)
        counts, status = batch["request_counts"], batch["status"]
        say = self._console.print
        errors = (batch["errors"] or {}).get("data") or []
        for error in errors[:_SHOWN_ERRORS]:
            line = f"line {error['line']}: " if error.get("line") else ""
            say(f"{line}{error['code']}: {error['message']}", style="red")
        if (more := len(errors) - _SHOWN_ERRORS) > 0:
            say(f"{more} more errors: GET /v1/batches/{batch['id']} lists them.", style="red")
        if status != "completed":
            say(f"{batch['id']} is {status}.", style="red")
        unanswered = counts["total"] - counts["completed"]
        say(f"{counts['completed']:,} of {counts['total']:,} lines were answered.")
        if batch["output_file_id"]:
            say(f"Answers: {self._output}")
        if batch["error_file_id"]:
            say(f"Errors: {self._errors}", style="red")
        return status == "completed" and not unanswered


def _check_places(source: "Input", output: Path, errors: Path, *, may_replace: bool) -> None:
    """A finished run has left no state, so that an output without one is somebody's, and no leftover."""
    if len({place.resolve() for place in (source.path, output, errors)}) < 3:
        _stop("INPUT, OUTPUT and the error file must be three different files.")
    if not output.parent.is_dir():
        _stop(f"{output.parent} is not a directory: create it first.")
    for place in (output, errors):
        if place.exists() and not may_replace:
            _stop(f"{place} exists already. Name another, or replace it with --overwrite.")


def _tell_how_to_resume(
    state_path: Path, source: Path, output: Path, error_file: Path | None, base_url: str | None
) -> None:
    from gemgate.cli.batch_state import batch_of

    batch_id = batch_of(state_path)
    command = ["gemgate", "batch", "run", str(source), "--output", str(output)]
    if error_file:
        command += ["--error-file", str(error_file)]
    if base_url:
        command += ["--base-url", base_url]
    what = f"{batch_id} continues at the gateway." if batch_id else "No batch was created yet."
    typer.echo(f"\nStopped waiting. {what} To resume:\n  {shlex.join(command)}", err=True)


def _stop(sentence: str) -> NoReturn:
    """Ends the command with 1, after saying why."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
