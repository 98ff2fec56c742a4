"""Secrets that are in files, as Docker and Kubernetes mount them, in place of the environment."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from gemgate.settings.cleaning import trimmed
from gemgate.settings.variables import either_case, variable

SECRETS = ("gemini_api_key", "vertex_api_key", "database_url", "redis_url", "secret", "metrics_token", "console_token")
"""The settings that can be in a file each; client keys have a file with a form of its own."""


class SecretFiles(BaseSettings):
    """The files of secrets: what is in one is the value of the setting without `_FILE`."""

    gemini_api_key_file: Path | None = Field(
        default=None,
        validation_alias=either_case("GEMINI_API_KEY_FILE"),
        description="A file with GEMINI_API_KEY, several keys a line each or with commas; reloaded when it changes.",
    )
    vertex_api_key_file: Path | None = Field(default=None, description="A file with GEMGATE_VERTEX_API_KEY.")
    database_url_file: Path | None = Field(default=None, description="A file with GEMGATE_DATABASE_URL.")
    redis_url_file: Path | None = Field(default=None, description="A file with GEMGATE_REDIS_URL.")
    secret_file: Path | None = Field(default=None, description="A file with GEMGATE_SECRET, several a line each.")
    metrics_token_file: Path | None = Field(default=None, description="A file with GEMGATE_METRICS_TOKEN.")
    console_token_file: Path | None = Field(default=None, description="A file with GEMGATE_CONSOLE_TOKEN.")

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        found = trimmed(values)
        for name in SECRETS:
            path = _given(found, f"{name}_file")
            if path is None:
                continue
            if _given(found, name) is not None:
                raise ValueError(f"{variable(name)} and {variable(f'{name}_file')} are both set: which one counts?")
            found[name] = read_secret(Path(str(path)), variable(f"{name}_file"))
        return found


def _given(values: Mapping[str, object], name: str) -> object:
    return next((values[key] for key in (name, variable(name)) if values.get(key)), None)


def read_secret(path: Path, name: str) -> str:
    """The secret in a file, with commas between lines; lines that begin with `#` are comments.

    Raises:
        ValueError: the file cannot be read, or holds none.
    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise ValueError(f"{name}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: {path} is not UTF-8") from error
    text = ",".join(line for line in lines if line and not line.startswith("#"))
    if not text:
        raise ValueError(f"{name}: {path} is empty")
    return text
