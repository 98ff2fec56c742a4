"""pydantic-ai, with its OpenAI model."""

import asyncio
import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

feature, base_url, key = sys.argv[1:]
MODEL = OpenAIChatModel("gemini-2.5-flash", provider=OpenAIProvider(base_url=base_url, api_key=key))


class Event(BaseModel):
    name: str
    participants: list[str]


async def tools() -> Any:
    called = []
    agent = Agent(MODEL)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(["get_weather", city])
        return "clear, 3 degrees"

    @agent.tool_plain
    def get_time(city: str) -> str:
        """The time in a city."""
        called.append(["get_time", city])
        return "half past twelve"

    done = await agent.run("What are the weather and the time in Paris?")
    return {"text": done.output, "called": called}


async def stream() -> Any:
    async with Agent(MODEL).run_stream("Hello there") as run:
        return {"pieces": [piece async for piece in run.stream_text(delta=True, debounce_by=None)]}


async def structured() -> Any:
    done = await Agent(MODEL, output_type=Event).run("John and Susan are going to an AI conference on Friday.")
    return done.output.model_dump()


print(json.dumps(asyncio.run({"tools": tools, "stream": stream, "structured": structured}[feature]())))
