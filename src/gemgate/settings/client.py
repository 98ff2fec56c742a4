"""The settings of the command that is a client of the gateway."""

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gemgate.settings.variables import PREFIX


class ClientSettings(BaseSettings):
    """Which gateway the command `gemgate batch` talks to, and with which key."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    base_url: str = Field(default="http://127.0.0.1:8080/v1", description="The gateway.")
    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key", "GEMGATE_API_KEY", "GEMINI_API_KEY"),
        description="The key for the gateway; absent: the first of GEMINI_API_KEY.",
    )

    @field_validator("api_key", mode="before")
    @classmethod
    def _first(cls, value: object) -> object:
        return value.partition(",")[0].strip() or None if isinstance(value, str) else value
