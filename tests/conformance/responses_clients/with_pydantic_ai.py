"""pydantic-ai with `OpenAIResponsesModel`."""

import asyncio
import json
import sys
from typing import Any

from openai import APIError, AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

feature, name, base_url, key = sys.argv[1:]
CLIENT = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)
MODEL = OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=CLIENT))


class Event(BaseModel):
    name: str
    participants: list[str]


async def run(agent: Any, said: str, streamed: bool) -> Any:
    if not streamed:
        return (await agent.run(said)).output
    async with agent.run_stream(said) as running:
        return await running.get_output()


async def tools(streamed: bool) -> Any:
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

    return {"text": await run(agent, "What are the weather and the time in Paris?", streamed), "called": called}


async def structured() -> Any:
    agent = Agent(MODEL, output_type=Event)
    return (await run(agent, "John and Susan are going to an AI conference on Friday.", False)).model_dump()


async def failure() -> Any:
    try:
        await run(Agent(MODEL), "Hello there [[emulator: error-mid-stream]]", True)
    except (AgentRunError, APIError) as error:
        return {"error": str(error)}
    return {}


done = {"tools": lambda: tools(False), "streamed": lambda: tools(True), "structured": structured, "failure": failure}
print(json.dumps(asyncio.run(done[feature]())))
