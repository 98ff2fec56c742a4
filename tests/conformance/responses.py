"""Clients of the Responses API with their default settings: what each does, on which model, and how it is judged.

A program of `responses_clients/` is called with a feature, a model, a base URL and a key, and writes JSON:

- `tools`, `streamed`: `{"text", "called": [[name, city], …]}` after a loop with two functions, whole or in streams,
- `structured`: `{"name", "participants"}`, which fits a schema,
- `failure`: `{"error"}`, what a user is shown of a stream that fails midway.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
from tests.conformance.environments import run, start_of
from tests.conformance.matrix import NonconformingError, is_an_event
from tests.support.stack import KEY, OPENAI, Stack

PROGRAMS = Path(__file__).parent / "responses_clients"
NODE = Path(__file__).parent / "responses_node"
CATALOG = Path(__file__).parents[2] / "docs" / "assets" / "codex-gemini-models.json"
GEMINI_25, GEMINI_3 = "gemini-2.5-flash", "gemini-3-flash-preview"

ResponsesFeature = Literal["tools", "streamed", "structured", "failure"]
COLUMNS: dict[str, tuple[ResponsesFeature, str]] = {
    "tools 2.5": ("tools", GEMINI_25),
    "tools 3": ("tools", GEMINI_3),
    "streamed 2.5": ("streamed", GEMINI_25),
    "streamed 3": ("streamed", GEMINI_3),
    "structured": ("structured", GEMINI_3),
    "failure": ("failure", GEMINI_3),
}
"""What each client does, with which model."""

_ALWAYS_STREAMS = "it always streams: see the tools"
_CODEX: dict[ResponsesFeature, str] = {"streamed": _ALWAYS_STREAMS, "structured": "it has no structured answers"}


@dataclass(frozen=True, slots=True)
class ResponsesClient:
    """A client.

    Attributes:
        program: In `responses_clients/`; the ending says what runs it.
        package: Whose version is shown.
        arguments: What the program is called with beside what all are.
        without: Features that it does not have, and why.
        named_by: The variable of the environment that names its command, where it is not of the project of npm.
    """

    program: str
    package: str
    arguments: tuple[str, ...] = ()
    without: dict[ResponsesFeature, str] = field(default_factory=dict)
    named_by: str = ""

    def lacks(self, column: str) -> str | None:
        """Why this client has nothing in `column`, if so."""
        if self.named_by and self.named_by not in os.environ:
            return f"not run: {self.named_by} names its command"
        return self.without.get(COLUMNS[column][0])


RESPONSES_CLIENTS: dict[str, ResponsesClient] = {
    "openai, Python": ResponsesClient("with_openai.py", "openai"),
    "openai, Node": ResponsesClient("with_openai.mjs", "openai"),
    "Agents SDK, Python": ResponsesClient("with_agents.py", "openai-agents"),
    "Agents SDK, Node": ResponsesClient("with_agents.mjs", "@openai/agents"),
    "Vercel AI SDK": ResponsesClient("with_vercel.mjs", "@ai-sdk/openai"),
    "LangChain, Python": ResponsesClient("with_langchain.py", "langchain-openai"),
    "LangChain, Node": ResponsesClient("with_langchain.mjs", "@langchain/openai"),
    "pydantic-ai": ResponsesClient("with_pydantic_ai.py", "pydantic-ai-slim"),
    "Codex, a provider": ResponsesClient("with_codex.mjs", "@openai/codex", ("provider",), _CODEX),
    "Codex, base URL": ResponsesClient("with_codex.mjs", "@openai/codex", ("base-url",), _CODEX),
    "opencode": ResponsesClient("with_opencode.mjs", "", (), _CODEX, "OPENCODE_COMMAND"),
}
CORE = ("openai, Python", "Agents SDK, Python", "LangChain, Python", "pydantic-ai")
CORE_COLUMNS = ("tools 2.5", "streamed 3", "failure")
"""What every run of the tests includes: these clients share one environment."""


def attempt_responses(client: ResponsesClient, column: str, servers: Stack, cache: Path, prefix: str = OPENAI) -> None:
    """Let the client do what `column` says at the gateway's paths below `prefix`.

    Raises:
        NonconformingError: it failed, or was given something else than it asked for.
    """
    feature, model = COLUMNS[column]
    start, folder = start_of(PROGRAMS / client.program, cache, NODE)
    os.environ["CODEX_CATALOG"] = str(CATALOG)
    seen = len(servers.seen.requests)
    done = run([*start, feature, model, servers.base(prefix), KEY, *client.arguments], folder=folder)
    if done.returncode:
        raise NonconformingError(done.stderr.strip()[-800:])
    judge_responses(feature, orjson.loads(done.stdout))
    asked = [request.path for request in list(servers.seen.requests)[seen:]]
    if feature in ("tools", "streamed") and len(asked) < 2:
        raise NonconformingError(f"it asked {asked!r}, and a loop asks twice")


def judge_responses(feature: ResponsesFeature, answer: Any) -> None:
    """Whether `answer` is right.

    Raises:
        NonconformingError: it is not.
    """
    if feature == "structured":
        is_an_event(answer)
        return
    if feature == "failure":
        is_right = "The operation was cancelled." in (answer.get("error") or "")  # Google's own words
    elif "warnings" in answer:  # Codex and opencode have functions of their own
        ((name, _),) = answer["called"] or [("", "")]
        is_right = bool(name) and f"function {name} answered" in answer["text"] and not answer["warnings"]
    else:
        called = sorted(answer["called"]) == [["get_time", "Paris"], ["get_weather", "Paris"]]
        is_right = called and all(result in answer["text"] for result in ("clear, 3 degrees", "half past twelve"))
    if not is_right:
        raise NonconformingError(f"got {answer!r}")
