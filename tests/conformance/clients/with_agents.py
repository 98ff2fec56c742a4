"""OpenAI's Agents SDK, in its mode for chat completions."""

import asyncio
import json
import sys
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

feature, base_url, key = sys.argv[1:]
CLIENT = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)
MODEL = OpenAIChatCompletionsModel(model="gemini-2.5-flash", openai_client=CLIENT)


class Event(BaseModel):
    name: str
    participants: list[str]


async def tools() -> Any:
    called = []

    @function_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(["get_weather", city])
        return "clear, 3 degrees"

    @function_tool
    def get_time(city: str) -> str:
        """The time in a city."""
        called.append(["get_time", city])
        return "half past twelve"

    agent = Agent(name="guide", model=MODEL, tools=[get_weather, get_time])
    done = await Runner.run(agent, "What are the weather and the time in Paris?")
    return {"text": done.final_output, "called": called}


async def stream() -> Any:
    run = Runner.run_streamed(Agent(name="host", model=MODEL), "Hello there")
    pieces = [
        event.data.delta
        async for event in run.stream_events()
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    return {"pieces": pieces}


async def structured() -> Any:
    agent = Agent(name="clerk", model=MODEL, output_type=Event)
    done = await Runner.run(agent, "John and Susan are going to an AI conference on Friday.")
    return done.final_output.model_dump()


set_tracing_disabled(disabled=True)
print(json.dumps(asyncio.run({"tools": tools, "stream": stream, "structured": structured}[feature]())))
