"""Content parts become native parts."""

from typing import Any

import pytest
from tests.support.chat import FLASH_3, FLASH_25, chat_options, translate

from gemgate.api.chat.messages import media_of
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.media.inline import Inline
from gemgate.media.references import RemoteRef

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"
FILES = "https://generativelanguage.googleapis.com/v1beta/files/abc"


def image(url: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **fields} if url else fields}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def native(part: dict[str, Any], **body: Any) -> Any:
    (only,) = translate(messages=[{"role": "user", "content": [part]}], **body).body["contents"][0]["parts"]
    return only


def blob(mime: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": data}}


def error(part: dict[str, Any], **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(chat_options(**options), messages=[{"role": "user", "content": [part]}])
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "Hi"}, {"text": "Hi"}),
        (image(f"data:image/png;base64,{PNG}"), blob("image/png", PNG)),
        (image(f"data:image/jpeg;base64,{PNG}"), blob("image/png", PNG)),
        (image(FILES), {"fileData": {"fileUri": FILES}}),
        (image("files/abc"), {"fileData": {"fileUri": FILES}}),
        (image(file_id="files/abc"), {"fileData": {"fileUri": FILES}}),
        (image("gs://bucket/cat.png"), {"fileData": {"fileUri": "gs://bucket/cat.png", "mimeType": "image/png"}}),
        (image("https://youtu.be/abc"), {"fileData": {"fileUri": "https://youtu.be/abc", "mimeType": "video/mp4"}}),
        ({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, blob("audio/wav", WAV)),
        ({"type": "input_audio", "input_audio": {"data": f"data:audio/x-wav;base64,{WAV}"}}, blob("audio/wav", WAV)),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}, blob("audio/mp3", "AAAA")),
        (file(file_data=f"data:application/pdf;base64,{PDF}"), blob("application/pdf", PDF)),
        (file(file_data=PDF, filename="x.pdf"), blob("application/pdf", PDF)),
        (file(file_data="aGVsbG8=", filename="notes.txt"), blob("text/plain", "aGVsbG8=")),
        (
            file(file_id="files/abc", format="application/pdf"),
            {"fileData": {"fileUri": FILES, "mimeType": "application/pdf"}},
        ),
        (file(file_id=FILES), {"fileData": {"fileUri": FILES}}),
        (
            file(file_url="gs://bucket/x.pdf"),
            {"fileData": {"fileUri": "gs://bucket/x.pdf", "mimeType": "application/pdf"}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://youtu.be/abc", "start_offset": "1s", "fps": 2}},
            {
                "fileData": {"fileUri": "https://youtu.be/abc", "mimeType": "video/mp4"},
                "videoMetadata": {"startOffset": "1s", "fps": 2},
            },
        ),
    ],
)
def test_parts_are_mapped(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert native(part) == expected


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (image("data:image/png;base64,@@@"), "messages[0].content[0].image_url.url"),
        (image("ftp://x/y.png"), "messages[0].content[0].image_url.url"),
        (image(), "messages[0].content[0].image_url.url"),
        (image(file_id="file-abc"), "messages[0].content[0].image_url.file_id"),
        (image("data:text/html;base64,PGh0bWw+"), "messages[0].content[0].image_url.url"),
        (
            {"type": "input_audio", "input_audio": {"data": "@", "format": "wav"}},
            "messages[0].content[0].input_audio.data",
        ),
        (file(file_data="@@"), "messages[0].content[0].file.file_data"),
        (file(filename="x"), "messages[0].content[0].file.file_data"),
        (file(file_id="file-abc"), "messages[0].content[0].file.file_id"),
    ],
)
def test_bad_parts_are_refused_by_name(part: dict[str, Any], param: str) -> None:
    assert error(part).param == param


class TestDetail:
    @pytest.mark.parametrize(
        ("detail", "level"), [("low", "LOW"), ("high", "HIGH"), ("original", "ULTRA_HIGH"), ("medium", "MEDIUM")]
    )
    def test_the_detail_of_an_image_stands_on_its_part_on_gemini_3(self, detail: str, level: str) -> None:
        part = native(image(f"data:image/png;base64,{PNG}", detail=detail), model=FLASH_3)
        assert part["mediaResolution"] == {"level": f"MEDIA_RESOLUTION_{level}"}

    def test_before_gemini_3_the_strongest_detail_counts_for_the_request(self) -> None:
        images = [image(f"data:image/png;base64,{PNG}", detail=detail) for detail in ("low", "original", "medium")]
        body = translate(model=FLASH_25, messages=[{"role": "user", "content": images}]).body
        assert body["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_HIGH"}
        assert "mediaResolution" not in body["contents"][0]["parts"][0]

    def test_the_detail_auto_says_nothing(self) -> None:
        assert "mediaResolution" not in native(image(FILES, detail="auto"), model=FLASH_3)


class TestRemoteMedia:
    URL = "https://example.com/cat.png"

    def test_remote_media_is_listed_once_with_the_parameter_that_names_it(self) -> None:
        parts = [
            image(self.URL),
            image(self.URL),
            file(file_url="https://example.com/a.pdf"),
            file(file_data="https://example.com/b.pdf"),
            {"type": "video_url", "video_url": {"url": "https://example.com/c.mp4"}},
            image(FILES),
            {"type": "text", "text": "x"},
        ]
        request = ChatCompletionRequest.model_validate(
            {"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "user", "content": parts}]}
        )
        assert media_of(request.messages) == [
            RemoteRef(self.URL, "messages[1].content[0].image_url.url"),
            RemoteRef("https://example.com/a.pdf", "messages[1].content[2].file.file_url"),
            RemoteRef("https://example.com/b.pdf", "messages[1].content[3].file.file_data"),
            RemoteRef("https://example.com/c.mp4", "messages[1].content[4].video_url.url"),
        ]

    def test_remote_media_that_was_fetched_is_inline(self) -> None:
        messages = [{"role": "user", "content": [image(self.URL)]}]
        body = translate(messages=messages, media={self.URL: Inline("image/png", PNG)}).body
        assert body["contents"][0]["parts"] == [blob("image/png", PNG)]

    def test_remote_media_can_be_handed_to_google(self) -> None:
        messages = [{"role": "user", "content": [image(self.URL)]}]
        body = translate(chat_options(remote_media="google"), messages=messages).body
        assert body["contents"][0]["parts"] == [{"fileData": {"fileUri": self.URL, "mimeType": "image/png"}}]

    def test_remote_media_can_be_refused(self) -> None:
        assert error(image(self.URL), remote_media="refuse").code == "invalid_image_url"
