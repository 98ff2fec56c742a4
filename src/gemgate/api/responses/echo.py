"""The Response object: what it repeats of its request, and what is known of its answer at some time."""

from typing import NamedTuple

import orjson

from gemgate.api.responses.wire import Json, Reasoning, ResponseRequest
from gemgate.errors import ApiError
from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import counts


class Echo(NamedTuple):
    """What a response repeats of its request, in the order of the service's own objects.

    `instructions` and `tools`, which may be long and are in three events of each stream, are JSON already.
    """

    before: Json
    """From `instructions` to `model`."""
    between: Json
    """From `parallel_tool_calls` to `truncation`, with `service_tier` as it was asked for."""
    after: Json
    """From `user` on."""


def echo_of(request: ResponseRequest, *, is_stored: bool) -> Echo:
    """What the response to `request` repeats of it; numbers are those of OpenAI's defaults where none was sent.

    Raises:
        ApiError: 400, the instructions or the tools cannot be written as JSON again.
    """
    reasoning = request.reasoning or Reasoning()
    before: Json = {
        "instructions": _json(request.instructions, "instructions"),
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "model": request.model,
    }
    between: Json = {
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "prompt_cache_retention": request.prompt_cache_retention,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary or reasoning.generate_summary},
        "safety_identifier": request.safety_identifier,
        "service_tier": request.service_tier or "auto",
        "store": is_stored,
        "temperature": _number(request.temperature, 1.0),
        "text": _text(request),
        "tool_choice": _json("auto" if request.tool_choice is None else request.tool_choice, "tool_choice"),
        "tools": _json([_tool(tool) for tool in request.tools or ()], "tools"),
        "top_logprobs": request.top_logprobs or 0,
        "top_p": _number(request.top_p, 1.0),
        "truncation": request.truncation or "disabled",
    }
    conversation = request.conversation_id
    after: Json = {
        **({"conversation": {"id": conversation}} if conversation is not None else {}),
        "user": request.user,
        "metadata": request.metadata or {},
        "presence_penalty": _number(request.presence_penalty, 0.0),
        "frequency_penalty": _number(request.frequency_penalty, 0.0),
    }
    return Echo(before, between, after)


class ResponseHead(NamedTuple):
    """What is the same in a response from its first event to its last."""

    id: str
    created_at: int
    echo: Echo
    background: bool = False

    def response(
        self,
        status: str,
        output: list[Json],
        *,
        usage: Json | None = None,
        error: Json | None = None,
        incomplete: str | None = None,
        tier: str | None = None,
        completed_at: int | None = None,
    ) -> Json:
        """The Response object, to be written with orjson; `incomplete` is the reason, `tier` the one that served."""
        before, between, after = self.echo
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": self.background,
            "completed_at": completed_at,
            "error": error,
            "incomplete_details": {"reason": incomplete} if incomplete else None,
            **before,
            "output": output,
            **between,
            **({"service_tier": tier} if tier else {}),
            "usage": usage,
            **after,
        }


def usage_of(meta: UsageMetadata) -> Json:
    """`usageMetadata` as the usage of a response: thoughts are output, what built-in tools added is input."""
    found = counts(meta)
    asked = found.prompt + found.tool_use
    answered = found.candidates + found.thoughts
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": found.cached, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": found.thoughts},
        "total_tokens": found.total if found.total is not None else asked + answered,
    }


def _json(value: object, param: str) -> orjson.Fragment:
    """`value` as JSON for all events."""
    try:
        return orjson.Fragment(orjson.dumps(value))
    except TypeError as error:
        msg = f"'{param}' is nested more than about 200 levels deep, or holds an integer of more than 64 bits."
        raise ApiError(400, msg, param=param, code="invalid_value") from error


def _number(value: float | None, default: float) -> float:
    return default if value is None else value


def _text(request: ResponseRequest) -> Json:
    wanted = request.text.format if request.text else None
    found: Json = {"type": "text"}
    if wanted is not None:
        found = wanted.model_dump(by_alias=True, exclude_unset=True)
    verbosity = request.text.verbosity if request.text else None
    return {"format": found, "verbosity": verbosity or "medium"}


def _tool(tool: Json) -> Json:
    """A tool as strict readers want it: those of functions with all of their fields, MCP servers without secrets."""
    if tool.get("type") == "mcp":
        shown = {name: value for name, value in tool.items() if name not in ("authorization", "headers")}
        return {**shown, "headers": None}
    if tool.get("type") != "function":
        return tool
    filled: Json = {"type": "function", "name": None, "description": None, "parameters": None, "strict": None}
    inner = tool.get("function")
    return {
        **filled,
        **(inner if isinstance(inner, dict) else {}),
        **{k: v for k, v in tool.items() if k != "function"},
    }
