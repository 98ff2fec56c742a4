"""What Google's Decisions API answers, in tests."""

from collections.abc import Callable
from typing import Any

import httpx
import orjson

Json = dict[str, Any]

DECIDER = "gemini-decision-1"
USAGE: Json = {
    "total_input_tokens": 40,
    "total_output_tokens": 0,
    "total_tokens": 40,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 40}],
}


def answer_to(question: Json, probability: float = 0.1) -> Json:
    """The first option or level is the likeliest."""
    if question["type"] == "noul":
        return {"type": "noul", "noul": probability, "confidence": max(probability, 1 - probability)}
    names = list(question["criteria"])
    if question["type"] == "score":
        names = [str(place) for place in range(len(names))]
    shares = {name: 0.9 if name == names[0] else 0.1 / (len(names) - 1) for name in names}
    if question["type"] == "choice":
        return {"type": "choice", "choice": names[0], "confidence": 0.9, "probabilities": shares}
    return {"type": "score", "score": 0.1, "confidence": 0.9, "probabilities": shares, "legend": {}}


def decides(probability: Callable[[str, str], float] = lambda text, name: 0.1) -> Any:  # noqa: ARG005  as the others
    """Google answers each question; of a `noul`, as `probability` says of the input as text and the question's id."""

    def google(request: httpx.Request) -> Any:
        body = orjson.loads(request.content)
        text = body["input"] if isinstance(body["input"], str) else orjson.dumps(body["input"]).decode()
        answers = {name: answer_to(each, probability(text, name)) for name, each in body["questions"].items()}
        return httpx.Response(200, json={"answers": answers, "usage": USAGE})

    return google
