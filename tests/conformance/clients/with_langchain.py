"""LangChain's ChatOpenAI."""

import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
MODEL = ChatOpenAI(model="gemini-2.5-flash", base_url=base_url, api_key=key, max_retries=0)


class Event(BaseModel):
    """A date in a calendar."""

    name: str
    participants: list[str]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "clear, 3 degrees"


@tool
def get_time(city: str) -> str:
    """The time in a city."""
    return "half past twelve"


def tools() -> Any:
    functions = {"get_weather": get_weather, "get_time": get_time}
    model = MODEL.bind_tools(list(functions.values()))
    messages: list[Any] = [HumanMessage("What are the weather and the time in Paris?")]
    called = []
    answer = model.invoke(messages)
    while answer.tool_calls:
        messages.append(answer)
        for call in answer.tool_calls:
            called.append([call["name"], call["args"]["city"]])
            result = functions[call["name"]].invoke(call["args"])
            messages.append(ToolMessage(result, tool_call_id=call["id"]))
        answer = model.invoke(messages)
    return {"text": answer.content, "called": called}


def stream() -> Any:
    return {"pieces": [piece.content for piece in MODEL.stream("Hello there")]}


def structured() -> Any:
    model = MODEL.with_structured_output(Event)
    return model.invoke("John and Susan are going to an AI conference on Friday.").model_dump()


print(json.dumps({"tools": tools, "stream": stream, "structured": structured}[feature]()))
