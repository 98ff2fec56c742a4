"""A request for images as native requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gemgate.api.images.wire import DROPPED, NEUTRAL, EditRequest, ImageRequest
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import GenerateContentRequest, ModelResource, Part
from gemgate.model_routing.model_name import model_name
from gemgate.translation.extra_body import google_options, list_option, object_option
from gemgate.translation.image_frame import Frame, frame
from gemgate.translation.notes import Notes
from gemgate.translation.options import TranslationOptions
from gemgate.translation.other_spellings import take_google

GOOGLE_OPTIONS = frozenset(
    {"aspect_ratio", "generation_config", "image_size", "person_generation", "safety_settings", "tools"}
)
"""What `extra_body.google` may hold."""

_AT_THE_TOP = GOOGLE_OPTIONS - {"tools"}
"""Those that are read at the top level too."""

MAX_SAMPLES = 4
"""The most images that one `predict` makes."""

_SEEDS = 2**31

Method = Literal["generateContent", "predict"]


@dataclass(frozen=True, slots=True)
class ImagesTranslation:
    """Native requests, and what is needed to answer the caller.

    Attributes:
        model: The model's resource name, such as `models/gemini-2.5-flash-image`.
        method: The method of all calls.
        bodies: The body of each call; the same object where the calls are alike.
        count: How many images were asked for.
        output_format: The format that was asked for, if any.
        compression: The quality of a lossy format, 0 to 100, if the gateway is to see to it.
        notes: What was dropped and adjusted.
    """

    model: str
    method: Method
    bodies: list[dict[str, Any]]
    count: int
    output_format: str | None
    compression: int | None
    notes: Notes


def to_gemini(
    request: ImageRequest, options: TranslationOptions, method: Method, images: Sequence[Part] = (), *, model: str = ""
) -> ImagesTranslation:
    """Translate `request`. The same input gives the same bytes.

    Args:
        request: The validated body.
        options: The operator's decisions.
        method: How the model makes images.
        images: What an edit begins with.
        model: The model to ask, where that is not the one that the request names.

    Raises:
        ApiError: 400 that names the parameter which Gemini cannot follow.
    """
    notes = Notes(options.unsupported_params)
    model = model_name(model or request.model)
    facts = options.catalog.facts(model)
    _refuse(request)
    _drop_unsupported(request, notes)
    google = google_options(_google(request, notes), request.extra_body, GOOGLE_OPTIONS, notes)
    shape = frame(request.size, request.quality, google, facts, notes)
    count = request.n or 1
    if method == "predict":
        bodies = _predictions(request, google, shape, count, notes)
    else:
        bodies = _generations(request, google, shape, facts, images, notes)
    return ImagesTranslation(
        model, method, bodies, count, request.output_format, _compression(request, method, notes), notes
    )


def _google(request: ImageRequest, notes: Notes) -> dict[str, Any] | None:
    """The field `google`, with Google's options from the top level; what is left there is noted as dropped."""
    if not request.model_extra:
        return request.google
    extra = dict(request.model_extra)
    for name in ("image_config", "imageConfig"):
        if isinstance(config := extra.get(name), dict):
            extra = {**config, **{key: value for key, value in extra.items() if key != name}}
    google = take_google(extra, request.google, request.extra_body, notes, _AT_THE_TOP)
    notes.drop_unknown(extra)
    return request.google if google is None else google


def method_of(native: ModelResource | None) -> Method:
    """How a model that the catalog does not know makes images; one that Google does not list is left to Google."""
    methods = (native or {}).get("supportedGenerationMethods") or ()
    return "predict" if "predict" in methods and "generateContent" not in methods else "generateContent"


def _refuse(request: ImageRequest) -> None:
    if not isinstance(request, EditRequest):
        return
    for name, kind in (("mask", "masks"), ("markup", "overlays")):
        if getattr(request, name) is not None:
            msg = (
                f"Gemini's image models take no {kind}. Leave '{name}' out, and describe the area in the prompt, "
                "such as: 'Change only the sky, and keep everything else as it is.'"
            )
            raise ApiError(400, msg, param=name, code="unsupported_parameter")


def _drop_unsupported(request: ImageRequest, notes: Notes) -> None:
    for name in sorted(request.model_fields_set & DROPPED):
        value = getattr(request, name)
        if value is not None and value != NEUTRAL.get(name):
            notes.drop(name)
    if request.background == "transparent":
        notes.drop("background")
    if request.stream and request.response_format == "url":  # the events have no place for one
        notes.adjust("response_format=url->b64_json")


def _compression(request: ImageRequest, method: Method, notes: Notes) -> int | None:
    """What is left for the gateway to do: Imagen compresses by itself."""
    if request.output_compression is None:
        return None
    if request.output_format not in {"jpeg", "webp"}:
        notes.drop("output_compression")
        return None
    is_done = method == "predict" and request.output_format == "jpeg"
    return None if is_done else request.output_compression


def _generations(
    request: ImageRequest,
    google: Mapping[str, object],
    shape: Frame,
    facts: ModelFacts,
    images: Sequence[Part],
    notes: Notes,
) -> list[dict[str, object]]:
    if "person_generation" in google:
        notes.drop("extra_body.google.person_generation")
    body: GenerateContentRequest = {"contents": [{"role": "user", "parts": [*images, {"text": request.prompt}]}]}
    if tools := list_option(google, "tools"):
        body["tools"] = tools
    if safety := list_option(google, "safety_settings"):
        body["safetySettings"] = safety
    config: dict[str, object] = {"responseModalities": list(facts.image_modalities)}
    if image := shape.config:
        config["imageConfig"] = image
    _override(config, object_option(google, "generation_config"), notes)
    sent: dict[str, object] = {**body, "generationConfig": config, "store": False}
    return _seeded(sent, request.n or 1)


def _override(config: dict[str, object], explicit: dict[str, object], notes: Notes) -> None:
    """`extra_body.google.generation_config` is the more special word, so it wins."""
    for name, value in explicit.items():
        known = config.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            _override(known, value, notes)
            continue
        if known is not None and known != value:
            notes.adjust(f"generationConfig.{name}->extra_body.google.generation_config")
        config[name] = value


def _seeded(body: dict[str, Any], count: int) -> list[dict[str, object]]:
    """A body for each call. A seed differs from call to call, because equal seeds would give equal images."""
    config = body["generationConfig"]
    seed = config.get("seed")
    if count == 1 or not isinstance(seed, int):
        return [body] * count
    return [{**body, "generationConfig": {**config, "seed": (seed + call) % _SEEDS}} for call in range(count)]


def _predictions(
    request: ImageRequest, google: Mapping[str, object], shape: Frame, count: int, notes: Notes
) -> list[dict[str, object]]:
    if isinstance(request, EditRequest):
        msg = f"'{request.model[:80]}' makes images from text alone. Edit with one of Gemini's image models."
        raise ApiError(400, msg, param="model", code="unsupported_value")
    parameters: dict[str, object] = {"includeRaiReason": True}
    if shape.ratio:
        parameters["aspectRatio"] = shape.ratio
    if shape.size:
        parameters["sampleImageSize"] = shape.size
    if person := google.get("person_generation"):
        parameters["personGeneration"] = person.upper() if isinstance(person, str) else person
    if threshold := _threshold(list_option(google, "safety_settings"), notes):
        parameters["safetySetting"] = threshold
    for name in ("tools", "generation_config"):
        if google.get(name):
            notes.drop(f"extra_body.google.{name}")
    if request.output_format in {"png", "jpeg"}:
        output: dict[str, object] = {"mimeType": f"image/{request.output_format}"}
        if request.output_format == "jpeg" and request.output_compression is not None:
            output["compressionQuality"] = request.output_compression
        parameters["outputOptions"] = output
    counts = [min(MAX_SAMPLES, count - start) for start in range(0, count, MAX_SAMPLES)]
    instances = [{"prompt": request.prompt}]
    return [{"instances": instances, "parameters": {"sampleCount": samples, **parameters}} for samples in counts]


def _threshold(settings: list[dict[str, object]], notes: Notes) -> str | None:
    """Imagen has one threshold for all categories, so only a threshold that all share can be sent."""
    thresholds = {str(setting.get("threshold")) for setting in settings}
    if len(thresholds) > 1:
        notes.drop("extra_body.google.safety_settings")
        return None
    return next(iter(thresholds), None)
