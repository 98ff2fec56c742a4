"""OpenAI's Agents SDK for Python, in its default mode."""

import asyncio
import json
import sys
from typing import Any

from agents import Agent, AgentsException, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from openai import APIError, AsyncOpenAI
from pydantic import BaseModel

feature, model, base_url, key = sys.argv[1:]
called: list[Any] = []


class Event(BaseModel):
    name: str
    participants: list[str]


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


async def run(agent: Agent, said: str, streamed: bool = False) -> Any:
    if not streamed:
        return (await Runner.run(agent, said)).final_output
    running = Runner.run_streamed(agent, said)
    async for _ in running.stream_events():
        pass
    return running.final_output


async def tools(streamed: bool) -> Any:
    agent = Agent(name="guide", model=model, tools=[get_weather, get_time])
    return {"text": await run(agent, "What are the weather and the time in Paris?", streamed), "called": called}


async def structured() -> Any:
    agent = Agent(name="clerk", model=model, output_type=Event)
    return (await run(agent, "John and Susan are going to an AI conference on Friday.")).model_dump()


async def failure() -> Any:
    try:
        await run(Agent(name="host", model=model), "Hello there [[emulator: error-mid-stream]]", True)
    except (APIError, AgentsException) as error:
        return {"error": str(error)}
    return {}


set_tracing_disabled(disabled=True)
set_default_openai_client(AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0))
done = {"tools": lambda: tools(False), "streamed": lambda: tools(True), "structured": structured, "failure": failure}
print(json.dumps(asyncio.run(done[feature]())))
