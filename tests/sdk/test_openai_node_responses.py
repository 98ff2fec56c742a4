"""`responses` of openai-node against the running gateway: its helper refuses orders and events that others let pass."""

from pathlib import Path

import pytest
from tests.sdk.node_project import run
from tests.support.stack import KEY, OPENAI, Stack


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
def test_the_helpers_take_every_kind_of_item(project: Path, servers: Stack, model: str) -> None:
    (seen,) = run(project, "responses.mjs", servers.base(OPENAI), KEY, model)
    assert "Hello there" in seen["whole"]
    assert seen["thoughtful"] == {"text": seen["whole"], "types": ["reasoning", "message"]}
    assert seen["called"] == ["reasoning", "function_call"]
    assert seen["custom"][-1] == "custom_tool_call"
    assert "web_search_call" in seen["searched"]
    assert "code_interpreter_call" in seen["computed"]
    assert "sunny" in seen["answered"]
    assert seen["failures"] == ["server_error", "server_error"]
    assert seen["cut"] == "incomplete"
