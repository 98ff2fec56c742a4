"""Which of Google's two APIs has made a thought signature, where a gateway asks both: each refuses the other's.

Source: pydantic-ai 2.68, calls to Google of 2026-10-27.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

from gemgate.gemini.resource_names import ENDPOINTS, VERTEX
from gemgate.gemini.types import GenerateContentRequest, Part
from gemgate.translation.notes import Notes
from gemgate.translation.thought_signatures import NO_SIGNATURE, Signatures

Api = Literal["gemini", "vertex"]


def api_of(model: str) -> Api:
    """The API that a gateway which asks both asks for `model`."""
    return "vertex" if model.startswith((VERTEX, ENDPOINTS)) else "gemini"


def origin_key(signature: str) -> bytes:
    """Where in the memory of signatures the maker of `signature` is."""
    return hashlib.blake2b(b"origin\0" + signature.encode(), digest_size=16).digest()


class MarkedSignatures:
    """The memory of signatures for answers of one API, which is remembered beside each of them.

    Args:
        signatures: The memory.
        api: Who makes these.
    """

    def __init__(self, signatures: Signatures, api: Api) -> None:
        self._signatures = signatures
        self._api = api

    @property
    def is_shared(self) -> bool:
        """As of the memory."""
        return self._signatures.is_shared

    def get(self, key: bytes) -> str | None:
        """The signature under `key`, if it is still known."""
        return self._signatures.get(key)

    def put(self, key: bytes, signature: str) -> None:
        """Keep `signature` under `key`, and who has made it."""
        self._signatures.put(key, signature)
        self._signatures.put(origin_key(signature), self._api)

    async def recall(self, keys: Sequence[bytes]) -> None:
        """As of the memory."""
        await self._signatures.recall(keys)


class SignatureOrigins:
    """Keeps signatures from the API that has not made them.

    Args:
        signatures: The memory of signatures.
    """

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    def of(self, signature: str) -> str | None:
        """Who has made `signature`; None where that is not known (any more)."""
        return self._signatures.get(origin_key(signature))

    def marking(self, model: str) -> Signatures:
        """The memory for the answers of `model`."""
        return MarkedSignatures(self._signatures, api_of(model))

    def at_home_first(self, models: Sequence[str], signature: str) -> tuple[str, ...]:
        """`models`, with those of the API that has made `signature` first, if that is known."""
        home = self.of(signature)
        return tuple(sorted(models, key=lambda model: home not in (None, api_of(model))))

    def leave_out_foreign(self, body: GenerateContentRequest, model: str, notes: Notes) -> None:
        """Put the documented placeholder where a call has a signature of the other API, and nothing on other parts."""
        here, replaced = api_of(model), ""
        for content in body["contents"]:
            parts = content.get("parts") or []
            for index, part in enumerate(parts):
                origin = self.of(signature) if (signature := part.get("thoughtSignature")) else None
                if origin not in (None, here):
                    parts[index] = _without_signature(part)
                    replaced = str(origin)
        if replaced:
            notes.adjust(f"messages[].thought_signature={replaced}->placeholder")


def _without_signature(part: Part) -> Part:
    changed = part.copy()
    if "functionCall" in part:
        changed["thoughtSignature"] = NO_SIGNATURE
    else:
        del changed["thoughtSignature"]
    return changed
