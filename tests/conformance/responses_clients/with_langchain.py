"""LangChain's ChatOpenAI with `use_responses_api`."""

import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import APIError
from pydantic import BaseModel

feature, name, base_url, key = sys.argv[1:]
MODEL = ChatOpenAI(model=name, base_url=base_url, api_key=key, max_retries=0, use_responses_api=True)


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


def answer(model: Any, said: Any, streamed: bool) -> Any:
    if not streamed:
        return model.invoke(said)
    pieces = list(model.stream(said))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return whole


def tools(streamed: bool) -> Any:
    functions = {"get_weather": get_weather, "get_time": get_time}
    model = MODEL.bind_tools(list(functions.values()))
    said: list[Any] = [HumanMessage("What are the weather and the time in Paris?")]
    called = []
    message = answer(model, said, streamed)
    while message.tool_calls:
        said.append(message)
        for call in message.tool_calls:
            called.append([call["name"], call["args"]["city"]])
            said.append(ToolMessage(functions[call["name"]].invoke(call["args"]), tool_call_id=call["id"]))
        message = answer(model, said, streamed)
    return {"text": message.text, "called": called}


def structured() -> Any:
    model = MODEL.with_structured_output(Event)
    return model.invoke("John and Susan are going to an AI conference on Friday.").model_dump()


def failure() -> Any:
    try:
        answer(MODEL, "Hello there [[emulator: error-mid-stream]]", True)
    except (APIError, ValueError) as error:
        return {"error": str(error)}
    return {}


done = {"tools": lambda: tools(False), "streamed": lambda: tools(True), "structured": structured, "failure": failure}
print(json.dumps(done[feature]()))
