"""Lines of a batch that are requests of the Responses API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson

from gemgate.api.batches.line_rules import refuse_stream, without_tiers
from gemgate.api.responses.completion import ResponseSource, whole_response
from gemgate.api.responses.echo import ResponseHead, echo_of
from gemgate.api.responses.events import ResponseEvents
from gemgate.api.responses.items import media_of
from gemgate.api.responses.request import ResponseTranslation
from gemgate.api.responses.state import stateless
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.media.references import Ref, Resolved, placeholders
from gemgate.translation.options import Options
from gemgate.translation.validation import parse_value

if TYPE_CHECKING:
    from gemgate.gemini.types import GenerateContentResponse

URL = "/v1/responses"


@dataclass(frozen=True, slots=True)
class ResponseLine:
    """One line. Nothing of it is encrypted, so that the same line and the same results give the same bytes.

    Attributes:
        created: Unix seconds, for `created_at` of the answer.
    """

    source: ResponseSource
    model: str
    created: int

    @classmethod
    def of(
        cls, body: Mapping[str, object], options: Options, model_of: Callable[[str], str], caller_id: str, created: int
    ) -> "ResponseLine":
        """The line with this body; `model_of` gives the model that a name means.

        Raises:
            ApiError: 400 that names what is wrong with it.
        """
        request = parse_value(ResponseRequest, body)
        refuse_stream(request.stream)
        resolved = stateless(request)
        return cls(ResponseSource(resolved, options, None, caller_id), model_of(request.model), created)

    def references(self) -> list[Ref]:
        """What must be fetched or looked up before it is translated."""
        return media_of(self.source.items)

    def to_gemini(self, media: Resolved) -> list[dict[str, object]]:
        """The native request. A batch is a service tier of its own.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return without_tiers([self._translation(media).body])

    def sent(self) -> ResponseTranslation:
        """The request that was sent, with placeholders for media.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return self._translation(placeholders(self.references()))

    def answer(self, responses: Sequence[Any], response_id: str) -> tuple[bytes, Json, dict[str, str]]:
        """The response as JSON, its usage, and what was dropped and adjusted, as headers.

        Raises:
            ApiError: Gemini broke off without an answer.
        """
        translation = self._translation(placeholders(self.references()))
        echo = echo_of(self.source.resolved.request, is_stored=False)
        events = ResponseEvents(ResponseHead(f"resp_{response_id}", self.created, echo))
        answers = cast("Sequence[GenerateContentResponse]", responses)
        response = whole_response(events, translation, answers, now=self.created)
        return orjson.dumps(response), response["usage"], translation.notes.headers()

    def _translation(self, media: Resolved) -> ResponseTranslation:
        translation = self.source.translate(self.model, media)
        if self.source.resolved.request.context_management is not None:
            translation.notes.drop("context_management")  # a line is one request to Google
        return translation
