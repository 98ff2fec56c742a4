"""Media that Google reads itself declares its type, in each way of saying it."""

from typing import Any

import pytest
from tests.support.chat import USER, chat_options, translate

from gemgate.api.embeddings.translation import to_gemini as embed
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.options import EmbeddingOptions

FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
VIDEO = "https://www.youtube.com/watch?v=abcdefghijk"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def video(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url, **more}}


def audio(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "audio_url", "audio_url": {"url": url, **more}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def sent(part: dict[str, Any], remote: Any = "fetch") -> tuple[Any, dict[str, str]]:
    """The native part, and the headers."""
    translation = translate(chat_options(remote_media=remote), messages=[{"role": "user", "content": [part]}])
    return translation.body["contents"][0]["parts"][0], translation.notes.headers()


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        (image("gs://b/o.png"), "image/png"),
        (image("gs://b/o.PNG"), "image/png"),
        (image("gs://b/dir.with.dots/o.jpeg"), "image/jpeg"),
        (image("gs://bucket/object", format="image/webp"), "image/webp"),
        (image("gs://bucket/object", mime_type="image/webp"), "image/webp"),
        (image("gs://bucket/object", mimeType="image/webp"), "image/webp"),
        (image("gs://bucket/object.png", format="image/webp"), "image/webp"),
        (image("gs://bucket/object", format="webp"), "image/webp"),
        (file(file_id="gs://bucket/video.mp4"), "video/mp4"),
        (file(file_id="gs://bucket/no-extension", mime_type="application/pdf"), "application/pdf"),
        (file(file_id="gs://bucket/no-extension", format="application/pdf"), "application/pdf"),
        (file(file_id="gs://bucket/no-extension", filename="a.pdf"), "application/pdf"),
        (file(file_data="gs://b/a.mp4", filename="a.mp4"), "video/mp4"),
        (file(file_data="gs://bucket/noext", format="application/pdf"), "application/pdf"),
        (file(file_url="gs://bucket/noext", format="application/pdf"), "application/pdf"),
        (file(file_url="gs://bucket/noext", mime_type="application/pdf"), "application/pdf"),
        (file(file_data="gs://bucket/noext", filename="a.pdf"), "application/pdf"),
        (file(file_url="gs://bucket/a.bin", filename="a.pdf"), "application/pdf"),
        (video("gs://b/v.mp4"), "video/mp4"),
        (video("gs://b/v.mov"), "video/mov"),
        (video("gs://b/v", format="video/mp4"), "video/mp4"),
        (video(VIDEO), "video/mp4"),
        (image("https://youtu.be/abcdefghijk"), "video/mp4"),
        (file(file_url=VIDEO), "video/mp4"),
        (audio("gs://b/a.mp3"), "audio/mpeg"),
        (audio("gs://b/a.flac"), "audio/flac"),
        (audio("gs://b/a.OGG"), "audio/ogg"),
        (audio("gs://b/a.m4a"), "audio/mp4"),
        (video("gs://b/v.wmv"), "video/wmv"),
        (video("gs://b/v.3gp"), "video/3gpp"),
        (image("gs://b/o.png#1700000000000000"), "image/png"),
        (image("gs://b/o.jpeg?x=1.2"), "image/jpeg"),
        (image("gs://b/what?.png"), "image/png"),
        (file(file_id=FILE, format="application/pdf"), "application/pdf"),
        (file(file_id="files/abc", filename="a.pdf"), "application/pdf"),
        (image(FILE, format="image/png"), "image/png"),
        ({"type": "image_url", "image_url": "gs://b/o.png"}, "image/png"),
    ],
)
def test_a_file_that_google_reads_declares_its_type(part: dict[str, Any], mime: str) -> None:
    native, headers = sent(part)
    assert native["fileData"]["mimeType"] == mime
    assert headers == {}


@pytest.mark.parametrize(
    "part",
    [
        image("gs://bucket/object"),
        image("gs://bucket/png"),
        image("gs://bucket/object.unknown"),
        image("gs://bucket.png/object"),
        file(file_id="files/abc"),
        file(file_id=FILE),
        file(file_data=FILE),
        file(file_url="files/abc"),
        image("files/png"),
    ],
)
def test_nothing_is_made_up_where_nothing_says_the_type(part: dict[str, Any]) -> None:
    native, headers = sent(part)
    assert "mimeType" not in native["fileData"]
    assert headers == {}


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        (image("https://e.com/o.png"), "image/png"),
        (image("https://e.com/o.png?size=1&x=a.gif"), "image/png"),
        (image("https://e.com/o", format="image/webp"), "image/webp"),
        (file(file_data="https://e.com/o.mp4"), "video/mp4"),
        (file(file_url="https://e.com/a/sample-3s.mp3"), "audio/mpeg"),
        (file(file_id="https://e.com/a.pdf"), "application/pdf"),
        (file(file_url="https://e.com/a", filename="a.pdf"), "application/pdf"),
        (video("https://e.com/v.webm"), "video/webm"),
        (audio("https://e.com/a.wav"), "audio/wav"),
    ],
)
def test_a_url_that_is_handed_to_google_declares_its_type(part: dict[str, Any], mime: str) -> None:
    assert sent(part, "google")[0]["fileData"]["mimeType"] == mime


def test_a_url_of_embeddings_declares_its_type() -> None:
    request = EmbeddingRequest.model_validate({"model": "gemini-embedding-2", "input": [image("gs://b/o.png")]})
    translation = embed(request, EmbeddingOptions(Catalog()))
    assert "'mimeType': 'image/png'" in str(translation)


def test_bytes_of_another_type_than_declared_are_named() -> None:
    native, headers = sent(image(f"data:image/png;base64,{PIXEL}", format="image/webp"))
    assert native["inlineData"]["mimeType"] == "image/png"
    assert headers == {"x-gemgate-adjusted": "messages[0].content[0].image_url.url: image/webp->image/png"}


def test_video_metadata_of_a_file_is_taken() -> None:
    metadata = {"start_offset": "1s", "endOffset": "2s", "fps": 3, "other": 1}
    native, headers = sent(file(file_id="gs://b/v.mp4", video_metadata=metadata))
    assert native["videoMetadata"] == {"startOffset": "1s", "endOffset": "2s", "fps": 3}
    assert headers == {"x-gemgate-dropped-params": "messages[].content[].file.video_metadata.other"}


def test_an_empty_detail_is_none() -> None:
    assert sent(image("gs://b/o.png", detail=""))[1] == {}


SEARCH = {"timeRangeFilter": {"startTime": "2024-01-01T00:00:00Z", "endTime": "2024-12-31T23:59:59Z"}}
RANGE = {"time_range_filter": {"start_time": "2024-01-01T00:00:00Z", "end_time": "2024-12-31T23:59:59Z"}}
STORES = {"fileSearchStoreNames": ["fileSearchStores/a"]}


@pytest.mark.parametrize(
    ("tool", "native", "dropped"),
    [
        ({"type": "google_search", "google_search": RANGE}, {"googleSearch": SEARCH}, []),
        ({"type": "google_search", "googleSearch": SEARCH}, {"googleSearch": SEARCH}, []),
        ({"type": "google_search", **RANGE}, {"googleSearch": SEARCH}, []),
        ({"type": "google_search", "google_search": {}}, {"googleSearch": {}}, []),
        ({"type": "google_search", "google_search": None}, {"googleSearch": {}}, []),
        ({"type": "googleSearch"}, {"googleSearch": {}}, []),
        ({"type": "url_context", "url_context": {}}, {"urlContext": {}}, []),
        ({"type": "code_execution", "code_execution": {}}, {"codeExecution": {}}, []),
        ({"type": "code_interpreter", "code_interpreter": {}}, {"codeExecution": {}}, []),
        ({"type": "google_maps", "google_maps": {"enable_widget": True}}, {"googleMaps": {"enableWidget": True}}, []),
        (
            {"type": "file_search", "file_search": {"file_search_store_names": ["fileSearchStores/a"]}},
            {"fileSearch": STORES},
            [],
        ),
        ({"type": "file_search", "vector_store_ids": ["fileSearchStores/a"]}, {"fileSearch": STORES}, []),
        (
            {"type": "web_search_preview", "web_search_preview": {"search_context_size": "low"}},
            {"googleSearch": {}},
            ["tools[0].web_search_preview.search_context_size"],
        ),
        (
            {"type": "google_search", "google_search": {"exclude_domains": ["a.com"]}},
            {"googleSearch": {}},
            ["tools[0].google_search.exclude_domains"],
        ),
        ({"type": "google_search", "exclude_domains": ["a.com"]}, {"googleSearch": {}}, ["tools[0].exclude_domains"]),
        ({"type": "google_search", "google_search": True}, {"googleSearch": {}}, ["tools[0].google_search"]),
        ({"type": "url_context", "urls": ["https://a.com"]}, {"urlContext": {}}, ["tools[0].urls"]),
        ({"type": "web_search", "function": {"name": "f"}}, {"googleSearch": {}}, ["tools[0].function"]),
        ({"googleSearch": {}}, {"googleSearch": {}}, []),
        ({"google_search": RANGE}, {"googleSearch": SEARCH}, []),
        ({"url_context": {}, "x": 1}, {"urlContext": {}}, ["tools[0].x"]),
        ({"codeExecution": None}, {"codeExecution": {}}, []),
        ({"google_maps": {"enable_widget": True}}, {"googleMaps": {"enableWidget": True}}, []),
        ({"function_declarations": [{"name": "f"}]}, {"functionDeclarations": [{"name": "f"}]}, []),
    ],
)
def test_a_built_in_tool_has_its_options_and_no_others(
    tool: dict[str, Any], native: dict[str, Any], dropped: list[str]
) -> None:
    translation = translate(messages=[USER], tools=[tool])
    assert translation.body["tools"] == [native]
    assert translation.notes.dropped == dropped


@pytest.mark.parametrize(
    "tool",
    [
        {"function": {"name": "f", "parameters": {"a": {"type": "string"}}}},
        {"type": "function", "name": "f", "parameters": {"a": {"type": "string"}}},
    ],
)
def test_a_function_without_a_type_or_without_its_object_is_one(tool: dict[str, Any]) -> None:
    (declaration,) = translate(tools=[tool]).body["tools"][0]["functionDeclarations"]
    assert declaration["parametersJsonSchema"] == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "options", [{}, {"vector_store_ids": ["vs_1"]}, {"vector_store_ids": []}, {"file_search": {}}, {"top_k": 3}]
)
def test_a_search_of_files_that_names_no_store_of_googles_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        translate(messages=[USER], tools=[{"type": "file_search", **options}])
    assert (caught.value.param, caught.value.code) == (
        "tools[0].file_search_store_names",
        "missing_required_parameter",
    )
