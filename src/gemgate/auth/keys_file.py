"""GEMGATE_CLIENT_KEYS_FILE: client keys as YAML (so JSON will do), with an error for every fault of it."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, field_validator
from pydantic_core import ErrorDetails

from gemgate.auth.client_keys import (
    ClientKey,
    Limits,
    digest_of,
    owner_of_name,
)

_HASH = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII | re.IGNORECASE)
_NO_HASH = (
    "is not the hash of a key, which reads 'sha256:' and 64 hexadecimal digits; 'gemgate key new NAME' creates a key "
    "and its entry, 'gemgate key entry NAME' the entry of an existing key"
)

Steps = tuple[int | str, ...]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class KeysFileError(Exception):
    """The file cannot be taken over.

    Attributes:
        problems: What is wrong, a sentence each, which names the file, the line and the field.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class _Limits(_Strict):
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    concurrent_requests: PositiveInt | None = None
    usd_per_day: Dollars | None = None
    usd_per_month: Dollars | None = None


class _Entry(_Strict):
    name: Name
    hash: Annotated[list[str], Field(min_length=1)]
    owner: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] | None = None
    limits: _Limits = _Limits()
    models: Annotated[list[Pattern], Field(min_length=1)] | None = None

    @field_validator("hash", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("hash")
    @classmethod
    def _hashes(cls, value: list[str]) -> list[str]:
        if not all(_HASH.fullmatch(text) for text in value):
            raise ValueError(_NO_HASH)
        return value

    def key(self) -> ClientKey:
        return ClientKey(
            self.name,
            tuple(bytes.fromhex(text.partition(":")[2]) for text in self.hash),
            self.owner or owner_of_name(self.name),
            Limits(**self.limits.model_dump()),
            tuple(pattern.removeprefix("models/") for pattern in self.models) if self.models else None,
        )


class _File(_Strict):
    keys: list[_Entry]


def read_keys(path: Path) -> list[ClientKey]:
    """The keys in the file at `path`.

    Raises:
        KeysFileError: it cannot be read, is not YAML, or says what it must not.
    """
    try:
        return parse_keys(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise KeysFileError([f"{path}: cannot be read: {why}."]) from error


def entry_text(name: str, key: str, owner: str | None = None) -> str:
    """The entry of `key`, for a person to put into the file and to change: limits and models are in comments."""
    kept = (
        f"    owner: {owner}  # whose files and batches these are: the key's own, from before it had a name\n"
        if owner
        else ""
    )
    return (
        f"  - name: {name}\n"
        f"    hash: sha256:{digest_of(key).hex()}\n"
        f"{kept}"
        "    # limits:\n"
        "    #   requests_per_minute: 60\n"
        "    #   tokens_per_minute: 100000\n"
        "    #   concurrent_requests: 10\n"
        "    #   usd_per_month: 50\n"
        '    # models: ["gemini-2.5-*"]\n'
    )


def parse_keys(text: str, path: str) -> list[ClientKey]:
    """The keys in `text`; `path` is for messages.

    Raises:
        KeysFileError: as `read_keys`.
    """
    value, lines = _parse(text, path)
    if value is None:
        raise KeysFileError([f"{path}: the file is empty. To allow no key at all, write 'keys: []'."])
    if doubled := [lines.sentence(steps, "is given twice") for steps in lines.doubled]:
        raise KeysFileError(doubled)
    try:
        entries = _File.model_validate(value).keys
    except ValidationError as error:
        raise KeysFileError([_sentence(detail, lines) for detail in error.errors(include_url=False)]) from None
    if problems := list(_repeated(entries, lines)):
        raise KeysFileError(problems)
    return [entry.key() for entry in entries]


class _Lines:
    """Where each value is, by the steps that lead to it."""

    def __init__(self, path: str) -> None:
        self.doubled: list[Steps] = []
        self._path = path
        self._lines: dict[Steps, int] = {}

    def walk(self, node: yaml.Node, steps: Steps = ()) -> None:
        """Notes the lines of all that is below `node`."""
        self._lines.setdefault(steps, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.walk(item, (*steps, index))
        elif isinstance(node, yaml.MappingNode):
            for key, item in node.value:
                below = (*steps, str(key.value))
                if below in self._lines:
                    self.doubled.append(below)
                self._lines[below] = key.start_mark.line + 1
                self.walk(item, below)

    def sentence(self, steps: Steps, text: str) -> str:
        """What is wrong with the value at `steps`; one that is missing has the line of what it is missing in."""
        ways = (steps[:length] for length in range(len(steps), -1, -1))
        line = next((self._lines[way] for way in ways if way in self._lines), 1)
        return f"{self._path}, line {line}: {_dotted(steps)} {text}."


def _parse(text: str, path: str) -> tuple[object, _Lines]:
    lines = _Lines(path)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, lines
        lines.walk(node)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KeysFileError([f"{path}, line {line}: this is not YAML: {error.problem or error.context}."]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise KeysFileError([f"{path}: this is not YAML: {str(error).splitlines()[0]}."]) from None


def _dotted(steps: Steps) -> str:
    """`keys[1].limits`, for a person."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return f"'{text.removeprefix('.')}'" if text else "the file"


_FIELDS = {"keys": list(_Entry.model_fields), "limits": list(_Limits.model_fields), "": list(_File.model_fields)}

_MEANINGS = {
    "extra_forbidden": "is not a field",
    "missing": "is missing",
    "string_type": "must be a text; put it in quotes if it looks like a number or a word such as 'on'",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "list_type": "must be a list",
    "model_type": "must be fields with values, such as 'name: web-app'",
    "too_short": "must not be an empty list; leave it out if nothing is meant to be restricted",
    "greater_than": "must be greater than 0; leave it out for no limit",
}

_PATTERNS = {
    "name": "must begin with a letter or a digit, and hold up to 64 letters, digits, dots, dashes and underscores",
    "owner": "must be 16 hexadecimal digits, as 'gemgate key entry' prints them",
}


def _sentence(detail: ErrorDetails, lines: _Lines) -> str:
    steps: Steps = detail["loc"]
    kind, name = detail["type"], str(steps[-1]) if steps else ""
    text = _PATTERNS.get(name) if kind == "string_pattern_mismatch" else _MEANINGS.get(kind)
    text = text or detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        parent = next((step for step in reversed(steps[:-1]) if isinstance(step, str)), "")
        close = difflib.get_close_matches(name, _FIELDS[parent], n=1)
        text += f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(_FIELDS[parent])}"
    return lines.sentence(steps, text).replace("?.", "?")


def _repeated(entries: list[_Entry], lines: _Lines) -> Iterator[str]:
    names: dict[str, int] = {}
    hashes: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if (first := names.setdefault(entry.name, index)) != index:
            yield lines.sentence(("keys", index, "name"), f"is the name of 'keys[{first}]' too: each key has its own")
        for text in entry.hash:
            if (first := hashes.setdefault(text.lower(), index)) != index:
                yield lines.sentence(
                    ("keys", index, "hash"), f"is the hash of 'keys[{first}]' too: a key has one entry"
                )
