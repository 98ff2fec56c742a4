"""The names of the environment variables, and the texts of their values."""

import os

import orjson
from pydantic import AliasChoices, SecretStr

PREFIX = "GEMGATE_"
"""What the name of each variable begins with, but for the few that are known without it."""

_UNPREFIXED = frozenset({"gemini_api_key", "gemini_api_key_file", "google_cloud_project", "google_cloud_location"})


def either_case(name: str) -> AliasChoices:
    """The variable `name`, or the argument of that name in lower case."""
    return AliasChoices(name.lower(), name)


def variable(name: str) -> str:
    """The environment variable of a field: `GEMGATE_PORT` of `port`."""
    return name.upper() if name in _UNPREFIXED else PREFIX + name.upper()


def as_text(value: object) -> str:
    """The text of a variable that is read as `value`: commas between several, JSON for an object."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(as_text, value))
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value)


def logs_json() -> bool:
    """Whether lines of the log are JSON, as far as the environment says so: before the settings are read."""
    return os.environ.get(f"{PREFIX}LOG_FORMAT", "").strip().lower() == "json"


def trace_exporters() -> list[str]:
    """The entry points that the standard variables name: `otlp_proto_http` unless they say otherwise.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#exporter-selection
    """
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    names = [name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")]
    return [otlp if name == "otlp" else name for name in names if name not in ("", "none")]
