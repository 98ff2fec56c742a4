"""The Decisions API: closed questions, answered by rule.

The rule, which the documentation repeats:
1. A `noul` question is answered 0.97 where the input has all words of the question's id (`self-harm_intent`: self,
   harm, intent); else the more of the question's words the input has, the higher.
2. A `choice` is the option that shares most words with the input, by its id and its description; else the first.
3. A `score` is the level that does; else the first.

Shapes and limits: google-genai 3.6.1 and pydantic-ai 2.68. The wording of refusals is a guess.
"""

import re
from typing import Any

from starlette.requests import Request

from gemgate.emulator import scenarios, usage
from gemgate.emulator.course import whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import invalid, model_not_found
from gemgate.emulator.hints import words
from gemgate.emulator.incoming import RequestIdentity, caller, read
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty

Json = dict[str, Any]

MODELS = frozenset({"gemini-decision-1"})
MAX_QUESTIONS = 1_000
MAX_OPTIONS = 255
_SURE, _UNSURE = 0.97, 0.03
_CHOSEN = 0.9
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_SMALL = 3
_MEDIA = {"image": "inlineData", "audio": "inlineData", "video": "inlineData", "document": "inlineData"}


async def create_decision(state: EmulatorState, request: Request) -> Delivery:
    """POST /v1beta/decisions.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    body = await read(state, request)
    by = caller(request)
    if not isinstance(body, dict):
        raise invalid("Invalid JSON payload received. Root element must be a message.")
    name = body.get("model")
    name = name.removeprefix("models/") if isinstance(name, str) else ""
    blocks = _blocks(body.get("input"))
    text = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    if name not in MODELS and not name.startswith("emulator-"):
        raise model_not_found(name, by.version, "createDecision")
    questions = _checked(body.get("questions"))
    scenario = _begin(state, by, name, text)
    counts = usage.prompt_tokens({"contents": [{"parts": [_native(block) for block in blocks]}]})
    counts["TEXT"] += usage.text_tokens(str(questions))
    answer: Json = {
        "usage": {
            "total_input_tokens": counts.total(),
            "total_output_tokens": 0,
            "total_tokens": counts.total(),
            "input_tokens_by_modality": [
                {"modality": str(each["modality"]).lower(), "tokens": each["tokenCount"]}
                for each in usage.details(counts)
            ],
        }
    }
    if scenario.name == "blocked-prompt":
        answer = {"prompt_feedback": {"block_reason": "prohibited_content"}, **answer}
    else:
        said = set(words(text))
        answer = {"answers": {key: _answer(key, each, said) for key, each in questions.items()}, **answer}
    return whole(state, scenario, pretty(answer))


def _begin(state: EmulatorState, by: RequestIdentity, name: str, text: str) -> scenarios.Scenario:
    scenario = scenarios.find(by.scenario, name, scenario_in(text))
    attempt = state.attempt(text) if scenario.name == "flaky" else 1
    scenarios.refuse(scenario, name, by.version, "createDecision", attempt)
    return scenario


def _blocks(given: Any) -> list[Json]:
    """The input as blocks; a text is one."""
    if isinstance(given, str):
        given = {"type": "text", "text": given}
    blocks = given if isinstance(given, list) else [given]
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        is_text = kind == "text" and isinstance(block.get("text"), str)
        is_media = kind in _MEDIA and ("data" in block or "uri" in block)
        if not (is_text or is_media):
            raise invalid(
                "* CreateDecisionRequest.input: input is not specified, or holds a block of an unknown type\n"
            )
    if not blocks or not any(block.get("text") or block["type"] != "text" for block in blocks):
        raise invalid("* CreateDecisionRequest.input: input is not specified\n")
    return blocks


def _native(block: Json) -> Json:
    if block["type"] == "text":
        return {"text": block["text"]}
    if "data" in block:
        return {"inlineData": {"mimeType": block.get("mime_type", ""), "data": block["data"]}}
    return {"text": block["uri"]}


def _checked(given: object) -> dict[str, Json]:
    if not isinstance(given, dict) or not 1 <= len(given) <= MAX_QUESTIONS:
        raise invalid(f"* CreateDecisionRequest.questions: expected 1 to {MAX_QUESTIONS} questions\n")
    for key, question in given.items():
        place = f"* CreateDecisionRequest.questions[{key}]"
        if not _ID.fullmatch(key):
            raise invalid(f"{place}: the identifier must consist of letters, digits, dashes and underscores\n")
        if not isinstance(question, dict) or question.get("type") not in ("noul", "choice", "score"):
            raise invalid(f"{place}.type: unknown type\n")
        if not isinstance(question.get("instructions"), str) or not question["instructions"].strip():
            raise invalid(f"{place}.instructions: instructions is not specified\n")
        _check_criteria(question, place)
    return given


def _check_criteria(question: Json, place: str) -> None:
    criteria = question.get("criteria")
    if question["type"] == "noul":
        return
    kind = dict if question["type"] == "choice" else list
    if not isinstance(criteria, kind) or not 2 <= len(criteria) <= MAX_OPTIONS:
        raise invalid(f"{place}.criteria: expected 2 to {MAX_OPTIONS} options\n")
    for option in criteria:
        if not isinstance(option, str) or not option or option != option.strip() or not option.isprintable():
            raise invalid(f"{place}.criteria: an option is empty, or has blanks around it\n")


def _answer(key: str, question: Json, said: set[str]) -> Json:
    if question["type"] == "noul":
        noul = _noul(key, question["instructions"], said)
        return {"type": "noul", "noul": noul, "confidence": round(max(noul, 1 - noul), 4)}
    criteria = question["criteria"]
    if question["type"] == "choice":
        options = list(criteria)
        best = _best([f"{option} {criteria[option] or ''}" for option in options], said)
        shares = _shares(options, best)
        return {"type": "choice", "choice": options[best], "probabilities": shares, "confidence": _CHOSEN}
    places = [str(place) for place in range(len(criteria))]
    shares = _shares(places, _best(criteria, said))
    return {
        "type": "score",
        "score": round(sum(int(place) * share for place, share in shares.items()), 4),
        "probabilities": shares,
        "legend": dict(zip(places, criteria, strict=True)),
        "confidence": _CHOSEN,
    }


def _noul(key: str, instructions: str, said: set[str]) -> float:
    named = set(words(key.replace("_", " ")))
    if named and named <= said:
        return _SURE
    asked = {word for word in words(instructions) if len(word) > _SMALL}
    share = len(asked & said) / max(1, len(asked))
    return round(_UNSURE + (_SURE - _UNSURE) * share, 4)


def _best(texts: list[str], said: set[str]) -> int:
    shared = [len(set(words(text)) & said) for text in texts]
    return shared.index(max(shared))


def _shares(names: list[str], best: int) -> dict[str, float]:
    """Probabilities whose sum is 1, most of it the best one's."""
    rest = (1 - _CHOSEN) / (len(names) - 1)
    return {name: _CHOSEN if place == best else rest for place, name in enumerate(names)}
