"""What a request asks: the last user text, the functions, the results, the history. Reads canonical bodies only."""

import re
from dataclasses import dataclass, field
from typing import Any

_SCENARIO = re.compile(r"\[\[\s{0,9}emulator:([^\]]{1,200})\]\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request, read.

    Attributes:
        contents: The turns, each with a list of parts.
        text: The text of the last user turn that has any, without `[[emulator: …]]`.
        scenario: What was in `[[emulator: …]]`, or "".
        media: The `inlineData` and `fileData` parts of the current turn.
        results: The function responses that end the conversation, or nothing.
        functions: The declared functions.
        builtins: The names of the built-in tools.
        mode: AUTO, ANY, NONE or VALIDATED.
        allowed: `allowedFunctionNames`.
        config: The `generationConfig`.
        system: The text of the system instruction.
        turns: Who says what in the last turn, where its parts name speakers.
    """

    contents: list[dict[str, object]]
    text: str
    scenario: str
    media: list[dict[str, object]]
    results: list[dict[str, Any]]
    functions: list[dict[str, Any]]
    builtins: list[str]
    mode: str
    allowed: list[str]
    config: dict[str, Any]
    system: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    turns: tuple[tuple[str, str], ...] = ()


def parts_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a turn, none if it has none."""
    return content.get("parts") or []


def is_result_turn(content: dict[str, object]) -> bool:
    """Whether the turn brings results of functions."""
    return content.get("role") != "model" and any("functionResponse" in part for part in parts_of(content))


def current_turn(contents: list[dict[str, object]]) -> int:
    """Index of the last user turn that is a message rather than results; 0 without one."""
    for index in range(len(contents) - 1, -1, -1):
        content = contents[index]
        if content.get("role") != "model" and parts_of(content) and not is_result_turn(content):
            return index
    return 0


def text_of(parts: list[dict[str, Any]]) -> str:
    """The text of the parts, thoughts left out."""
    return "\n".join(part["text"] for part in parts if part.get("text") and not part.get("thought"))


def scenario_in(text: str) -> str:
    """What is in the first `[[emulator: …]]` of a text, or ""."""
    found = _SCENARIO.search(text)
    return found[1].strip() if found else ""


def _last_text(contents: list[dict[str, object]]) -> str:
    for content in reversed(contents):
        if content.get("role") != "model" and (text := text_of(parts_of(content))):
            return text
    return ""


def _builtins(tools: list[dict[str, object]]) -> list[str]:
    return [name for tool in tools for name in tool if name != "functionDeclarations"]


def read(body: dict[str, Any]) -> Prompt:
    """Read a canonical `GenerateContentRequest`."""
    contents = body.get("contents") or []
    config = body.get("generationConfig") or {}
    # What only hears is told of scenarios by its vocabulary.
    vocabulary = (config.get("audioTranscriptionConfig") or {}).get("customVocabulary") or ()
    said = _last_text(contents) or "\n".join(vocabulary)
    recent = [part for content in contents[current_turn(contents) :] for part in parts_of(content)]
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    tools = body.get("tools") or []
    mode = calling.get("mode") or "AUTO"
    return Prompt(
        contents=contents,
        text=_SCENARIO.sub("", said).strip(),
        scenario=scenario_in(said),
        media=[part for part in recent if "inlineData" in part or "fileData" in part],
        results=_pending_results(contents),
        functions=[one for tool in tools for one in tool.get("functionDeclarations") or []],
        builtins=_builtins(tools),
        mode="AUTO" if mode == "MODE_UNSPECIFIED" else mode,
        allowed=calling.get("allowedFunctionNames") or [],
        config=config,
        system=text_of(parts_of(body.get("systemInstruction") or {})),
        body=body,
        turns=_turns(contents),
    )


def _turns(contents: list[dict[str, object]]) -> tuple[tuple[str, str], ...]:
    last = parts_of(contents[-1]) if contents else []
    turns = [((part.get("speechMetadata") or {}).get("speaker", ""), part["text"]) for part in last if part.get("text")]
    return tuple(turns) if any(speaker for speaker, _ in turns) else ()


def _pending_results(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for content in reversed(contents):
        if not is_result_turn(content):
            break
        found = [part["functionResponse"] for part in parts_of(content) if "functionResponse" in part]
        results = found + results
    return results
