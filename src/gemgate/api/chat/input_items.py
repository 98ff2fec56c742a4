"""A body of the Responses API that was sent to chat completions, as some editors do: `input` in place of `messages`.

It is answered in the form of chat. Only what such clients send is read: messages, calls and their outputs.
"""

from typing import Any

import orjson

from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.translation.validation import parse

Json = dict[str, Any]

_RENAMED = {"max_output_tokens": "max_completion_tokens"}
_TEXTS = frozenset({"input_text", "output_text", "text"})


def chat_of_input(raw: bytes, error: ApiError) -> ChatCompletionRequest:
    """The request in a body that chat refuses with `error`, and that may be written for the Responses API.

    Raises:
        ApiError: 400, naming the parameter at fault: `error` itself, for a body that is not.
    """
    if error.param != "messages" or error.code != "missing_required_parameter" or b'"input"' not in raw:
        raise error
    body = orjson.loads(raw)
    if not isinstance(body.get("input"), str | list):
        raise error
    return parse(ChatCompletionRequest, orjson.dumps(chat_body(body)))


def chat_body(body: Json) -> Json:
    """The same request in the words of chat completions; fields that both have stay as they are."""
    chat = {_RENAMED.get(name, name): value for name, value in body.items() if name not in ("input", "instructions")}
    chat["messages"] = _messages(body)
    if isinstance(body.get("tools"), list):
        chat["tools"] = [_tool(tool) for tool in body["tools"]]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and "function" not in choice:
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    text = chat.pop("text", None)
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict):
        inner = {name: value for name, value in wanted.items() if name != "type"}
        is_schema = wanted.get("type") == "json_schema"
        chat["response_format"] = {"type": wanted.get("type"), **({"json_schema": inner} if is_schema else {})}
    return chat


def _messages(body: Json) -> list[Any]:
    given = body["input"]
    messages: list[object] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        _add(messages, item)
    return messages


def _add(messages: list[Any], item: Any) -> None:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if kind == "message":
        message = {name: value for name, value in item.items() if name in ("role", "content", "name")}
        if isinstance(message.get("content"), list):
            message["content"] = [_part(part) for part in message["content"]]
        messages.append(message)
    elif kind == "function_call":
        call = {"name": item.get("name"), "arguments": item.get("arguments")}
        shown = {"id": item.get("call_id"), "type": "function", "function": call}
        if messages and isinstance(messages[-1], dict) and messages[-1].get("role") == "assistant":
            messages[-1].setdefault("tool_calls", []).append(shown)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [shown]})
    elif kind == "function_call_output":
        output = item.get("output")
        content = [_part(part) for part in output] if isinstance(output, list) else output
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
    elif kind != "reasoning":
        messages.append(item)  # refused by its place, as an item that chat does not know


def _part(part: Any) -> object:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": part.get("text")}
    if kind == "input_image":
        image = {"url": part.get("image_url"), "file_id": part.get("file_id"), "detail": part.get("detail")}
        return {"type": "image_url", "image_url": {name: value for name, value in image.items() if value is not None}}
    if kind == "input_file":
        return {"type": "file", "file": {name: value for name, value in part.items() if name != "type"}}
    return part


def _tool(tool: object) -> object:
    if not isinstance(tool, dict) or tool.get("type") not in ("function", "custom") or tool["type"] in tool:
        return tool
    inner = {name: value for name, value in tool.items() if name != "type"}
    return {"type": tool["type"], tool["type"]: inner}
