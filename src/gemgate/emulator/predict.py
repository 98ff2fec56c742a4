"""predict: the images of Imagen, filtered on demand."""

from typing import Any

import orjson
from starlette.requests import Request

from gemgate.emulator import pictures
from gemgate.emulator.answers import identify
from gemgate.emulator.course import begin, whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import GoogleApiError, bad_request, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import caller
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.validation import parse

MAX_SAMPLES = 4
_PERSONS = ("dont_allow", "allow_adult", "allow_all")
_SAFETY = (
    "block_low_and_above",
    "block_medium_and_above",
    "block_only_high",
    "block_none",
)
_KINDS = ("image/png", "image/jpeg")
_LANGUAGES = ("auto", "en", "ja", "ko", "hi", "zh", "pt", "es")
# Parameters of Imagen elsewhere, which this API refuses. The wording is that of its refusals for videos, by report.
_ELSEWHERE = frozenset({"addWatermark", "enhancePrompt", "negativePrompt", "seed", "storageUri"})
_ALL_FILTERED = (
    "Unable to show generated images. All images were filtered out because they violated Google's Responsible AI "
    "practices. You will not be charged for blocked images. Try rephrasing the prompt. If you think this was an error, "
    "send feedback."
)
_SOME_FILTERED = (
    "Your current safety filter threshold filtered out {} generated images. You will not be charged for blocked "
    "images. Try rephrasing the prompt. If you think this was an error, send feedback."
)
_BLOCKED = (
    "Image generation failed with the following error: The prompt could not be submitted. This prompt contains "
    "sensitive words that violate Google's Responsible AI practices. Try rephrasing the prompt. If you think this was "
    "an error, send feedback. Support codes: 42876398"
)


def predict(state: EmulatorState, request: Request, model: ModelFamily, body: Any) -> Delivery:
    """POST /v1beta/models/{model}:predict: `{"predictions": [{"mimeType", "bytesBase64Encoded"}, …]}`.

    Images that were filtered are missing; with `includeRaiReason` one entry says why. No prediction at all leaves `{}`.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    canonical, found = parse("PredictRequest", body)
    if found:
        raise bad_request(found)
    prompt = _prompt(canonical.get("instances") or [])
    parameters = _parameters(canonical.get("parameters"), model)
    scenario = begin(state, caller(request), model, "predict", asked=scenario_in(prompt), content=canonical)
    if scenario.name == "blocked-prompt":
        raise GoogleApiError(400, _BLOCKED)
    predictions = _predictions(scenario, parameters, identify(model, canonical))
    return whole(state, scenario, pretty({"predictions": predictions} if predictions else {}))


def _prompt(instances: list[object]) -> str:
    if len(instances) != 1:
        raise invalid("The number of instances must be 1.")
    prompt = instances[0].get("prompt") if isinstance(instances[0], dict) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise invalid("The prompt of an instance must be a text that is not empty.")
    return prompt


def _parameters(given: object, model: ModelFamily) -> dict[str, object]:
    """The parameters, checked. Names that nobody knows are ignored: `parameters` is free-form JSON in the schema.

    Raises:
        ApiError: 400, a value that is not one of the possible ones, or a parameter of Imagen elsewhere.
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise invalid("The parameters must be an object.")
    if elsewhere := sorted(_ELSEWHERE & given.keys()):
        raise invalid(
            f"`{elsewhere[0]}` isn't supported by this model. Please remove it or refer to the Gemini API "
            "documentation for supported usage."
        )
    output = given.get("outputOptions") or {}
    if not isinstance(output, dict):
        raise invalid(f"outputOptions {_shown(output)} is not an object.")
    count = given.get("sampleCount", MAX_SAMPLES)
    if not _is_integer(count) or not 1 <= count <= MAX_SAMPLES:
        raise invalid(f"sampleCount must be between 1 and {MAX_SAMPLES}, not {_shown(count)}.")
    quality = output.get("compressionQuality", pictures.DEFAULT_QUALITY)
    if not _is_integer(quality) or not 0 <= quality <= 100:
        raise invalid(f"compressionQuality must be between 0 and 100, not {_shown(quality)}.")
    _one_of("aspectRatio", given.get("aspectRatio", "1:1"), tuple(pictures.IMAGEN_SIZES))
    _one_of("sampleImageSize", given.get("sampleImageSize", "1K"), model.family.image_sizes)
    _one_of("personGeneration", given.get("personGeneration", "allow_adult"), _PERSONS, any_case=True)
    _one_of("safetySetting", given.get("safetySetting", "block_low_and_above"), _SAFETY, any_case=True)
    _one_of("language", given.get("language", "auto"), _LANGUAGES)
    _one_of("outputOptions.mimeType", output.get("mimeType", "image/png"), _KINDS)
    return given


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return orjson.dumps(value).decode()


def _one_of(name: str, value: object, possible: tuple[str, ...], *, any_case: bool = False) -> None:
    if not isinstance(value, str) or (value.lower() if any_case else value) not in possible:
        raise invalid(f"{name} {_shown(value)} is not supported. Possible values are: {', '.join(possible)}.")


def _predictions(scenario: Scenario, parameters: dict[str, Any], seed: str) -> list[dict[str, Any]]:
    count = parameters.get("sampleCount", MAX_SAMPLES)
    filtered = 0
    if scenario.name == "rai-filtered":
        filtered = min(count, int(scenario.number))
    output = parameters.get("outputOptions") or {}
    found: list[dict[str, Any]] = []
    for number in range(count - filtered):
        picture = pictures.draw(
            f"{seed}/{number}",
            output.get("mimeType", "image/png"),
            pictures.IMAGEN_SIZES[parameters.get("aspectRatio", "1:1")],
            parameters.get("sampleImageSize", "1K"),
            quality=output.get("compressionQuality", pictures.DEFAULT_QUALITY),
        )
        found.append({"mimeType": picture.kind, "bytesBase64Encoded": picture.data})
        if parameters.get("includeSafetyAttributes"):
            found[-1]["safetyAttributes"] = {"categories": ["Violence"], "scores": [0.1]}
    if filtered and parameters.get("includeRaiReason"):
        found.append({"raiFilteredReason": _SOME_FILTERED.format(filtered) if filtered < count else _ALL_FILTERED})
    return found
