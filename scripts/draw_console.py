"""Takes the pictures of the console that the documentation shows, from a gateway before the emulator.

It needs Chromium: `python -m scripts.draw_console` writes `docs/assets/console-*.webp`.
"""

import sys
from pathlib import Path

import httpx
import orjson
from tests.support.browser import Page, browser
from tests.support.stack import Stack, stack

ASSETS = Path(__file__).parents[1] / "docs" / "assets"

_MODELS = ("gemini-3.8-flash", "gemini-2.5-flash", "gemini-3.5-flash-lite")
_QUESTIONS = ("Invent a name for a cat.", "Why is the sky blue?", "Translate: good morning.")
_MOST_BYTES = 150_000


def main() -> int:
    """Take the pictures."""
    with stack() as servers, browser() as running:
        _ask(servers)
        with running.page(1280, 860) as page:
            page.goto(f"{servers.gateway}/console")
            page.wait_for("document.querySelector('mark') && document.querySelector('#native').textContent")
            _take(page, "inspector")
            page.fill("#example", "stream-thoughts")
            page.wait_for("document.querySelector('#target').textContent.includes('stream')")
            page.run("document.querySelector('button.primary').click()")
            page.wait_for("document.querySelector('.timeline')?.innerText.includes('end')")
            page.run("document.querySelector('.answer').scrollIntoView()")
            _take(page, "answer")
            page.fill("#example", "audio-transcript")
            page.wait_for("document.querySelector('#native').textContent.includes('inlineData')")
            page.run("document.querySelector('.answer').hidden = true; window.scrollTo(0, 0)")
            _take(page, "form")
            page.prefer("dark")
            page.run("location.hash = 'requests'")
            page.wait_for("document.querySelectorAll('tbody tr').length > 5")
            page.run("document.querySelector('td button').click(); window.scrollTo(0, 0)")
            _take(page, "requests")
            page.prefer("light")
            page.run("location.hash = 'batches'")
            page.wait_for("document.querySelector('td progress')?.max === 20")
            _take(page, "batches")
    return 0


def _ask(servers: Stack) -> None:
    """Some requests and a batch, so that there is something to see."""
    with httpx.Client(base_url=servers.gateway, headers={"authorization": "Bearer demo"}, timeout=60) as caller:
        for model in _MODELS:
            for question in _QUESTIONS:
                body = {"model": model, "messages": [{"role": "user", "content": question}], "user": "user-1234"}
                caller.post("/v1/chat/completions", json=body | {"stream": question is _QUESTIONS[1]})
        caller.post("/v1/chat/completions", json={"model": "gemini-0", "messages": [{"role": "user", "content": "?"}]})
        body = {"model": "gemini-embedding-001", "input": "Hello"}
        lines = [{"custom_id": str(n), "method": "POST", "url": "/v1/embeddings", "body": body} for n in range(20)]
        given = {"file": ("input.jsonl", b"\n".join(map(orjson.dumps, lines)))}
        file = caller.post("/v1/files", files=given, data={"purpose": "batch"}).json()
        wanted = {"input_file_id": file["id"], "endpoint": "/v1/embeddings", "completion_window": "24h"}
        caller.post("/v1/batches", json=wanted).raise_for_status()


def _take(page: Page, name: str) -> None:
    picture = page.picture(70)
    if len(picture) > _MOST_BYTES:
        raise RuntimeError(f"{name} has {len(picture)} bytes")
    (ASSETS / f"console-{name}.webp").write_bytes(picture)
    print(name, len(picture))


if __name__ == "__main__":
    sys.exit(main())
