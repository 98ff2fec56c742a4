"""The batch snippets of Google's page: two clients, one environment, and the gateway between them and Google."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from google import genai
from openai import OpenAI
from openai.types.chat import ChatCompletion
from tests.sdk.genai import genai_client
from tests.sdk.page import KEY, Media, run_python, snippet
from tests.support.stack import GOOGLE, OPENAI, Stack

BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
INPUT = "my-batch-requests.jsonl"


@pytest.fixture
def page(servers: Stack, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a feature's snippet where its input lies; the emulator's clock goes on while it sleeps."""
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda _: (servers.seen.advance(1), sleep(0.05)))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", servers.gateway)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)

    def run(feature: str, prefix: str) -> dict[str, Any]:
        (tmp_path / INPUT).write_text(snippet(feature, "json", "", media))
        names = run_python(snippet(feature, "python", servers.base(prefix), media))
        names["openai_client"].close()
        return names

    return run


def results(text: str) -> dict[str, Any]:
    """The bodies of result lines, by `custom_id`."""
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line["response"]["status_code"] for line in lines] == [200] * len(lines)
    return {line["custom_id"]: line["response"]["body"] for line in lines}


@BOTH
def test_a_batch_by_way_of_two_clients(page: Any, prefix: str) -> None:
    names = page("batches", prefix)
    batch = names["batch"]
    assert (batch.status, batch.input_file_id) == ("completed", names["uploaded_file"].name)
    assert (batch.request_counts.completed, batch.request_counts.total) == (2, 2)
    bodies = results("\n".join(line for line in names["printed"] if line.startswith("{")))
    assert bodies.keys() == {"request-1", "request-2"}
    answer = ChatCompletion.model_validate(bodies["request-2"])
    assert "Why do birds sing?" in (answer.choices[0].message.content or "")


def test_a_batch_of_embeddings_by_way_of_two_clients(page: Any) -> None:
    names = page("batch_embeddings", GOOGLE)
    bodies = results(names["printed"][-1])
    assert bodies.keys() == {"request-1", "request-2"}
    assert len(bodies["request-1"]["data"][0]["embedding"]) == 3072


def test_both_clients_download_input_and_results(page: Any, servers: Stack, tmp_path: Path) -> None:
    batch = page("batches", OPENAI)["batch"]
    with OpenAI(api_key=KEY, base_url=servers.base()) as openai, genai_client(servers.gateway, key=KEY) as google:
        for file_id in (batch.input_file_id, batch.output_file_id):
            content = openai.files.content(file_id).content
            assert google.files.download(file=file_id) == content
            assert openai.files.retrieve(file_id).bytes == len(content)
        assert openai.files.content(batch.input_file_id).content == (tmp_path / INPUT).read_bytes()


def test_results_stand_in_googles_list_and_are_googles_files(page: Any, servers: Stack) -> None:
    output = page("batches", OPENAI)["batch"].output_file_id
    with genai_client(servers.gateway, key=KEY) as client:
        listed = {file.name: file for file in client.files.list(config={"page_size": 1})}
        file = listed[f"files/{output}"]
        assert file == client.files.get(name=output)
        assert (file.source, file.state) == ("GENERATED", "ACTIVE")
        assert len(client.files.download(file=file)) == file.size_bytes
        client.files.delete(name=output)
        with pytest.raises(genai.errors.ClientError, match="404"):
            client.files.get(name=output)


def test_nobody_else_has_these_files(page: Any, servers: Stack) -> None:
    batch = page("batches", OPENAI)["batch"]
    with genai_client(servers.gateway, key="AIza-another") as client:
        assert [file.name for file in client.files.list()] == []
        for file_id in (batch.input_file_id, batch.output_file_id):
            with pytest.raises(genai.errors.ClientError, match=r"40[34]"):
                client.files.download(file=file_id)


def test_a_deleted_input_is_gone_here_and_at_google(servers: Stack, tmp_path: Path) -> None:
    path = tmp_path / INPUT
    path.write_text('{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}')
    with OpenAI(api_key=KEY, base_url=servers.base()) as openai, genai_client(servers.gateway, key=KEY) as google:
        name = str(google.files.upload(file=path, config={"mime_type": "jsonl"}).name)
        assert openai.files.retrieve(name).filename == INPUT
        google.files.delete(name=name)
        with pytest.raises(Exception, match="No such File"):
            openai.files.retrieve(name)
        with pytest.raises(Exception, match="No such file"):
            openai.batches.create(input_file_id=name, endpoint="/v1/chat/completions", completion_window="24h")
