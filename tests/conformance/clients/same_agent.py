"""One agent program: tools, parallel calls, history, an image, a structured answer; with either of two models.

`google BASE_URL KEY` speaks Google's API with pydantic-ai's own translation, `openai BASE_URL KEY` OpenAI's.
"""

import asyncio
import sys
from base64 import b64decode
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

NAME = "gemini-2.5-flash"
SETTINGS = ModelSettings(temperature=0.3, top_p=0.9, max_tokens=2000, stop_sequences=["THE END"], seed=7)
DOT = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


class Visit(BaseModel):
    """What to do, and where."""

    city: str = Field(description="Where to go")
    days: int = Field(ge=1, le=14)
    with_whom: list[str]
    season: Literal["spring", "summer", "autumn", "winter"] = "spring"


def model(kind: str, base_url: str, key: str) -> Any:
    if kind == "google":
        return GoogleModel(NAME, provider=GoogleProvider(api_key=key, base_url=base_url))
    return OpenAIChatModel(NAME, provider=OpenAIProvider(api_key=key, base_url=base_url))


async def main(kind: str, base_url: str, key: str) -> None:
    chosen = model(kind, base_url, key)
    guide = Agent(chosen, instructions="You are a guide who knows cities.", model_settings=SETTINGS)

    @guide.tool_plain
    def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> dict[str, Any]:
        """The weather in a city.

        Args:
            city: The name of the city.
            unit: Of the temperature.
        """
        return {"sky": "clear", "degrees": 3 if unit == "celsius" else 37}

    @guide.tool_plain
    def get_time(city: str) -> dict[str, Any]:
        """The time in a city."""
        return {"clock": "12:30"}

    first = await guide.run("What are the weather and the time in Paris?")
    second = await guide.run("And the weather in Rome and Oslo?", message_history=first.all_messages())
    await guide.run("Thank you. Say goodbye.", message_history=second.all_messages())
    picture = BinaryContent(DOT, media_type="image/png")
    await Agent(chosen, model_settings=SETTINGS).run(["What is in this picture?", picture])
    clerk = Agent(chosen, output_type=Visit, instructions="Extract the visit.")
    await clerk.run("Ann and Bob want to go to Rome for three days in autumn.")


asyncio.run(main(*sys.argv[1:]))
