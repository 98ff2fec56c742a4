"""Facts about models, in one table. Nothing else asks for a model's name.

Sources: https://ai.google.dev/gemini-api/docs/thinking (budgets and levels), recorded exchanges (ids, signatures, JSON
with tools, penalties), https://ai.google.dev/gemini-api/docs/image-generation and /imagen (images). A name that no row
knows gets the facts of the newest family if it is a Gemini model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")

FIVE_RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")
TEN_RATIOS = (*FIVE_RATIOS, "2:3", "3:2", "4:5", "5:4", "21:9")
_LONG_RATIOS = (*TEN_RATIOS, "1:4", "4:1", "1:8", "8:1")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a family of models takes and gives.

    Attributes:
        thinking: How thinking is set: by a budget of tokens, by a level, or not at all.
        budget: The least and the largest `thinkingBudget`.
        can_stop_thinking: Whether a budget of 0 is allowed.
        levels: The `thinkingLevel`s, weakest first.
        candidate_count: Whether `candidateCount` may be above 1.
        penalties: Whether presence and frequency penalties are taken.
        logprobs: Whether `responseLogprobs` is taken.
        validated: Whether the function calling mode VALIDATED is known.
        json_with_tools: Whether functions and a JSON response go together.
        builtin_with_functions: Whether functions and built-in tools go together.
        call_ids: Whether function calls carry an `id` that responses repeat.
        signatures: Whether a function call without its thought signature is refused.
        response_parts: Whether a function response may hold media.
        part_resolution: Whether `mediaResolution` stands on the part rather than on the request.
        prefill: Whether the last turn may be the model's.
        system_instruction: Whether `systemInstruction` is taken.
        images: Whether answers may hold images.
        image_method: The method that makes images; None: the model's own resource tells.
        image_modalities: The `responseModalities` to ask for when an image is all that is wanted.
        aspect_ratios: The `aspectRatio`s of images; empty: the field is not taken.
        image_sizes: The sizes of images, smallest first; `imageSize` is taken where there are several.
        speech: Whether answers are speech.
        task_types: Whether an embedding's `taskType` and `title` change anything.
        embedding_usage: Whether embeddings come with a token count.
    """

    thinking: Literal["none", "budget", "level"] = "level"
    budget: tuple[int, int] = (0, 0)
    can_stop_thinking: bool = False
    levels: tuple[str, ...] = ("LOW", "MEDIUM", "HIGH")
    candidate_count: bool = False
    penalties: bool = False
    logprobs: bool = False
    validated: bool = True
    json_with_tools: bool = True
    builtin_with_functions: bool = True
    call_ids: bool = True
    signatures: bool = True
    response_parts: bool = True
    part_resolution: bool = True
    prefill: bool = False
    system_instruction: bool = True
    images: bool = False
    image_method: Literal["generateContent", "predict"] | None = "generateContent"
    image_modalities: tuple[str, ...] = ("TEXT", "IMAGE")
    aspect_ratios: tuple[str, ...] = TEN_RATIOS
    image_sizes: tuple[str, ...] = ("1K",)
    speech: bool = False
    task_types: bool = False
    embedding_usage: bool = True

    def nearest_level(self, level: str) -> str:
        """The level of this model that is nearest to `level`; of two that are as near, the stronger."""
        wanted = LEVELS.index(level)
        return min(self.levels, key=lambda known: (abs(LEVELS.index(known) - wanted), -LEVELS.index(known)))


NEWEST = ModelFacts()

_GEMINI_3 = replace(NEWEST, prefill=True)
_GEMINI_2 = replace(
    NEWEST,
    thinking="none",
    candidate_count=True,
    logprobs=True,
    json_with_tools=False,
    builtin_with_functions=False,
    call_ids=False,
    signatures=False,
    response_parts=False,
    part_resolution=False,
    prefill=True,
)
_GEMINI_25 = replace(_GEMINI_2, thinking="budget", can_stop_thinking=True)
_GEMINI_20 = replace(_GEMINI_2, penalties=True, validated=False, aspect_ratios=())

_IMAGE_2 = replace(_GEMINI_2, images=True, candidate_count=False)
_IMAGE_3 = replace(_GEMINI_3, thinking="none", images=True, image_modalities=("IMAGE",), image_sizes=("1K", "2K", "4K"))
_IMAGE_31 = replace(_IMAGE_3, aspect_ratios=_LONG_RATIOS, image_sizes=("512", "1K", "2K", "4K"))

_EMBEDDING_001 = replace(_GEMINI_2, task_types=True, embedding_usage=False)

_OTHER = replace(
    _GEMINI_2,
    candidate_count=False,
    logprobs=False,
    validated=False,
    image_method=None,
    aspect_ratios=FIVE_RATIOS,
    task_types=True,
    embedding_usage=False,
)
_IMAGEN = replace(_OTHER, images=True, image_method="predict")

_TABLE: tuple[tuple[str, ModelFacts], ...] = (
    ("gemini-2.5-*-tts*", replace(_GEMINI_2, speech=True, system_instruction=False)),
    ("gemini-*-tts*", replace(_GEMINI_3, thinking="none", speech=True, system_instruction=False)),
    ("gemini-2.5-*-image*", replace(_IMAGE_2, image_modalities=("IMAGE",))),
    ("gemini-2.0-*-image*", replace(_IMAGE_2, aspect_ratios=())),
    ("gemini-3.1-flash-lite-image*", replace(_IMAGE_3, image_sizes=("1K",))),
    ("gemini-3.1-flash-image*", _IMAGE_31),
    ("gemini-*-image*", _IMAGE_3),
    ("gemini-nano-banana-*", _IMAGE_31),
    ("nano-banana-pro*", _IMAGE_3),
    ("nano-banana-*", _IMAGE_31),
    ("imagen-4*-fast-*", _IMAGEN),
    ("imagen-4*", replace(_IMAGEN, image_sizes=("1K", "2K"))),
    ("imagen-*", _IMAGEN),
    ("gemini-embedding-001*", _EMBEDDING_001),
    ("gemini-embedding-exp*", _EMBEDDING_001),
    ("gemini-embedding-*", replace(_GEMINI_3, thinking="none")),
    ("gemini-1.*", _GEMINI_20),
    ("gemini-2.0-*", _GEMINI_20),
    ("gemini-2.5-pro*", replace(_GEMINI_25, budget=(128, 32768), can_stop_thinking=False)),
    ("gemini-2.5-flash-lite*", replace(_GEMINI_25, budget=(512, 24576))),
    ("gemini-2.5-*", replace(_GEMINI_25, budget=(1, 24576))),
    ("gemini-3-pro*", replace(_GEMINI_3, levels=("LOW", "HIGH"))),
    ("gemini-3.1-pro*", _GEMINI_3),
    ("gemini-pro-latest", _GEMINI_3),
    ("gemini-3.5-flash-lite*", replace(NEWEST, levels=LEVELS)),
    ("gemini-3-flash*", replace(_GEMINI_3, levels=LEVELS)),
    ("gemini-3.1-flash-lite*", replace(_GEMINI_3, levels=LEVELS)),
    ("gemini-flash-lite-latest", replace(NEWEST, levels=LEVELS)),
    ("gemini-3.5-flash*", replace(_GEMINI_3, levels=LEVELS)),
    ("gemini-3.6-flash*", replace(NEWEST, levels=LEVELS)),
    ("gemini-flash-latest", replace(NEWEST, levels=LEVELS)),
    ("gemini-*", NEWEST),
    ("gemma-*", replace(_GEMINI_2, system_instruction=False, candidate_count=False, logprobs=False, validated=False)),
    ("*", _OTHER),
)


class Catalog:
    """The table, with rows of the operator's before it."""

    def __init__(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`overrides` maps a pattern of names (`gemini-9-*`) to the facts that differ, by field name.

        Raises:
            ValueError: A field that `ModelFacts` does not have.
        """
        known = {field.name for field in fields(ModelFacts)}
        for pattern, facts in (overrides or {}).items():
            if unknown := set(facts) - known:
                names, choice = ", ".join(sorted(unknown)), ", ".join(sorted(known))
                msg = f"model facts of {pattern!r}: unknown {names}; known are {choice}"
                raise ValueError(msg)
        self._overrides: dict[str, dict[str, Any]] = {
            pattern: {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
            for pattern, facts in (overrides or {}).items()
        }
        self.facts = lru_cache(maxsize=256)(self._look_up)

    def _look_up(self, model: str) -> ModelFacts:
        name = model.removeprefix("models/")
        facts = next(facts for pattern, facts in _TABLE if fnmatchcase(name, pattern))
        for pattern, changes in self._overrides.items():
            if fnmatchcase(name, pattern):
                facts = replace(facts, **changes)
        return facts
