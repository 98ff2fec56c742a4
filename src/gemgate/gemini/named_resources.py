"""What a request names of what somebody has made at Google: files, caches, jobs, stores, tuned models. No I/O.

Fields are not listed: every string of a body counts that can be a name, in whatever field of whatever method it is.
Left out are texts for the model, and what Google hands on to the model as it is.

The work is linear in the body, and a string is looked at for its first `LONGEST` characters only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize
from urllib.parse import unquote

from gemgate.gemini.resource_names import without_place

LONGEST = 8192
"""Characters of a string within which a name must begin; longer strings are media or text."""

_COLLECTIONS = (
    "files",
    "cachedContents",
    "batches",
    "batchPredictionJobs",
    "fileSearchStores",
    "generatedFiles",
    "tunedModels",
    "corpora",
    "ragStores",
    "projects",
    "operations",
)
_SPELLING = {name.lower(): name for name in (*_COLLECTIONS, "models")}
_END = r"[^/?#:&;,@=\s\"'<>]"
_NAME = re.compile(
    rf"(?:(?<![\w.-])((?:tuned)?models)/({_END}++)/)?(?<![\w.-])({'|'.join(_COLLECTIONS)})/({_END}++)",
    re.ASCII | re.IGNORECASE,
)
_SLASHES = re.compile(r"(?<!/)//++")
_DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_CONTROLS = dict.fromkeys([*range(0x20), 0x7F])

_GOOGLE_HOSTS = ("generativelanguage", "googleapis.com/v1", "googleapis.com/upload/v1", "googleapis.com/download/v1")
"""Parts of every URL of the Gemini API, also in one that hides it."""

_WORDS = frozenset(
    {
        "$id", "$ref", "$schema", "arguments", "code", "const", "content", "default", "description", "displayName",
        "display_name", "enum", "example", "examples", "filename", "format", "input", "instructions",
        "negativePrompt", "negative_prompt", "output", "pattern", "prompt", "refusal", "required", "stop",
        "stopSequences", "stop_sequences", "stringValue", "string_value", "text", "thoughtSignature",
        "thought_signature", "title", "user",
    }
)  # fmt: skip
"""Fields whose strings are words: Google never takes one for a name."""

_WHOLE = frozenset({"metadata", "labels"})
"""Fields with nothing but words in them, however deep."""

_CALLS = frozenset({"functionCall", "function_call", "toolCall", "tool_call"})
_RESPONSES = frozenset({"functionResponse", "function_response", "toolResponse", "tool_response"})

_CACHE = "cachedcontent"
"""The field for a cache, without underscores and capitals: its value may lack `cachedContents/` in OpenAI's API."""

_BATCH_INPUT = frozenset({"fileName", "file_name"})
"""Fields with a file's name (in `importFile`), or with that of the input of a batch."""

_BEFORE_SLASHES = (b"files", b"batches", b"stores", b"tunedmodels", b"corpora", b"operations", b"projects")
_FEW_SLASHES = 64
_MARKS = (b"cached", b"generativelanguage", b"googleapis", b"gs:")
_SPELLED = re.compile(rb"\\/|\\u00[0-7]|%[2-7][0-9a-f]")
"""ASCII written in another way; serialisers escape a few signs so that no name has, and letters never."""

_HINT = re.compile(rf"(?:{'|'.join(_COLLECTIONS)})/|[%\\\\]|gs:|googleapis|generativelanguage", re.IGNORECASE)
"""What a string has that is worth a closer look."""

MAX_NAMES = 1000
"""Names in one body; more are not looked up."""

_MAX_SPELLED = 5000
"""Strings with signs that stand for others, in one body: to read one takes microseconds."""

_PIECE = 1_048_576
_OVERLAP = 32
_HEAD = 12 * LONGEST + 1024
"""Bytes of a string that hold its first `LONGEST` characters however they are escaped, and a name that begins there."""


def may_name(raw: bytes) -> bool:
    """Whether a body can name anything at all: a search for bytes, which all others need not be read for."""
    if len(raw) <= _PIECE:
        return _has_mark(raw)
    for start, end in _searched(raw):
        for at in range(start, end, _PIECE):
            if _has_mark(raw[at : min(at + _PIECE + _OVERLAP, end)]):
                return True
    return False


def _searched(raw: bytes) -> Iterator[tuple[int, int]]:
    """The parts of a large body that may name something: all but what is too far behind the quote that begins it.

    Between two quotes is a string, or what is between strings, which names nothing: in both only the beginning counts.
    """
    start = at = 0
    while at + _HEAD < len(raw):
        quote = raw.rfind(b'"', at, at + _HEAD)
        if quote >= 0:
            at = quote + 1
            continue
        yield start, at + _HEAD
        start = at = raw.find(b'"', at + _HEAD)
        if at < 0:
            return
        at += 1
    yield start, len(raw)


def _has_mark(piece: bytes) -> bool:
    low = piece.lower()
    has_backslash = b"\\" in low
    is_escaped = b"%" in low or (has_backslash and b"\\u00" in low)
    if b"/" not in low and not is_escaped:  # a plain request: only a cache may be named without a slash
        return b"cached" in low
    for mark in _MARKS:  # faster than `any`: many requests come by
        if mark in low:
            return True
    if _names_collection(low):
        return True
    return (is_escaped or (has_backslash and b"\\/" in low)) and _SPELLED.search(low) is not None


def _names_collection(low: bytes) -> bool:
    if low.count(b"/") > _FEW_SLASHES:
        return any(word + b"/" in low for word in _BEFORE_SLASHES)
    return any(piece.endswith(_BEFORE_SLASHES) for piece in low.split(b"/")[:-1])


@dataclass(slots=True)
class Named:
    """What a body names.

    Attributes:
        names: Resources, such as `files/abc`; what points at Google and cannot be understood is here as it is.
        inputs: Those of them that are in a field for the input of a batch.
        models: Values of fields called `model`, as they are.
        is_too_much: Whether there is more than is looked at: the rest is missing.
    """

    names: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    is_too_much: bool = False
    _spelled: int = 0

    def take(self, key: str, text: str, hosts: Sequence[str]) -> None:
        """What the string `text` in the field `key` names."""
        if key in _WORDS or not text:
            return
        if key in ("model", "baseModel", "base_model"):
            self.models.add(text[:LONGEST])
        names = list(_names(text[:LONGEST], hosts)) if self._is_worth_a_look(text) else []
        if not names and "/" not in text:
            names = [f"{top}/{text.strip()[:LONGEST]}"] if (top := _collection_of(key)) else []
        self.names.update(names)
        if key in _BATCH_INPUT:
            self.inputs.update(names)
        self.is_too_much = self._spelled > _MAX_SPELLED or len(self.names) > MAX_NAMES or len(self.models) > MAX_NAMES

    def _is_worth_a_look(self, text: str) -> bool:
        if _HINT.search(text, 0, LONGEST) is None:
            return False
        self._spelled += "%" in text or "\\" in text
        return True


def named_in(value: object, upstream: str = "") -> Named:
    """What the parsed body `value` names; `upstream` is the host of Google's API, where it is another than usual."""
    hosts = (*_GOOGLE_HOSTS, upstream.lower()) if upstream else _GOOGLE_HOSTS
    found = Named()
    stack: list[tuple[str, str, object]] = [("", "", value)]
    while stack and not found.is_too_much:
        parent, key, item = stack.pop()
        if isinstance(item, str):
            found.take(key, item, hosts)
        elif isinstance(item, dict):
            for name, inner in item.items():
                if name not in _WHOLE and not _is_free(key, name):
                    stack.append((key, name, inner))
        elif isinstance(item, list):
            stack.extend((parent, key, inner) for inner in item)
    return found


def _is_free(parent: str, key: str) -> bool:
    """Whether it is what a function is called with, or has answered."""
    if key == "args":
        return parent in _CALLS
    if key == "arguments":
        return parent == "function" or parent in _CALLS
    return key == "response" and parent in _RESPONSES


def _collection_of(key: str) -> str:
    """What a value of this field is, that does not say so itself."""
    if key in _BATCH_INPUT:
        return "files"
    return "cachedContents" if key.replace("_", "").lower() == _CACHE else ""


def _names(text: str, hosts: Sequence[str]) -> Iterator[str]:
    """The resources in a string that is a name or an address; a sentence has none."""
    plain = _plain(text)
    if "projects/" in plain:
        plain = without_place(plain)
    low = plain.lower()
    is_googles = any(host in low for host in hosts)
    scheme = low.partition("://")[0] if "://" in low else ""
    if not is_googles and (low.startswith("data:") or " " in low or scheme in ("http", "https")):
        return
    names = [_joined(match) for match in _NAME.finditer(_SLASHES.sub("/", plain))]
    if scheme == "gs" or low.startswith("gs:") or (is_googles and not names) or (names and _DOTS.search(low)):
        names.append(plain[:200])
    yield from names


def _plain(text: str) -> str:
    """As the most lenient reader of addresses would take it."""
    if not text.isascii():
        text = normalize("NFKC", text)
    for _ in range(3):
        if "%" not in text:
            break
        text = unquote(text)
    return text.replace("\\", "/").translate(_CONTROLS).strip()


def _joined(match: re.Match[str]) -> str:
    owner, of, collection, name = match.groups()
    low = collection.lower()
    if owner and low == "operations":
        return f"{_SPELLING[owner.lower()]}/{of}/operations/{name}"
    return f"{_SPELLING[low]}/{name}"
