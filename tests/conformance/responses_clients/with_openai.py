"""OpenAI's own client for Python: `responses.create`, `responses.stream` and `responses.parse`."""

import json
import sys
from typing import Any

from openai import APIError, OpenAI
from pydantic import BaseModel

feature, model, base_url, key = sys.argv[1:]
CLIENT = OpenAI(base_url=base_url, api_key=key, max_retries=0)
RESULTS = {"get_weather": "clear, 3 degrees", "get_time": "half past twelve"}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS: list[Any] = [{"type": "function", "name": name, "parameters": PARAMETERS} for name in RESULTS]


class Event(BaseModel):
    name: str
    participants: list[str]


def answer(streamed: bool, **body: Any) -> Any:
    if not streamed:
        return CLIENT.responses.create(model=model, **body)
    with CLIENT.responses.stream(model=model, **body) as stream:
        return stream.get_final_response()


def tools(streamed: bool) -> Any:
    said: list[Any] = [{"role": "user", "content": "What are the weather and the time in Paris?"}]
    called = []
    while True:
        response = answer(streamed, input=said, tools=FUNCTIONS)
        said += [item.model_dump(exclude_none=True) for item in response.output]
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return {"text": response.output_text, "called": called}
        for call in calls:
            called.append([call.name, json.loads(call.arguments)["city"]])
            said.append({"type": "function_call_output", "call_id": call.call_id, "output": RESULTS[call.name]})


def structured() -> Any:
    said = "John and Susan are going to an AI conference on Friday."
    return CLIENT.responses.parse(model=model, input=said, text_format=Event).output_parsed.model_dump()


def failure() -> Any:
    try:
        answer(True, input="Hello there [[emulator: error-mid-stream]]")
    except APIError as error:
        return {"error": error.message}
    return {}


done = {"tools": lambda: tools(False), "streamed": lambda: tools(True), "structured": structured, "failure": failure}
print(json.dumps(done[feature]()))
