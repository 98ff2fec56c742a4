"""The only reader of the environment."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Secrets = tuple[SecretStr, ...]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def _alias(name: str) -> AliasChoices:
    return AliasChoices(name.lower(), name)


class Settings(BaseSettings):
    """All settings, with their defaults; each is an environment variable (or a line of `.env`).

    Durations are seconds, sizes are bytes.
    """

    model_config = SettingsConfigDict(
        env_prefix="GEMGATE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    gemini_api_key: Annotated[Secrets, NoDecode] = Field(
        default=(),
        validation_alias=_alias("GEMINI_API_KEY"),
        description="The Gemini key, or several separated by commas. Absent: each caller's own key is passed through.",
    )
    upstream: str = Field(
        default="https://generativelanguage.googleapis.com", description="Where the native Gemini API is."
    )
    client_keys: Annotated[Secrets, NoDecode] = Field(
        default=(), description="What callers must present when the gateway holds the Gemini key; comma separated."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="The port to listen on.")
    workers: PositiveInt = Field(default=1, description="Processes that share the listening socket.")
    data_dir: Path = Field(default=Path("data"), description="Where files and batches are kept.")

    unsupported_params: Literal["warn", "strict", "ignore"] = Field(
        default="warn",
        description="A parameter that Gemini lacks: named in x-gemgate-dropped-params, a 400, or dropped without a word.",
    )
    trailing_assistant: Literal["trim", "reject", "continue"] = Field(
        default="trim",
        description="A last message of the assistant, on a model that refuses it: removed, a 400, or followed by a turn "
        "that asks to go on.",
    )
    remote_media: Literal["fetch", "google", "refuse"] = Field(
        default="fetch",
        description="An https URL of an image or a file: fetched by the gateway (guarded), handed to Google, or a 400.",
    )
    model_facts: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='What differs from the built-in table of models, as JSON: {"gemini-9-*": {"thinking": "level"}}.',
    )

    connect_timeout: PositiveFloat = Field(default=10, description="To open a connection to Google.")
    first_byte_timeout: PositiveFloat = Field(default=300, description="From the request to Google's first byte.")
    event_timeout: PositiveFloat = Field(default=300, description="Between two reads of an answer.")
    request_timeout: PositiveFloat = Field(default=1800, description="For the whole call to Google.")
    max_connections: PositiveInt = Field(default=1000, description="Open connections to Google, in each worker.")

    stream_start_after: PositiveFloat = Field(
        default=10, description="A stream without a first event for so long is answered with 200 and kept alive."
    )
    keepalive_interval: PositiveFloat = Field(default=15, description="Between two comments that keep a stream alive.")

    max_body_bytes: PositiveInt = Field(default=104_857_600, description="The largest request body.")
    media_max_bytes: PositiveInt = Field(default=52_428_800, description="The largest remote image or file.")
    media_max_urls: PositiveInt = Field(default=16, description="Remote images and files in one request.")
    media_timeout: PositiveFloat = Field(default=20, description="To fetch one of them.")

    signature_store_size: PositiveInt = Field(
        default=20_000, description="Thought signatures kept for clients that drop them."
    )
    signature_ttl: PositiveFloat = Field(default=86_400, description="How long they are kept.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="The least level logged.")
    log_format: Literal["console", "json"] = Field(default="console", description="For people, or a line of JSON each.")

    @field_validator("gemini_api_key", "client_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("upstream")
    @classmethod
    def _origin(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            msg = f"{value!r} is not an http(s) URL, such as https://generativelanguage.googleapis.com"
            raise ValueError(msg)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _refuse_an_open_gateway(self) -> Self:
        if self.gemini_api_key and not self.client_keys and self.host not in LOOPBACK_HOSTS:
            msg = (
                f"the gateway holds GEMINI_API_KEY and would listen on {self.host} with no GEMGATE_CLIENT_KEYS: "
                "anyone who reaches it could spend the key. Set GEMGATE_CLIENT_KEYS, or GEMGATE_HOST=127.0.0.1."
            )
            raise ValueError(msg)
        return self

    @cached_property
    def passes_keys_through(self) -> bool:
        """Whether callers bring their own Gemini key."""
        return not self.gemini_api_key
