"""The examples and the tables that the inspector shows: as current as their sources."""

import runpy
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.support.gateway import CALLER, gateway_app, in_process

from gemgate.api.console.parameters import TABLES, shown
from gemgate.app import create_app
from gemgate.redaction import redact

ROOT = Path(__file__).parents[3]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "write_console_examples.py"))
EXAMPLES = orjson.loads(SCRIPT["EXAMPLES"].read_bytes())


def test_the_examples_are_those_of_the_golden_exchanges() -> None:
    assert SCRIPT["EXAMPLES"].read_bytes() == SCRIPT["written"](), "run scripts/write_console_examples.py"
    text = SCRIPT["EXAMPLES"].read_text()
    assert redact(text) == text


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def content_of(example: dict[str, Any]) -> dict[str, Any]:
    """What httpx sends of an example: JSON, or a form."""
    if "body" in example:
        return {"json": example["body"]}
    files, fields = {}, {}
    for name, value in example["form"].items():
        if isinstance(value, dict):
            files[name] = (value["name"], b64decode(value["data"]), value["type"])
        else:
            fields[name] = value
    return {"data": fields, "files": files}


async def test_every_example_but_the_refusals_translates(anyio_backend: str) -> None:
    asked: list[httpx.Request] = []

    def google(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    async with in_process(gateway_app(google), CALLER | {"x-gemgate-dry-run": "true"}) as client:
        for example in EXAMPLES:
            answer = await client.post(example["path"], **content_of(example))
            assert (answer.status_code == 200) != ("refused" in example["name"]), example["name"]
            if answer.status_code == 200:
                assert answer.json()["object"] == "gemgate.dry_run"
    assert not asked
    assert len([example for example in EXAMPLES if "form" in example]) >= 4


def test_every_endpoint_of_an_example_has_its_table() -> None:
    paths = {path.removeprefix("/v1/") for path in create_app().openapi()["paths"]}
    assert set(TABLES) <= paths
    assert {
        example["path"].partition("/openai/")[2] or example["path"].removeprefix("/v1/") for example in EXAMPLES
    } <= set(TABLES)
    assert shown()["chat/completions"]["logit_bias"]["kind"] == "dropped"
