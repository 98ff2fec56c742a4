"""A request for decisions as a native request, and its answer."""

from dataclasses import dataclass

from gemgate.api.decisions.inputs import parts_of
from gemgate.api.decisions.questions import answers_of, questions_of
from gemgate.api.decisions.wire import DROPPED, DecisionRequest
from gemgate.gemini.decisions import DecisionResponse, block_of, input_of, usage_of
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.usage import counts
from gemgate.media.references import Resolved
from gemgate.model_routing.model_name import model_name
from gemgate.translation.content import ContentTranslator
from gemgate.translation.model_purpose import unfit_model
from gemgate.translation.notes import Notes
from gemgate.translation.options import Options


@dataclass(slots=True)
class DecisionTranslation:
    """A native request.

    Attributes:
        model: The model's resource name.
        body: The request, without its model.
        notes: What was dropped and adjusted.
    """

    model: str
    body: dict[str, object]
    notes: Notes


def to_gemini(request: DecisionRequest, options: Options, media: Resolved, *, model: str) -> DecisionTranslation:
    """Translate `request`. The same input gives the same bytes.

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model)
    facts = options.catalog.facts(model)
    _check_model(model, facts)
    for name in DROPPED:
        if getattr(request, name) is not None:
            notes.drop(name)
    notes.drop_unknown(request.model_extra)
    content = ContentTranslator(
        facts, notes, media, options.remote_media, place="input[].content[]", takes_detail=False
    )
    body: dict[str, object] = {"input": input_of(parts_of(request, content)), "questions": questions_of(request, notes)}
    return DecisionTranslation(model, body, notes)


def decision(request: DecisionRequest, response: DecisionResponse) -> dict[str, object]:
    """OpenAI's answer. Google's reason for blocking an input is in `extra_content.google`.

    Raises:
        ApiError: 502 when there are no answers and nothing was blocked, or an answer is of another shape.
    """
    found = counts(usage_of(response))
    answered = found.candidates + found.thoughts
    body: dict[str, object] = {
        "answers": answers_of(request, response),
        "model": request.model,
        "usage": {
            "input_tokens": found.prompt,
            "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": found.cached},
            "output_tokens": answered,
            "output_tokens_details": {"reasoning_tokens": found.thoughts},
            "total_tokens": found.total if found.total is not None else found.prompt + answered,
        },
    }
    if feedback := block_of(response):
        body["extra_content"] = {"google": {"prompt_feedback": feedback}}
    return body


def _check_model(model: str, facts: ModelFacts) -> None:
    if facts.purpose == "decisions":
        return
    instead = "Use one such as gemini-decision-1."
    raise unfit_model(model, "is not made for decisions", instead, {"purpose": "decisions"})
