"""computeTokens: the tokens of each content, with their ids. Here a word is a token, and its id is a checksum."""

import base64
import zlib
from typing import Any

from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import bad_request, invalid
from gemgate.emulator.replies import json_reply
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.validation import Json, parse


def compute_tokens(state: EmulatorState, body: Any) -> Delivery:
    """`{"tokensInfo": [{"role", "tokens" (Base64), "tokenIds" (numbers in strings)}, …]}`, one for each content.

    Source: google-genai 3.6.1, `ComputeTokensResponse`.

    Raises:
        GoogleApiError: 400 for a body that is something else, or without contents.
    """
    canonical, found = parse("CountTokensRequest", body)
    if found:
        raise bad_request(found)
    contents = canonical.get("contents")
    if not contents:
        raise invalid("Required field is not set.")
    return json_reply(state, {"tokensInfo": [_tokens(content) for content in contents]})


def _tokens(content: Json) -> Json:
    words = " ".join(part.get("text", "") for part in content.get("parts") or ()).split()
    return {
        "role": content.get("role", "user"),
        "tokens": [base64.b64encode(word.encode()).decode() for word in words],
        "tokenIds": [str(zlib.crc32(word.encode()) % 256_000) for word in words],
    }
