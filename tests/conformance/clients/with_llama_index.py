"""LlamaIndex, with its model for services that are like OpenAI's."""

import json
import sys
from typing import Any

from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
MODEL = OpenAILike(
    model="gemini-2.5-flash",
    api_base=base_url,
    api_key=key,
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)


class Event(BaseModel):
    """A date in a calendar."""

    name: str
    participants: list[str]


def get_weather(city: str) -> str:
    """The weather in a city."""
    return "clear, 3 degrees"


def get_time(city: str) -> str:
    """The time in a city."""
    return "half past twelve"


def tools() -> Any:
    functions = {function.__name__: function for function in (get_weather, get_time)}
    offered = [FunctionTool.from_defaults(function) for function in functions.values()]
    messages = [ChatMessage(role=MessageRole.USER, content="What are the weather and the time in Paris?")]
    called = []
    while True:
        answer = MODEL.chat_with_tools(offered, chat_history=messages, allow_parallel_tool_calls=True)
        calls = MODEL.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        if not calls:
            return {"text": answer.message.content, "called": called}
        messages.append(answer.message)
        for call in calls:
            called.append([call.tool_name, call.tool_kwargs["city"]])
            result = functions[call.tool_name](**call.tool_kwargs)
            more = {"tool_call_id": call.tool_id}
            messages.append(ChatMessage(role=MessageRole.TOOL, content=result, additional_kwargs=more))


def stream() -> Any:
    messages = [ChatMessage(role=MessageRole.USER, content="Hello there")]
    return {"pieces": [piece.delta or "" for piece in MODEL.stream_chat(messages)]}


def structured() -> Any:
    messages = [ChatMessage(role=MessageRole.USER, content="John and Susan are going to an AI conference on Friday.")]
    return MODEL.as_structured_llm(Event).chat(messages).raw.model_dump()


print(json.dumps({"tools": tools, "stream": stream, "structured": structured}[feature]()))
