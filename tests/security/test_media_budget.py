"""Attacks with media by URL: much of it, for one request and for many."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import orjson
import pytest
from tests.support.gateway import gateway_app
from tests.support.raw_http import PATIENCE
from tests.support.server import serve

from gemgate.media.fetch import MediaFetcher
from gemgate.media.ssrf_guard import Guard
from gemgate.startup import lifespan

MIB = 1_048_576
PNG = b"\x89PNG\r\n\x1a\n"
ANSWER = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


@dataclass
class Images:
    """A server of images on the loopback, at names below `example`.

    `/SENT/ANNOUNCED` sends as many bytes, and the rest once `may_end` is set.
    """

    port: int = 0
    sent: list[int] = field(default_factory=list)
    may_end: threading.Event = field(default_factory=threading.Event)

    def url(self, number: int, sent: int, announced: int) -> str:
        return f"http://{number}.images.example:{self.port}/{sent}/{announced}"


class _Handler(BaseHTTPRequestHandler):
    images: Images

    def do_GET(self) -> None:
        sent, announced = (int(word) for word in self.path.strip("/").split("/"))
        self.send_response(200)
        if announced:
            self.send_header("content-length", str(announced))
        self.end_headers()
        try:
            self.wfile.write((PNG + bytes(sent))[:sent])
            self.wfile.flush()
            self.images.sent.append(sent)
            self.images.may_end.wait(PATIENCE)
            self.wfile.write(bytes(max(0, announced - sent)))
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    found = Images()
    handler = type("Handler", (_Handler,), {"images": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.port = server.server_address[1]
        guard = Guard(allow_http=True, permitted=frozenset({("127.0.0.1", found.port)}))

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        monkeypatch.setattr(lifespan, "MediaFetcher", partial(MediaFetcher, guard=guard, resolve=resolve))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        found.may_end.set()
        server.shutdown()
        thread.join()


def ask(origin: str, urls: list[str], key: str = "bob") -> httpx.Response:
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    body = orjson.dumps({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": parts}]})
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return httpx.post(f"{origin}/v1/chat/completions", content=body, headers=headers, timeout=PATIENCE)


def google(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=ANSWER)


@pytest.mark.parametrize(("sent", "announced"), [(MIB, 0), (MIB, 2 * MIB), (0, 20 * MIB)])
def test_fetching_stops_at_the_limit_of_the_request_and_not_after_it(images: Images, sent: int, announced: int) -> None:
    with serve(gateway_app(google, inline_max_bytes=4 * MIB, large_media="refuse")) as origin:
        answer = ask(origin, [images.url(number, sent, announced) for number in range(16)])
        assert not images.may_end.is_set()  # none of them has come whole
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "media_too_large")
        assert answer.json()["error"]["param"].startswith("messages[0].content[")


def test_what_fits_is_fetched(images: Images) -> None:
    images.may_end.set()
    with serve(gateway_app(google, inline_max_bytes=4 * MIB, large_media="refuse")) as origin:
        assert ask(origin, [images.url(number, 1000, 100_000) for number in range(16)]).status_code == 200


@pytest.mark.parametrize("large_media", ["refuse", "upload"])
def test_all_requests_together_have_one_budget_and_give_it_back(images: Images, large_media: str) -> None:
    app = gateway_app(google, media_budget_bytes=6 * MIB, large_media=large_media)
    with serve(app) as origin, ThreadPoolExecutor(4) as threads:
        held = [threads.submit(ask, origin, [images.url(at, MIB, 2 * MIB - 1000)], f"caller-{at}") for at in range(2)]
        while len(images.sent) < 2:
            assert not any(one.done() for one in held)
        refused = ask(origin, [images.url(9, 2 * MIB, 3 * MIB)], "caller-0")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_overloaded")
        assert refused.headers["retry-after"] == "1"
        images.may_end.set()
        assert [one.result().status_code for one in held] == [200, 200]
        for _ in range(4):
            assert ask(origin, [images.url(9, MIB, 2 * MIB)], "caller-0").status_code == 200


def test_one_caller_does_not_take_the_budget_from_another(images: Images) -> None:
    app = gateway_app(google, media_budget_bytes=8 * MIB)
    with serve(app) as origin, ThreadPoolExecutor(4) as threads:
        urls = [images.url(at, MIB, 3 * MIB) for at in range(8)]
        assert [threads.submit(ask, origin, urls, "bob").result().status_code for _ in range(2)] == [503, 503]
        images.may_end.set()
        assert ask(origin, [images.url(99, MIB, 2 * MIB)], "alice").status_code == 200
