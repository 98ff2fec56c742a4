"""One item of `input` as native content."""

from collections.abc import Iterator
from contextlib import contextmanager

from gemgate.embeddings.wire import AudioPart, EmbeddingRequest, FilePart, ImagePart, Part, TextPart, VideoPart
from gemgate.errors import ApiError
from gemgate.gemini import types as native
from gemgate.media.inline import Inline, MediaError, classify, inline, parse_data_url
from gemgate.notes import Notes

MOST_ITEMS = 2048

_AUDIO_TYPES = {"mp3": "audio/mp3", "pcm16": "audio/L16", "m4a": "audio/mp4"}
_FILES_PREFIX = "https://generativelanguage.googleapis.com/v1beta/"


def contents(request: EmbeddingRequest, notes: Notes) -> list[native.Content]:
    """The content of each item, in order: never two items in one, because some models fuse the parts of a content.

    Raises:
        ApiError: 400 for no or too many items, tokens, empty text, and media that cannot be sent.
    """
    if isinstance(request.input, str):
        return [{"parts": [_text(request.input, "input")]}]
    items = [item for item in request.input if not isinstance(item, int)]
    if len(items) < len(request.input):
        raise _tokens("input")
    if not items:
        raise ApiError(400, "'input' is an empty list.", param="input", code="array_below_min_length")
    if len(items) > MOST_ITEMS:
        msg = f"Invalid 'input': expected at most {MOST_ITEMS} items, but got {len(items)} instead."
        raise ApiError(400, msg, param="input", code="array_above_max_length")
    return [{"parts": _parts(item, f"input[{index}]", notes)} for index, item in enumerate(items)]


def _parts(item: str | Part | list[Part | int], param: str, notes: Notes) -> list[native.Part]:
    if isinstance(item, str):
        return [_text(item, param)]
    if not isinstance(item, list):
        return [_part(item, param, notes)]
    if not item:
        raise ApiError(400, f"'{param}' is an empty list.", param=param, code="array_below_min_length")
    parts = [part for part in item if not isinstance(part, int)]
    if len(parts) < len(item):
        raise _tokens(param)
    return [_part(part, f"{param}[{index}]", notes) for index, part in enumerate(parts)]


def _tokens(param: str) -> ApiError:
    msg = (
        f"'{param}' holds token numbers, and Gemini has tokens of its own: send the text. "
        "In LangChain that is OpenAIEmbeddings(check_embedding_ctx_length=False)."
    )
    return ApiError(400, msg, param=param, code="unsupported_value")


def _text(text: str, param: str) -> native.Part:
    if not text:
        raise ApiError(400, f"'{param}' is an empty string, which has no embedding.", param=param, code="invalid_value")
    return {"text": text}


def _part(part: Part, param: str, notes: Notes) -> native.Part:
    notes.drop_unknown(part.model_extra, "input[].")
    match part:
        case TextPart():
            return _text(part.text, f"{param}.text")
        case ImagePart(image_url=image):
            notes.drop_unknown(image.model_extra, "input[].image_url.")
            return _by_url(image.url, f"{param}.image_url.url")
        case VideoPart(video_url=video):
            notes.drop_unknown(video.model_extra, "input[].video_url.")
            return _by_url(video.url, f"{param}.video_url.url")
        case AudioPart():
            return _audio(part, f"{param}.input_audio", notes)
        case _:
            return _file(part, f"{param}.file", notes)


def _audio(part: AudioPart, param: str, notes: Notes) -> native.Part:
    audio = part.input_audio
    notes.drop_unknown(audio.model_extra, "input[].input_audio.")
    if classify(audio.data) == "data":
        return _by_url(audio.data, f"{param}.data")
    kind = audio.format or ""
    declared = _AUDIO_TYPES.get(kind, f"audio/{kind}") if kind else None
    with _naming(f"{param}.data"):
        return _blob(inline(audio.data, declared))


def _file(part: FilePart, param: str, notes: Notes) -> native.Part:
    file = part.file
    notes.drop_unknown(file.model_extra, "input[].file.")
    if file.file_data is not None:
        if classify(file.file_data) != "unsupported":
            return _by_url(file.file_data, f"{param}.file_data", file.filename)
        with _naming(f"{param}.file_data"):
            return _blob(inline(file.file_data, file.format, file.filename))
    if file.file_id is None:
        missing = f"{param}.file_data"
        raise ApiError(
            400, f"Missing required parameter: '{missing}'.", param=missing, code="missing_required_parameter"
        )
    return _by_url(file.file_id, f"{param}.file_id")


def _by_url(url: str, param: str, filename: str | None = None) -> native.Part:
    kind = classify(url)
    if kind == "data":
        with _naming(param):
            return _blob(parse_data_url(url, filename))
    if kind == "google":
        return {"fileData": {"fileUri": _FILES_PREFIX + url if url.startswith("files/") else url}}
    what = "a remote URL, which is not fetched for embeddings" if kind == "remote" else "not a URL that can be read"
    msg = f"'{param}' is {what}: send the bytes as data:<type>;base64,<data>, or the 'files/…' name of an upload."
    raise ApiError(400, msg, param=param, code="invalid_image_url")


def _blob(media: Inline) -> native.Part:
    return {"inlineData": {"mimeType": media.mime, "data": media.data}}


@contextmanager
def _naming(param: str) -> Iterator[None]:
    """Makes a `MediaError` an `ApiError` that names the parameter."""
    try:
        yield
    except MediaError as error:
        raise ApiError(400, f"'{param}': {error}", param=param, code=error.code) from error
