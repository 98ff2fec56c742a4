"""The MIME type of media, under the name that Gemini knows it by.

The first bytes decide. The table is our own, because libraries missed what clients send most: of the ISO media family
(HEIC, M4A, MP4) puremagic 1.30 and filetype 1.2 know only some brands, and of MP3 only some frame headers.
"""

import codecs
import mimetypes
from collections.abc import Callable

from gemgate.media.errors import MediaError

HEAD_BYTES = 1024
"""How many of the first bytes `choose` wants to see."""

_READABLE = frozenset({
    "application/json", "application/pdf",
    "audio/aac", "audio/aiff", "audio/flac", "audio/l16", "audio/mp3", "audio/mp4", "audio/ogg", "audio/opus",
    "audio/pcm", "audio/wav", "audio/webm",
    "image/avif", "image/gif", "image/heic", "image/heif", "image/jpeg", "image/png", "image/webp",
    "video/3gpp", "video/avi", "video/mov", "video/mp4", "video/mpeg", "video/webm", "video/wmv", "video/x-flv",
})  # fmt: skip

_NAMES = {
    "application/csv": "text/csv",
    "application/ecmascript": "text/javascript",
    "application/javascript": "text/javascript",
    "application/jsonl": "text/plain",
    "application/ogg": "audio/ogg",
    "application/rtf": "text/rtf",
    "application/sql": "text/plain",
    "application/toml": "text/plain",
    "application/typescript": "text/plain",
    "application/x-httpd-php": "text/plain",
    "application/x-javascript": "text/javascript",
    "application/x-ndjson": "text/plain",
    "application/x-pdf": "application/pdf",
    "application/x-python": "text/x-python",
    "application/x-python-code": "text/x-python",
    "application/x-sh": "text/plain",
    "application/x-yaml": "text/plain",
    "application/xhtml+xml": "text/html",
    "application/xml": "text/xml",
    "application/yaml": "text/plain",
    "audio/aacp": "audio/aac",
    "audio/m4a": "audio/mp4",
    "audio/mp4a-latm": "audio/mp4",
    "audio/mpeg": "audio/mp3",
    "audio/mpeg3": "audio/mp3",
    "audio/mpga": "audio/mp3",
    "audio/vnd.wave": "audio/wav",
    "audio/vorbis": "audio/ogg",
    "audio/wave": "audio/wav",
    "audio/x-aac": "audio/aac",
    "audio/x-aiff": "audio/aiff",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-mp3": "audio/mp3",
    "audio/x-mpeg": "audio/mp3",
    "audio/x-pn-wav": "audio/wav",
    "audio/x-wav": "audio/wav",
    "image/heic-sequence": "image/heic",
    "image/heif-sequence": "image/heif",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "text/json": "application/json",
    "text/x-markdown": "text/markdown",
    "video/3gp": "video/3gpp",
    "video/3gpp2": "video/3gpp",
    "video/flv": "video/x-flv",
    "video/mpegps": "video/mpeg",
    "video/mpg": "video/mpeg",
    "video/msvideo": "video/avi",
    "video/quicktime": "video/mov",
    "video/x-m4v": "video/mp4",
    "video/x-ms-wmv": "video/wmv",
    "video/x-msvideo": "video/avi",
}
_UNKNOWN = "application/octet-stream"
_RAW_AUDIO = frozenset({"audio/l16", "audio/pcm"})
_SOUND_OF = {"video/3gpp": "audio/mp4", "video/mp4": "audio/mp4", "video/webm": "audio/webm"}

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ADIF", "audio/aac"),
    (b"ID3\x02", "audio/mp3"),
    (b"ID3\x03", "audio/mp3"),
    (b"ID3\x04", "audio/mp3"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "video/wmv"),
)
_CHUNKS = {
    (b"RIFF", b"WAVE"): "audio/wav",
    (b"RIFF", b"WEBP"): "image/webp",
    (b"RIFF", b"AVI "): "video/avi",
    (b"FORM", b"AIFF"): "audio/aiff",
    (b"FORM", b"AIFC"): "audio/aiff",
}
_BRANDS = {
    b"avif": "image/avif", b"avis": "image/avif",
    b"heic": "image/heic", b"heix": "image/heic", b"heim": "image/heic", b"heis": "image/heic",
    b"hevc": "image/heic", b"hevx": "image/heic", b"hevm": "image/heic", b"hevs": "image/heic",
    b"mif1": "image/heif", b"mif2": "image/heif", b"msf1": "image/heif",
    b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"M4P ": "audio/mp4", b"F4A ": "audio/mp4",
    b"qt  ": "video/mov",
}  # fmt: skip
_QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_MARKUP = (
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<!doctype svg", "image/svg+xml"),
    (b"<svg", "image/svg+xml"),
)
_CONTROLS = bytes(sorted(set(range(0x20)) - set(b"\b\t\n\f\r\x1b")))
_BOM_AND_SPACE = b"\xef\xbb\xbf \t\r\n\0"

# The types built into Python only: what /etc/mime.types adds differs from host to host.
_COMMON, _STANDARD = mimetypes.MimeTypes().types_map
_SUFFIXES = {
    **_COMMON, **_STANDARD, ".md": "text/markdown", ".csv": "text/csv", ".ts": "text/plain",
    # What older versions of Python lack, or know as another medium.
    ".3gp": "video/3gpp", ".3gpp": "video/3gpp", ".aac": "audio/aac", ".flac": "audio/flac", ".flv": "video/x-flv",
    ".heic": "image/heic", ".heif": "image/heif", ".jsonl": "text/plain", ".log": "text/plain", ".m4a": "audio/mp4",
    ".m4v": "video/mp4", ".mpga": "audio/mpeg", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".opus": "audio/opus",
    ".weba": "audio/webm", ".webm": "video/webm", ".webp": "image/webp", ".wmv": "video/wmv", ".yaml": "text/plain",
    ".yml": "text/plain",
}  # fmt: skip


def choose(head: bytes, declared: str | None, filename: str | None) -> str:
    """Name the type of the content that begins with `head`, as Gemini spells it.

    `head` should be the first `HEAD_BYTES` bytes. What they show wins over what is declared; where they show nothing,
    the declared type counts, then the file's name, and text is recognised as text. Within a container that can hold
    sound alone (MP4, WebM), a declared audio type is believed.

    Raises:
        MediaError: `unsupported_media_type`, if none of these gives a type that Gemini reads.
    """
    if not head:
        msg = "The content is empty. Send the bytes of the file."
        raise MediaError(msg, "unsupported_media_type")
    hints = [hint for hint in (gemini_name(declared), gemini_name(_named(filename))) if hint]
    readable = [hint for hint in hints if _is_readable(hint)]
    seen = sniff(head)
    if seen:
        sound = _SOUND_OF.get(seen)
        return sound if sound and sound in readable else seen
    plain = head.translate(None, _CONTROLS) == head
    markup = _markup(head) if plain else None
    for hint in readable:
        textual = hint.startswith("text/") or hint == "application/json"
        if plain if textual else not markup:
            return hint
    if plain and markup != "image/svg+xml" and "image/svg+xml" not in hints and _is_utf8(head):
        return markup or "text/plain"
    raise _unsupported(markup or (hints[0] if hints else None))


def gemini_name(mime: str | None) -> str | None:
    """`mime` under Gemini's name for it, without parameters; raw audio keeps them, because they hold its rate."""
    if not mime:
        return None
    bare = mime.partition(";")[0].strip().lower()
    if bare in _RAW_AUDIO:
        return mime.strip()
    return _NAMES.get(bare, bare)


def type_without_bytes(declared: str | None, *names: str | None) -> str | None:
    """The type of a file that only Google reads: the declared one, or what the first of `names` with an ending means.

    A declared type may be an ending itself (`webp`). MP3 keeps its usual name, `audio/mpeg`.
    """
    if declared and "/" in declared:
        return declared.strip()
    endings = [f".{declared.strip().lower().lstrip('.')}"] if declared else []
    for name in names:
        last = (name or "").rpartition("/")[2]
        # A bucket's object may be named with its generation, or a signed address with its signature.
        for shown in (last.partition("#")[0].partition("?")[0], last):
            _, dot, ending = shown.rpartition(".")
            endings += [f".{ending.lower()}"] if dot else []
    found = next((known for ending in endings if (known := _SUFFIXES.get(ending)) and known != _UNKNOWN), None)
    return found if found == "audio/mpeg" else gemini_name(found)


def sniff(head: bytes) -> str | None:
    """The type that the first bytes prove, as Gemini spells it, or None. Text proves nothing."""
    if not head:
        return None
    for prefix, mime in _PREFIXES:
        if head.startswith(prefix):
            return mime
    for probe in _PROBES:
        found = probe(head)
        if found:
            return found
    return None


def _chunked(head: bytes) -> str | None:
    return _CHUNKS.get((head[:4], head[8:12]))


def _iso_media(head: bytes) -> str | None:
    """MP4, QuickTime and their kin: the brands of the leading `ftyp` box distinguish them (ISO/IEC 14496-12, 4.3)."""
    kind = head[4:8]
    if head[0] >= 8:  # the length of the box; text, too, may hold "free" at its fifth letter
        return None
    if kind != b"ftyp":
        return "video/mov" if kind in _QUICKTIME_ATOMS else None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if major in {b"mif1", b"msf1"} and brands & {b"avif", b"avis"}:
        return "image/avif"
    if major.startswith(b"3g"):
        return "video/3gpp"
    return _BRANDS.get(major, "video/mp4")


def _ebml(head: bytes) -> str | None:
    return "video/webm" if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64] else None


def _pdf(head: bytes) -> str | None:
    return "application/pdf" if head.lstrip(_BOM_AND_SPACE).startswith(b"%PDF-") else None


def _audio_frame(head: bytes) -> str | None:
    """The header of a bare MPEG layer III frame, or of an ADTS frame (ISO/IEC 11172-3, 13818-7)."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac" if (head[2] >> 2) & 0x0F < 13 else None
    is_layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    return "audio/mp3" if is_layer_3 and head[2] >> 4 != 15 and head[2] & 0x0C != 0x0C else None


_PROBES: tuple[Callable[[bytes], str | None], ...] = (_chunked, _iso_media, _ebml, _pdf, _audio_frame)


def _markup(head: bytes) -> str | None:
    text = head.lstrip(_BOM_AND_SPACE).lower()
    for tag, mime in _MARKUP:
        if text.startswith(tag):
            return mime
    return "image/svg+xml" if text.startswith((b"<?xml", b"<!--")) and b"<svg" in text else None


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # not final: the head may end within a character
    except UnicodeDecodeError:
        return False
    return True


def _is_readable(mime: str) -> bool:
    bare = mime.partition(";")[0].strip().lower()
    return bare in _READABLE or bare.startswith("text/")


def _named(filename: str | None) -> str | None:
    if not filename:
        return None
    return _SUFFIXES.get("." + filename.rpartition(".")[2].lower())


def _unsupported(guess: str | None) -> MediaError:
    what = f"The content, taken for {guess[:60]!r}," if guess else "The content"
    return MediaError(
        f"{what} is of no type that Gemini reads. Convert it: images to PNG, JPEG, WebP, HEIC, HEIF, GIF or AVIF; "
        "sound to WAV, MP3, AAC, FLAC, OGG or AIFF; films to MP4, MOV, WebM, MPEG, AVI, WMV, FLV or 3GP; documents to "
        "PDF or UTF-8 text. "
        "Content without a signature needs its MIME type declared.",
        "unsupported_media_type",
    )
