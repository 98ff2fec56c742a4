"""Content that arrives inside the request, as base64 text or as a data URL.

The pure half of the package is re-exported here.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import pybase64

from gemgate.media.classify import Source, classify
from gemgate.media.errors import Code, MediaError
from gemgate.media.sniff import HEAD_BYTES, choose

__all__ = ["Code", "Inline", "MediaError", "Source", "classify", "from_bytes", "inline", "parse_data_url"]

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_HEAD_CHARS = -(-HEAD_BYTES // 3) * 4
_LONGEST_HEADER = 1024


@dataclass(frozen=True, slots=True)
class Inline:
    """What Gemini's `inlineData` takes: a MIME type that Gemini knows, and standard, padded base64."""

    mime: str
    data: str = field(repr=False)


def inline(data_b64: str, declared: str | None = None, filename: str | None = None) -> Inline:
    """Check base64 text and find the MIME type of what it holds.

    Whitespace, the URL-safe alphabet and missing padding are repaired; text that needs no repair is not copied.
    The first bytes decide the type; `declared` (a MIME type) and then `filename` are asked where they do not say.

    Raises:
        MediaError: `invalid_base64`, or `unsupported_media_type`.
    """
    data = _checked(data_b64)
    head = pybase64.b64decode(data[:_HEAD_CHARS])
    return Inline(choose(head, declared, filename), data)


def from_bytes(content: bytes | bytearray, declared: str | None = None, filename: str | None = None) -> Inline:
    """Like `inline`, for content that is not base64 yet.

    Raises:
        MediaError: `unsupported_media_type`.
    """
    mime = choose(bytes(content[:HEAD_BYTES]), declared, filename)
    return Inline(mime, pybase64.b64encode_as_string(content))


def parse_data_url(url: str, filename: str | None = None) -> Inline:
    """Read a data URL (RFC 2397), as strictly as safe and as tolerantly as clients need.

    Any letter case, parameters beside `base64`, a missing MIME type, percent-encoding, and all that `inline` repairs.

    Raises:
        MediaError: `invalid_image_url`, `invalid_base64`, or `unsupported_media_type`.
    """
    text = url.lstrip()
    comma = text.find(",", 0, _LONGEST_HEADER)
    if text[:5].lower() != "data:" or comma < 0:
        msg = (
            "The data URL has no comma between its type and its content. "
            "Write it as data:<MIME type>;base64,<content>, for example data:image/png;base64,iVBORw0KGgo…"
        )
        raise MediaError(msg, "invalid_image_url")
    mime, *parameters = (word.strip() for word in text[5:comma].split(";"))
    is_base64 = any(word.lower() == "base64" for word in parameters)
    declared = None if mime.lower() == "base64" else mime or None
    payload = text[comma + 1 :]
    if is_base64 or mime.lower() == "base64":
        return inline(_unquoted(payload), declared, filename)
    return from_bytes(_percent_decoded(payload), declared, filename)


def _checked(text: str) -> str:
    """`text` itself if it is standard base64, else the standard spelling of it."""
    if not _is_base64(text):
        bare = text.encode("utf-8", "surrogatepass").translate(_URL_SAFE, b" \t\n\r\f\v").rstrip(b"=")
        text = bare.decode("utf-8", "surrogatepass") + "=" * (-len(bare) % 4)
        if not _is_base64(text):
            raise _not_base64(text.rstrip("="))
    if not text:
        msg = "The content is empty. Send the bytes of the file as base64."
        raise MediaError(msg, "invalid_base64")
    return text


def _is_base64(text: str) -> bool:
    try:
        pybase64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _not_base64(text: str) -> MediaError:
    wrong = _NOT_BASE64.search(text)
    if wrong is None:
        problem = f"it breaks off: {len(text)} characters cannot be a whole number of bytes"
    else:
        problem = f"{wrong.group()!a} is not a base64 character"
    return MediaError(
        f"The content is not valid base64: {problem}. Encode the bytes of the file as base64 (RFC 4648); "
        "a URL goes into a field that takes URLs.",
        "invalid_base64",
    )


def _unquoted(payload: str) -> str:
    # A "%" is never base64, so it can only come from a client that percent-encoded "+", "/" or "=".
    return _percent_decoded(payload).decode("latin-1") if "%" in payload else payload


def _percent_decoded(payload: str) -> bytes:
    try:
        return unquote_to_bytes(payload)
    except UnicodeEncodeError:
        msg = "The data URL holds half of a surrogate pair, which is not valid text. Send the content as base64."
        raise MediaError(msg, "invalid_image_url") from None
