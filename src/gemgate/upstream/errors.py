"""Errors raised without calling Google: every key is cooling down, or the model's circuit is open."""

import math
from collections.abc import Mapping
from typing import Any

from gemgate.gemini.errors import GeminiError

Json = Mapping[str, Any]


GEMINI_KEYS = "Gemini API keys"
VERTEX_CREDENTIALS = "credentials for Vertex AI"


class NoUsableKeyError(GeminiError):
    """Google rejects every key that the gateway holds: a matter of the operator, not of the caller. `status` is 503.

    What Google said is in the log only: it may repeat the words of the caller whose request was refused.
    """

    def __init__(self, method: str = "", owner: str = GEMINI_KEYS) -> None:
        what = f" for {method}" if method else ""
        super().__init__(503, f"Google rejects the gateway's own {owner}{what}.", "UNAVAILABLE")


def failure_of(error: GeminiError) -> Json:
    """What is worth keeping of `error`, as JSON."""
    return {"status": error.status, "message": error.message, "reason": error.reason, "details": error.details}


def used_up(model: str, failure: Json, wait: float, owner: str = GEMINI_KEYS) -> GeminiError:
    """The 429 for a call that was not made because every key cools down: Google's details, and the gateway's own time.

    Args:
        model: Such as `models/gemini-2.5-flash`; empty for calls without one.
        failure: What `failure_of` gave of the refusal.
        wait: Seconds until the first key may be used again.
        owner: What is used up: keys, or credentials for Vertex AI.
    """
    said = str(failure.get("message", "")).partition("\n")[0]
    what = f" for {model.removeprefix('models/')}" if model else ""
    message = (
        f"The quota of this gateway's {owner}{what} is used up; it was not asked again. "
        f"Please retry in {math.ceil(wait)}s. Google said: {said}"
    )
    details = [item for item in failure.get("details", []) if not str(item.get("@type", "")).endswith("RetryInfo")]
    return GeminiError(429, message, "RESOURCE_EXHAUSTED", details, available_in=wait)


def broken(model: str, wait: float) -> GeminiError:
    """The 503 for a call that was not made because the model has failed too often just now."""
    message = (
        f"The Gemini API fails for {model.removeprefix('models/')} at the moment; it was not asked again. "
        f"Please retry in {math.ceil(wait)}s."
    )
    return GeminiError(503, message, "UNAVAILABLE", available_in=wait)
