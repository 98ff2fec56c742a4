"""Content parts: text, images, audio, files and video, as native parts."""

from dataclasses import dataclass, field

from gemgate.errors import ApiError, missing_field
from gemgate.gemini.file_types import GeminiFile
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.resource_names import FILES_URL
from gemgate.gemini.types import FileData, Part
from gemgate.media.classify import google_type
from gemgate.media.errors import naming
from gemgate.media.inline import (
    Inline,
    classify,
    inline,
    parse_data_url,
)
from gemgate.media.references import Resolved, audio_type
from gemgate.media.sniff import gemini_name, type_without_bytes
from gemgate.translation.extra_body import camel
from gemgate.translation.notes import Notes
from gemgate.translation.options import RemoteMedia
from gemgate.translation.turns import MEDIA_ITEMS, ItemBudget
from gemgate.wire import (
    AudioPart,
    AudioUrlPart,
    ContentPart,
    FilePart,
    ImagePart,
    InputFile,
    RefusalPart,
    TextPart,
    ThinkingPart,
    VideoPart,
)

_RESOLUTIONS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "original": "ULTRA_HIGH", "ultra_high": "ULTRA_HIGH"}
_STRONGEST = ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH")


@dataclass(slots=True)
class ContentTranslator:
    """Translates the content parts of one request.

    Attributes:
        facts: What is known about the model.
        notes: Where it is noted what Gemini has no place for.
        place: Where the parts are, for those notes.
        takes_detail: Whether the native method has media resolutions; `detail` is noted as dropped if not.
        media: What was fetched, looked up or uploaded before; a URL that is not here is handed to Google, or refused.
        remote: What happens to such a URL.
        resolution: The request-wide media resolution that `detail` asked for, on models without one on the part.
        items: What is left of the parts and messages that the whole request may hold.
    """

    facts: ModelFacts
    notes: Notes
    media: Resolved
    remote: RemoteMedia = "fetch"
    place: str = "messages[].content[]"
    takes_detail: bool = True
    resolution: str | None = field(default=None)
    items: ItemBudget = field(default_factory=ItemBudget)

    def parts(self, content: str | list[ContentPart] | None, param: str) -> list[Part]:
        """`content` as native parts; empty text gives none, because Google refuses it."""
        if content is None:
            return []
        if isinstance(content, str):
            return [{"text": content}] if content else []
        self.items.take(len(content), param)
        parts = (self.part(part, f"{param}[{index}]") for index, part in enumerate(content))
        return [part for part in parts if part is not None]

    def part(self, part: ContentPart, param: str) -> Part | None:
        """One part, which `param` names; None for empty text.

        Raises:
            ApiError: 400 when it holds media that cannot be sent.
        """
        if part.model_extra:
            self.notes.drop_unknown(part.model_extra, f"{self.place}.")
        if isinstance(part, TextPart):
            return {"text": part.text} if part.text else None
        if isinstance(part, RefusalPart):
            return {"text": part.refusal} if part.refusal else None
        if isinstance(part, ThinkingPart):
            self.notes.adjust(f"{self.place}.thinking->none")
            return None
        self.items.take(MEDIA_ITEMS - 1, param)
        if isinstance(part, ImagePart):
            return self._image(part, f"{param}.image_url")
        if isinstance(part, AudioPart):
            return self._audio(part, f"{param}.input_audio")
        if isinstance(part, AudioUrlPart):
            self.notes.drop_unknown(part.audio_url.model_extra, f"{self.place}.audio_url.")
            return self.by_url(part.audio_url.url, f"{param}.audio_url.url", part.audio_url.declared)
        if isinstance(part, FilePart):
            return self._file(part, f"{param}.file")
        return self._video(part, f"{param}.video_url")

    def _image(self, part: ImagePart, param: str) -> Part:
        image = part.image_url
        self.notes.drop_unknown(image.model_extra, f"{self.place}.image_url.")
        if image.url is None:
            if image.file_id is None:
                raise missing_field(f"{param}.url")
            native = self._by_id(image.file_id, f"{param}.file_id", image.declared)
            _check_image(native, f"{param}.file_id")
            return self._detailed(native, image.detail)
        native = self.by_url(image.url, f"{param}.url", image.declared)
        _check_image(native, f"{param}.url")
        return self._detailed(native, image.detail)

    def _video(self, part: VideoPart, param: str) -> Part:
        video = part.video_url
        self.notes.drop_unknown(video.model_extra, f"{self.place}.video_url.")
        native = self._detailed(self.by_url(video.url, f"{param}.url", video.declared), video.detail)
        return _with_offsets(native, video.start_offset, video.end_offset, video.fps)

    def _audio(self, part: AudioPart, param: str) -> Part:
        audio = part.input_audio
        self.notes.drop_unknown(audio.model_extra, f"{self.place}.input_audio.")
        if audio.data.startswith("data:"):
            return self.by_url(audio.data, f"{param}.data")
        return self._inline(audio.data, f"{param}.data", audio_type(audio.format))

    def _file(self, part: FilePart, param: str) -> Part:
        file = part.file
        self.notes.drop_unknown(file.model_extra, f"{self.place}.file.")
        native = self._file_content(file, param)
        if file.video_metadata is None:
            return native
        given: dict[str, object] = camel(file.video_metadata)
        known = ("startOffset", "endOffset", "fps")
        self.notes.drop_unknown(
            {name: value for name, value in given.items() if name not in known}, f"{self.place}.file.video_metadata."
        )
        return _with_offsets(native, *(given.get(name) for name in known))

    def _file_content(self, file: InputFile, param: str) -> Part:
        if file.file_data is not None:
            if classify(file.file_data) != "unsupported":
                return self.by_url(file.file_data, f"{param}.file_data", file.declared, file.filename)
            return self._inline(file.file_data, f"{param}.file_data", file.declared, file.filename)
        if file.file_url is not None:
            return self.by_url(file.file_url, f"{param}.file_url", file.declared, file.filename)
        if file.file_id is not None:
            return self._by_id(file.file_id, f"{param}.file_id", file.declared, file.filename)
        raise missing_field(f"{param}.file_data")

    def by_url(self, url: str, param: str, declared: str | None = None, filename: str | None = None) -> Part:
        """The media at `url` (data, remote, or known to Google) as a native part."""
        part = self._by_url(url, param, declared, filename)
        if declared:
            self._note_type(part, declared, param)
        return part

    def _note_type(self, part: Part, declared: str, param: str) -> None:
        """Note that the bytes, or the server that has them, say another type than the caller."""
        found = (part.get("inlineData") or part.get("fileData") or {}).get("mimeType")
        if found and gemini_name(found) != gemini_name(type_without_bytes(declared)):
            self.notes.adjust(f"{param}: {declared}->{found}")

    def _by_url(self, url: str, param: str, declared: str | None, filename: str | None) -> Part:
        kind = classify(url)
        if kind == "data":
            if self.media and param in self.media:
                return _native(self.media[param])
            with naming(param):
                return _native(parse_data_url(url, filename))
        if kind == "google":
            return _at_google(url, google_type(url, declared, filename))
        if kind == "unsupported":
            msg = (
                f"'{param}' is neither a data URL, an http(s) URL, a gs:// URI nor a 'files/…' name: "
                f"{url[:60]!r}. Send the bytes as data:<type>;base64,<data>."
            )
            raise ApiError(400, msg, param=param, code="invalid_image_url")
        if url in self.media:
            return _native(self.media[url])
        if self.remote == "google":
            return _at_google(url, google_type(url, declared, filename))
        msg = f"'{param}' is a remote URL, and this gateway does not fetch: send the bytes as a data URL."
        raise ApiError(400, msg, param=param, code="invalid_image_url")

    def _inline(self, data: str, param: str, declared: str | None, filename: str | None = None) -> Part:
        if self.media and param in self.media:
            return _native(self.media[param])
        with naming(param):
            return _native(inline(data, declared, filename))

    def _by_id(self, file_id: str, param: str, declared: str | None = None, filename: str | None = None) -> Part:
        """A file of Google's, under its own name, or one of the caller's that was looked up."""
        if param in self.media:
            return _native(self.media[param])
        if classify(file_id) != "google":
            msg = (
                f"'{param}' is {file_id[:80]!r}, which is not the id of a file. Upload the file to /v1/files with the "
                "purpose 'user_data' and send its id, or send the bytes as file_data."
            )
            raise ApiError(400, msg, param=param, code="invalid_value")
        return _at_google(file_id, google_type(file_id, declared, filename))

    def _detailed(self, native: Part, detail: str | None) -> Part:
        level = _RESOLUTIONS.get(detail or "auto")
        if level is None:
            return native
        if not self.takes_detail:
            self.notes.drop(f"{self.place}.image_url.detail")
            return native
        if self.facts.part_resolution:
            native["mediaResolution"] = {"level": f"MEDIA_RESOLUTION_{level}"}
            return native
        wide = f"MEDIA_RESOLUTION_{level}" if level != "ULTRA_HIGH" else "MEDIA_RESOLUTION_HIGH"
        if self.resolution is None or _STRONGEST.index(wide) > _STRONGEST.index(self.resolution):
            self.resolution = wide
        return native


def _at_google(url: str, mime_type: str | None) -> Part:
    """A part that Google reads itself. All recorded ones declare their type, and Google has refused an empty one."""
    data: FileData = {"fileUri": FILES_URL + url if url.startswith("files/") else url}
    if mime_type:
        data["mimeType"] = mime_type
    return {"fileData": data}


def _with_offsets(native: Part, start: object, end: object, fps: object) -> Part:
    offsets = {"startOffset": start, "endOffset": end, "fps": fps}
    if given := {name: value for name, value in offsets.items() if value is not None}:
        native["videoMetadata"] = given  # type: ignore[typeddict-item]  # its three fields
    return native


def _native(media: Inline | GeminiFile) -> Part:
    if isinstance(media, GeminiFile):
        return {"fileData": {"fileUri": media.uri, "mimeType": media.mime_type}}
    return {"inlineData": {"mimeType": media.mime, "data": media.data}}


def _check_image(native: Part, param: str) -> None:
    kind = native.get("inlineData", {}).get("mimeType") or native.get("fileData", {}).get("mimeType") or ""
    if kind.startswith("text/"):
        msg = f"'{param}' gives {kind}, which is not an image: send the image itself, or send the text as a file."
        raise ApiError(400, msg, param=param, code="invalid_image_url")
