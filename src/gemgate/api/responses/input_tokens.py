"""`POST /responses/input_tokens`: what a request would have Gemini read, counted by Gemini."""

from gemgate.api.responses.request import ResponseTranslation
from gemgate.auth.caller import Caller
from gemgate.gemini.client.event_stream import check_response
from gemgate.gemini.proto_json import whole_number
from gemgate.gemini.types import CountTokensResponse
from gemgate.upstream.client import Upstream

_NOT_COUNTED = frozenset({"serviceTier", "store"})


async def input_tokens(gemini: Upstream, caller: Caller, translation: ResponseTranslation) -> dict[str, object]:
    """The answer of the endpoint.

    Raises:
        GeminiError: Google did not count.
    """
    count = await counted_tokens(gemini, caller, translation)
    return {"object": "response.input_tokens", "input_tokens": count}


async def counted_tokens(gemini: Upstream, caller: Caller, translation: ResponseTranslation) -> int:
    """The count, instructions, tools and all turns included.

    Raises:
        GeminiError: Google did not count.
    """
    counted = count_request(translation)
    path = f"/v1beta/{translation.model}:countTokens"
    answer = await gemini.request("POST", path, key=caller.key, json=counted)
    check_response(answer, CountTokensResponse)
    return whole_number(answer.get("totalTokens"))


def count_request(translation: ResponseTranslation) -> dict[str, object]:
    """The body of `countTokens` for a native request."""
    body = {name: value for name, value in translation.body.items() if name not in _NOT_COUNTED}
    return {"generateContentRequest": {"model": translation.model, **body}}
