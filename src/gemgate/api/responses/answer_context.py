"""What an answer must know of its request."""

from typing import NamedTuple

from gemgate.api.responses.carrier import CarrierCodec
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.gemini.types import UsageMetadata
from gemgate.translation.declared_calls import Declared
from gemgate.translation.response_format import HiddenFunction
from gemgate.translation.thought_signatures import Signatures


class Opening(NamedTuple):
    """The compaction that a response begins with: the summary, and the tokens that it took."""

    summary: str
    usage: UsageMetadata


class ResponseContext(NamedTuple):
    """What an answer must know of its request.

    Attributes:
        tools: The callers' tools and Gemini's names of them.
        functions: The schemas of the functions that the request declares, by Gemini's names.
        signatures: Where thought signatures are kept.
        codec: Seals what Gemini must be sent back.
        family: The model's family, which signatures are bound to.
        caller_id: Whose signatures these are.
        include: What `include` asks for.
        hidden: The function that carries the format of the text, if there is one.
        is_json: The text is to be JSON.
        first_call_only: `parallel_tool_calls` is false.
        carries_parts: The model must be sent back the parts of its built-in tools.
        tier: The service tier that Google was asked for.
        compacts: The answer is a summary of the conversation.
        opening: What the response begins with, where its conversation was compacted before it is answered.
        is_stored: Whether the response is kept, and with it what is too large for a carrier.
    """

    tools: ResponseTools
    functions: Declared
    signatures: Signatures
    codec: CarrierCodec
    family: str = ""
    caller_id: str = ""
    include: frozenset[str] = frozenset()
    hidden: HiddenFunction | None = None
    is_json: bool = False
    first_call_only: bool = False
    carries_parts: bool = False
    tier: str | None = None
    compacts: bool = False
    opening: Opening | None = None
    is_stored: bool = False
