"""The CPU time of a request of the Responses API beside chat's: `python -m benchmarks.responses [rounds, 40]`.

In process and without sockets, with a Google that answers at once. `make bench` prints the same table.
"""

import asyncio
import sys
import time

import orjson
from benchmarks.exchanges import EVENTS, chat_request, codex_request, response_request
from benchmarks.micro import Work, quiet_application, whole_request

_PATH = "/v1/responses"
_MOST = 1.25
"""What a response may cost, in the costs of the same request of chat."""


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


async def compared(rounds: int = 40) -> str:
    """The table of both, their ratios, and whether a response costs too much."""
    found = list((await measure(rounds)).items())
    lines = [
        "",
        f"| in process, without sockets | chat | responses | ratio, at most {_MOST} | |",
        "|---|---:|---:|---:|---|",
    ]
    names = ("buffered", f"a stream of {EVENTS} events", f"a stream of {EVENTS} events, with 40 KB of tools")
    for title, (_, chat), (_, response) in zip(names, found[::2], found[1::2], strict=True):
        verdict = "met" if response <= _MOST * chat else "**missed**"
        lines.append(f"| {title} | {chat:,.0f} µs | {response:,.0f} µs | {response / chat:.2f} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(compared(int(sys.argv[1]) if len(sys.argv) > 1 else 40)))
