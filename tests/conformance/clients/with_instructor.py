"""instructor, which asks for structured answers through tools, and as a stream of ever fuller objects."""

import json
import sys
from typing import Any

import instructor
from openai import OpenAI
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
CLIENT = instructor.from_openai(OpenAI(base_url=base_url, api_key=key, max_retries=0))
MESSAGES: list[Any] = [{"role": "user", "content": "John and Susan are going to an AI conference on Friday."}]
MODEL = "gemini-2.5-flash"


class Event(BaseModel):
    name: str
    participants: list[str]


def structured() -> Any:
    return CLIENT.chat.completions.create(model=MODEL, messages=MESSAGES, response_model=Event).model_dump()


def stream() -> Any:
    partial = CLIENT.chat.completions.create_partial(model=MODEL, messages=MESSAGES, response_model=Event)
    return {"objects": [event.model_dump() for event in partial]}


print(json.dumps({"structured": structured, "stream": stream}[feature]()))
