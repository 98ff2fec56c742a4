"""The official clients' `images`: generated and edited, whole and streamed, and what is refused."""

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import ImageEditCompletedEvent, ImageGenCompletedEvent
from PIL import Image
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.sdk.page import IMAGE_SIZE, Media
from tests.support.stack import GOOGLE, KEY, OPENAI, WRONG_KEY, Stack

MODEL = "gemini-2.5-flash-image"
MODELS = pytest.mark.parametrize(
    "model", [MODEL, "gemini-3-pro-image-preview", "gemini-3.1-flash-image", "imagen-4.0-generate-001"]
)
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
PROMPT = "A lighthouse"
SQUARE = (1024, 1024)
LANDSCAPE = (1248, 832)
"""Pixels of 3:2, the nearest ratio to 1536x1024, on `MODEL`."""

TEAL = (0, 128, 128)
"""The colour of the picture that is edited; the emulator draws it in the middle of its own."""


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Any]:
    return {}


@pytest.fixture
def node(project: Path, servers: Stack, media: Media, outcomes: dict[str, Any], prefix: str) -> Any:
    """What `images.mjs` saw; it runs once for each prefix."""
    if prefix not in outcomes:
        (outcomes[prefix],) = run(project, "images.mjs", servers.base(prefix), KEY, str(media.image))
    return outcomes[prefix]


def opened(data: str | None) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(data or "", validate=True)))
    image.load()
    return image


def drawn(colour: str, kind: str) -> bytes:
    """A file of one colour."""
    out = io.BytesIO()
    Image.new("RGB", IMAGE_SIZE, colour).save(out, kind)
    return out.getvalue()


def middle(image: Image.Image) -> tuple[int, ...]:
    """The colour in the middle."""
    found = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return found


def shows_the_original(data: str | None) -> None:
    assert all(abs(seen - given) < 8 for seen, given in zip(middle(opened(data)), TEAL, strict=True))


def given_to_google(servers: Stack) -> list[dict[str, Any]]:
    """The parts of the newest request."""
    parts: list[dict[str, Any]] = servers.seen.requests[-1].body["contents"][0]["parts"]
    return parts


@BOTH
@MODELS
def test_an_image_opens_and_is_what_the_answer_says(make_client: MakeClient, prefix: str, model: str) -> None:
    answer = make_client(prefix).images.generate(model=model, prompt=PROMPT)
    (item,) = answer.data or []
    image = opened(item.b64_json)
    assert image.size == SQUARE
    assert (image.format or "").lower() == answer.output_format
    assert answer.size == "{}x{}".format(*SQUARE)
    assert answer.background == "opaque"
    assert answer.created > 1_700_000_000
    assert item.url is None


def test_usage_tells_text_from_images(client: OpenAI) -> None:
    usage = client.images.generate(model=MODEL, prompt=PROMPT).usage
    assert usage is not None
    assert usage.output_tokens_details is not None
    assert usage.input_tokens == usage.input_tokens_details.text_tokens > 0
    assert usage.input_tokens_details.image_tokens == 0
    assert usage.output_tokens_details.image_tokens > 0
    assert usage.output_tokens == usage.output_tokens_details.image_tokens + usage.output_tokens_details.text_tokens
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@BOTH
@pytest.mark.parametrize("model", [MODEL, "imagen-4.0-generate-001"])
def test_n_is_as_many_images(make_client: MakeClient, prefix: str, model: str) -> None:
    data = make_client(prefix).images.generate(model=model, prompt=PROMPT, n=3).data or []
    assert [opened(item.b64_json).size for item in data] == [SQUARE] * 3


def test_a_size_is_the_nearest_that_the_model_has(client: OpenAI) -> None:
    raw = client.images.with_raw_response.generate(model=MODEL, prompt=PROMPT, size="1536x1024")
    answer = raw.parse()
    (item,) = answer.data or []
    assert opened(item.b64_json).size == LANDSCAPE
    assert answer.size == "{}x{}".format(*LANDSCAPE)
    assert "size=1536x1024->" in raw.headers["x-gemgate-adjusted"]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_the_format_is_the_one_that_was_asked_for(client: OpenAI, kind: Any) -> None:
    answer = client.images.generate(model=MODEL, prompt=PROMPT, output_format=kind)
    (item,) = answer.data or []
    assert (opened(item.b64_json).format, answer.output_format) == (kind.upper(), kind)


@BOTH
def test_googles_options_reach_google(make_client: MakeClient, servers: Stack, prefix: str) -> None:
    google = {"aspect_ratio": "16:9", "image_size": "2K"}
    answer = make_client(prefix).images.generate(
        model="gemini-3-pro-image-preview", prompt=PROMPT, extra_body={"extra_body": {"google": google}}
    )
    config = servers.seen.requests[-1].body["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "2K"}
    assert answer.size == "2688x1536"


@BOTH
def test_a_stream_is_one_completed_event(make_client: MakeClient, prefix: str) -> None:
    client = make_client(prefix)
    (event,) = client.images.generate(model=MODEL, prompt=PROMPT, stream=True)
    assert isinstance(event, ImageGenCompletedEvent)
    assert event.type == "image_generation.completed"
    assert opened(event.b64_json).size == SQUARE
    assert (event.output_format, event.size) == ("png", "1024x1024")
    assert event.created_at > 1_700_000_000
    whole = client.images.generate(model=MODEL, prompt=PROMPT).usage
    assert whole is not None
    assert event.usage.total_tokens == whole.total_tokens


def test_a_stream_of_two_images_is_two_events(client: OpenAI) -> None:
    events = list(client.images.generate(model=MODEL, prompt=PROMPT, n=2, stream=True))
    assert [event.type for event in events] == ["image_generation.completed"] * 2


async def test_the_asynchronous_client_agrees(servers: Stack, media: Media) -> None:
    async with AsyncOpenAI(api_key=KEY, base_url=servers.base(), max_retries=0) as client:
        answer = await client.images.generate(model=MODEL, prompt=PROMPT)
        edited = await client.images.edit(model=MODEL, prompt=PROMPT, image=media.image)
        events = [event async for event in await client.images.generate(model=MODEL, prompt=PROMPT, stream=True)]
    (item,), (after,), (event,) = answer.data or [], edited.data or [], events
    assert opened(item.b64_json).size == SQUARE
    shows_the_original(after.b64_json)
    assert event.type == "image_generation.completed"


@BOTH
@pytest.mark.parametrize("kind", ["path", "file", "bytes", "tuple"])
def test_an_edit_begins_with_the_image(
    make_client: MakeClient, servers: Stack, media: Media, prefix: str, kind: str
) -> None:
    content = media.image.read_bytes()
    with media.image.open("rb") as file:
        images: dict[str, Any] = {
            "path": media.image,
            "file": file,
            "bytes": content,
            "tuple": ("a.jpeg", content, "image/jpeg"),
        }
        answer = make_client(prefix).images.edit(model=MODEL, prompt=PROMPT, image=images[kind])
    image, text = given_to_google(servers)
    assert image["inlineData"]["mimeType"] == "image/jpeg"
    assert base64.b64decode(image["inlineData"]["data"]) == content
    assert text == {"text": PROMPT}
    (item,) = answer.data or []
    shows_the_original(item.b64_json)


@BOTH
def test_several_images_are_sent_in_their_order(
    make_client: MakeClient, servers: Stack, media: Media, prefix: str
) -> None:
    first, red, blue = media.image.read_bytes(), drawn("red", "PNG"), drawn("blue", "WEBP")
    images: Any = [media.image, ("red.png", red, "image/png"), io.BytesIO(blue)]
    answer = make_client(prefix).images.edit(model=MODEL, prompt=PROMPT, image=images, n=2)
    *sent, text = given_to_google(servers)
    blobs = [part["inlineData"] for part in sent]
    assert [blob["mimeType"] for blob in blobs] == ["image/jpeg", "image/png", "image/webp"]
    assert [base64.b64decode(blob["data"]) for blob in blobs] == [first, red, blue]
    assert text == {"text": PROMPT}
    for item in answer.data or []:
        shows_the_original(item.b64_json)
    assert len(answer.data or []) == 2


@BOTH
def test_a_streamed_edit_is_one_completed_event(make_client: MakeClient, media: Media, prefix: str) -> None:
    (event,) = make_client(prefix).images.edit(model=MODEL, prompt=PROMPT, image=media.image, stream=True)
    assert isinstance(event, ImageEditCompletedEvent)
    assert event.type == "image_edit.completed"
    shows_the_original(event.b64_json)


def test_an_edit_counts_the_tokens_of_its_image(client: OpenAI, media: Media) -> None:
    usage = client.images.edit(model=MODEL, prompt=PROMPT, image=media.image).usage
    assert usage is not None
    assert usage.input_tokens_details.image_tokens > 0


@BOTH
@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
@pytest.mark.parametrize(
    ("scenario", "code", "reason"),
    [
        ("image-safety", "moderation_blocked", "IMAGE_SAFETY"),
        ("no-image", "content_policy_violation", "NO_IMAGE"),
        ("text-only", "content_policy_violation", "The model said"),
        ("blocked-prompt", "moderation_blocked", "PROHIBITED_CONTENT"),
    ],
)
def test_a_refusal_is_an_error_with_googles_reason(
    make_client: MakeClient, prefix: str, scenario: str, code: str, reason: str, stream: Any
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        list(make_client(prefix).images.generate(**asking(scenario), stream=stream))
    assert (caught.value.code, caught.value.param) == (code, "prompt")
    assert reason in caught.value.message


def asking(scenario: str) -> dict[str, Any]:
    """Arguments of `generate` to which the emulator reacts with `scenario`."""
    return {"model": MODEL, "prompt": f"Hello [[emulator: {scenario}]]"}


def test_all_filtered_images_of_imagen_are_a_refusal(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Responsible AI") as caught:
        client.images.generate(model="imagen-4.0-generate-001", prompt="Hello [[emulator: rai-filtered 4]]")
    assert caught.value.code == "moderation_blocked"


def test_some_filtered_images_of_imagen_are_told(client: OpenAI) -> None:
    raw = client.images.with_raw_response.generate(
        model="imagen-4.0-generate-001", prompt="Hello [[emulator: rai-filtered 1]]", n=3
    )
    assert len(raw.parse().data or []) == 2
    assert "n=3->2" in raw.headers["x-gemgate-adjusted"]


@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_a_used_up_quota_is_a_rate_limit_error_that_says_when_to_retry(client: OpenAI, stream: Any) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(**asking("429 7"), stream=stream)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("model", ["gemini-0-none", "imagen-0-none"])
def test_an_unknown_model_is_not_found(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match=model) as caught:
        client.images.generate(model=model, prompt=PROMPT)
    assert caught.value.code == "model_not_found"


def test_an_imagen_that_google_switched_off_is_not_found_with_the_way_out(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"gemini-3\.1-flash-image") as caught:
        client.images.generate(model="imagen-3.0-generate-002", prompt="Hello [[emulator: 404]]")
    assert caught.value.code == "model_not_found"


@BOTH
def test_a_wrong_key_is_an_authentication_error(make_client: MakeClient, media: Media, prefix: str) -> None:
    stranger = make_client(prefix, key=WRONG_KEY).images
    with pytest.raises(openai.AuthenticationError) as generating:
        stranger.generate(model=MODEL, prompt=PROMPT)
    with pytest.raises(openai.AuthenticationError) as editing:
        stranger.edit(model=MODEL, prompt=PROMPT, image=media.image)
    assert (generating.value.code, editing.value.code) == ("invalid_api_key", "invalid_api_key")


def test_an_image_by_its_url_is_read_without_a_key(client: OpenAI) -> None:
    item = client.images.generate(model=MODEL, prompt=PROMPT, response_format="url").data[0]  # type: ignore[index]
    assert item.b64_json is None
    assert item.url is not None
    answer = httpx.get(item.url)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"response_format": "gif"}, "response_format"),
        ({"size": "large"}, "size"),
        ({"n": 11}, "n"),
        ({"prompt": ""}, "prompt"),
        ({"output_format": "bmp"}, "output_format"),
    ],
)
def test_a_bad_request_names_the_parameter(client: OpenAI, change: dict[str, Any], param: str) -> None:
    asked: Any = {"model": MODEL, "prompt": PROMPT} | change
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**asked)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


@BOTH
def test_a_mask_is_refused_by_name(make_client: MakeClient, media: Media, prefix: str) -> None:
    with pytest.raises(openai.BadRequestError, match="prompt") as caught:
        make_client(prefix).images.edit(model=MODEL, prompt=PROMPT, image=media.image, mask=media.image)
    assert caught.value.param == "mask"


def test_a_file_that_is_no_image_is_refused_by_name(client: OpenAI, media: Media) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model=MODEL, prompt=PROMPT, image=[media.image, media.audio])
    assert caught.value.param == "image[1]"


@BOTH
def test_node_opens_what_was_generated(node: Any, prefix: str) -> None:
    generated = node["generated"]
    assert [opened(item["b64_json"]).size for item in generated["data"]] == [LANDSCAPE] * 2
    assert generated["usage"]["output_tokens_details"]["image_tokens"] > 0
    (event,) = node["streamed"]
    assert event["type"] == "image_generation.completed"
    assert opened(event["b64_json"]).size == SQUARE


@BOTH
@pytest.mark.parametrize("way", ["one", "several"])
def test_node_edits_one_image_and_several(node: Any, prefix: str, way: str) -> None:
    (item,) = node[way]["data"]
    shows_the_original(item["b64_json"])


@BOTH
def test_node_streams_an_edit(node: Any, prefix: str) -> None:
    (event,) = node["streamedEdit"]
    assert event["type"] == "image_edit.completed"
    shows_the_original(event["b64_json"])


@BOTH
@pytest.mark.parametrize(
    ("failure", "name", "code", "param"),
    [
        ("filter", "BadRequestError", "moderation_blocked", "prompt"),
        ("words", "BadRequestError", "content_policy_violation", "prompt"),
        ("quota", "RateLimitError", "rate_limit_exceeded", None),
        ("streamed", "RateLimitError", "rate_limit_exceeded", None),
        ("mask", "BadRequestError", "unsupported_parameter", "mask"),
        ("format", "BadRequestError", "invalid_value", "response_format"),
    ],
)
def test_node_throws_what_an_application_catches(
    node: Any, prefix: str, failure: str, name: str, code: str, param: str | None
) -> None:
    error = node["errors"][failure]
    assert (error["name"], error["code"], error["param"]) == (name, code, param)
    assert error["requestID"]
    assert error["retryAfter"] == ("7" if name == "RateLimitError" else None)
