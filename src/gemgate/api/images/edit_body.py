"""The body of an edit, a form or JSON, as a request and the images it begins with."""

import re
from collections.abc import Sequence

from pydantic import ValidationError

from gemgate.api.images.wire import MAX_IMAGES, EditRequest, VariationRequest
from gemgate.errors import ApiError
from gemgate.gemini.resource_names import FILES_URL
from gemgate.gemini.types import Part
from gemgate.media.errors import MediaError
from gemgate.media.inline import (
    Inline,
    classify,
    from_bytes,
    inline,
    parse_data_url,
)
from gemgate.media.references import FileRef
from gemgate.translation.validation import from_details, parse
from gemgate.web.form_fields import put_field
from gemgate.web.multipart import FormPart

_IMAGE = re.compile(r"image(\[\d*\])?")
_REFUSED_FILES = frozenset({"mask", "markup"})

Edit = tuple[EditRequest, list[Part | FileRef]]
"""The request, and its images: those that the caller has uploaded to the gateway are to be read yet."""


def from_form(parts: Sequence[FormPart], shape: type[EditRequest] = EditRequest) -> Edit:
    """The request in a form, as OpenAI's clients write it: `image` or `image[]`, and nested names in brackets.

    Args:
        parts: The form's.
        shape: What it is read as.

    Raises:
        ApiError: 400 that names the field at fault.
    """
    fields: dict[str, object] = {}
    files: list[FormPart] = []
    for part in parts:
        if part.filename is None:
            put_field(fields, part)
        elif part.filename or part.content:  # a browser sends an empty file where none was chosen
            _take_file(fields, files, part)
    try:
        request = shape.model_validate(fields)
    except ValidationError as error:
        raise from_details(error.errors(include_url=False), fields) from None
    texts = _images_in(request)
    _count(len(files) + len(texts), request)
    return request, [*(_blob(_file(part, index)) for index, part in enumerate(files)), *texts]


def from_json(raw: bytes, shape: type[EditRequest] = EditRequest) -> Edit:
    """The request in a JSON body, with its images in `image` or `images`; read as `shape`.

    Raises:
        ApiError: 400 that names the field at fault.
    """
    request = parse(shape, raw)
    images = _images_in(request)
    _count(len(images), request)
    return request, images


def _take_file(fields: dict[str, object], files: list[FormPart], part: FormPart) -> None:
    if _IMAGE.fullmatch(part.name):
        files.append(part)
    elif (name := part.name.partition("[")[0]) in _REFUSED_FILES:
        fields[name] = part.filename
    else:
        name = part.name[:80]
        raise ApiError(400, f"'{name}' is a file, and only 'image' is one.", param=name, code="invalid_type")


def _images_in(request: EditRequest) -> list[Part | FileRef]:
    images: list[Part | FileRef]
    if request.image is None:
        images = []
    elif isinstance(request.image, str):
        images = [_by_text(request.image, "image")]
    else:
        images = [_by_text(text, f"image[{index}]") for index, text in enumerate(request.image)]
    for index, reference in enumerate(request.images or []):
        if reference.image_url is None and reference.file_id and classify(reference.file_id) != "google":
            images.append(FileRef(reference.file_id, f"images[{index}].file_id"))
            continue
        name = "image_url" if reference.image_url else "file_id"
        images.append(_by_text(reference.image_url or reference.file_id or "", f"images[{index}].{name}"))
    return images


def image_part(media: Inline, param: str) -> Part:
    """A file that was read, which `param` names.

    Raises:
        ApiError: 400 when it is not an image.
    """
    return _blob(_image(media, param))


def _by_text(text: str, param: str) -> Part:
    kind = classify(text)
    try:
        if kind == "data":
            return _blob(_image(parse_data_url(text), param))
        if kind == "google":
            return {"fileData": {"fileUri": FILES_URL + text if text.startswith("files/") else text}}
        if kind == "unsupported":
            return _blob(_image(inline(text), param))
    except MediaError as error:
        raise ApiError(400, f"'{param}': {error}", param=param, code=error.code) from error
    msg = f"'{param}' is a remote URL, which is not fetched for edits: send the bytes, in a form or as a data URL."
    raise ApiError(400, msg, param=param, code="invalid_image_url")


def _file(part: FormPart, index: int) -> Inline:
    param = f"image[{index}]"
    try:
        return _image(from_bytes(part.content, part.content_type, part.filename), param)
    except MediaError as error:
        raise ApiError(400, f"'{param}': {error}", param=param, code=error.code) from error


def _image(media: Inline, param: str) -> Inline:
    if media.mime.startswith("image/"):
        return media
    msg = f"'{param}' is not an image, but {media.mime}. Send PNG, JPEG or WebP."
    raise ApiError(400, msg, param=param, code="unsupported_media_type")


def _blob(media: Inline) -> Part:
    return {"inlineData": {"mimeType": media.mime, "data": media.data}}


def _count(images: int, request: EditRequest) -> None:
    if not images:
        msg = "Missing required parameter: 'image'. Send one file, or several under the name 'image[]'."
        raise ApiError(400, msg, param="image", code="missing_required_parameter")
    maximum = 1 if isinstance(request, VariationRequest) else MAX_IMAGES
    if images > maximum:
        msg = f"Invalid 'image': expected at most {maximum} images, but got {images} instead."
        raise ApiError(400, msg, param="image", code="array_above_max_length")
