"""The Decisions API of the emulator."""

from typing import Any

import pytest
from tests.emulator.support import Emulator

from gemgate.api.moderations.categories import CATEGORIES

MODEL = "gemini-decision-1"
ASKED = {"q": {"type": "noul", "instructions": "Is it kind?"}}


async def decide(emulator: Emulator, given: Any, questions: Any = None, model: str = MODEL) -> Any:
    body = {"model": model, "input": given, "questions": ASKED if questions is None else questions}
    return await emulator.client.post("/v1beta/decisions", json=body, headers={"x-goog-api-key": "k"})


async def test_answers_follow_the_rule_and_never_change(emulator: Emulator) -> None:
    questions = {
        "self-harm_intent": {"type": "noul", "instructions": "Is it?"},
        "other": {"type": "noul", "instructions": "Does someone speak of parcels?"},
        "pick": {
            "type": "choice",
            "instructions": "Which?",
            "criteria": {"refund": "money", "replace": "a new parcel"},
        },
        "rate": {"type": "score", "instructions": "How?", "criteria": ["calm", "harm"]},
    }
    text = "Intent of self harm, in a new parcel"
    first, second = [(await decide(emulator, text, questions)).json() for _ in range(2)]
    assert first == second
    answers = first["answers"]
    assert answers["self-harm_intent"]["noul"] == 0.97
    assert 0.03 < answers["other"]["noul"] < 0.97
    assert answers["pick"]["choice"] == "replace"
    assert sum(answers["pick"]["probabilities"].values()) == pytest.approx(1)
    assert answers["rate"]["score"] == 0.9
    assert first["usage"]["total_input_tokens"] > 0


async def test_both_spellings_of_the_model_are_taken_and_others_are_not(emulator: Emulator) -> None:
    assert (await decide(emulator, "a", model=f"models/{MODEL}")).status_code == 200
    assert (await decide(emulator, "a", model="gemini-2.5-flash")).status_code == 404


async def test_a_blocked_input_has_no_answers(emulator: Emulator) -> None:
    body = (await decide(emulator, "a [[emulator: blocked-prompt]]")).json()
    assert body["prompt_feedback"] == {"block_reason": "prohibited_content"}
    assert "answers" not in body


async def test_scenarios_refuse(emulator: Emulator) -> None:
    assert (await decide(emulator, "a [[emulator: 429]]")).status_code == 429


@pytest.mark.parametrize(
    ("given", "questions"),
    [
        ("", None),
        ([], None),
        ([{"type": "song"}], None),
        ("a", {}),
        ("a", {"a b": ASKED["q"]}),
        ("a", {"q": {"type": "noul", "instructions": ""}}),
        ("a", {"q": {"type": "choice", "instructions": "i", "criteria": {"a": ""}}}),
        ("a", {"q": {"type": "choice", "instructions": "i", "criteria": {"a": "", " b": ""}}}),
        ("a", {f"q{number}": ASKED["q"] for number in range(1001)}),
    ],
)
async def test_what_google_refuses_is_refused(emulator: Emulator, given: Any, questions: Any) -> None:
    assert (await decide(emulator, given, questions)).status_code == 400


async def test_the_questions_of_moderation_are_taken(emulator: Emulator) -> None:
    questions = {each.id: {"type": "noul", "instructions": each.question} for each in CATEGORIES}
    answers = (await decide(emulator, "Good morning", questions)).json()["answers"]
    assert all(answer["noul"] < 0.5 for answer in answers.values())
