"""Which of Google's methods pass, and what becomes of each. No I/O.

A path is taken apart and put together again from names and words of this table: whatever a caller wrote, nothing else
reaches Google. Sources: Google's schema of v1beta, google-genai 3.6 (Python) and @google/genai 2.32.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

SHARED_VERSION = "v1"
"""OpenAI's API lives below it too."""

SHARED = frozenset({"models", "files", "batches", "decisions"})
"""Collections of both APIs below `v1`."""


class Kind(StrEnum):
    """What the gateway does beside passing bytes."""

    PLAIN = "plain"
    UPLOAD = "upload"
    FILE = "file"
    FILE_LIST = "file list"
    FILE_DELETE = "file delete"
    DOWNLOAD = "download"
    JOB = "job"


@dataclass(frozen=True)
class Method:
    """One method of Google's API.

    Attributes:
        verb: The HTTP method.
        template: What follows the version, such as `models/{name}:generateContent`.
        kind: Which part of the gateway serves it.
        prefix: What is before the version.
        lists: The field of the answer with resources, of a method that lists them.
        makes: Whether the answer names what belongs to the caller from then on.
    """

    verb: str
    template: str
    kind: Kind = Kind.PLAIN
    prefix: str = ""
    lists: str = ""
    makes: bool = False

    def __str__(self) -> str:
        return f"{self.verb} /{self.prefix}{{version}}/{self.template}"

    @cached_property
    def top(self) -> str:
        """The collection, such as `models`."""
        return self.template.partition("/")[0].partition(":")[0]

    @property
    def decides(self) -> bool:
        """Whether it is the Decisions API, whose model is in the body."""
        return self.template == "decisions"

    @cached_property
    def call(self) -> str:
        """What follows the colon, such as `generateContent`; empty without one."""
        return self.template.partition(":")[2]

    @cached_property
    def parameters(self) -> Mapping[str, frozenset[str] | None]:
        """The parameters that its query may have, and the values of each; None: any.

        Source: Google's schema of v1beta. Its system parameters are not among them, but `alt`.
        """
        return _parameters(self)


@dataclass(frozen=True, slots=True)
class MatchedMethod:
    """A request for a known method.

    Attributes:
        method: Which.
        path: The native path, made of `method` and names alone.
        names: The names in it, in their order.
        is_shared: Whether OpenAI's API has a resource at the same path.
        template: The path with places for names, for metrics.
    """

    method: Method
    path: str
    names: tuple[str, ...]
    is_shared: bool
    template: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A request below one of Google's versions that matches none of its methods; `known` are those that are near."""

    known: tuple[str, ...]
    is_shared: bool


_ALT = {
    Kind.DOWNLOAD: frozenset({"json", "media"}),
    Kind.FILE: frozenset({"json", "media"}),
}
_ALT_OF_A_CALL = frozenset({"json", "sse"})
_FORCED = frozenset({"fileSearchStores/{name}", "fileSearchStores/{name}/documents/{name}"})


def _parameters(method: Method) -> Mapping[str, frozenset[str] | None]:
    names: list[str] = []
    if method.lists or method.template.endswith("/documents"):
        names += ["pageSize", "pageToken", "filter"]
    if method.lists == "operations":
        names.append("returnPartialSuccess")
    if method.verb == "GET":
        names.append("view")
    if method.verb == "PATCH":
        names.append("updateMask")
    if method.verb == "DELETE" and method.template in _FORCED:
        names.append("force")
    if method.kind is Kind.UPLOAD:
        names += ["uploadType", "upload_id", "upload_protocol"]
    is_call = bool(method.call) and not method.makes and method.kind is Kind.PLAIN
    alt = _ALT_OF_A_CALL if is_call else frozenset({"json"})
    return {"alt": _ALT.get(method.kind, alt), **dict.fromkeys(names)}


_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"


_ANSWERS = ("generateContent", "streamGenerateContent")
_JOBS = ("batchGenerateContent", "asyncBatchEmbedContent")
_MORE = ("countTokens", "embedContent", "batchEmbedContents", "predict", "generateAnswer")


def _methods() -> list[Method]:
    return [
        *_models("models", (*_ANSWERS, *_MORE), (*_JOBS, "predictLongRunning")),
        *_models("tunedModels", _ANSWERS, _JOBS),
        *(Method("POST", f"dynamic/{{name}}:{call}") for call in _ANSWERS),
        Method("POST", "decisions"),
        *_collection("cachedContents"),
        Method("PATCH", "cachedContents/{name}"),
        Method("GET", "batches", lists="operations"),
        Method("GET", "batches/{name}"),
        Method("DELETE", "batches/{name}"),
        Method("POST", "batches/{name}:cancel"),
        Method("PATCH", "batches/{name}:updateGenerateContentBatch"),
        Method("PATCH", "batches/{name}:updateEmbedContentBatch"),
        *_files(),
        *_collection("fileSearchStores"),
        Method("POST", "fileSearchStores/{name}:importFile"),
        Method("POST", "fileSearchStores/{name}:uploadToFileSearchStore", Kind.UPLOAD, "upload/"),
        Method("GET", "fileSearchStores/{name}/documents"),
        Method("GET", "fileSearchStores/{name}/documents/{name}"),
        Method("DELETE", "fileSearchStores/{name}/documents/{name}"),
        Method("GET", "fileSearchStores/{name}/operations/{name}"),
        Method("GET", "fileSearchStores/{name}/upload/operations/{name}"),
    ]


def _models(top: str, calls: Iterable[str], making: Iterable[str]) -> list[Method]:
    one = f"{top}/{{name}}"
    return [
        Method("GET", top, lists=top),
        Method("GET", one),
        *(Method("POST", f"{one}:{call}") for call in calls),
        *(Method("POST", f"{one}:{call}", makes=True) for call in making),
        Method("GET", f"{one}/operations", lists="operations"),
        Method("GET", f"{one}/operations/{{name}}", makes=True),
    ]


def _collection(name: str) -> list[Method]:
    one = f"{name}/{{name}}"
    making = Method("POST", name, makes=True)
    return [making, Method("GET", name, lists=name), Method("GET", one), Method("DELETE", one)]


def _files() -> list[Method]:
    """`files:register` is not there: it takes an OAuth token, and the gateway knows keys."""
    return [
        Method("POST", "files", Kind.UPLOAD, "upload/"),
        Method("PUT", "files", Kind.UPLOAD, "upload/"),
        Method("POST", "files", makes=True),
        Method("GET", "files", Kind.FILE_LIST, lists="files"),
        Method("GET", "files/{name}", Kind.FILE),
        Method("DELETE", "files/{name}", Kind.FILE_DELETE),
        Method("GET", "files/{name}:download", Kind.DOWNLOAD),
        Method("GET", "files/{name}:download", Kind.DOWNLOAD, "download/"),
        Method("GET", "generatedFiles", lists="generatedFiles"),
        Method("GET", "generatedFiles/{name}"),
        Method("GET", "generatedFiles/{name}/operations/{name}"),
    ]


METHODS: tuple[Method, ...] = tuple(_methods())

_ADDRESS = re.compile(
    r"/(?P<prefix>upload/|download/|)(?P<version>v1(?:beta|alpha)?)/(?P<rest>(?P<top>[A-Za-z]++).*)", re.ASCII
)


def _pattern(template: str) -> re.Pattern[str]:
    literal = (re.escape(piece) for piece in template.split("{name}"))
    return re.compile(f"({_NAME})".join(literal), re.ASCII)


def _by_collection() -> Mapping[tuple[str, str], list[tuple[re.Pattern[str], Method]]]:
    found: dict[tuple[str, str], list[tuple[re.Pattern[str], Method]]] = {}
    for method in METHODS:
        found.setdefault((method.prefix, method.top), []).append((_pattern(method.template), method))
    return found


_TABLE = _by_collection()


def find(verb: str, path: str) -> MatchedMethod | Unknown | None:
    """The method that a request asks for; None when the path is not below one of Google's collections.

    Args:
        verb: The HTTP method.
        path: Percent-decoded, without the query.
    """
    address = _ADDRESS.fullmatch(path)
    if address is None or (rows := _TABLE.get((address["prefix"], address["top"]))) is None:
        return None
    prefix, version, rest = address["prefix"], address["version"], address["rest"]
    is_shared = not prefix and version == SHARED_VERSION and address["top"] in SHARED
    for pattern, method in rows:
        if method.verb == verb and (names := pattern.fullmatch(rest)) is not None:
            head, is_plain = f"/{prefix}{version}/", not method.call
            return MatchedMethod(method, head + rest, names.groups(), is_shared and is_plain, head + method.template)
    return Unknown(tuple(str(method) for _, method in rows), is_shared)


def collections() -> list[str]:
    """What can follow the version."""
    return sorted({f"{prefix}{{version}}/{top}" for prefix, top in _TABLE})
