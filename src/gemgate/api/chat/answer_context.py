"""What an answer must know of its request."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gemgate.api.chat.speech import AudioFormat
from gemgate.translation.function_names import NameMap
from gemgate.translation.options import Dialect
from gemgate.translation.response_format import HiddenFunction
from gemgate.translation.thought_signatures import Signatures


class AnswerContext(NamedTuple):
    """What an answer must know of its request.

    Attributes:
        model: The model's name as it was asked for.
        dialect: `openai`: thoughts in `reasoning_content`; `google`: between `<thought>` tags in the content.
        caller_id: Whose thought signatures these are.
        names: The callers' function names and Gemini's.
        signatures: Where thought signatures are kept.
        custom: Gemini's names of custom tools.
        functions: Gemini's names of all functions, and their schemas.
        hidden: The function that carries the response format, if there is one.
        first_call_only: `parallel_tool_calls` is false.
        legacy_functions: The request used `functions`, so the answer uses `function_call`.
        holds_calls: Google may run calls itself, so they are shown only when nobody answered them.
        is_json: The content must be JSON and nothing else.
        include_usage: A stream ends with a usage chunk.
        audio_format: The format of speech, when it was asked for.
    """

    model: str
    names: NameMap
    signatures: Signatures
    dialect: Dialect = "openai"
    caller_id: str = ""
    custom: frozenset[str] = frozenset()
    functions: Mapping[str, object] = MappingProxyType({})
    hidden: HiddenFunction | None = None
    first_call_only: bool = False
    legacy_functions: bool = False
    holds_calls: bool = False
    is_json: bool = False
    include_usage: bool = False
    audio_format: AudioFormat | None = None
