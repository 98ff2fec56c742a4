"""The CPU time of a request by way of Vertex AI beside the Developer API: `python -m benchmarks.vertex [rounds, 40]`.

With `calls`, it counts calls of functions.

In process and without sockets, with a Google that answers at once and the gateway's own credentials: a key here, an
access token there. Vertex AI may cost 1.05 times what the Developer API costs.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from cProfile import Profile

import orjson
from benchmarks.exchanges import MODEL, chat_request
from benchmarks.micro import Work, quiet_application, whole_request

from gemgate.gemini.vertex import google_auth
from gemgate.gemini.vertex.credentials import AccessToken
from gemgate.gemini.vertex.token_refresh import RefreshedTokens

_NATIVE = orjson.dumps({"contents": [{"role": "user", "parts": [{"text": "u" * 300}]}]})
_KEY = "AIza-the-key-of-a-benchmark"
TITLES = ("chat", "a stream of 100 events", "chat with a tool loop", "Google's own API")


class _Source:
    """Gives one token for an hour."""

    def fetch(self) -> AccessToken:
        """The token."""
        return AccessToken("ya29.the-token-of-a-benchmark", 3600.0)


@contextmanager
def _tokens() -> Iterator[None]:
    """In the place of google-auth, a source that asks nobody."""
    kept = google_auth.google_tokens
    google_auth.google_tokens = lambda **_: RefreshedTokens(_Source())
    try:
        yield
    finally:
        google_auth.google_tokens = kept


def _tool_loop() -> bytes:
    """A request whose call has an id, which Vertex AI does not take."""
    function = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    return chat_request(messages=messages, tools=[{"type": "function", "function": function}])


@asynccontextmanager
async def pairs() -> AsyncIterator[dict[str, tuple[Work, Work]]]:
    """The same request by the Developer API and by Vertex AI, by its title."""
    place = "/v1/projects/a-project/locations/global/publishers/google/models"
    developer = {"client_keys": "benchmark", "gemini_api_key": _KEY}
    vertex = {"client_keys": "benchmark", "upstream": "vertex", "google_cloud_project": "a-project"}
    with _tokens():
        async with quiet_application(**developer) as (one, _), quiet_application(**vertex) as (other, _):
            raws = chat_request(), chat_request(stream=True), _tool_loop()
            found = [(whole_request(one, raw), whole_request(other, raw)) for raw in raws]
            here, there = (f"{path}/{MODEL}:generateContent" for path in ("/v1beta/models", place))
            found.append((whole_request(one, _NATIVE, here), whole_request(other, _NATIVE, there)))
            yield dict(zip(TITLES, found, strict=True))


async def measure(rounds: int) -> dict[str, list[float]]:
    """The least CPU time of each, in microseconds: by the Developer API, and by Vertex AI."""
    least = {title: [1e12, 1e12] for title in TITLES}
    async with pairs() as works:
        for _ in range(rounds):
            for title, pair in works.items():
                for number, work in enumerate(pair):
                    least[title][number] = min(least[title][number], await _cost(work))
    return least


async def counted() -> dict[str, float]:
    """How many times as many calls of functions Vertex AI takes, by what is asked."""
    async with pairs() as works:
        return {title: await _calls(there) / await _calls(here) for title, (here, there) in works.items()}


async def _calls(work: Work) -> int:
    for _ in range(5):
        await work()
    with Profile() as profile:
        for _ in range(5):
            await work()
    return sum(entry.callcount for entry in profile.getstats())


async def _cost(work: Work) -> float:
    begun = time.process_time_ns()
    for _ in range(8):
        await work()
    return (time.process_time_ns() - begun) / 8000


def main() -> None:
    """Print the table; or the calls of functions, as JSON."""
    if sys.argv[1:] == ["calls"]:
        print(orjson.dumps(asyncio.run(counted())).decode())
        return
    found = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
    print("| in process, without sockets | Developer API | Vertex AI | ratio |\n|---|---:|---:|---:|")
    for title, (here, there) in found.items():
        print(f"| {title} | {here:,.0f} µs | {there:,.0f} µs | {there / here:.2f} |")


if __name__ == "__main__":
    main()
