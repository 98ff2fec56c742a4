"""What a caller may ask of a batch job in Vertex AI that runs with the gateway's credentials. No I/O.

Such a job reads and writes objects with the rights of the gateway's project. So it is put together again from what is
known here: objects below the caller's own folder in the operator's bucket, and nothing of what would lend a job other
rights, machines or data, such as `serviceAccount`, `dedicatedResources` and tables of BigQuery.

Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gemgate.errors import ApiError

FOLDERS = "callers"
"""Below this in the bucket, each caller has a folder of its own."""

RESERVED = "gemgate-"
"""What the names of the gateway's own jobs begin with, by which it finds them again."""

MAX_URIS = 100

_FIELDS = frozenset({"model", "displayName", "inputConfig", "outputConfig", "labels"})
_MODEL = re.compile(
    r"(?:(?:projects/[^/]{1,120}/locations/[^/]{1,60}/)?publishers/google/)?(?:models/)?([A-Za-z0-9][A-Za-z0-9._-]{0,199})",
    re.ASCII,
)
_SEGMENT = re.compile(r"[\w.()+=@,-]{1,255}", re.ASCII)
_MAX_NAME = 128
_MAX_LABELS = 64


class JobOrder(NamedTuple):
    """A job that may be created.

    Attributes:
        model: Without a prefix.
        display_name: As given.
        sources: The keys of the objects with its requests, in the operator's bucket.
        destination: The address below which its results go.
        labels: For the billing export.
    """

    model: str
    display_name: str
    sources: tuple[str, ...]
    destination: str
    labels: Mapping[str, str]

    def body(self, sources: list[str]) -> dict[str, object]:
        """The body that creates it, with requests at `sources`."""
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {
            "displayName": self.display_name,
            "model": f"publishers/google/models/{self.model}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": sources}},
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": self.destination}},
            **labels,
        }


class CallerFolder(NamedTuple):
    """The place in the operator's bucket whose objects jobs of one caller may read and write.

    Attributes:
        key: Its key, which ends in a slash.
        uri: Its address, which does too.
    """

    key: str
    uri: str

    def object_at(self, uri: object, param: str) -> str:
        """The key of the object that is called `uri`.

        Raises:
            ApiError: 400, it is elsewhere, or no name that is read in one way only.
        """
        name = uri.removeprefix(self.uri) if isinstance(uri, str) and uri.startswith(self.uri) else ""
        segments = name.split("/")
        if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
            shown = f"'{uri[:200]}'" if isinstance(uri, str) else "this value"
            msg = (
                f"Invalid value for '{param}': {shown}. Jobs run with the gateway's credentials, so that yours read "
                f"and write objects below {self.uri} alone, whose names have letters, digits and _.()+=@,- between "
                "slashes."
            )
            raise ApiError(400, msg, param=param, code="bucket_not_allowed")
        return self.key + name


def ordered(value: object, folder: CallerFolder) -> JobOrder:
    """The job that the body `value` asks for.

    Raises:
        ApiError: 400 that names the field which is missing, or not allowed.
    """
    given = _object(value, "", _FIELDS)
    source = _object(given.get("inputConfig"), "inputConfig", frozenset({"instancesFormat", "gcsSource"}))
    target = _object(given.get("outputConfig"), "outputConfig", frozenset({"predictionsFormat", "gcsDestination"}))
    forms = {"inputConfig": source.get("instancesFormat"), "outputConfig": target.get("predictionsFormat")}
    for place, form in forms.items():
        if form != "jsonl":
            raise _invalid(place, "Its format has to be 'jsonl': the gateway's credentials are not used for BigQuery.")
    uris = _object(source.get("gcsSource"), "inputConfig.gcsSource", frozenset({"uris"})).get("uris")
    if not isinstance(uris, list) or not 0 < len(uris) <= MAX_URIS:
        raise _invalid("inputConfig.gcsSource.uris", f"It is a list of 1 to {MAX_URIS} addresses of objects.")
    prefix = "outputConfig.gcsDestination"
    written = _object(target.get("gcsDestination"), prefix, frozenset({"outputUriPrefix"})).get("outputUriPrefix")
    below = written.removesuffix("/") if isinstance(written, str) else written
    folder.object_at(below, f"{prefix}.outputUriPrefix")
    return JobOrder(
        _model(given.get("model")),
        _name(given.get("displayName")),
        tuple(folder.object_at(uri, "inputConfig.gcsSource.uris") for uri in uris),
        str(below),
        _labels(given.get("labels")),
    )


def _object(value: object, param: str, known: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _invalid(param or "body", "It has to be an object.")
    if unknown := sorted(str(name) for name in value.keys() - known):
        name = f"{param}.{unknown[0]}" if param else unknown[0]
        raise _invalid(name[:200], f"With the gateway's credentials a job may have {', '.join(sorted(known))} there.")
    return value


def _model(value: object) -> str:
    found = _MODEL.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _invalid("model", "It has to be a model of Google's, such as publishers/google/models/gemini-2.5-flash.")
    return found[1]


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or value.lower().startswith(RESERVED):
        raise _invalid("displayName", f"It has 1 to {_MAX_NAME} characters, and does not begin with '{RESERVED}'.")
    return value


def _labels(value: object) -> Mapping[str, str]:
    labels = value if value is not None else {}
    if (
        not isinstance(labels, dict)
        or len(labels) > _MAX_LABELS
        or not all(isinstance(v, str) for v in labels.values())
    ):
        raise _invalid("labels", f"It is an object of at most {_MAX_LABELS} strings.")
    return labels


def _invalid(param: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid value for '{param}'. {why}", param=param, code="invalid_value")
