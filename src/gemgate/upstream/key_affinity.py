"""Files, caches and jobs belong to the Google project of one key: which of the gateway's keys, it remembers."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

_MAX = 10_000
_NAME_TEXT = (
    r"(?:models/[A-Za-z0-9][\w.-]{0,199}/operations|files|cachedContents|batches|fileSearchStores)"
    r"/[A-Za-z0-9][\w.-]{0,199}"
)
_NAME = re.compile(_NAME_TEXT, re.ASCII)
_BYTE_NAME = re.compile(_NAME_TEXT.encode())
_FIELDS = (b'"fileUri"', b'"file_uri"', b'"cachedContent"', b'"cached_content"')
_VALUES = re.compile(rb'"(?:fileUri|file_uri|cachedContent|cached_content)"\s*:\s*"([^"]{1,2000})"')


class KeyAffinity:
    """Which key knows a resource; bounded, and forgotten with the process: then the keys are tried in turn."""

    def __init__(self) -> None:
        self._labels: OrderedDict[str, str] = OrderedDict()

    def find(self, resources: Iterable[str]) -> str | None:
        """The label of the key that knows one of `resources`."""
        for name in resources:
            if label := self._labels.get(name):
                self._labels.move_to_end(name)
                return label
        return None

    def learn(self, resources: Iterable[str], label: str) -> None:
        """The key that is called `label` knows `resources`."""
        for name in resources:
            self._labels[name] = label
            self._labels.move_to_end(name)
        while len(self._labels) > _MAX:
            self._labels.popitem(last=False)

    def forget(self, resources: Iterable[str]) -> None:
        """What was known of `resources` is wrong."""
        for name in resources:
            self._labels.pop(name, None)


def resources_of(body: Mapping[str, Any] | bytes) -> list[str]:
    """The cache and the files that a native request names, such as `cachedContents/x` and `files/y`."""
    if isinstance(body, bytes):
        return _names_in(body)
    found = _names(body["cachedContent"]) if "cachedContent" in body else []
    contents = list(body.get("contents") or ())
    contents += [item.get("content") for item in body.get("requests") or () if isinstance(item, dict)]
    for content in contents:
        for part in content.get("parts") or () if isinstance(content, dict) else ():
            if isinstance(part, dict) and isinstance(data := part.get("fileData"), dict):
                found += _names(data.get("fileUri"))
    return found


def _names_in(body: bytes) -> list[str]:
    """The same of a body that is written already: every value in a field of such a name."""
    if not any(field in body for field in _FIELDS):
        return []
    return [name.decode() for text in _VALUES.findall(body) for name in _BYTE_NAME.findall(text)[-1:]]


def resources_in_path(path: str) -> list[str]:
    """The resource that a path such as `/v1beta/files/abc` is about."""
    return _names(path)


def resources_made(answer: Mapping[str, object]) -> list[str]:
    """What a call has made: its `name`, or that of the `file` in it."""
    made = answer.get("file") if isinstance(answer.get("file"), dict) else answer
    return _names(made.get("name")) if isinstance(made, dict) else []


def _names(text: object) -> list[str]:
    return _NAME.findall(text)[-1:] if isinstance(text, str) else []
