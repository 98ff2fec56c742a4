"""What a caller asks of a model, as its endpoint knows it, and what becomes of it."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.types import GenerateContentRequest
from gemgate.media.references import InlineRef, Resolved
from gemgate.translation.notes import Notes


class ModelRequest(Protocol):
    """A native request, and what happened to the caller's on the way.

    Attributes:
        model: The model's resource name, such as `models/gemini-2.5-flash`.
        body: The native request; empty once it was taken.
        calls: How many times to send it.
        notes: What was dropped and adjusted.
    """

    model: str
    body: GenerateContentRequest
    calls: int
    notes: Notes

    def take_bodies(self) -> list[GenerateContentRequest]:
        """The body of each call, for the one time that they are sent."""
        ...


T_co = TypeVar("T_co", bound=ModelRequest, covariant=True)


class RequestSource(Protocol[T_co]):
    """What a caller asks for, as its endpoint knows it."""

    @property
    def is_revisable(self) -> bool:
        """Whether `revise` may ever help, so that the request must be kept until Google has answered."""
        ...

    def inline_media(self) -> Iterable[InlineRef]:
        """The media that it holds itself."""
        ...

    def translate(self, model: str, media: Resolved) -> T_co:
        """The native request to `model`, with the media that were found."""
        ...

    def revise(self, error: GeminiError) -> bool:
        """Change what will be translated so that `error` does not come again; False where that cannot be done."""
        ...


class FixedSource:
    """A source whose request holds no media itself, and is not changed because of a failure."""

    __slots__ = ()

    @property
    def is_revisable(self) -> bool:
        """Nothing about it is changed."""
        return False

    def inline_media(self) -> Iterable[InlineRef]:
        """It holds none."""
        return ()

    def revise(self, error: GeminiError) -> bool:  # noqa: ARG002  as the protocol has it
        """Nothing is changed."""
        return False
