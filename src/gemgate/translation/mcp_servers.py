"""MCP servers as OpenAI's tool `mcp` names them, and as Gemini connects to them by itself.

Google lists and calls the tools of a server without asking anybody, so that a caller's bounds on them (`allowed_tools`,
`require_approval`) could not be kept: such a server is left out. Source: Google's schema of `Tool.mcpServers`, and
openai-python 3.57, `responses.tool.Mcp`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gemgate.errors import ApiError, missing_field
from gemgate.gemini.model_facts import ModelFacts
from gemgate.translation.notes import Notes
from gemgate.translation.tool_plan import ToolPlan

_FOREIGN = re.compile(r"[^A-Za-z0-9_]")
_ELSEWHERE = ("connector_id", "tunnel_id")


class McpServer(NamedTuple):
    """A server: the caller's label of it, Google's name, and what Google is sent."""

    label: str
    name: str
    native: dict[str, object]


def mcp_server(tool: Mapping[str, object], param: str, facts: ModelFacts, notes: Notes) -> McpServer | None:
    """The server that a tool of the type `mcp` names; None where it is left out, which is noted.

    Args:
        tool: The tool.
        param: The caller's name of the tool.
        facts: Of the model.
        notes: Where it is noted.

    Raises:
        ApiError: 400 for a tool without a label or a URL, for a field of another type, and, under the strict policy,
            for a server that would be left out.
    """
    label = tool.get("server_label")
    if not isinstance(label, str) or not label:
        raise missing_field(f"{param}.server_label")
    if refused := _unmet(tool, param, facts):
        field, reason = refused
        if notes.policy == "strict":
            raise ApiError(400, reason, param=field.partition("=")[0], code="unsupported_parameter")
        for name in dict.fromkeys((field, f"{param}.type=mcp")):
            notes.drop(name)
        return None
    if tool.get("server_description") is not None:
        notes.drop(f"{param}.server_description")
    transport: dict[str, object] = {"url": _url(tool, param)}
    if headers := _headers(tool, param):
        transport["headers"] = headers
    # Google takes no hyphen in the name of a server.
    name = _FOREIGN.sub("_", label)
    if name != label:
        notes.adjust(f"{param}.server_label={label}->{name}")
    return McpServer(label, name, {"name": name, "streamableHttpTransport": transport})


def add_server(plan: ToolPlan, server: McpServer, param: str) -> None:
    """Add a server to the plan; all of them are one tool.

    Raises:
        ApiError: 400, another one has that label.
    """
    servers = [known for tool in plan.built_in for known in servers_of(tool)]
    tool = next((known for known in plan.built_in if known.get("mcpServers") == servers), None)
    if tool is None:
        plan.built_in.append({"mcpServers": [server.native]})
        return
    if any(known.get("name") == server.name for known in servers):
        msg = f"'{param}.server_label' is {server.label[:80]!r}, and another MCP server has that label."
        raise ApiError(400, msg, param=f"{param}.server_label", code="invalid_value")
    tool["mcpServers"] = [*servers, server.native]


def native_servers(tool: Mapping[str, object]) -> dict[str, str]:
    """The servers of a tool in Google's own form, each under its name."""
    return {name: name for server in servers_of(tool) if isinstance(name := server.get("name"), str)}


def servers_of(tool: Mapping[str, object]) -> list[dict[str, object]]:
    """The servers of a native tool, which may be anything a caller has written."""
    servers = tool.get("mcpServers")
    return [server for server in servers if isinstance(server, dict)] if isinstance(servers, list) else []


def _unmet(tool: Mapping[str, object], param: str, facts: ModelFacts) -> tuple[str, str] | None:
    """What Google cannot do of what a tool asks for: the field, with its value, and the reason; None: nothing."""
    if tool.get("server_url") is None and (name := next((each for each in _ELSEWHERE if tool.get(each)), None)):
        return f"{param}.{name}", f"'{param}.{name}' is a connection of OpenAI's own: name a server by 'server_url'."
    if not facts.mcp_servers:
        return f"{param}.type=mcp", f"'{param}' is an MCP server, and this model connects to none."
    if tool.get("allowed_tools") is not None:
        msg = f"'{param}.allowed_tools' cannot be kept: Google offers the model all tools of the server. Leave it out."
        return f"{param}.allowed_tools", msg
    approval = tool.get("require_approval")
    if approval != "never":
        # OpenAI asks before each call unless it is told not to.
        shown = "always" if approval in (None, "always") else "filter"
        msg = f"'{param}.require_approval' must be 'never': Google calls the tools of a server without asking."
        return f"{param}.require_approval={shown}", msg
    return None


def _url(tool: Mapping[str, object], param: str) -> str:
    url = tool.get("server_url")
    if url is None:
        raise missing_field(f"{param}.server_url")
    if not isinstance(url, str) or not url.lower().startswith(("https://", "http://")):
        msg = f"Invalid value for '{param}.server_url': expected the URL of an MCP server, 'https://…'."
        raise ApiError(400, msg, param=f"{param}.server_url", code="invalid_value")
    return url


def _headers(tool: Mapping[str, object], param: str) -> dict[str, str]:
    """The headers for the server; a token in `authorization` takes the place of that header."""
    given = tool.get("headers") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        msg = f"Invalid type for '{param}.headers': expected an object of texts."
        raise ApiError(400, msg, param=f"{param}.headers", code="invalid_type")
    token = tool.get("authorization")
    if token is None:
        return dict(given)
    if not isinstance(token, str):
        msg = f"Invalid type for '{param}.authorization': expected a string."
        raise ApiError(400, msg, param=f"{param}.authorization", code="invalid_type")
    others = {name: value for name, value in given.items() if name.lower() != "authorization"}
    return {**others, "Authorization": f"Bearer {token}"}
