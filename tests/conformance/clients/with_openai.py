"""OpenAI's own client for Python."""

import json
import sys
from typing import Any

from openai import OpenAI
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
CLIENT = OpenAI(base_url=base_url, api_key=key, max_retries=0)
MODEL = "gemini-2.5-flash"
RESULTS = {"get_weather": "clear, 3 degrees", "get_time": "half past twelve"}


class Event(BaseModel):
    name: str
    participants: list[str]


def tools() -> Any:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    functions: list[Any] = [
        {"type": "function", "function": {"name": name, "parameters": parameters}} for name in RESULTS
    ]
    messages: list[Any] = [{"role": "user", "content": "What are the weather and the time in Paris?"}]
    called = []
    while True:
        completion = CLIENT.chat.completions.create(model=MODEL, messages=messages, tools=functions)
        message = completion.choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "called": called}
        messages.append(message)
        for call in message.tool_calls:
            called.append([call.function.name, json.loads(call.function.arguments)["city"]])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]})


def stream() -> Any:
    messages: list[Any] = [{"role": "user", "content": "Hello there"}]
    chunks = CLIENT.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return {"pieces": [chunk.choices[0].delta.content or "" for chunk in chunks]}


def structured() -> Any:
    messages: list[Any] = [{"role": "user", "content": "John and Susan are going to an AI conference on Friday."}]
    completion = CLIENT.chat.completions.parse(model=MODEL, messages=messages, response_format=Event)
    return completion.choices[0].message.parsed.model_dump()


print(json.dumps({"tools": tools, "stream": stream, "structured": structured}[feature]()))
