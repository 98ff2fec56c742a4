"""`context_management`: a conversation that has become too long for its caller is compacted before it is answered.

The response begins with the compaction item, and the answer comes behind it. From then on the item takes the place of
all that was said before it, so that neither its caller nor the store has to leave anything out.
Source: openai-python 3.57, `response_create_params.ContextManagement`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import cast

import structlog

from gemgate.api.generation import Generation, ModelCall
from gemgate.api.responses.answer_context import Opening
from gemgate.api.responses.compaction import CompactionMachine, summary_item
from gemgate.api.responses.completion import ResponseSource
from gemgate.api.responses.input_tokens import counted_tokens
from gemgate.api.responses.items import Item
from gemgate.api.responses.kept_turn import is_lasting
from gemgate.api.responses.request import ResponseTranslation
from gemgate.api.responses.tool_kinds import CALL_ITEMS, OUTPUT_ITEMS
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.observability.record import current

COMPACTION = "compaction"

_SHARE = 0.8  # of what the model can read, where no threshold is given
_KEPT_APART = frozenset({"additional_tools", "configuration_update"})

_log = structlog.get_logger()


def compact_threshold(given: object, input_limit: int) -> int | None:
    """The tokens of a prompt above which it is compacted; None where nothing is asked for.

    Args:
        given: `context_management`.
        input_limit: The most tokens that the model reads.

    Raises:
        ApiError: 400 for anything but a list of compactions, each with a threshold or without.
    """
    if given is None:
        return None
    if not isinstance(given, list):
        raise _invalid("context_management", "expected a list of objects")
    thresholds = []
    for index, entry in enumerate(given):
        param = f"context_management[{index}]"
        if not isinstance(entry, dict):
            raise _invalid(param, "expected an object")
        if entry.get("type") != COMPACTION:
            raise _invalid(f"{param}.type", f"the only type is '{COMPACTION}'")
        threshold = entry.get("compact_threshold")
        if threshold is None:
            threshold = int(input_limit * _SHARE)
        elif not isinstance(threshold, int) or isinstance(threshold, bool) or threshold < 1:
            raise _invalid(f"{param}.compact_threshold", "expected a positive number of tokens")
        thresholds.append(threshold)
    return min(thresholds, default=None)


class CompactingCall(ModelCall[ResponseTranslation]):
    """A request whose conversation is compacted before it is answered, if it is too long.

    Attributes:
        models: All that may be asked for the summary, in their order.
    """

    models: Sequence[str] = ()

    @property
    def needs_media(self) -> bool:
        """Whether the request is not ready to be translated: its length is not known yet, or media are missing."""
        return self._source.threshold is not None or super().needs_media

    async def resolve_and_translate(self) -> ResponseTranslation:
        """The native request, once its conversation is short enough, or as short as it can be."""
        source = self._source
        threshold, source.threshold = source.threshold, None
        translation = await super().resolve_and_translate()
        if threshold is None or self.is_dry_run or not self._may_be_longer(threshold):
            return translation
        shorter = lately(source.items)
        if len(shorter) == len(source.items):
            return translation
        try:
            if await counted_tokens(self.services.gemini, self.caller, translation) <= threshold:
                return translation
            opening = await self._opening()
        except (ApiError, GeminiError) as error:
            _log.warning("a conversation was not compacted", error=type(error).__name__)
            translation.notes.adjust("context_management->none")
            source.changes.append("context_management->none")
            return translation
        shorter.insert(_first_said(shorter), summary_item(opening.summary))
        source.opening, source.items = opening, shorter
        return await super().resolve_and_translate()

    @property
    def _source(self) -> ResponseSource:
        return cast("ResponseSource", self.source)

    def _may_be_longer(self, threshold: int) -> bool:
        """Whether Google must be asked: text has no more tokens than bytes."""
        return self.size > threshold or bool(self.refs) or bool(self._source.inline_media())

    async def _opening(self) -> Opening:
        """A summary of the whole conversation, and what it has cost."""
        source = self._source
        asking = ResponseSource(source.resolved, source.options, source.encryptor, source.caller_id, compacts=True)
        call = ModelCall(
            self.services,
            self.caller,
            asking,
            self.asked,
            self.size,
            False,
            self.model,
            self.is_heavy,
            refs=self.refs,
            media=self.media,
        )
        generation = Generation(call, await call.ready(), self.models, _no_pieces)
        translation, answers = await generation.answer()
        machine = CompactionMachine(translation.context, "")
        for answer in answers:
            machine.feed(answer)
        machine.finish(is_whole=True)
        current().answered(machine.served, machine.usage)
        return Opening(machine.summary, machine.usage)


def lately(items: Sequence[Item]) -> list[Item]:
    """What is answered as it is: the instructions, the last message of the user, and the last calls with their outputs.

    All else is in the summary.
    """
    asked = max((place for place, item in enumerate(items) if _is_users(item)), default=-1)
    outputs = len(items)
    while outputs > asked + 1 and items[outputs - 1].kind in OUTPUT_ITEMS:
        outputs -= 1
    answered = {item.fields.get("call_id") or item.fields.get("id") for item in items[outputs:]}
    calls = (
        place
        for place in range(asked + 1, outputs)
        if items[place].kind in CALL_ITEMS and _names(items[place]) & answered
    )
    since = min(calls, default=outputs)
    while since > asked + 1 and items[since - 1].kind == "reasoning":
        since -= 1
    return [
        item
        for place, item in enumerate(items)
        if place == asked or place >= since or item.kind in _KEPT_APART or is_lasting(item.fields)
    ]


def _names(call: Item) -> set[object]:
    return {call.fields.get("call_id"), call.fields.get("id")} - {None}


def _is_users(item: Item) -> bool:
    return item.kind == "message" and item.fields.get("role") == "user"


def _first_said(items: Sequence[Item]) -> int:
    """Where the instructions at the start end, and what was said begins."""
    return next(
        (place for place, item in enumerate(items) if item.kind not in _KEPT_APART and not is_lasting(item.fields)),
        len(items),
    )


async def _no_pieces(
    _call: ModelCall[ResponseTranslation], _request: ResponseTranslation
) -> AsyncGenerator[bytes, None]:
    raise NotImplementedError("a summary is asked for as a whole")
    yield b""


def _invalid(param: str, reason: str) -> ApiError:
    return ApiError(400, f"Invalid value for '{param}': {reason}.", param=param, code="invalid_value")
