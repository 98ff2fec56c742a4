"""Lines of a batch that are requests for moderation: a general model judges, because decisions have no batches."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson

from gemgate.api.moderations.answer import moderation, result_of_answer
from gemgate.api.moderations.inputs import media_of
from gemgate.api.moderations.request import ModerationTranslation, to_gemini
from gemgate.api.moderations.wire import DEFAULT_MODEL, OPENAI_MODELS, ModerationRequest
from gemgate.gemini.decisions import MODEL
from gemgate.gemini.usage import total
from gemgate.media.references import Ref, Resolved, placeholders
from gemgate.model_routing.aliases import ModelAliases, bare
from gemgate.model_routing.openai_names import gemini_name
from gemgate.translation.options import ModerationOptions, Options
from gemgate.translation.response_fields import usage
from gemgate.translation.validation import parse_value

if TYPE_CHECKING:
    from gemgate.gemini.types import GenerateContentResponse

Json = dict[str, object]

URL = "/v1/moderations"


def asked_model(body: Mapping[str, object]) -> object:
    """The model that a line names, which need not name one."""
    return body.get("model") or DEFAULT_MODEL


def judge_of(asked: str, aliases: ModelAliases, general: str) -> str:
    """The model that judges in a batch for the one that was asked for: `general` for the one that decides."""
    model = aliases.first(gemini_name(asked, OPENAI_MODELS, aliases))
    return general if bare(model) == MODEL else model


class ModerationLine(NamedTuple):
    """A line whose body was read."""

    asked: ModerationRequest
    options: Options
    moderation: ModerationOptions
    model: str

    @classmethod
    def of(
        cls, body: Mapping[str, object], options: Options, moderation: ModerationOptions, aliases: ModelAliases
    ) -> "ModerationLine":
        """The line with this body.

        Raises:
            ApiError: 400 that names what is wrong with it.
        """
        asked = parse_value(ModerationRequest, body)
        model = judge_of(asked.model or DEFAULT_MODEL, aliases, moderation.model)
        return cls(asked, options, moderation, model)

    def references(self) -> list[Ref]:
        """What must be fetched or looked up before it is translated."""
        return media_of(self.asked)

    def to_gemini(self, media: Resolved) -> list[Json]:
        """The native requests, one for each input.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return [dict(prompt) for prompt in self._translation(media).prompts]

    def sent(self) -> ModerationTranslation:
        """The requests that were sent, with placeholders for media.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        return self._translation(placeholders(self.references()))

    def answer(self, responses: Sequence[object], response_id: str) -> tuple[bytes, Json, dict[str, str]]:
        """The results as JSON, the usage, and what was dropped and adjusted, as headers.

        Raises:
            ApiError: a judgement cannot be read.
        """
        translation = self.sent()
        answers = cast("Sequence[GenerateContentResponse]", responses)
        results = [
            result_of_answer(answer, judged, self.moderation.threshold)
            for answer, judged in zip(answers, translation.inputs, strict=True)
        ]
        body = moderation(results, model=self.asked.model or DEFAULT_MODEL, moderation_id=response_id)
        counted = usage(total(answer.get("usageMetadata") or {} for answer in answers))
        return orjson.dumps(body), counted, translation.notes.headers()

    def _translation(self, media: Resolved) -> ModerationTranslation:
        return to_gemini(self.asked, self.options, media, model=self.model)
