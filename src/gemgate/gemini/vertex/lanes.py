"""Where Vertex AI answers: projects, locations, their hosts, and the URLs of models there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

import httpx

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX, model_path

GLOBAL = "global"
"""The location without a region, which new models come to first."""

_LOCATION = re.compile(r"[a-z][a-z0-9-]{1,39}", re.ASCII)
_PROJECT = re.compile(r"(?:[a-z0-9.-]{1,80}:)?[a-z0-9][a-z0-9-]{2,62}", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._*?/-]{0,199}", re.ASCII)
_FORM = "an entry is PATTERN=LOCATION or PATTERN=LOCATION,LOCATION, and entries are separated by ';'"

LocationTable = dict[str, tuple[str, ...]]
"""The locations by patterns of models' names, as of `fnmatch`; the first pattern that fits a name counts."""


def host_of(location: str) -> str:
    """The origin that serves `location`.

    Source: google-genai 3.6.1, `_api_client.py`. There is no `global-aiplatform.googleapis.com`, and the multi-regions
    `us` and `eu` have hosts of another form.
    """
    if location == GLOBAL:
        return "https://aiplatform.googleapis.com"
    if "-" not in location:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def checked_project(project: str) -> str:
    """`project`, as it may stand in a path: an id or a number.

    Raises:
        ValueError: it is neither.
    """
    if not _PROJECT.fullmatch(project):
        raise ValueError(f"{project[:80]!r} is not the id of a project, such as my-project-123")
    return project


def checked_location(location: str) -> str:
    """`location`, as it may stand in a path and in the name of a host.

    Raises:
        ValueError: it cannot be one.
    """
    if not _LOCATION.fullmatch(location):
        raise ValueError(f"{location[:80]!r} is not a location, such as global, eu or europe-west4")
    return location


def parse_locations(text: str) -> LocationTable:
    """The table that `text` describes, such as `gemini-2.5-*=europe-west4,us-central1; veo-*=us-central1`.

    Raises:
        ValueError: it says which entry is wrong, and why.
    """
    table: LocationTable = {}
    for entry in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        pattern, equals, locations = (part.strip() for part in entry.partition("="))
        if not equals or not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{entry[:80]!r} is no entry: {_FORM}")
        if pattern in table:
            raise ValueError(f"{pattern!r} is there twice: write all its locations into one entry")
        names = [checked_location(name.strip()) for name in locations.split(",")]
        table[pattern] = tuple(dict.fromkeys(names))
    return table


def written_locations(table: Mapping[str, Sequence[str]]) -> str:
    """The text that `parse_locations` reads."""
    return "; ".join(f"{pattern}={','.join(locations)}" for pattern, locations in table.items())


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to Vertex AI, which takes a key's place: a project in a location, or a key of the express mode.

    Attributes:
        name: What it is called in logs and metrics, and between processes.
        origin: The host that is asked, with its scheme.
        project: The id of the project; empty in the express mode.
        location: Where; empty in the express mode.
        api_key: The key of the express mode; empty where a bearer token is sent.
    """

    name: str
    origin: str
    project: str = ""
    location: str = ""
    api_key: str = field(default="", repr=False)

    @property
    def is_express(self) -> bool:
        """Whether a key alone says which project pays."""
        return bool(self.api_key)

    @property
    def parent(self) -> str:
        """The path below which everything of this lane is: `/v1/projects/p/locations/l`, or `/v1`."""
        return "/v1" if self.is_express else f"/v1/projects/{self.project}/locations/{self.location}"

    def model_url(self, model: str, method: str) -> httpx.URL:
        """Where a method of a model is.

        Args:
            model: Such as `gemini-2.5-flash`, `models/x`, `vertex/x` or `endpoints/123`.
            method: Such as `countTokens`; a query may follow.

        Raises:
            InvalidNameError: `model` is not a name.
            GeminiError: 404, models of this kind are not here.
        """
        return _model_url(self, model, method)

    def resource_of(self, model: str) -> str:
        """The path of a model below `parent`, such as `publishers/google/models/gemini-2.5-flash`.

        Raises:
            InvalidNameError: `model` is not a name.
            GeminiError: 404, models of this kind are not here.
        """
        kind, _, name = model_path(model).removeprefix(VERTEX).rpartition("/")
        if kind in ("", "models"):
            return f"publishers/google/models/{name}"
        if f"{kind}/" == ENDPOINTS and not self.is_express:
            return f"{ENDPOINTS}{name}"
        where = "the express mode of Vertex AI" if self.is_express else "Vertex AI"
        message = f"models/{name} is not found: {where} has no {kind}. A tuned model there is endpoints/ID."
        raise GeminiError(404, message, "NOT_FOUND")


@lru_cache(maxsize=1024)
def _model_url(lane: Lane, model: str, method: str) -> httpx.URL:
    return httpx.URL(f"{lane.origin}{lane.parent}/{lane.resource_of(model)}:{method}")


class Lanes:
    """All lanes of a gateway, and which of them serve which models.

    Args:
        project: The id of the project; empty where keys of the express mode are used alone.
        location: Where models are that no pattern of `locations` fits.
        locations: The locations of certain models.
        api_keys: Keys of the express mode, each a lane; with them, `project` is not asked.
        endpoint: An origin in the place of Google's hosts; empty: Google's.

    Attributes:
        all: In their order.
        by_name: The same by their names.
        endpoint: As given.
    """

    def __init__(
        self,
        project: str = "",
        location: str = GLOBAL,
        locations: Mapping[str, Sequence[str]] | None = None,
        api_keys: Sequence[str] = (),
        endpoint: str = "",
    ) -> None:
        self._locations = dict(locations or {}) if not api_keys else {}
        self._default = (location,)
        self.endpoint = endpoint
        express = endpoint or host_of(GLOBAL)
        if api_keys:
            self.all = tuple(
                Lane(f"express-{number}", express, api_key=key) for number, key in enumerate(dict.fromkeys(api_keys), 1)
            )
        else:
            named = [location, *(name for names in self._locations.values() for name in names)]
            self.all = tuple(
                Lane(f"{project}/{name}", endpoint or host_of(name), project, name) for name in dict.fromkeys(named)
            )
        self.by_name = {lane.name: lane for lane in self.all}

    def origin_of(self, location: str) -> str:
        """The origin that is asked for `location`, whether a lane goes there or not."""
        return self.endpoint or host_of(location)

    def locations_of(self, model: str) -> tuple[str, ...]:
        """Where `model` is asked for; a call to no model goes to the default location."""
        name = model.removeprefix(VERTEX).removeprefix("models/")
        if name:
            for pattern, locations in self._locations.items():
                if fnmatchcase(name, pattern):
                    return tuple(locations)
        return self._default

    def serving(self, model: str) -> tuple[Lane, ...]:
        """The lanes for `model`."""
        if not self._locations:
            return self.all
        locations = self.locations_of(model)
        return tuple(lane for lane in self.all if lane.location in locations)
