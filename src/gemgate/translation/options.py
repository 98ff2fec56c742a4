"""What the operator decides about each endpoint; see `Settings` for the meaning of each."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.thought_signatures import Signatures

if TYPE_CHECKING:
    from gemgate.translation.signature_origins import SignatureOrigins

Policy = Literal["warn", "strict", "ignore"]


RemoteMedia = Literal["fetch", "google", "refuse"]


TrailingAssistant = Literal["trim", "reject", "continue"]


Dialect = Literal["openai", "google"]


CachedSearch = Literal["drop", "live"]


ShownThoughts = Literal["off", "on", "tags"]


Usage = Literal["count", "off"]


Errors = list[dict[str, object]]
"""What is wrong with a file, each as `{"code", "line", "message", "param"}`."""


Inspect = Callable[[AsyncIterator[bytes], Callable[[Errors], object]], AsyncGenerator[bytes]]
"""Hands bytes on, and then calls back with what is wrong with them."""


@dataclass(frozen=True, slots=True)
class TranslationOptions:
    """What the operator decides about every translation, that of images as well."""

    catalog: Catalog
    unsupported_params: Policy = field(default="warn", kw_only=True)
    remote_media: RemoteMedia = field(default="fetch", kw_only=True)


@dataclass(frozen=True, slots=True)
class Options(TranslationOptions):
    """What the operator decides about answers of models that talk."""

    signatures: Signatures
    trailing_assistant: TrailingAssistant = "trim"
    max_tools: int = 512
    show_thoughts: ShownThoughts = "off"
    cached_search: CachedSearch = "drop"
    origins: "SignatureOrigins | None" = None


@dataclass(frozen=True, slots=True)
class EmbeddingOptions(TranslationOptions):
    """What the operator decides about embeddings."""

    usage: Usage = "count"
    concurrency: int = 4


@dataclass(frozen=True, slots=True)
class ModerationOptions:
    """How content is judged.

    Attributes:
        threshold: The score from which a category counts as true.
        model: The general model that judges for an account without the Decisions API.
    """

    threshold: float = 0.5
    model: str = "gemini-3.5-flash-lite"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are taken in.

    Attributes:
        max_bytes: The largest file that comes in one request.
        uploads_max_bytes: The largest file that comes in parts.
        unsupported_params: What an unknown parameter is: a header, a 400, or nothing.
        inspect: Looks at the input of a batch on its way into the store; None: nobody does.
    """

    max_bytes: int = 536_870_912
    uploads_max_bytes: int = 8_589_934_592
    unsupported_params: Policy = "warn"
    inspect: Inspect | None = None
