"""LiteLLM as a client."""

import json
import sys
from typing import Any

import litellm
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
TO: dict[str, Any] = {"model": "openai/gemini-2.5-flash", "api_base": base_url, "api_key": key, "num_retries": 0}
RESULTS = {"get_weather": "clear, 3 degrees", "get_time": "half past twelve"}


class Event(BaseModel):
    name: str
    participants: list[str]


def tools() -> Any:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    functions = [{"type": "function", "function": {"name": name, "parameters": parameters}} for name in RESULTS]
    messages: list[Any] = [{"role": "user", "content": "What are the weather and the time in Paris?"}]
    called = []
    while True:
        message = litellm.completion(messages=messages, tools=functions, **TO).choices[0].message
        if not message.tool_calls:
            return {"text": message.content, "called": called}
        messages.append(message)
        for call in message.tool_calls:
            called.append([call.function.name, json.loads(call.function.arguments)["city"]])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[call.function.name]})


def stream() -> Any:
    chunks = litellm.completion(messages=[{"role": "user", "content": "Hello there"}], stream=True, **TO)
    return {"pieces": [chunk.choices[0].delta.content or "" for chunk in chunks]}


def structured() -> Any:
    messages = [{"role": "user", "content": "John and Susan are going to an AI conference on Friday."}]
    completion = litellm.completion(messages=messages, response_format=Event, **TO)
    return Event.model_validate_json(completion.choices[0].message.content).model_dump()


print(json.dumps({"tools": tools, "stream": stream, "structured": structured}[feature]()))
