"""In a tool loop a conversation stays with the API of Google's where it began, whose signatures its calls have."""

from collections.abc import Sequence
from contextlib import suppress

from gemgate.api.chat.messages import call_memory_key
from gemgate.api.chat.request import ChatTranslation
from gemgate.api.chat.sent_signatures import signature_of_call
from gemgate.api.chat.wire import Message
from gemgate.errors import ApiError
from gemgate.translation.options import Options
from gemgate.translation.signature_origins import SignatureOrigins


def at_home_first(
    models: tuple[str, ...], messages: Sequence[Message], caller_id: str, options: Options
) -> tuple[str, ...]:
    """`models`, in the order in which they are asked for `messages`.

    Args:
        models: What the caller's name means.
        messages: The conversation.
        caller_id: Whose signatures may be used.
        options: Whose memory knows who has made a signature.
    """
    if options.origins is None or len(models) < 2:
        return models
    signature = _signature_of_loop(messages, caller_id, options)
    return options.origins.at_home_first(models, signature) if signature else models


def settle_signatures(translation: ChatTranslation, origins: SignatureOrigins) -> None:
    """Leave the other API's signatures out of a request, and remember who makes those of its answer."""
    origins.leave_out_foreign(translation.body, translation.model, translation.notes)
    translation.context = translation.context._replace(signatures=origins.marking(translation.model))


def _signature_of_loop(messages: Sequence[Message], caller_id: str, options: Options) -> str | None:
    """The signature of the calls that the last messages are the results of."""
    for message in reversed(messages):
        if message["role"] in ("tool", "function"):
            continue
        if message["role"] != "assistant" or message is messages[-1]:
            return None
        for call in message.get("tool_calls") or ():
            if found := signature_of_call(call)[0]:
                return found
            with suppress(ApiError):  # it is refused where it is translated
                if kept := options.signatures.get(call_memory_key(call, caller_id)):
                    return kept
        return None
    return None
