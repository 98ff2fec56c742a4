"""Who can read a URL: nobody needs to (data), Google, or the gateway."""

import re
from typing import Literal

from yarl import URL

from gemgate.media.sniff import type_without_bytes

Source = Literal["data", "google", "remote", "unsupported"]

LONGEST_URL = 8192
"""Characters; what is longer is no URL but, say, base64 in the wrong field."""

UNREADABLE = (ValueError, IndexError)
"""What yarl raises for text that is no URL; IndexError (yarl 1.25) for an empty host after brackets: `https://[]@`."""

_KNOWN_SCHEME = re.compile(r"(?:https?|gs)://", re.IGNORECASE)
_FILE_NAME = re.compile(r"files/[a-zA-Z0-9_-]+")
_FILE_PATH = re.compile(r"/v\d++(?:alpha|beta)?\d*+/files/[a-zA-Z0-9_-]+")
_VIDEO_PATH = re.compile(r"/(?:shorts|live|embed)/[\w-]+/?")
_YOUTUBE = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"})
_SHORT_YOUTUBE = frozenset({"youtu.be", "www.youtu.be"})


def classify(url: str) -> Source:
    """Say where the bytes behind `url` come from.

    - `data`: the URL holds them; see `parse_data_url`.
    - `google`: `gs://…`, a YouTube video, a URI of the Files API, or a bare `files/…` name. Google reads it itself, so
      it goes out as `fileData` (a bare name has to become a URI first).
    - `remote`: any other http(s) URL; see `gemgate.media.fetch`.
    - `unsupported`: everything else.
    """
    if url.lstrip()[:5].lower() == "data:":
        return "data"
    if len(url) > LONGEST_URL:
        return "unsupported"
    if _FILE_NAME.fullmatch(url):
        return "google"
    if not _KNOWN_SCHEME.match(url):
        return "unsupported"
    try:
        parsed = URL(url)
    except UNREADABLE:
        return "unsupported"
    host = parsed.raw_host
    if not host:
        return "unsupported"
    if parsed.scheme == "gs":
        return "google" if len(parsed.path) > 1 else "unsupported"
    return "google" if _google_reads(parsed, host) else "remote"


def google_type(url: str, declared: str | None = None, filename: str | None = None) -> str | None:
    """The MIME type to declare for a URL that Google reads itself; None where nothing gives one.

    The caller's word counts first, then the ending of the file's name, then that of the URL. A URI of the Files API has
    no ending, and Google knows the type of its own file. A video of YouTube's is an MP4.
    """
    if _FILE_NAME.fullmatch(url):
        return type_without_bytes(declared, filename)
    try:
        parsed = URL(url)
    except UNREADABLE:
        return type_without_bytes(declared, filename)
    if parsed.scheme == "gs":
        return type_without_bytes(declared, filename, url)
    if parsed.raw_host == "generativelanguage.googleapis.com":
        return type_without_bytes(declared, filename)
    if _google_reads(parsed, parsed.raw_host or ""):
        return type_without_bytes(declared, filename) or "video/mp4"
    return type_without_bytes(declared, filename, parsed.path)


def _google_reads(url: URL, host: str) -> bool:
    if host == "generativelanguage.googleapis.com":
        return url.scheme == "https" and _FILE_PATH.fullmatch(url.path) is not None
    if host in _SHORT_YOUTUBE:
        return len(url.path) > 1
    if host in _YOUTUBE:
        return (url.path.rstrip("/") == "/watch" and "v" in url.query) or _VIDEO_PATH.fullmatch(url.path) is not None
    return False
