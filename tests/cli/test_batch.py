"""`gemgate batch run` against a running gateway and emulator: as a process where signals matter, else in this one."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.support.stack import KEY, Stack, gateway
from typer.testing import CliRunner

from gemgate.api.batches.startup import BatchOptions
from gemgate.api.batches.state_machine import Pace
from gemgate.cli import batch as batch_cli
from gemgate.cli import batch_client
from gemgate.cli import main as cli
from gemgate.cli.batch_state import Input, State, state_path
from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.emulator.timing import Timing
from gemgate.settings import Settings
from gemgate.startup import lifespan as startup
from gemgate.startup.options import batch_options

PATIENCE = 30.0
CHAT = "/v1/chat/completions"
ABSENT = "http://127.0.0.1:1/v1"


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(startup, "batch_options", quick_options)
        app = create_emulator(timing=Timing(pending=0, running=0.05))
        with serve_in_thread(app=app) as emulator, gateway(emulator) as origin:
            yield Stack(origin, emulator, app.state.emulator)


def quick_options(settings: Settings, secrets: Sequence[str]) -> BatchOptions:
    """Google is asked more often than it should be."""
    return replace(batch_options(settings, secrets), pace=Pace(first=0.05, maximum=0.2))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, servers: Stack) -> None:
    """In a directory of its own, with nothing in the environment but the gateway and a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GEMGATE_BASE_URL", servers.base())
    monkeypatch.setenv("GEMGATE_API_KEY", KEY)
    monkeypatch.setattr(batch_cli, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(batch_cli, "_MAX_PAUSE", 0.1)


def chat(custom_id: str, text: str = "hello", **body: Any) -> dict[str, Any]:
    full = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": text}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": full}


def write(*lines: dict[str, Any] | bytes, name: str = "in.jsonl") -> Path:
    raw = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
    Path(name).write_bytes(b"".join(line + b"\n" for line in raw))
    return Path(name)


def read(name: str) -> dict[str, Any]:
    return {line["custom_id"]: line for line in map(orjson.loads, Path(name).read_bytes().splitlines())}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["batch", "run", "in.jsonl", "--output", "out.jsonl", *arguments])


def batches(servers: Stack) -> list[dict[str, Any]]:
    headers = {"authorization": f"Bearer {KEY}"}
    found: list[dict[str, Any]] = httpx.get(f"{servers.base()}/batches?limit=100", headers=headers).json()["data"]
    return found


def test_every_line_is_answered_in_the_output(servers: Stack) -> None:
    write(*(chat(f"r{number}") for number in range(20)))
    result = run()
    assert result.exit_code == 0, result.output
    answers = read("out.jsonl")
    assert list(answers) == [f"r{number}" for number in range(20)]
    assert all(line["response"]["body"]["object"] == "chat.completion" for line in answers.values())
    assert "20 of 20 lines were answered." in result.stderr
    assert re.search(r"Created batch_\w+\.\n", result.stderr)
    assert {path.name for path in Path().iterdir()} == {"in.jsonl", "out.jsonl"}


def test_the_lines_tell_the_endpoint(servers: Stack) -> None:
    body = {"model": "gemini-embedding-001", "input": ["a", "b"]}
    write({"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": body})
    assert run().exit_code == 0
    assert len(read("out.jsonl")["e"]["response"]["body"]["data"]) == 2


@pytest.mark.parametrize("named", [None, "wrong.jsonl"])
def test_a_line_that_fails_is_in_the_error_file_and_in_the_exit_code(servers: Stack, named: str | None) -> None:
    write(chat("good"), chat("bad", n=99))
    result = run(*(["--error-file", named] if named else []))
    assert result.exit_code == 1
    assert Path("out.jsonl").exists(), result.output
    assert list(read("out.jsonl")) == ["good"]
    assert list(read(named or "out.errors.jsonl")) == ["bad"]
    assert "1 of 2 lines were answered." in result.stderr
    assert f"Errors: {named or 'out.errors.jsonl'}" in result.stderr


def test_each_line_that_makes_the_input_no_batch_is_told(servers: Stack) -> None:
    write(chat("a"), chat("a"), b"{", chat("b", model="gemini-2.5-pro"))
    result = run()
    assert result.exit_code == 1
    for told in ("line 2: duplicate_custom_id: ", "line 3: invalid_json_line: ", "line 4: mismatched_model: "):
        assert told in result.stderr
    assert re.search(r"batch_\w+ is failed\.", result.stderr)
    assert not Path("out.jsonl").exists()
    assert not state_path(Path("out.jsonl")).exists()


def test_of_many_errors_some_are_told_and_the_rest_counted(servers: Stack) -> None:
    write(chat("a"), *(chat("a") for _ in range(30)))
    result = run()
    assert result.stderr.count("duplicate_custom_id") == 20
    assert "10 more errors: GET /v1/batches/batch_" in result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "begins with an empty line, or is empty"),
        (b"\n\n", "begins with an empty line, or is empty"),
        (b"{]\n", "Line 1 of in.jsonl is not valid JSON"),
        (b"[]\n", "has the url None: a batch calls one of /v1/chat/completions, "),
        (b'{"url": "/v1/files"}\n', "has the url '/v1/files'"),
    ],
)
def test_an_input_that_is_none_is_refused_before_anything_is_sent(servers: Stack, content: bytes, told: str) -> None:
    Path("in.jsonl").write_bytes(content)
    result = run("--base-url", ABSENT)
    assert result.exit_code == 1
    assert told in result.stderr


def test_an_input_that_is_not_there_is_named(servers: Stack) -> None:
    result = run()
    assert result.exit_code == 1
    assert result.stderr == "in.jsonl cannot be read: No such file or directory.\n"


def test_where_no_gateway_runs_the_command_says_how_to_start_one() -> None:
    write(chat("a"))
    result = run("--base-url", ABSENT)
    assert result.exit_code == 1
    assert f"No gateway answers at {ABSENT}." in result.stderr
    assert "gemgate serve" in result.stderr


def test_an_address_that_is_none_is_told() -> None:
    write(chat("a"))
    assert "'localhost:8080' is not a URL" in run("--base-url", "localhost:8080").stderr


def test_an_address_without_its_path_is_told(servers: Stack) -> None:
    write(chat("a"))
    result = run("--base-url", servers.gateway)
    assert result.exit_code == 1
    assert "The URL of a gateway ends in /v1." in result.stderr


def test_a_key_that_the_gateway_does_not_take_is_told_without_the_key(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(chat("a"), chat("a"))
    with gateway(servers.emulator, gemini_api_key=("AIza-one",), client_keys=("client-key-0123456789",)) as closed:
        for key in ("wrong-key", ""):
            monkeypatch.setenv("GEMGATE_API_KEY", key)
            result = run("--base-url", f"{closed}/v1")
            assert result.exit_code == 1
            assert "The gateway does not accept the API key: " in result.stderr
            assert "--api-key or GEMGATE_API_KEY" in result.stderr
            assert "wrong-key" not in result.stderr
        assert "duplicate_custom_id" in run("--base-url", f"{closed}/v1", "--api-key", "client-key-0123456789").stderr


def test_a_gemini_key_that_google_refuses_is_told(servers: Stack) -> None:
    write(chat("a"))
    result = run("--api-key", "invalid")
    assert result.exit_code == 1
    assert "API key not valid" in result.stderr


def test_an_output_that_is_there_is_not_replaced_unless_asked(servers: Stack) -> None:
    write(chat("a"))
    Path("out.jsonl").write_text("precious")
    result = run()
    assert result.exit_code == 1
    assert result.stderr == "out.jsonl exists already. Name another, or replace it with --overwrite.\n"
    assert Path("out.jsonl").read_text() == "precious"
    assert run("--overwrite").exit_code == 0
    assert list(read("out.jsonl")) == ["a"]


def test_an_output_that_is_to_be_replaced_stays_until_there_is_another(servers: Stack) -> None:
    write(chat("a"), chat("a"))
    for name in ("out.jsonl", "out.errors.jsonl"):
        Path(name).write_text("old")
    assert run("--overwrite").exit_code == 1
    assert Path("out.jsonl").read_text() == "old"
    write(chat("a"))
    assert run("--overwrite").exit_code == 0
    assert list(read("out.jsonl")) == ["a"]
    assert not Path("out.errors.jsonl").exists()


def test_three_files_must_be_three(servers: Stack) -> None:
    write(chat("a"))
    assert "three different files" in run("--error-file", "in.jsonl").stderr
    assert run("--base-url", ABSENT, "--error-file", "errors").exit_code == 1
    result = CliRunner().invoke(cli.app, ["batch", "run", "in.jsonl", "--output", "none/out.jsonl"])
    assert "none is not a directory" in result.stderr


def interrupted(servers: Stack) -> tuple[str, str]:
    """Run the command as a process until it waits, press Ctrl-C; the batch, and what the process said."""
    command = [sys.executable, "-m", "gemgate", "batch", "run", "in.jsonl", "--output", "out.jsonl"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stderr is not None
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        said = ""
        for line in process.stderr:
            said += line
            if "is in_progress" in line:
                process.send_signal(signal.SIGINT)
        timer.cancel()
    assert process.returncode == 130, said
    found = re.search(r"Created (batch_\w+)\.", said)
    assert found is not None, said
    return found[1], said


def test_ctrl_c_leaves_the_batch_running_and_the_same_command_goes_on(servers: Stack) -> None:
    write(chat("a"), chat("b", "[[emulator: batch-slow 3000]]"))
    batch_id, said = interrupted(servers)
    assert f"{batch_id} continues at the gateway." in said
    assert "gemgate batch run in.jsonl --output out.jsonl" in said
    assert "Traceback" not in said
    count = len(batches(servers))
    servers.seen.advance(3600)
    result = run()
    assert result.exit_code == 0, result.output
    assert f"Resuming {batch_id}" in result.stderr
    assert list(read("out.jsonl")) == ["a", "b"]
    assert len(batches(servers)) == count
    assert not state_path(Path("out.jsonl")).exists()


def state(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "sha256": "0" * 64, "base_url": ABSENT, "file_id": None, "batch_id": None, **fields}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"version": 2}', orjson.dumps(state(odd=1)), orjson.dumps(state())]
)
def test_a_state_that_cannot_be_read_or_is_for_another_input_is_not_used(content: bytes) -> None:
    source = Input.read(write(chat("a")))
    Path("state").write_bytes(content)
    assert State.load(Path("state"), source, "url") == State(source.sha256, "url")


def test_a_batch_of_another_input_is_named_and_left_alone(servers: Stack) -> None:
    write(chat("a"))
    state_path(Path("out.jsonl")).write_bytes(orjson.dumps(state(batch_id="batch_other")))
    result = run()
    assert result.exit_code == 0
    assert "is about another input or gateway (batch_other): ignored." in result.stderr


def left(servers: Stack, **fields: Any) -> None:
    """A state of this input at this gateway."""
    import hashlib

    sha256 = hashlib.sha256(Path("in.jsonl").read_bytes()).hexdigest()
    fields = state(sha256=sha256, base_url=servers.base(), **fields)
    state_path(Path("out.jsonl")).write_bytes(orjson.dumps(fields))


def test_what_the_gateway_has_forgotten_is_begun_anew(servers: Stack) -> None:
    write(chat("a"))
    left(servers, file_id="file-gone", batch_id="batch_gone")
    result = run()
    assert result.exit_code == 0, result.output
    assert "Created batch_" in result.stderr


def test_a_batch_that_cannot_be_asked_for_is_not_begun_anew(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(chat("a"))
    left(servers, file_id="file-x", batch_id="batch_x")
    monkeypatch.setenv("GEMGATE_API_KEY", "a key with spaces")
    before = state_path(Path("out.jsonl")).read_bytes()
    assert run().exit_code == 1
    assert state_path(Path("out.jsonl")).read_bytes() == before


def test_a_file_that_was_uploaded_before_is_not_uploaded_again(servers: Stack) -> None:
    write(chat("a"))
    headers = {"authorization": f"Bearer {KEY}"}
    files = {"file": ("in.jsonl", Path("in.jsonl").read_bytes())}
    file_id = httpx.post(f"{servers.base()}/files", data={"purpose": "batch"}, files=files, headers=headers).json()[
        "id"
    ]
    left(servers, file_id=file_id)
    assert run().exit_code == 0
    assert [batch["input_file_id"] for batch in batches(servers)].count(file_id) == 1


def test_a_batch_that_was_created_and_not_remembered_is_found(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(chat("a"))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    before = {batch["id"] for batch in batches(servers)}
    with monkeypatch.context() as patch:
        patch.setattr(batch_cli._Run, "_remember", stopped)
        result = run("--error-file", "bad lines", "--base-url", servers.base())
    assert result.exit_code == 130
    assert "No batch was created yet." in result.stderr
    resume = f"in.jsonl --output out.jsonl --error-file 'bad lines' --base-url {servers.base()}\n"
    assert result.stderr.endswith(resume)
    (made,) = {batch["id"] for batch in batches(servers)} - before
    result = run()
    assert result.exit_code == 0, result.output
    assert f"Resuming {made}" in result.stderr
    assert {batch["id"] for batch in batches(servers)} - before == {made}


def test_a_gateway_that_is_away_for_a_while_is_waited_for(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(chat("a"))
    failures = [batch_client.GatewayError("The gateway answered 503: busy", status=503, is_passing=True)] * 2
    ask = batch_client.GatewayClient.batch

    def flaky(self: batch_client.GatewayClient, batch_id: str) -> Any:
        if failures:
            raise failures.pop()
        return ask(self, batch_id)

    monkeypatch.setattr(batch_client.GatewayClient, "batch", flaky)
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stderr.count("busy Trying again.") == 2


def test_a_batch_whose_creation_is_not_answered_is_looked_for_before_there_is_another(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(chat("a"))
    create, before = batch_client.GatewayClient.create, len(batches(servers))
    lost = iter(["it", "the answer"])

    def losing(self: batch_client.GatewayClient, file_id: str, endpoint: str) -> Any:
        what = next(lost, None)
        made = create(self, file_id, endpoint) if what != "it" else None
        if what:
            raise batch_client.GatewayError("The connection broke.", is_passing=True)
        return made

    monkeypatch.setattr(batch_client.GatewayClient, "create", losing)
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Trying again.") == 2
    assert len(batches(servers)) == before + 1


def test_a_download_that_breaks_is_begun_again(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(chat("a"))
    failures = [batch_client.GatewayError("The connection broke.", is_passing=True)]
    download = batch_client.GatewayClient.download

    def flaky(self: batch_client.GatewayClient, file_id: str, target: Path) -> None:
        if failures:
            raise failures.pop()
        download(self, file_id, target)

    monkeypatch.setattr(batch_client.GatewayClient, "download", flaky)
    result = run()
    assert result.exit_code == 0, result.output
    assert list(read("out.jsonl")) == ["a"]


def test_a_gateway_that_stays_away_ends_the_command_and_the_state_stays(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(chat("a"))

    def gone(*_: object) -> None:
        raise batch_client.GatewayError("gone", is_passing=True)

    with monkeypatch.context() as patch:
        patch.setattr(batch_client.GatewayClient, "batch", gone)
        patch.setattr(batch_cli, "PATIENCE", 0.0)
        result = run()
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "gone")
    result = run()
    assert result.exit_code == 0
    assert "Resuming batch_" in result.stderr


def test_a_download_that_breaks_leaves_no_half_file(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(chat("a"))

    def broken(**_: Any) -> Iterator[bytes]:
        yield b"half"
        raise httpx.ReadError("broken")

    def broken_content(_: Any, answer: httpx.Response) -> None:
        if answer.url.path.endswith("/content"):
            patch.setattr(answer, "iter_bytes", broken)

    with monkeypatch.context() as patch:
        patch.setattr(batch_client.GatewayClient, "_raise_for_status", broken_content)
        patch.setattr(batch_cli, "PATIENCE", 0.0)
        result = run()
    assert result.exit_code == 1
    assert "The connection to " in result.stderr
    assert {path.name for path in Path().iterdir()} == {"in.jsonl", "out.jsonl.run.json"}
    assert run().exit_code == 0
    assert list(read("out.jsonl")) == ["a"]


def client(*answers: httpx.Response) -> batch_client.GatewayClient:
    """A client whose calls are answered with these, in turn."""
    left = list(answers)
    made = batch_client.GatewayClient("http://gateway/v1/", None)
    made._http = httpx.Client(transport=httpx.MockTransport(lambda _: left.pop(0)))
    return made


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx.Response(200, text="<html>"), "is not a gateway: it does not answer with JSON."),
        (httpx.Response(200, json=[1]), "is not a gateway: it does not answer with JSON."),
        (httpx.Response(404, text="<html>"), "is not a gateway, or this is not its API: HTTP 404."),
        (httpx.Response(502, json={"error": "x"}), "is not a gateway, or this is not its API: HTTP 502."),
    ],
)
def test_what_is_no_gateway_is_told(answer: httpx.Response, told: str) -> None:
    with client(answer) as asked, pytest.raises(batch_client.GatewayError, match=told):
        asked.batch("b")


def test_a_batch_is_looked_for_on_every_page() -> None:
    one, two = {"id": "b1", "input_file_id": "f1"}, {"id": "b2", "input_file_id": "f2"}
    pages = ({"data": [one], "has_more": True, "last_id": "b1"}, {"data": [two], "has_more": False, "last_id": "b2"})
    with client(*(httpx.Response(200, json=page) for page in pages)) as asked:
        assert asked.find_batch("f2") == two
    with client(*(httpx.Response(200, json=page) for page in pages)) as asked:
        assert asked.find_batch("f3") is None
    with client(*(httpx.Response(200, json=pages[0]) for _ in range(20))) as asked:
        assert asked.find_batch("f3") is None


def test_a_file_that_is_not_there_is_not_written() -> None:
    refused = httpx.Response(404, json={"error": {"message": "No such File object: f"}})
    with client(refused) as asked, pytest.raises(batch_client.GatewayError, match="No such File object: f"):
        asked.download("f", Path("out.jsonl"))
    assert not list(Path().iterdir())


def test_on_a_terminal_progress_is_a_bar(servers: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    write(chat("a"))
    result = run()
    assert result.exit_code == 0
    assert "Uploading" in result.stderr
    assert "1 of 1" in result.stderr
    assert "is completed." not in result.stderr


def test_the_streams_of_other_threads_are_not_redirected_while_progress_is_shown(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    upload, seen = batch_client.GatewayClient.upload, []

    def watched(self: batch_client.GatewayClient, *arguments: Any) -> Any:
        seen.extend([hasattr(sys.stdout, "rich_proxied_file"), hasattr(sys.stderr, "rich_proxied_file")])
        return upload(self, *arguments)

    monkeypatch.setattr(batch_client.GatewayClient, "upload", watched)
    write(chat("a"))
    assert run().exit_code == 0
    assert seen == [False, False]
