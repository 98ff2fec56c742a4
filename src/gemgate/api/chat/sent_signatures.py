"""Thought signatures that clients send back, in Google's spelling and in those of other gateways."""

from collections.abc import Iterator, Mapping
from typing import Any

from gemgate.api.chat.wire import AssistantMessage, ToolCall
from gemgate.translation.thought_signatures import is_signature
from gemgate.wire import ThinkingPart

CARRIERS = frozenset({"thinking_blocks", "reasoning_signature", "reasoning_details"})
"""Fields of a message that hold thoughts with their signatures: the signatures are read, the thoughts are not sent."""

CALL_CARRIERS = frozenset({"thought_signature", "provider_specific_fields"})
"""Fields of a call, and of its function, that hold a signature beside `extra_content`."""

_NAMESPACES = ("google", "vertex")
_SIGNATURES = ("signature", "data", "thought_signature")


def google_of(extra_content: object) -> dict[str, Any]:
    """What `extra_content` says of Google, also where it calls that Vertex."""
    if not isinstance(extra_content, dict):
        return {}
    found: dict[str, object] = {}
    for namespace in reversed(_NAMESPACES):
        if isinstance(inner := extra_content.get(namespace), dict):
            found |= inner
    return found


def signature_of_call(call: ToolCall) -> tuple[str | None, bool]:
    """The first signature of a call that can be one, and whether there was another value."""
    return _first(_in_call(call))


def signatures_of_message(message: AssistantMessage, call_id: str | None) -> tuple[str | None, bool]:
    """As `signature_of_call`, in the fields for thoughts of its message.

    A signature that names another call than `call_id` is left out; `None` looks for those that name none.
    """
    return _first(value for owner, value in _in_message(message) if owner in (None, call_id))


def _first(values: Iterator[object]) -> tuple[str | None, bool]:
    has_other = False
    for value in values:
        if isinstance(value, str) and value:
            if is_signature(value):
                return value, has_other
            has_other = True
    return None, has_other


def _in_call(call: ToolCall) -> Iterator[object]:
    outer: Mapping[str, object] = call
    inner: Mapping[str, object] = call.get("function") or {}
    yield google_of(outer.get("extra_content")).get("thought_signature")
    yield google_of(inner.get("extra_content")).get("thought_signature")
    yield outer.get("thought_signature")
    yield inner.get("thought_signature")
    for fields in (outer.get("provider_specific_fields"), inner.get("provider_specific_fields")):
        if isinstance(fields, dict):
            yield fields.get("thought_signature")
    call_id = call.get("id")
    if call_id and "__thought__" in call_id:
        yield call_id.partition("__thought__")[2]


def _in_message(message: AssistantMessage) -> Iterator[tuple[str | None, object]]:
    """Each value, and the id of the call that it names."""
    fields: Mapping[str, object] = message
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, ThinkingPart):
            yield None, part.signature
    for name in ("thinking_blocks", "reasoning_details"):
        blocks = fields.get(name)
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict) and _is_googles(block.get("format")):
                owner = block.get("id") if name == "reasoning_details" else None
                for key in _SIGNATURES:
                    yield (owner if isinstance(owner, str) else None), block.get(key)
    yield None, fields.get("reasoning_signature")


def _is_googles(form: object) -> bool:
    """Whether a block that names its format has that of Gemini; OpenRouter's is `google-gemini-v1`."""
    return not isinstance(form, str) or "gemini" in form or "google" in form
