"""What content parts name that must be there before translation: remote media, files by id, and large inline media."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gemgate.gemini.file_types import GeminiFile
from gemgate.media.inline import (
    Inline,
    classify,
    inline,
    parse_data_url,
)
from gemgate.wire import (
    AudioPart,
    AudioUrlPart,
    ContentPart,
    FilePart,
    ImagePart,
    TextPart,
    VideoPart,
)

_AUDIO_TYPES = {"mp3": "audio/mp3", "pcm16": "audio/L16", "m4a": "audio/mp4"}
_STAND_IN = "files/dry-run"

Resolved = Mapping[str, Inline | GeminiFile]
"""What was named, as bytes or as a file at Google: remote media by URL, the rest by the parameter that names it."""


@dataclass(frozen=True, slots=True)
class RemoteRef:
    """Media that is elsewhere: its URL, and the parameter that names it."""

    url: str
    param: str


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that the caller has uploaded to the gateway.

    Attributes:
        file_id: Its id.
        param: The parameter that names it.
        declared: The type that the caller declares, for content that does not show its own.
    """

    file_id: str
    param: str
    declared: str | None = None


@dataclass(frozen=True, slots=True)
class InlineRef:
    """Media within the request: a data URL or base64, and the parameter that holds it."""

    text: str = field(repr=False)
    param: str
    declared: str | None = None
    filename: str | None = None

    def read(self) -> Inline:
        """Check the content, and find its type.

        Raises:
            MediaError: it cannot be used.
        """
        if self.text[:5].lower() == "data:":
            return parse_data_url(self.text, self.filename)
        return inline(self.text, self.declared, self.filename)


Ref = RemoteRef | FileRef


def references(parts: Iterable[ContentPart], param: str) -> Iterator[Ref]:
    """What `parts` name that someone must fetch or look up; `param` names the list they are in."""
    for index, part in enumerate(parts):
        if isinstance(part, TextPart):
            continue
        if (file := _file_id(part)) and classify(file.file_id) != "google":
            yield FileRef(file.file_id, f"{param}[{index}].{file.param}", file.declared)
        for url, name in _urls(part):
            if classify(url) == "remote":
                yield RemoteRef(url, f"{param}[{index}].{name}")


def inline_references(parts: Iterable[ContentPart], param: str) -> Iterator[InlineRef]:
    """The media that `parts` hold themselves."""
    for index, part in enumerate(parts):
        found = _inline(part)
        if found is not None and classify(found.text) in ("data", "unsupported"):
            yield InlineRef(found.text, f"{param}[{index}].{found.param}", found.declared, found.filename)


def unique(refs: Iterable[Ref]) -> list[Ref]:
    """The references in their order, a URL only once."""
    found: dict[str, Ref] = {}
    for ref in refs:
        found.setdefault(ref.url if isinstance(ref, RemoteRef) else ref.param, ref)
    return list(found.values())


def placeholders(refs: Sequence[Ref]) -> Resolved:
    """Something in place of each file, for a translation that nobody sends."""
    return {ref.param: placeholder() for ref in refs if isinstance(ref, FileRef)}


def placeholder(mime_type: str = "") -> GeminiFile:
    """A file that is nowhere."""
    return GeminiFile(_STAND_IN, f"https://generativelanguage.googleapis.com/v1beta/{_STAND_IN}", mime_type=mime_type)


def audio_type(name: str | None) -> str | None:
    """The type that the `format` of `input_audio` means."""
    return _AUDIO_TYPES.get(name, f"audio/{name}") if name else None


def _file_id(part: ContentPart) -> FileRef | None:
    if isinstance(part, ImagePart) and part.image_url.url is None and part.image_url.file_id:
        return FileRef(part.image_url.file_id, "image_url.file_id", part.image_url.declared)
    if isinstance(part, FilePart) and part.file.file_id and part.file.file_data is None and part.file.file_url is None:
        return FileRef(part.file.file_id, "file.file_id", part.file.declared)
    return None


def _urls(part: ContentPart) -> Iterator[tuple[str, str]]:
    if isinstance(part, ImagePart) and part.image_url.url:
        yield part.image_url.url, "image_url.url"
    elif isinstance(part, VideoPart):
        yield part.video_url.url, "video_url.url"
    elif isinstance(part, AudioUrlPart):
        yield part.audio_url.url, "audio_url.url"
    elif isinstance(part, FilePart):
        if part.file.file_url:
            yield part.file.file_url, "file.file_url"
        if part.file.file_data and part.file.file_data.startswith(("http://", "https://")):
            yield part.file.file_data, "file.file_data"


def _inline(part: ContentPart) -> InlineRef | None:
    if isinstance(part, AudioPart):
        return InlineRef(part.input_audio.data, "input_audio.data", audio_type(part.input_audio.format))
    if isinstance(part, FilePart) and part.file.file_data is not None:
        return InlineRef(part.file.file_data, "file.file_data", part.file.declared, part.file.filename)
    for url, name in _urls(part):
        if classify(url) == "data":
            return InlineRef(url, name)
    return None
