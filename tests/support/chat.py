"""Translate chat requests in tests; each native request must be one that Google's schema allows."""

from typing import Any

from gemgate.api.chat.request import ChatTranslation, to_gemini
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.emulator.validation import violations
from gemgate.gemini.model_catalog import Catalog
from gemgate.media.references import Resolved
from gemgate.translation.options import Dialect, Options
from gemgate.translation.thought_signatures import SignatureStore

FLASH_20 = "gemini-2.0-flash"
FLASH_25 = "gemini-2.5-flash"
PRO_25 = "gemini-2.5-pro"
FLASH_3 = "gemini-3-flash-preview"
FLASH_35 = "gemini-3.5-flash"
FLASH_37 = "gemini-3.7-flash"

USER = {"role": "user", "content": "Hi"}


def chat_options(**changes: Any) -> Options:
    """The operator's defaults, with changes."""
    defaults: dict[str, Any] = {"catalog": Catalog(), "signatures": SignatureStore(100, 60.0)}
    return Options(**{**defaults, **changes})


def translate(
    options: Options | None = None,
    *,
    media: Resolved | None = None,
    caller_id: str = "",
    dialect: Dialect = "openai",
    **body: Any,
) -> ChatTranslation:
    """The translation of a body with these fields; by default the user says "Hi" to gemini-2.5-flash."""
    request = ChatCompletionRequest.model_validate({"model": FLASH_25, "messages": [USER], **body})
    translation = to_gemini(request, options or chat_options(), dialect=dialect, media=media, caller_id=caller_id)
    for native in translation.bodies():
        assert violations("GenerateContentRequest", native) == []
    return translation


def contents(*messages: dict[str, Any], **body: Any) -> list[Any]:
    """The native contents of a conversation."""
    native: list[Any] = translate(messages=list(messages), **body).body["contents"]
    return native


def config(**body: Any) -> dict[str, Any]:
    """The native generation config."""
    native: dict[str, Any] = dict(translate(**body).body.get("generationConfig", {}))
    return native


def assistant_calls(*calls: tuple[str, str, str], content: str | None = None, **extra: Any) -> dict[str, Any]:
    """A message of the assistant with calls of (id, name, arguments)."""
    tool_calls = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": tool_calls, **extra}


def tool_result(call_id: str, content: Any) -> dict[str, Any]:
    """A tool message."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def function_tool(name: str = "get_weather", **function: Any) -> dict[str, Any]:
    """A function tool that takes a city."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters, **function}}
