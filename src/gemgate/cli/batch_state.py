"""What `gemgate batch run` reads of its input, and what it remembers beside its output to go on later."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from gemgate.batch_limits import ENDPOINTS

_PIECE = 1_048_576
_LONGEST_LINE = 104_857_600
_VERSION = 1


class InputError(Exception):
    """The input cannot be a batch; the message names the line."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input file: its size in bytes, its SHA-256, and the endpoint that its lines call."""

    path: Path
    size: int
    sha256: str
    endpoint: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file once. Its lines are the gateway's to check; the first one names the endpoint.

        Raises:
            InputError: it cannot be read, is empty, or its first line names no endpoint.
        """
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                endpoint = _endpoint(path, stream.readline(_LONGEST_LINE) if path.stat().st_size else b"")
                stream.seek(0)
                while piece := stream.read(_PIECE):
                    digest.update(piece)
                return cls(path, stream.tell(), digest.hexdigest(), endpoint)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _endpoint(path: Path, line: bytes) -> str:
    line = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not line:
        raise InputError(f"{path} begins with an empty line, or is empty: each line is a request in JSON.")
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"Line 1 of {path} is not valid JSON: {error.msg} (column {error.colno}).") from None
    url = fields.get("url") if isinstance(fields, dict) else None
    if url not in ENDPOINTS:
        raise InputError(f"Line 1 of {path} has the url {url!r}: a batch calls one of {', '.join(ENDPOINTS)}.")
    return str(url)


@dataclass(slots=True)
class State:
    """How far a run has come. It belongs to one input at one gateway; for another it counts as absent."""

    sha256: str
    base_url: str
    file_id: str | None = None
    batch_id: str | None = None

    @classmethod
    def load(cls, path: Path, source: Input, base_url: str) -> Self:
        """The state at `path`; a new one if it is missing or belongs to something else."""
        new = cls(source.sha256, base_url)
        try:
            fields = orjson.loads(path.read_bytes())
            if fields.pop("version") != _VERSION:
                return new
            found = cls(**fields)
        except (OSError, orjson.JSONDecodeError, TypeError, AttributeError, KeyError):
            return new
        is_ours = (found.sha256, found.base_url) == (new.sha256, new.base_url)
        return found if is_ours else new

    def save(self, path: Path) -> None:
        """Write it: whole, or not at all."""
        draft = path.with_name(f"{path.name}.part")
        draft.write_bytes(orjson.dumps({"version": _VERSION, **asdict(self)}))
        draft.replace(path)


def state_path(output: Path) -> Path:
    """Where the state of a run with this output is."""
    return output.with_name(f"{output.name}.run.json")


def errors_path(output: Path) -> Path:
    """Where the errors of a run go by default: `out.errors.jsonl` beside `out.jsonl`."""
    return output.with_name(f"{output.stem}.errors{output.suffix}")


def batch_of(path: Path) -> str | None:
    """The batch that the state at `path` is about, if one was created."""
    try:
        batch_id = orjson.loads(path.read_bytes())["batch_id"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return str(batch_id) if batch_id else None
