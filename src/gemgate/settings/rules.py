"""The settings of the gateway: what a value may be, what must not be set together, and what follows from them."""

import math
import re
from functools import cached_property
from pathlib import Path
from typing import Self

import orjson
from pydantic import SecretStr, field_validator, model_validator

from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.vertex.lanes import (
    Lanes,
    checked_location,
    checked_project,
    host_of,
    parse_locations,
    written_locations,
)
from gemgate.model_routing.aliases import ModelLists, checked, parse_models, written
from gemgate.settings.cleaning import check_keys
from gemgate.settings.fields import Fields, Secrets
from gemgate.settings.secret_files import SECRETS
from gemgate.settings.variables import as_text, variable

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

NOT_JSON = "is not valid JSON"
"""The text of an error that follows the name of a setting."""

DEVELOPER_API = "https://generativelanguage.googleapis.com"
VERTEX_AI = "vertex"
"""The name of Vertex AI in the setting of the upstream."""

UNIX = "unix:"
"""What an address that is a Unix domain socket begins with."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){0,20}", re.ASCII)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#,@]+", re.IGNORECASE)


class Settings(Fields):
    """The settings, checked."""

    @field_validator(
        "gemini_api_key", "vertex_api_key", "client_keys", "secret", "cors_origins", "allowed_hosts", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("gemini_api_key", "vertex_api_key", "client_keys")
    @classmethod
    def _possible_keys(cls, value: Secrets) -> Secrets:
        check_keys(value)
        return value

    @field_validator("models", mode="before")
    @classmethod
    def _parse_models(cls, value: object) -> object:
        return parse_models(value) if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _usable_models(cls, value: ModelLists) -> ModelLists:
        return checked(value)

    @field_validator("host")
    @classmethod
    def _somewhere(cls, value: str) -> str:
        if not [host for host in value.split(",") if host.strip()]:
            msg = "names no address, such as 127.0.0.1"
            raise ValueError(msg)
        return value

    @field_validator("model_facts", mode="before")
    @classmethod
    def _facts_or_file(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("{"):
            return Path(value)
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError(NOT_JSON) from None

    @field_validator("model_facts")
    @classmethod
    def _known_facts(cls, value: dict[str, object] | Path) -> dict[str, object] | Path:
        Catalog(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                msg = f"{origin!r} is not an origin, such as https://app.example.com (no path, no slash at the end)"
                raise ValueError(msg)
        return value

    @field_validator("root_path")
    @classmethod
    def _below(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not _PATH.fullmatch(path):
            msg = f"{value!r} is not a path, such as /gemini"
            raise ValueError(msg)
        return path

    @field_validator("public_url", "vertex_endpoint", "vertex_storage_endpoint")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        return None if value is None else _checked_origin(value)

    @field_validator("upstream")
    @classmethod
    def _known_upstreams(cls, value: str) -> str:
        names = [DEVELOPER_API if name.strip() == "gemini" else name.strip() for name in value.split(",")]
        origins = [_checked_origin(name) for name in names if name != VERTEX_AI]
        if len(origins) > 1 or names.count(VERTEX_AI) > 1:
            raise ValueError(f"{value!r} names more than one of each: write 'gemini,vertex' for both")
        return ",".join([*origins, *[VERTEX_AI] * names.count(VERTEX_AI)])

    @field_validator("google_cloud_project")
    @classmethod
    def _project(cls, value: str | None) -> str | None:
        return None if value is None else checked_project(value)

    @field_validator("google_cloud_location")
    @classmethod
    def _location(cls, value: str) -> str:
        return checked_location(value)

    @field_validator("vertex_locations", mode="before")
    @classmethod
    def _parse_locations(cls, value: object) -> object:
        return parse_locations(value) if isinstance(value, str) else value

    @field_validator("vertex_bucket")
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if value is None:
            return None
        place = value.removeprefix("gs://").rstrip("/")
        if not _BUCKET.fullmatch(place):
            raise ValueError(f"{value[:80]!r} is not a bucket of Cloud Storage, such as gs://my-bucket/gemgate")
        return f"gs://{place}"

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(
            ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
        ):
            msg = "this is not a Redis URL, such as redis://redis:6379/0, rediss://… or unix:///run/redis.sock"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _refuse_an_open_gateway(self) -> Self:
        if not self.passes_keys_through and not self.asks_for_client_keys and self.is_open:
            held = "GEMINI_API_KEY" if self.gemini_api_key else "credentials for Vertex AI"
            spent = "the key" if self.gemini_api_key else "them"
            msg = (
                f"the gateway holds {held} and would listen on {self.host} with no GEMGATE_CLIENT_KEYS: "
                f"anyone who reaches it could spend {spent}. Set GEMGATE_CLIENT_KEYS or GEMGATE_CLIENT_KEYS_FILE, or "
                "GEMGATE_HOST=127.0.0.1."
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _refuse_client_keys_without_effect(self) -> Self:
        names = [variable(name) for name in ("client_keys", "client_keys_file") if getattr(self, name)]
        if names and self.passes_keys_through:
            why, instead = "without GEMINI_API_KEY each caller's key", "Set GEMINI_API_KEY"
            if self.asks_vertex:
                why, instead = (
                    f"{text}GEMGATE_VERTEX_CREDENTIALS" for text in ("each caller's token by ", "Leave out ")
                )
            msg = (
                f"{names[0]} names client keys, and {why} is passed on to Google: "
                f"everybody would be let in, and no limit would hold. {instead}, or leave "
                f"{' and '.join(names)} out."
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _refuse_half_of_vertex(self) -> Self:
        if not self.asks_vertex:
            return self
        if self.asks_developer_api and not self.gemini_api_key:
            msg = (
                "GEMGATE_UPSTREAM names the Gemini API beside Vertex AI, and GEMINI_API_KEY is missing: set it, or "
                "GEMGATE_UPSTREAM=vertex."
            )
            raise ValueError(msg)
        if self.vertex_credentials == "callers":
            self._refuse_credentials_beside_callers()
        if not self.google_cloud_project and not self.vertex_api_key:
            msg = (
                "GEMGATE_UPSTREAM asks for Vertex AI, and nothing says in which project: set GOOGLE_CLOUD_PROJECT, or "
                "GEMGATE_VERTEX_API_KEY for the express mode."
            )
            raise ValueError(msg)
        if self.vertex_bucket and self.vertex_api_key:
            msg = (
                "GEMGATE_VERTEX_BUCKET needs credentials that Cloud Storage takes, and a key of the express mode is "
                "none: set GOOGLE_CLOUD_PROJECT and leave GEMGATE_VERTEX_API_KEY out, or leave the bucket out."
            )
            raise ValueError(msg)
        return self

    def _refuse_credentials_beside_callers(self) -> None:
        """Refuse credentials of the gateway's where callers bring theirs.

        Raises:
            ValueError: it says which.
        """
        names = [
            variable(name)
            for name in ("vertex_api_key", "vertex_service_account", "vertex_bucket")
            if getattr(self, name)
        ]
        if self.asks_developer_api:
            names.append("GEMGATE_UPSTREAM=gemini,vertex")
        if names:
            msg = f"with GEMGATE_VERTEX_CREDENTIALS=callers, {names[0]} has no place: leave one of the two out."
            raise ValueError(msg)

    @cached_property
    def asks_vertex(self) -> bool:
        """Whether Vertex AI is asked."""
        return VERTEX_AI in self.upstream.split(",")

    @cached_property
    def asks_developer_api(self) -> bool:
        """Whether the Developer API is asked."""
        return self.upstream != VERTEX_AI

    @cached_property
    def origin(self) -> str:
        """The origin of the Developer API, or that of Vertex AI where it is asked alone."""
        if self.asks_developer_api:
            return self.upstream.partition(",")[0]
        return self.vertex_endpoint or host_of(self.google_cloud_location)

    @cached_property
    def vertex_lanes(self) -> Lanes:
        """The ways to Vertex AI."""
        keys = [key.get_secret_value() for key in self.vertex_api_key]
        project, endpoint = self.google_cloud_project or "", self.vertex_endpoint or ""
        return Lanes(project, self.google_cloud_location, self.vertex_locations, keys, endpoint)

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to listen on."""
        return tuple(host.strip() for host in self.host.split(",") if host.strip())

    @property
    def is_open(self) -> bool:
        """Whether other machines reach the gateway."""
        return any(host not in LOOPBACK_HOSTS and not host.startswith(UNIX) for host in self.hosts)

    @cached_property
    def passes_keys_through(self) -> bool:
        """Whether callers bring their own Gemini key, or their own access token for Vertex AI."""
        if self.asks_vertex:
            return self.vertex_credentials == "callers"
        return not self.gemini_api_key

    @cached_property
    def takes_google_tokens(self) -> bool:
        """Whether a caller's own access token is passed on: to Vertex AI alone, in a project, without client keys."""
        is_alone = self.asks_vertex and not self.asks_developer_api and not self.vertex_api_key
        return is_alone and not self.asks_for_client_keys

    @cached_property
    def asks_for_client_keys(self) -> bool:
        """Whether callers must present a key of the gateway's."""
        return bool(self.client_keys or self.client_keys_file)

    @cached_property
    def needs_no_key(self) -> bool:
        """Whether callers present nothing: the gateway's own Gemini key serves everybody who reaches it."""
        return not self.passes_keys_through and not self.asks_for_client_keys

    @cached_property
    def serves_console(self) -> bool:
        """Whether there is a console: with a token, or where nothing but this machine's own programs is expected."""
        is_private = not (set(self.hosts) - LOOPBACK_HOSTS or self.public_url or self.root_path)
        return self.console and (self.console_token is not None or is_private)

    @cached_property
    def share_of_places(self) -> int | None:
        """Concurrent requests of one caller; None means unlimited."""
        if self.max_concurrent_requests_per_caller is None and self.needs_no_key:
            return None
        share = self.max_concurrent_requests_per_caller or math.ceil(self.max_concurrent_requests * 3 / 4)
        return share if share < self.max_concurrent_requests else None

    def as_environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that reads nothing else (`_env_file=None`)."""
        texts = {variable(name): as_text(getattr(self, name)) for name in type(self).model_fields}
        in_files = {variable(name): "" for name in SECRETS if getattr(self, f"{name}_file")}
        tables = {
            variable("models"): written(self.models),
            variable("vertex_locations"): written_locations(self.vertex_locations),
        }
        return texts | tables | in_files


def _checked_origin(value: str) -> str:
    """`value` without a slash at its end.

    Raises:
        ValueError: it is not a URL.
    """
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is not an http(s) URL, such as {DEVELOPER_API}")
    return value.rstrip("/")
