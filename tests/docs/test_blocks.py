"""Every block of code in the documentation runs, against the gateway and the emulator, in the order of its page."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image
from tests.docs.blocks import blocks, run
from tests.support.stack import KEY, Stack, stack

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docker" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "tutorials").glob("*.md"))
LINE = (
    '{{"custom_id": "{}", "method": "POST", "url": "/v1/chat/completions", "body": {{"model": "gemini-2.5-flash", '
    '"messages": [{{"role": "user", "content": "Hello"}}]}}}}\n'
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: Stack) -> Path:
    """Where a reader sits: with the files that the pages speak of, and with the command installed."""
    Image.new("RGB", (37, 23), "teal").save(tmp_path / "me.png")
    for name in ("input.jsonl", "requests.jsonl"):
        (tmp_path / name).write_text(LINE.format("a") + LINE.format("b"))
    for name in ("film.mp4", "report.pdf"):
        (tmp_path / name).write_bytes(b"%PDF-1.7\n" + bytes(1000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMGATE_BASE_URL", servers.base())
    monkeypatch.setenv("GEMGATE_API_KEY", KEY)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def close(names: dict[str, Any]) -> None:
    for value in names.values():
        if isinstance(value, OpenAI):
            value.close()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_the_page_runs(page: Path, servers: Stack, folder: Path) -> None:
    addresses = {"http://127.0.0.1:8080": servers.gateway, "http://127.0.0.1:8081": servers.emulator}
    names: dict[str, Any] = {"__name__": "page"}
    clients: list[dict[str, Any]] = []
    try:
        for block in blocks(page):
            code = block.code
            for written, real in addresses.items():
                code = code.replace(written, real)
            if not block.why_not:
                run(block, code, names)
                clients.append(dict(names))
    finally:
        for left in clients:
            close(left)


def test_a_block_that_fails_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nassert 1 == 2\n```\n\n<!-- not run: it is slow -->\n```sh\nfalse\n```\n\n```sh\nfalse\n```\n"
    )
    first, second, third = blocks(page)
    assert second.why_not == "it is slow"
    for block in (first, third):
        with pytest.raises(AssertionError):
            run(block, block.code, {})


def test_output_that_differs_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n1\n```\n\n```text\n2\n```\n")
    code, same, other = blocks(page)
    names: dict[str, Any] = {}
    run(code, code.code, names)
    run(same, same.code, names)
    with pytest.raises(AssertionError):
        run(other, other.code, names)
