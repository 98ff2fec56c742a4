"""Lines of a batch that are requests of the legacy completions API."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson

from gemgate.api.batches.line_rules import refuse_stream, without_tiers
from gemgate.api.completions.answer import text_completion
from gemgate.api.completions.request import TextCompletionTranslation, to_gemini
from gemgate.api.completions.wire import TextCompletionRequest
from gemgate.media.references import Ref, Resolved
from gemgate.translation.options import Options
from gemgate.translation.validation import parse_value

if TYPE_CHECKING:
    from gemgate.gemini.types import GenerateContentResponse

Json = dict[str, object]

URL = "/v1/completions"


class TextCompletionLine(NamedTuple):
    """A line whose body was read.

    Attributes:
        created: Unix seconds, for `created` of the answer.
    """

    asked: TextCompletionRequest
    options: Options
    model: str
    created: int

    @classmethod
    def of(
        cls, body: Mapping[str, object], options: Options, model_of: Callable[[str], str], created: int
    ) -> "TextCompletionLine":
        """The line with this body; `model_of` gives the model that a name means.

        Raises:
            ApiError: 400 that names what is wrong with it.
        """
        asked = parse_value(TextCompletionRequest, body)
        refuse_stream(asked.stream)
        return cls(asked, options, model_of(asked.model), created)

    def references(self) -> list[Ref]:
        """It names nothing that must be fetched or looked up."""
        return []

    def to_gemini(self, media: Resolved) -> list[Json]:  # noqa: ARG002  as other lines have it
        """The native requests, prompt by prompt. A batch is a service tier of its own.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return without_tiers(self.sent().bodies())

    def sent(self) -> TextCompletionTranslation:
        """The requests that were sent.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return to_gemini(self.asked, self.options, model=self.model)

    def answer(self, responses: Sequence[object], response_id: str) -> tuple[bytes, Json, dict[str, str]]:
        """The completion as JSON, its usage, and what was dropped and adjusted, as headers.

        Raises:
            ApiError: Gemini broke off without an answer.
        """
        translation = self.sent()
        answers = cast("Sequence[GenerateContentResponse]", responses)
        body = text_completion(answers, translation, fallback_id=response_id, created=self.created)
        return orjson.dumps(body), body["usage"], translation.notes.headers()
