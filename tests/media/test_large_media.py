"""Media that is too large for a request to Google: refused by name, or uploaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import httpx
import openai
import pybase64
import pytest
from tests.support.files import mocked
from tests.support.stack import KEY, Stack, stack

from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.file_types import GeminiFile
from gemgate.media import resolver as resolve
from gemgate.media.budget import RequestBudget
from gemgate.media.google_uploads import Owner
from gemgate.media.inline import Inline
from gemgate.media.references import InlineRef, RemoteRef, Resolved
from gemgate.media.resolver import MediaResolver
from gemgate.settings import Settings
from gemgate.upstream.client import Upstream

if TYPE_CHECKING:
    from gemgate.media.fetch import MediaFetcher
    from gemgate.media.google_uploads import Attachments

MAX = 20_000
CALLER = Caller("key", "0123456789abcdef")
PNG = pybase64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"


def base64(content: bytes, size: int) -> str:
    """Base64 of `content`, filled up to `size` characters."""
    return pybase64.b64encode_as_string(content + bytes(size * 3 // 4 - len(content)))


LARGE_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64(PNG, 30_000)}}
LARGE_SOUND = {"type": "input_audio", "input_audio": {"data": base64(WAV, 28_000), "format": "wav"}}
LARGE_PDF = {"type": "file", "file": {"file_data": base64(b"%PDF-1.4\n", 24_000), "filename": "a.pdf"}}
SMALL_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64(PNG, 100)}}


@contextmanager
def servers(large_media: Literal["refuse", "upload"]) -> Iterator[tuple[Stack, openai.OpenAI]]:
    with (
        stack(large_media=large_media, inline_max_bytes=MAX) as running,
        openai.OpenAI(api_key=KEY, base_url=running.base(), max_retries=0, timeout=20) as client,
    ):
        yield running, client


def chat(client: openai.OpenAI, *parts: dict[str, Any], **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]
    return client.chat.completions.create(model="gemini-2.5-flash", messages=messages, **more)


def kinds(parts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """How each medium was sent, and its type."""
    return [(kind, part[kind]["mimeType"]) for part in parts for kind in ("inlineData", "fileData") if kind in part]


def test_what_is_too_large_is_refused_with_its_name_size_limit_and_the_way_out() -> None:
    with servers("refuse") as (running, client):
        assert chat(client, SMALL_IMAGE).choices
        before = len(running.seen.requests)
        with pytest.raises(openai.APIStatusError) as refused:
            chat(client, SMALL_IMAGE, LARGE_SOUND)
        assert len(running.seen.requests) == before
    error = refused.value
    assert (error.status_code, error.code) == (413, "media_too_large")
    assert error.param == "messages[0].content[2].input_audio.data"
    for told in ("28000 bytes", f"{MAX} bytes in all", "/v1/files", "GEMGATE_LARGE_MEDIA=upload"):
        assert told in error.message


def test_what_is_too_large_is_uploaded_once_and_the_rest_stays_inline() -> None:
    with servers("upload") as (running, client):
        for more in ({}, {"stream": True}):
            answer = chat(client, SMALL_IMAGE, LARGE_IMAGE, LARGE_SOUND, LARGE_PDF, **more)
            assert list(answer) if more else answer.choices
            parts = running.seen.requests[-1].body["contents"][0]["parts"]
            assert kinds(parts) == [
                ("inlineData", "image/png"),
                ("fileData", "image/png"),
                ("fileData", "audio/wav"),
                ("fileData", "application/pdf"),
            ]
        started = [seen for seen in running.seen.requests if seen.headers.get("x-goog-upload-command") == "start"]
        assert len(started) == 3


def test_items_to_embed_are_uploaded_too() -> None:
    with servers("upload") as (running, client):
        body = {"model": "gemini-embedding-2", "input": ["word", SMALL_IMAGE, [LARGE_IMAGE]]}
        assert len(cast("Any", client.post("/embeddings", cast_to=object, body=body))["data"]) == 3
        asked = next(seen.body for seen in running.seen.requests if seen.path.endswith(":batchEmbedContents"))
    parts = [part for request in asked["requests"] for part in request["content"]["parts"]]
    assert kinds(parts) == [("inlineData", "image/png"), ("fileData", "image/png")]


def test_a_dry_run_uploads_nothing() -> None:
    with servers("upload") as (running, _):
        body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": [LARGE_IMAGE]}]}
        headers = {"authorization": f"Bearer {KEY}", "x-gemgate-dry-run": "true"}
        shown = httpx.post(f"{running.base()}/chat/completions", json=body, headers=headers).json()
        assert not running.seen.requests
    assert kinds(shown["body"]["contents"][0]["parts"]) == [("fileData", "image/png")]


class FakeAttachments:
    """Files at Google that are named after the parameter."""

    async def media(self, media: Inline, param: str, _: Owner, **__: float) -> GeminiFile:
        return GeminiFile(f"files/{param}", mime_type=media.mime)


class FakeFetcher:
    """PNGs by URL, as large as the last word of the URL says."""

    async def fetch(self, url: str, _budget: RequestBudget) -> Inline:
        return Inline("image/png", base64(PNG, int(url.rpartition("/")[2])))


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(request.url)


def resolver(**settings: Any) -> MediaResolver:
    chosen: dict[str, Any] = {"inline_max_bytes": MAX, "large_media": "upload"} | settings
    upstream = Upstream(mocked(_never))
    fetcher, attachments = cast("MediaFetcher", FakeFetcher()), cast("Attachments", FakeAttachments())
    return MediaResolver(Settings(_env_file=None, **chosen), fetcher, attachments, upstream)


async def resolved(urls: list[str], inline: list[InlineRef], size: int, **settings: Any) -> Resolved:
    refs = [RemoteRef(url, f"p{number}") for number, url in enumerate(urls)]
    return await resolver(**settings).resolve(refs, CALLER, size=size, inline=lambda: inline)


async def test_of_fetched_media_the_largest_is_uploaded_until_the_rest_fits() -> None:
    urls = ["https://x/6000", "https://x/12000", "https://x/9000"]
    found = await resolved(urls, [], 4000)
    assert [type(found[url]) for url in urls] == [Inline, GeminiFile, Inline]
    assert isinstance(large := found["https://x/12000"], GeminiFile)
    assert large.name == "files/p1"
    assert all(isinstance(media, Inline) for media in (await resolved(urls[:2], [], 1000)).values())


async def test_fetched_media_that_is_too_large_is_refused_under_the_name_of_its_parameter() -> None:
    with pytest.raises(ApiError) as refused:
        await resolved(["https://x/6000", "https://x/18000"], [], 100, large_media="refuse")
    assert (refused.value.status, refused.value.param) == (413, "p1")


async def test_media_that_cannot_be_read_is_refused_before_it_is_uploaded() -> None:
    with pytest.raises(ApiError) as refused:
        await resolved([], [InlineRef("data:image/png;base64,!" + "A" * MAX, "p")], MAX + 100)
    assert (refused.value.code, refused.value.param) == ("invalid_base64", "p")


async def test_a_request_that_is_large_without_its_media_goes_to_google_as_it_is() -> None:
    assert await resolved([], [], MAX + 1) == {}


async def test_a_pdf_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "MAX_PDF", 6000)
    monkeypatch.setattr(resolve, "_MAX_PDF_TEXT", 8000)
    pdf, small = (InlineRef(base64(b"%PDF-1.4\n", size), str(size), "application/pdf") for size in (9000, 4000))
    image = InlineRef(base64(PNG, 5000), "image")
    assert list(await resolved([], [image, small, pdf], 18_000)) == ["9000"]
    with pytest.raises(ApiError, match="a PDF of 6000 bytes"):
        await resolved([], [image, small, pdf], 18_000, large_media="refuse")


def test_a_small_request_that_names_nothing_needs_no_look() -> None:
    assert resolver().untouched_bytes == MAX
