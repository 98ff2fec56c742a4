"""The CPU time of a request of the Responses API beside chat's: `python -m benchmarks.responses [rounds, 40]`.

In process and without sockets, with a Google that answers at once. A response may cost 1.25 times what chat's costs.
"""

import asyncio
import sys
import time

import orjson
from benchmarks.exchanges import chat_request, codex_request, response_request
from benchmarks.micro import Work, quiet_application, whole_request

_PATH = "/v1/responses"


def _codex_as_chat() -> bytes:
    """The same tools and messages for chat."""
    asked = orjson.loads(codex_request())
    tools = [
        {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in asked["tools"]
    ]
    return chat_request(stream=True, tools=tools, tool_choice="auto")


async def measure(rounds: int) -> dict[str, float]:
    """The least CPU time of each, in microseconds."""
    least: dict[str, float] = {}
    async with quiet_application() as (app, _):
        works: dict[str, Work] = {
            "chat": whole_request(app, chat_request()),
            "response": whole_request(app, response_request(), _PATH),
            "chat, streamed": whole_request(app, chat_request(stream=True)),
            "response, streamed": whole_request(app, response_request(stream=True), _PATH),
            "chat, 40 KB of tools": whole_request(app, _codex_as_chat()),
            "response, 40 KB of tools": whole_request(app, codex_request(), _PATH),
        }
        for _ in range(rounds):
            for name, work in works.items():
                begun = time.process_time_ns()
                for _ in range(4):
                    await work()
                least[name] = min(least.get(name, 1e12), (time.process_time_ns() - begun) / 4000)
    return least


def main() -> None:
    """Print the table."""
    found = list(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 40)).items())
    print("| in process, without sockets | chat | responses | ratio |\n|---|---:|---:|---:|")
    names = ("buffered", "a stream of 100 events", "a stream of 100 events, with 40 KB of tools")
    for title, (_, chat), (_, response) in zip(names, found[::2], found[1::2], strict=True):
        print(f"| {title} | {chat:,.0f} µs | {response:,.0f} µs | {response / chat:.2f} |")


if __name__ == "__main__":
    main()
