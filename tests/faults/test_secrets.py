"""No secret leaves: the watchers of the suite see one that does, and a gateway in its own process keeps its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from tests.support import secrets
from tests.support.apps import app_with

from gemgate.emulator.server import serve_in_thread

PATIENCE = 30.0
PRESENTED = "presented-0123456789"


def seen() -> list[str]:
    """What the watchers have noted, which is thereby settled."""
    leaks = secrets._leaks[:]
    secrets._leaks.clear()
    return leaks


@pytest.mark.parametrize("where", ["answer", "header", "log"])
def test_the_watchers_see_a_secret_that_leaves(where: str) -> None:
    async def careless(request: Request) -> Response:
        key = request.headers["x-goog-api-key"]
        if where == "log":
            structlog.PrintLogger().info(f"called with {key}")
        headers = {"x-key": key} if where == "header" else {}
        return Response(key if where == "answer" else "", headers=headers)

    with TestClient(app_with(careless)) as client:
        client.get("/", headers={"x-goog-api-key": PRESENTED})
    assert len(seen()) == 1


def test_the_watchers_see_nothing_where_nothing_leaves() -> None:
    async def careful(_: Request) -> Response:
        return Response("hello")

    with TestClient(app_with(careful)) as client:
        client.get("/", headers={"x-goog-api-key": PRESENTED})
    assert seen() == []


PLANTED = {
    "GEMINI_API_KEY": "AIzaPlanted0123456789planted,planted-second-key-9876",
    "GEMGATE_CLIENT_KEYS": "planted-client-key-4711",
    "GEMGATE_METRICS_TOKEN": "planted-metrics-token-4712",
    "GEMGATE_SECRET": "planted-secret-of-batches-4713",
}
WRONG = "planted-wrong-key-4714"
VALUES = [value for text in PLANTED.values() for value in text.split(",")] + [WRONG]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Everything that a gateway says during its life: answers with their headers, metrics, output."""
    with serve_in_thread() as upstream:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("GEMGATE_", "GEMINI_"))},
            **PLANTED,
            "GEMGATE_UPSTREAM": upstream,
            "GEMGATE_LOG_LEVEL": "debug",
            "GEMGATE_LOG_BODIES": "true",
            "GEMGATE_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        }
        with subprocess.Popen(
            [sys.executable, "-m", "gemgate", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=tmp_path_factory.mktemp("nowhere"),
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", first)
            assert found is not None, first
            with ThreadPoolExecutor(1) as reader:  # a full pipe would hold the gateway up
                rest = reader.submit(process.stdout.read)
                try:
                    answers = "".join(visit(found[0]))
                finally:
                    process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        yield first + answers + rest.result()


def visit(origin: str) -> Iterator[str]:
    """Each kind of request, and of failure."""
    key = PLANTED["GEMGATE_CLIENT_KEYS"]
    with httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        for presented in (key, WRONG):
            for scenario in ("", "[[emulator: 403]]", "[[emulator: 429 1]]", "[[emulator: error-mid-stream]]"):
                for stream in (False, True):
                    messages = [{"role": "user", "content": f"Hello {scenario}"}]
                    body: dict[str, Any] = {"model": "gemini-2.5-flash", "stream": stream, "messages": messages}
                    headers = {"authorization": f"Bearer {presented}"}
                    yield shown(client.post("/v1/chat/completions", json=body, headers=headers))
            for path in ("/v1/models", "/v1/models/x", "/v1/files", "/v1/nowhere", "/v1beta/models"):
                yield shown(client.get(path, headers={"x-goog-api-key": presented}))
            yield shown(client.get(f"/v1beta/models?key={presented}"))
            yield shown(client.get(f"/v1/files?key={presented}", headers={"api-key": presented}))
        yield shown(client.post("/v1/embeddings", json={"input": "x"}, headers={"authorization": f"Bearer {key}"}))
        yield shown(client.post("/v1/chat/completions", content=b"{", headers={"authorization": f"Bearer {key}"}))
        yield shown(client.get("/metrics", headers={"authorization": f"Bearer {PLANTED['GEMGATE_METRICS_TOKEN']}"}))
        yield shown(client.get("/metrics", headers={"authorization": f"Bearer {WRONG}"}))


def shown(answer: httpx.Response) -> str:
    head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    return f"{answer.status_code}\n{head}\n{answer.text}\n"


def test_a_gateway_at_work_says_much(outputs: str) -> None:
    assert outputs.count("/v1/chat/completions") > 10
    assert "gemgate_" in outputs
    assert "chat.completion" in outputs


@pytest.mark.parametrize("value", VALUES)
def test_a_gateway_says_no_secret_though_it_says_everything_else(outputs: str, value: str) -> None:
    assert value not in outputs
