"""Requests that are small to send and were dear to answer, by what is much of in them."""

from collections.abc import Callable
from typing import Any

from tests.security.timing import MODEL

Body = dict[str, Any]


def chat(*messages: Body, **more: Any) -> Body:
    """A chat request."""
    return {"model": MODEL, "messages": list(messages) or [{"role": "user", "content": "x"}], **more}


def tool(parameters: Any, name: str = "f") -> Body:
    """A function."""
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def schema(parameters: Any) -> Body:
    """A request with one tool."""
    return chat(tools=[tool(parameters)])


def names(count: int, prefix: str = "a") -> list[str]:
    """Names that differ."""
    return [f"{prefix}{index}" for index in range(count)]


def merged(key: str, count: int, **more: Any) -> Body:
    """Two long lists that must be merged."""
    lists = [names(count, "a"), [*names(count, "b"), "a1"]]
    return {"allOf": [{key: values} | more for values in lists]}


def calls(count: int, name: Callable[[int], str]) -> Body:
    """A message with many calls, and their results."""
    made = [
        {"id": f"c{index}", "type": "function", "function": {"name": name(index), "arguments": "{}"}}
        for index in range(count)
    ]
    results = [{"role": "tool", "tool_call_id": f"c{index}", "content": "1"} for index in range(count)]
    return chat({"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": made}, *results)


def legacy_calls(count: int) -> Body:
    """Calls of one function, whose results are found by its name."""
    made = [{"id": f"c{index}", "type": "function", "function": {"name": "f"}} for index in range(count)]
    results = [{"role": "function", "name": "f", "content": "1"} for _ in range(count)]
    return chat({"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": made}, *results)


def expanding(tools: int, wide: int = 8, levels: int = 3) -> Body:
    """Tools of 2 KB each, whose references stand beside constraints, so that they are replaced by what they mean."""
    definitions: Body = {
        f"L{level}": {
            "type": "object",
            "properties": {f"p{i}": {"$ref": f"#/$defs/L{level + 1}", "minProperties": 1} for i in range(wide)},
        }
        for level in range(levels)
    }
    definitions[f"L{levels}"] = {"type": "object"}
    properties = {f"p{i}": {"$ref": "#/$defs/L0", "title": f"t{i}", "minProperties": 1} for i in range(wide)}
    return chat(
        tools=[
            tool({"type": "object", "description": f"{k}", "properties": properties, "$defs": definitions}, f"f{k}")
            for k in range(tools)
        ]
    )


def doubled_unions(levels: int) -> Body:
    """A root that is an object only if both branches are, which are the same at each level."""
    definitions: Body = {f"A{i}": {"anyOf": [{"$ref": f"#/$defs/A{i + 1}"}] * 2} for i in range(levels)}
    definitions[f"A{levels}"] = {"anyOf": [{"type": "object"}, {"type": "object"}]}
    return {"anyOf": [{"$ref": "#/$defs/A0"}, {"$ref": "#/$defs/A0"}], "$defs": definitions}


def large_target(count: int) -> Body:
    """References to a long list, each beside a constraint."""
    target = {"type": "string", "enum": names(3_000)}
    properties = {name: {"$ref": "#/$defs/A", "minLength": 1} for name in names(count)}
    return {"type": "object", "properties": properties, "$defs": {"A": target}}


def recursive(count: int) -> Body:
    """Required properties that all lead back to the root."""
    properties = {name: {"$ref": "#"} for name in names(count)}
    return {"type": "object", "properties": properties, "required": list(properties)}


def long_name(length: int, count: int) -> Body:
    """Properties inside one with a long name."""
    inner = {"type": "object", "properties": {name: {"multipleOf": 2} for name in names(count)}}
    return {"type": "object", "properties": {"n" * length: inner}}


PARTS = b'{"model":"%s","messages":[{"role":"user","content":[%s]}]}'


def parts(count: int, part: bytes = b'{"type":"text","text":"a"}') -> bytes:
    """A message of many parts."""
    return PARTS % (MODEL.encode(), b",".join([part] * count))


ROWS: dict[str, Callable[[], Body | bytes]] = {
    "a name of underscores": lambda: chat(extra_body={"google": {"generation_config": {"_" * 40_000: 1}}}),
    "names of underscores": lambda: chat(google={"generation_config": {"a" + "_" * n: 1 for n in range(500)}}),
    "two long lists of required names": lambda: schema(merged("required", 12_000)),
    "two long enums": lambda: schema({"properties": {"q": merged("enum", 12_000)}}),
    "two long enums of objects": lambda: schema(
        {"properties": {"q": {"allOf": [{"enum": [{"a": n} for n in range(8_000)]}, {"enum": [{"b": 1}] * 8_000}]}}}
    ),
    "two long lists of types": lambda: schema(merged("type", 12_000)),
    "two long orders": lambda: schema(merged("propertyOrdering", 12_000)),
    "members with a required name each": lambda: schema({"allOf": [{"required": [name]} for name in names(15_000)]}),
    "members with a property each": lambda: schema({"allOf": [{"properties": {name: {}}} for name in names(9_000)]}),
    "members with the same property": lambda: schema(
        {"allOf": [{"properties": {"p": {"title": title}}} for title in names(6_000)]}
    ),
    "members that are notes": lambda: schema(
        {"allOf": [{"$ref": "#/$defs/A"}, *({"description": text} for text in names(15_000))], "$defs": {"A": {}}}
    ),
    "members that no enum has": lambda: schema(
        {"properties": {"q": {"allOf": [{"enum": names(9_000)}, *({"enum": ["z"]} for _ in range(9_000))]}}}
    ),
    "calls in a message": lambda: calls(12_000, lambda _: "f"),
    "calls of one function, by name": lambda: legacy_calls(12_000),
    "names that are equal once cleaned": lambda: calls(9_000, lambda index: "a" * 10 + chr(0x4E00 + index)),
    "names that are equal once cut": lambda: calls(9_000, lambda index: "a" * 64 + str(index)),
    "tools that expand": lambda: expanding(20),
    "a tool that expands": lambda: expanding(1, levels=5),
    "references to a long list": lambda: schema(large_target(6_000)),
    "unions that double": lambda: schema(doubled_unions(40)),
    "required properties that recur": lambda: schema(recursive(12_000)),
    "a property with a long name": lambda: schema(long_name(400_000, 9_000)),
    "functions that are allowed": lambda: chat(
        tools=[tool({}, name) for name in names(512)],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "name": "a511"}] * 20_000},
        },
    ),
    "parts": lambda: parts(700_000),
    "parts in many messages": lambda: chat(
        *[{"role": "user", "content": [{"type": "text", "text": "a"}] * 100} for _ in range(1_500)]
    ),
    "images": lambda: parts(100_000, b'{"type":"image_url","image_url":{"url":"data:,a"}}'),
    "numbers": lambda: b'{"model":"m","messages":[],"metadata":{"a":[%s]}}' % b",".join([b"1"] * 5_000_000),
    "an unknown field in each message": lambda: chat(
        *[{"role": "user", "content": "x", f"f{index % 250}": 1} for index in range(25_000)]
    ),
    "an unknown field with a long name": lambda: chat(**{"n" * 2_000_000: 1}),
}
"""Each was square, exponential, or many times as long at Google, or is a neighbour of one that was."""
