"""Clients, what each does, and how its answer is judged.

A client's program in `clients/` is called with a feature, a base URL and a key, and writes JSON:

- `tools`: `{"text", "called": [[name, city], …]}` after a loop with two functions,
- `stream`: `{"pieces": […]}` of a text, or `{"objects": […]}` of ever fuller objects,
- `structured`: `{"name", "participants"}`, which fits a schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
from tests.conformance.environments import run, start_of
from tests.support.stack import KEY, OPENAI, Stack

PROGRAMS = Path(__file__).parent / "clients"
NODE = Path(__file__).parent / "node"

Feature = Literal["tools", "stream", "structured"]
FEATURES: tuple[Feature, ...] = ("tools", "stream", "structured")


@dataclass(frozen=True, slots=True)
class Client:
    """A client.

    Attributes:
        program: In `clients/`; the ending tells what runs it.
        lock: The environment: `requirements/{lock}.txt`.
        package: Whose version is shown.
        without: Features that it does not have, and why.
    """

    program: str
    lock: str = "clients"
    package: str = ""
    without: dict[Feature, str] = field(default_factory=dict)


CLIENTS: dict[str, Client] = {
    "openai, Python": Client("with_openai.py", package="openai"),
    "openai, Node": Client("with_openai.mjs", package="openai"),
    "LangChain": Client("with_langchain.py", package="langchain-openai"),
    "OpenAI Agents SDK": Client("with_agents.py", package="openai-agents"),
    "pydantic-ai": Client("with_pydantic_ai.py", package="pydantic-ai-slim"),
    "instructor": Client(
        "with_instructor.py",
        "clients-instructor",
        "instructor",
        {"tools": "it has no loop of its own: it asks for structured answers only"},
    ),
    "LlamaIndex": Client("with_llama_index.py", "clients-llama-index", "llama-index-llms-openai-like"),
    "Vercel AI SDK": Client("with_vercel.mjs", package="ai"),
    "LiteLLM": Client("with_litellm.py", "clients-litellm", "litellm"),
    "curl": Client("with_curl.sh", without={"tools": "a loop is no job for a shell"}),
}
CORE = ("openai, Python", "LangChain", "OpenAI Agents SDK", "pydantic-ai")
"""What every run of the tests includes: they share one environment."""


class NonconformingError(AssertionError):
    """A client did not get what it asked for."""


def attempt(client: Client, feature: Feature, servers: Stack, cache: Path, prefix: str = OPENAI) -> None:
    """Let the client do it at the gateway's paths below `prefix`.

    Raises:
        NonconformingError: it failed, or was given something else than it asked for.
    """
    start, folder = start_of(PROGRAMS / client.program, cache, NODE, client.lock)
    seen = len(servers.seen.requests)
    done = run([*start, feature, servers.base(prefix), KEY], folder=folder)
    if done.returncode:
        raise NonconformingError(done.stderr.strip()[-800:])
    paths = [request.path for request in list(servers.seen.requests)[seen:]]
    judge(feature, orjson.loads(done.stdout), paths)


def judge(feature: Feature, answer: Any, paths: Sequence[str]) -> None:
    """Whether `answer` is right; `paths` are those of the native requests.

    Raises:
        NonconformingError: it is not.
    """
    if feature == "tools":
        _check(sorted(answer["called"]) == [["get_time", "Paris"], ["get_weather", "Paris"]], answer)
        _check("clear, 3 degrees" in answer["text"] and "half past twelve" in answer["text"], answer)
    elif feature == "stream":
        _check(bool(paths) and paths[-1].endswith(":streamGenerateContent"), paths)
        if "objects" in answer:
            is_an_event(answer["objects"][-1])
        else:
            _check("You said: “Hello there”. This is the gemgate emulator" in "".join(answer["pieces"]), answer)
    else:
        is_an_event(answer)


def is_an_event(value: Any) -> None:
    """Whether `value` fits the schema of an event.

    Raises:
        NonconformingError: it does not.
    """
    _check(isinstance(value["name"], str) and len(value["participants"]) > 0, value)


def _check(is_right: bool, seen: Any) -> None:
    if not is_right:
        raise NonconformingError(f"got {seen!r}")
