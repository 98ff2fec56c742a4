"""Models that are not for chat are refused by name, with what they are for."""

import json
from collections.abc import Mapping

from gemgate.errors import ApiError
from gemgate.gemini.model_facts import ModelFacts, Purpose

_USES: dict[Purpose, tuple[str, str]] = {
    "images": ("makes images", "POST /v1/images/generations"),
    "embeddings": ("makes embeddings", "POST /v1/embeddings"),
    "transcription": ("transcribes speech", "POST /v1/audio/transcriptions"),
    "live": ("is for live sessions", "Google's Live API (BidiGenerateContent, a WebSocket), which is not served here"),
    "video": ("makes videos", "Google's predictLongRunning, POST /v1beta/models/{model}:predictLongRunning"),
    "music": ("makes music", "Google's Interactions API, POST /v1beta/interactions"),
    "decisions": ("answers closed questions", "POST /v1/decisions"),
    "interactions": ("makes videos and edits them", "Google's Interactions API, POST /v1beta/interactions"),
    "agents": ("is an agent", "Google's Interactions API, POST /v1beta/interactions"),
}


def refuse_other_purposes(model: str, facts: ModelFacts) -> None:
    """Refuse a model that does not answer conversations.

    Raises:
        ApiError: 400 that names the model and the endpoint, or the API of Google's, that it is for.
    """
    if facts.purpose == "chat":
        return
    does, where = _USES[facts.purpose]
    instead = f"It is for {where.format(model=model.removeprefix('models/'))}."
    raise unfit_model(model, f"{does} and does not chat", instead, {"purpose": "chat"})


def unfit_model(model: str, why: str, instead: str, fact: Mapping[str, object]) -> ApiError:
    """The 400 for a model that an endpoint cannot use.

    Args:
        model: Its name; it may begin with `models/`.
        why: What it does or does not do, after its name.
        instead: A sentence that names what to use.
        fact: What the operator can declare of the model, if it has changed.
    """
    name = model.removeprefix("models/")
    declared = json.dumps({name: fact}, ensure_ascii=False)
    msg = f"The model '{name}' {why}. {instead} If that has changed, GEMGATE_MODEL_FACTS can say so: {declared}."
    return ApiError(400, msg, param="model", code="model_not_supported")
