"""Decides which declared functions an answer calls, and with what.

The rule, which the documentation repeats:
1. With mode NONE, or when the conversation ends with results of functions, nothing is called. ANY always calls, after
   results one that was not called in this turn, if there is one.
2. Candidates are the declared functions, or those of `allowedFunctionNames`.
3. The functions whose *name* shares a word with the prompt are called, all of them; failing that, the one whose
   description shares most words with it; failing that, the first.
4. A prompt that says "parallel", "both" or "at the same time" gets at least two calls.
5. A single function with a property for a place is called once for each place that the prompt names.
"""

from typing import Any

from gemgate.emulator.examples import from_openapi, satisfying
from gemgate.emulator.hints import Hints, read, words
from gemgate.emulator.prompt import Prompt, current_turn, parts_of

MAX_CALLS = 8
_SMALL_WORDS = frozenset(
    [
        "the",
        "and",
        "for",
        "what",
        "who",
        "how",
        "when",
        "where",
        "why",
        "which",
        "with",
        "from",
        "that",
        "this",
        "are",
        "can",
        "you",
        "your",
        "please",
        "get",
        "set",
        "tell",
        "give",
        "use",
        "using",
        "function",
        "tool",
        "call",
        "find",
        "look",
        "show",
        "current",
        "now",
        "today",
        "about",
        "into",
        "make",
        "result",
        "return",
        "value",
        "its",
        "has",
        "have",
        "not",
        "all",
        "any",
    ]
)
_PARALLEL = ("parallel", "both", "at the same time", "simultaneously", "at once")
_PLACES = frozenset(["location", "city", "place", "town", "country", "region", "destination", "address"])


def choose(prompt: Prompt) -> list[dict[str, object]]:
    """The calls of an answer, `{name, args}` each; none if the answer is text.

    Raises:
        ApiError: 400, an invalid declared schema.
    """
    functions = [one for one in prompt.functions if not prompt.allowed or one["name"] in prompt.allowed]
    if not functions or prompt.mode == "NONE" or (prompt.results and prompt.mode != "ANY"):
        return []
    if prompt.results:
        called = _called_names(prompt)
        functions = [one for one in functions if one["name"] not in called] or functions
    chosen = _chosen(functions, prompt.text)
    hints = read(prompt.text)
    parallel = any(sign in prompt.text.lower() for sign in _PARALLEL)
    if len(chosen) == 1 and parallel and not (_takes_place(chosen[0]) and len(hints.places) > 1):
        chosen = (chosen + [one for one in functions if one is not chosen[0]])[:2] if len(functions) > 1 else chosen * 2
    if len(chosen) == 1 and _takes_place(chosen[0]) and len(hints.places) > 1:
        return [_call(chosen[0], hints.with_place(place)) for place in hints.places[:MAX_CALLS]]
    return [_call(function, hints) for function in chosen[:MAX_CALLS]]


def _called_names(prompt: Prompt) -> set[str]:
    """The functions that were called since the last user message."""
    recent = prompt.contents[current_turn(prompt.contents) :]
    return {part["functionCall"]["name"] for turn in recent for part in parts_of(turn) if "functionCall" in part}


def _content_words(text: str) -> set[str]:
    return {word for word in words(text) if len(word) > 2 and word not in _SMALL_WORDS}


def _chosen(functions: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    said = _content_words(text)
    named = [one for one in functions if said & _content_words(one["name"])]
    if named:
        return named
    scores = [len(said & _content_words(one.get("description", ""))) for one in functions]
    return [functions[scores.index(max(scores))]]


def _schema(function: dict[str, object]) -> object:
    if "parametersJsonSchema" in function:
        return function["parametersJsonSchema"]
    return from_openapi(function.get("parameters") or {"type": "object"})


def _takes_place(function: dict[str, object]) -> bool:
    schema = _schema(function)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return any(_PLACES & set(words(name)) for name in properties or {})


def _call(function: dict[str, object], hints: Hints) -> dict[str, object]:
    schema = _schema(function)
    args = satisfying(_needed(schema, hints), hints)
    return {"name": function["name"], "args": args if isinstance(args, dict) else {}}


def _needed(schema: object, hints: Hints) -> object:
    """The schema with only the properties that are required or that the prompt has a value for."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return schema
    properties = schema["properties"]
    required = set(schema.get("required") or ())
    said = set(words(hints.text))
    kept = {
        name: spec
        for name, spec in properties.items()
        if name in required or not required or said & _enum_words(spec) or (hints.places and _PLACES & set(words(name)))
    }
    return {**schema, "properties": kept}


def _enum_words(spec: object) -> set[str]:
    values = spec.get("enum") if isinstance(spec, dict) else None
    return {word for value in values or () if isinstance(value, str) for word in words(value)}
