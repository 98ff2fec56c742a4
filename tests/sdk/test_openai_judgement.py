"""The official clients' `moderations`, `decisions` and image variations against the running gateway."""

import base64
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.sdk.page import Media
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
QUESTIONS: list[Any] = [
    {"type": "predicate", "name": "kind", "instructions": "Is it kind?"},
    {"type": "choice", "instructions": "Which?", "choices": [{"value": True}, {"value": "a new parcel"}]},
    {"type": "score", "instructions": "How?", "levels": [{"label": "calm"}, {"label": "parcel"}]},
]


@BOTH
@pytest.mark.parametrize("model", ["omni-moderation-latest", "gemini-3.5-flash-lite"])
def test_each_text_has_a_result(make_client: MakeClient, prefix: str, model: str) -> None:
    answer = make_client(prefix).moderations.create(model=model, input=["Good morning", "Violence and hate"])
    assert answer.id.startswith("modr-")
    good, bad = answer.results
    scores = good.category_scores.model_dump().values()
    assert all(0 <= score <= 1 for score in scores)
    assert good.category_applied_input_types.violence == ["text"]
    if model == "omni-moderation-latest":
        assert (good.flagged, bad.flagged, bad.categories.violence, bad.categories.hate) == (False, True, True, True)


def test_an_image_is_judged_with_its_text(client: OpenAI, media: Media) -> None:
    data = base64.b64encode(media.image.read_bytes()).decode()
    image: Any = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
    (result,) = client.moderations.create(input=[{"type": "text", "text": "Look"}, image]).results
    assert result.category_applied_input_types.violence == ["text", "image"]


def test_failures_are_the_errors_that_applications_catch(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input="")
    assert (caught.value.code, caught.value.param) == ("invalid_value", "input")
    with pytest.raises(openai.RateLimitError):
        client.moderations.create(input="Hi [[emulator: 429 7]]")
    (blocked,) = client.moderations.create(input="Hi [[emulator: blocked-prompt]]").results
    assert blocked.flagged


@BOTH
def test_questions_are_answered_in_order(make_client: MakeClient, prefix: str) -> None:
    decision = make_client(prefix).decisions.create(model="gpt-6-luna", input="a new parcel", questions=QUESTIONS)
    predicate, choice, score = (answer.model_dump() for answer in decision.answers)
    assert 0 < predicate["probability"] < 1
    assert choice["choice"] == "a new parcel"
    assert [each["value"] for each in choice["probabilities"]] == [True, "a new parcel"]
    assert score["score"] == 0.9
    assert decision.usage.input_tokens > 0


@BOTH
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_variations_are_images(make_client: MakeClient, prefix: str, media: Media) -> None:
    variations = make_client(prefix).images.create_variation(image=media.image, n=2, size="256x256")
    assert len(variations.data or []) == 2


def test_openai_node_sees_the_same(project: Path, servers: Stack, media: Media) -> None:
    (seen,) = run(project, "judgement.mjs", servers.base(), KEY, str(media.image))
    assert [result["flagged"] for result in seen["moderation"]["results"]] == [False, True]
    assert seen["decision"]["answers"][0]["type"] == "predicate"
    assert len(seen["variations"]["data"]) == 2
    assert seen["errors"]["empty"]["param"] == "input"
