"""The models the emulator serves, and what sets their families apart.

Sources: recorded exchanges (index, ids, signatures, chunk patterns, usage), https://ai.google.dev/gemini-api/docs/thinking
(budgets and levels). The emulator keeps its own table on purpose: it is the other side, and must be able to disagree
with the gateway's.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from gemgate.emulator import lifecycle

SCENARIO_PREFIX = "emulator-"
_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_LONG_RATIOS = ("1:4", "4:1", "1:8", "8:1")


@dataclass(frozen=True, slots=True)
class Vector:
    """What the vectors of an embedding model are like.

    Attributes:
        minimum, maximum: The range of `outputDimensionality`; `maximum` is what comes unasked.
        unit: Whether reduced vectors have length 1, too.
        rich: Whether the model embeds media, reports its usage, and ignores `taskType` and `title`.
    """

    minimum: int = 128
    maximum: int = 3072
    unit: bool = False
    rich: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of models answers and what it refuses.

    Attributes:
        generation: 1.5, 2.0, 2.5, 3.0, ...: later means newer.
        methods: The methods after the colon that the models of the family have.
        budget: The least and the largest `thinkingBudget`; None if the models do not think.
        can_stop: Whether a budget of 0 is allowed.
        takes_budget: Whether a budget is taken at all.
        levels: The `thinkingLevel`s; empty without any.
        sampling: Whether `temperature`, `topP` and `topK` are taken.
        functions: Whether functions may be declared.
        wav: Whether speech in whole answers is a WAV file.
        transcribes: Whether the models take audio alone, and answer with what is said in it.
        default_thinking: How much the models think unasked: none, or the level.
        call_ids: Whether calls carry an id, and in which form.
        signs_calls: Whether the first call of an answer carries a `thoughtSignature`.
        needs_signature: Whether a call that comes back without it is refused.
        signs_text: Whether text is signed always, only in conversations with tools, or never.
        prefill: Whether the last turn may be the model's.
        mixes_tools: Whether built-in tools go with functions, and functions with a JSON response.
        rich_results: Whether function responses may hold media and parts a `mediaResolution`.
        many_candidates: Whether `candidateCount` may be above 1.
        penalties, logprobs, system: Whether these are taken.
        output: What the models answer with.
        image_type: The MIME type of images in answers.
        image_sizes: The `imageSize`s; empty if the field is refused.
        image_ratios: The `aspectRatio`s of image models.
        image_tokens: What a picture counts in `candidatesTokensDetails`.
        vector: What embeddings are like; None without any.
        limits: `inputTokenLimit` and `outputTokenLimit`.
        top_k: The `topK` of the models endpoint.
    """

    generation: float
    methods: tuple[str, ...] = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
    budget: tuple[int, int] | None = None
    can_stop: bool = True
    takes_budget: bool = True
    levels: tuple[str, ...] = ()
    sampling: bool = True
    functions: bool = True
    wav: bool = False
    transcribes: bool = False
    default_thinking: str = "MEDIUM"
    call_ids: Literal["none", "short", "call"] = "short"
    signs_calls: bool = True
    needs_signature: bool = True
    signs_text: Literal["always", "tools", "never"] = "always"
    prefill: bool = True
    mixes_tools: bool = True
    rich_results: bool = True
    many_candidates: bool = False
    penalties: bool = False
    logprobs: bool = False
    system: bool = True
    output: Literal["text", "image", "audio", "vector", "none"] = "text"
    image_type: str = "image/png"
    image_sizes: tuple[str, ...] = ()
    image_ratios: tuple[str, ...] = _RATIOS
    image_tokens: int = 1290
    vector: Vector | None = None
    limits: tuple[int, int] = (1048576, 65536)
    top_k: int = 64

    @property
    def thinks(self) -> bool:
        """Whether the models think at all."""
        return self.budget is not None


_ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_THREE = Family(3.0, budget=(0, 32768), levels=_ALL, default_thinking="HIGH")
_TWO = Family(
    2.0,
    default_thinking="",
    call_ids="none",
    signs_calls=False,
    needs_signature=False,
    signs_text="never",
    mixes_tools=False,
    rich_results=False,
    many_candidates=True,
    logprobs=True,
)
_TWO_FIVE = replace(
    _TWO, generation=2.5, budget=(0, 24576), default_thinking="MEDIUM", signs_calls=True, signs_text="tools"
)
_NO_CACHES = ("generateContent", "countTokens", "batchGenerateContent")
_NEW_IMAGE = replace(
    _THREE,
    generation=3.1,
    methods=_NO_CACHES,
    levels=(),
    output="image",
    image_type="image/jpeg",
    image_ratios=(*_RATIOS, *_LONG_RATIOS),
    image_tokens=1120,
    limits=(65536, 65536),
)
_SPEECH = replace(
    _TWO,
    methods=("countTokens", "generateContent"),
    generation=2.5,
    output="audio",
    system=False,
    many_candidates=False,
    logprobs=False,
    limits=(8192, 16384),
)
_VECTOR = replace(
    _TWO,
    methods=("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"),
    output="vector",
    many_candidates=False,
    logprobs=False,
)
_PREDICTION = replace(_VECTOR, methods=("predict",), output="none", limits=(480, 8192))

FAMILIES: dict[str, Family] = {
    "1.5": replace(_TWO, generation=1.5, penalties=True, limits=(1000000, 8192)),
    "2.0": replace(_TWO, penalties=True, limits=(1048576, 8192), top_k=40),
    "2.5-pro": replace(_TWO_FIVE, budget=(128, 32768), can_stop=False),
    "2.5-flash": _TWO_FIVE,
    "2.5-flash-lite": replace(
        _TWO_FIVE, budget=(512, 24576), default_thinking="", signs_calls=False, signs_text="never"
    ),
    "2.5-flash-image": replace(
        _TWO,
        generation=2.5,
        methods=_NO_CACHES,
        output="image",
        many_candidates=False,
        logprobs=False,
        limits=(32768, 32768),
    ),
    "2.0-flash-image": replace(
        _TWO, methods=_NO_CACHES, output="image", many_candidates=False, logprobs=False, limits=(32768, 8192)
    ),
    "3-flash": _THREE,
    "3-pro": replace(_THREE, levels=("LOW", "HIGH"), can_stop=False),
    "3.1-pro": replace(_THREE, generation=3.1, levels=("LOW", "MEDIUM", "HIGH"), can_stop=False),
    "3.1-flash-lite": replace(_THREE, generation=3.1, default_thinking="MINIMAL"),
    "3.5-flash": replace(_THREE, generation=3.5, default_thinking="MEDIUM"),
    "3.5-flash-lite": replace(_THREE, generation=3.55, default_thinking="MINIMAL", prefill=False),
    "3.6-flash": replace(_THREE, generation=3.6, default_thinking="MEDIUM", prefill=False, call_ids="call"),
    "3.7-flash": replace(
        _THREE,
        generation=3.7,
        levels=("LOW", "MEDIUM", "HIGH"),
        default_thinking="MEDIUM",
        prefill=False,
        call_ids="call",
    ),
    "4-argon": replace(
        _THREE,
        generation=4.0,
        levels=("LOW", "MEDIUM", "HIGH"),
        default_thinking="MEDIUM",
        can_stop=False,
        prefill=False,
        call_ids="call",
    ),
    "4-hydrogen": replace(
        _THREE,
        generation=4.0,
        levels=("LOW", "MEDIUM", "HIGH", "XHIGH"),
        default_thinking="MEDIUM",
        can_stop=False,
        prefill=False,
        call_ids="call",
    ),
    "3-pro-image": replace(
        _NEW_IMAGE, generation=3.0, image_sizes=("1K", "2K", "4K"), image_ratios=_RATIOS, limits=(131072, 32768)
    ),
    "3.1-flash-image": replace(_NEW_IMAGE, image_sizes=("512", "1K", "2K", "4K"), levels=("MINIMAL", "HIGH")),
    "nano-banana": replace(_NEW_IMAGE, image_sizes=("512", "1K", "2K", "4K")),
    "3.1-flash-lite-image": replace(_NEW_IMAGE, image_sizes=("1K",), default_thinking="", levels=("MINIMAL", "HIGH")),
    "2.5-flash-tts": _SPEECH,
    "2.5-pro-tts": replace(_SPEECH, methods=(*_SPEECH.methods, "batchGenerateContent")),
    "3.1-tts": replace(_SPEECH, generation=3.1, methods=_NO_CACHES, budget=(0, 24576), default_thinking=""),
    "3.8-tts": replace(_SPEECH, generation=3.8, methods=_NO_CACHES, sampling=False, wav=True),
    "3.5-transcribe": replace(
        _SPEECH,
        generation=3.5,
        methods=_NO_CACHES,
        output="text",
        functions=False,
        transcribes=True,
        limits=(98304, 32768),
    ),
    "3.1-live": replace(_SPEECH, generation=3.1, methods=("bidiGenerateContent",), limits=(131072, 65536)),
    "embedding-001": replace(_VECTOR, vector=Vector(), limits=(2048, 1)),
    "embedding-004": replace(_VECTOR, vector=Vector(minimum=1, maximum=768, unit=True), limits=(2048, 1)),
    "embedding-2": replace(_VECTOR, generation=3.0, vector=Vector(unit=True, rich=True), limits=(8192, 1)),
    "imagen-3": replace(_PREDICTION, image_sizes=("1K",)),
    "imagen-4": replace(_PREDICTION, image_sizes=("1K", "2K")),
    "veo": replace(_PREDICTION, methods=("predictLongRunning",)),
    "gemma": replace(
        _TWO,
        system=False,
        many_candidates=False,
        logprobs=False,
        limits=(131072, 8192),
        methods=("generateContent", "countTokens"),
    ),
    "gemma-4": replace(
        _TWO_FIVE,
        takes_budget=False,
        levels=("MINIMAL", "HIGH"),
        default_thinking="",
        signs_calls=False,
        signs_text="never",
        many_candidates=False,
        logprobs=False,
        limits=(262144, 32768),
        methods=("generateContent", "countTokens"),
    ),
}

_MODELS: dict[str, str] = {
    "gemini-1.5-flash": "1.5",
    "gemini-2.0-flash": "2.0",
    "gemini-2.0-flash-001": "2.0",
    "gemini-2.0-flash-exp": "2.0",
    "gemini-2.0-flash-lite": "2.0",
    "gemini-2.0-flash-lite-001": "2.0",
    "gemini-2.0-flash-preview-image-generation": "2.0-flash-image",
    "gemini-2.5-pro": "2.5-pro",
    "gemini-2.5-flash": "2.5-flash",
    "gemini-2.5-flash-lite": "2.5-flash-lite",
    "gemini-2.5-flash-image": "2.5-flash-image",
    "gemini-2.5-flash-preview-tts": "2.5-flash-tts",
    "gemini-2.5-pro-preview-tts": "2.5-pro-tts",
    "gemini-3-flash-preview": "3-flash",
    "gemini-3-pro-preview": "3-pro",
    "gemini-3-pro-image": "3-pro-image",
    "gemini-3-pro-image-preview": "3-pro-image",
    "gemini-3.1-pro-preview": "3.1-pro",
    "gemini-3.1-pro-preview-customtools": "3.1-pro",
    "gemini-3.1-flash-lite": "3.1-flash-lite",
    "gemini-3.1-flash-lite-preview": "3.1-flash-lite",
    "nano-banana-pro-preview": "3-pro-image",
    "gemini-3.1-flash-image": "3.1-flash-image",
    "gemini-3.1-flash-image-preview": "3.1-flash-image",
    "gemini-3.1-flash-lite-image": "3.1-flash-lite-image",
    "gemini-3.1-flash-tts-preview": "3.1-tts",
    "gemini-3.1-flash-live-preview": "3.1-live",
    "gemini-3.5-flash": "3.5-flash",
    "gemini-3.5-flash-lite": "3.5-flash-lite",
    "gemini-3.5-transcribe": "3.5-transcribe",
    "gemini-3.6-flash": "3.6-flash",
    "gemini-3.7-flash": "3.7-flash",
    "gemini-3.8-flash": "3.7-flash",
    "gemini-3.8-flash-tts": "3.8-tts",
    "gemini-3.8-flash-lite-tts": "3.8-tts",
    "gemini-4-argon": "4-argon",
    "gemini-4-carbon": "4-argon",
    "gemini-4-neon": "4-argon",
    "gemini-4-hydrogen": "4-hydrogen",
    "gemini-nano-banana-2.1": "nano-banana",
    "gemma-3-27b-it": "gemma",
    "gemma-4-26b-a4b-it": "gemma-4",
    "gemma-4-31b-it": "gemma-4",
    "gemini-embedding-001": "embedding-001",
    "gemini-embedding-2": "embedding-2",
    "gemini-embedding-2-preview": "embedding-2",
    "text-embedding-004": "embedding-004",
    "imagen-3.0-generate-002": "imagen-3",
    "imagen-4.0-generate-001": "imagen-4",
    "imagen-4.0-ultra-generate-001": "imagen-4",
    "imagen-4.0-fast-generate-001": "imagen-3",
    "veo-3.1-generate-preview": "veo",
    "veo-3.1-fast-generate-preview": "veo",
    "veo-3.1-lite-generate-preview": "veo",
}

# Names that answer as another model, with the `modelVersion` they answer with.
_ALIASES: dict[str, tuple[str, str]] = {
    "gemini-flash-latest": ("gemini-3.8-flash", "gemini-3.8-flash"),
    "gemini-flash-lite-latest": ("gemini-3.5-flash-lite", "gemini-3.5-flash-lite"),
    "gemini-pro-latest": ("gemini-3.1-pro-preview", "gemini-3.1-pro-preview"),
    "gemini-2.5-pro-preview-03-25": ("gemini-2.5-pro", "models/gemini-2.5-pro"),
    "gemini-2.5-flash-preview-05-20": ("gemini-2.5-flash", "models/gemini-2.5-flash"),
}


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """One served model; `version` is what answers call it."""

    name: str
    family: Family
    version: str
    latest: bool = field(default=False)

    def resource(self) -> dict[str, object]:
        """The `ModelFamily` message of the models endpoint."""
        family = self.family
        resource: dict[str, object] = {
            "name": f"models/{self.name}",
            "version": "001",
            "displayName": self.name.replace("-", " ").title(),
            "description": "Served by the gemgate emulator.",
            "inputTokenLimit": family.limits[0],
            "outputTokenLimit": family.limits[1],
            "supportedGenerationMethods": list(family.methods),
        }
        if family.output in {"text", "image", "audio"}:
            resource |= {
                "temperature": 1,
                "topP": 0.95,
                "topK": family.top_k,
                "maxTemperature": 1 if family.output == "image" else 2,
            }
        if family.thinks:
            resource["thinking"] = True
        return resource


# Scenarios that only one kind of model has, and the family that serves others, by the method that is called.
_SCENARIO_FAMILIES = {
    "image-safety": "3.1-flash-image",
    "no-image": "3.1-flash-image",
    "text-only": "3.1-flash-image",
    "rai-filtered": "imagen-4",
}
_METHOD_FAMILIES = {
    "embedContent": "embedding-001",
    "asyncBatchEmbedContent": "embedding-001",
    "predict": "imagen-4",
    "predictLongRunning": "veo",
}


def _scenario_family(scenario: str, method: str) -> Family:
    own = next((family for name, family in _SCENARIO_FAMILIES.items() if scenario.startswith(name)), None)
    return FAMILIES[own or _METHOD_FAMILIES.get(method, "2.5-flash")]


def find(name: str, version: str = "v1beta", method: str = "", day: str = "") -> ModelFamily | None:
    """The model of that name in an API version, on a day if one is given; or None.

    `emulator-…` names are served as Gemini 2.5 Flash, as gemini-embedding-001 for embeddings and as Imagen 4 for
    predict; those of scenarios about images as the models which these can happen to.
    """
    if lifecycle.is_retired(name, day):
        return None
    if name in _MODELS:
        answering = lifecycle.answering(name, day)
        return ModelFamily(name, FAMILIES[_MODELS[answering]], answering)
    if name in _ALIASES and (version != "v1" or not name.endswith("-latest")):
        target, answers_as = _ALIASES[name]
        return ModelFamily(name, FAMILIES[_MODELS[target]], answers_as, latest=name.endswith("-latest"))
    if name.startswith(SCENARIO_PREFIX):
        return ModelFamily(name, _scenario_family(name.removeprefix(SCENARIO_PREFIX), method), name)
    return None


def served(version: str = "v1beta", day: str = "") -> list[ModelFamily]:
    """Every model of an API version, on a day if one is given, in a fixed order."""
    names = [*_MODELS, *(alias for alias in _ALIASES if alias.endswith("-latest"))]
    return [model for name in names if (model := find(name, version, day=day))]
