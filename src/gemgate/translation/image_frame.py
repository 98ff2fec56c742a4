"""The shape and the size of an image: pixels as OpenAI has them, a ratio and a size as Google has them."""

import math
import re
from dataclasses import dataclass

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.translation.notes import Notes

_SIZES = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Google's sizes, and the side of a square of each in pixels."""

_ORDER = tuple(_SIZES)
_LONGEST_SIDE = (("512", 640), ("1K", 1536), ("2K", 3072))
QUALITIES = {
    "low": "512",
    "medium": "1K",
    "standard": "1K",
    "high": "2K",
    "hd": "2K",
    "xhigh": "4K",
    "max": "4K",
}
"""OpenAI's qualities, and the size of Google's that each asks for."""

_RATIO = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})", re.ASCII)
_PIXELS = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """`aspectRatio` and `imageSize`; None leaves the choice to the model."""

    ratio: str | None = None
    size: str | None = None

    @property
    def config(self) -> dict[str, object]:
        """The fields of the native `imageConfig`."""
        return {name: value for name, value in (("aspectRatio", self.ratio), ("imageSize", self.size)) if value}


def frame(
    size: str | None, quality: str | None, google: dict[str, object], facts: ModelFacts, notes: Notes, place: str = ""
) -> Frame:
    """What OpenAI's `size` and `quality` and Google's options `aspect_ratio` and `image_size` ask for.

    The options are sent as they are and win. Pixels become the nearest that the model has, which is noted.

    Args:
        size: `WIDTHxHEIGHT`, a ratio, one of Google's sizes, or `auto`.
        quality: One of `QUALITIES`, or `auto`.
        google: Google's options.
        facts: Of the model.
        notes: What is dropped and adjusted.
        place: What comes before the names of the parameters, such as `tools[0].`.

    Raises:
        ApiError: 400 for an invalid size, and for options that are not text.
    """
    written = _written(size)
    if written in _SIZES:  # Google's word for it
        google, written = {"image_size": written, **google}, None
    ratio, taken = _text(google, "aspect_ratio"), _text(google, "image_size")
    if ratio and written and _RATIO.fullmatch(written):
        if ratio != written:
            notes.adjust(f"{place}size={written}->extra_body.google.aspect_ratio")
        written = None
    pixels = _pixels(written, f"{place}size")
    ratio = ratio or _ratio(written, facts, notes, place)
    if ratio is None and pixels and facts.aspect_ratios:
        ratio = nearest_ratio(*pixels, facts.aspect_ratios)
    if taken is not None:
        taken = taken.upper()
    elif pixels and _has_choice(facts):
        taken = nearest_size(_size_of(max(pixels)), facts.image_sizes)
    if pixels:
        _note_pixels(f"{place}size", written or "", pixels, Frame(ratio, taken), facts, notes)
    wanted = None if quality == "auto" else quality
    if wanted is None or (taken is None and not pixels and _has_choice(facts)):
        return Frame(ratio, taken if wanted is None else _by_quality(wanted, facts, notes, place))
    notes.drop(f"{place}quality")
    return Frame(ratio, taken)


def _written(size: str | None) -> str | None:
    """`size` in one spelling: `1024X1024` as `1024x1024`, also with the sign for times; `2k` as `2K`."""
    if size is None or size.upper() in _SIZES:
        return size and size.upper()
    return size.replace("X", "x").replace("\u00d7", "x")


def _ratio(size: str | None, facts: ModelFacts, notes: Notes, place: str) -> str | None:
    """A ratio in the place of the size (`16:9`), as far as the model has it."""
    found = _RATIO.fullmatch(size or "")
    if found is None:
        return None
    if not facts.aspect_ratios:
        notes.drop(f"{place}size")
        return None
    ratio = nearest_ratio(int(found[1]), int(found[2]), facts.aspect_ratios)
    if ratio != size:
        notes.adjust(f"{place}size={size}->{ratio}")
    return ratio


def nearest_ratio(width: int, height: int, ratios: tuple[str, ...]) -> str:
    """The ratio that would stretch the image least."""
    wanted = math.log(width / height)

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(int(across) / int(down)) - wanted)

    return min(ratios, key=distance)


def nearest_size(wanted: str, sizes: tuple[str, ...]) -> str:
    """The size that is nearest to `wanted`; of two that are as near, the larger."""
    at = _ORDER.index(wanted)
    return min(sizes, key=lambda size: (abs(_ORDER.index(size) - at), -_ORDER.index(size)))


def _pixels(size: str | None, param: str) -> tuple[int, int] | None:
    if size is None or size == "auto":
        return None
    if _RATIO.fullmatch(size):
        return None
    found = _PIXELS.fullmatch(size)
    if found is None:
        msg = f"Invalid value for '{param}': '{size[:40]}'. Write it as WIDTHxHEIGHT, such as 1536x1024, or 'auto'."
        raise ApiError(400, msg, param=param, code="invalid_value")
    return int(found[1]), int(found[2])


def _text(google: dict[str, object], name: str) -> str | None:
    value = google.get(name)
    if value is None or isinstance(value, str):
        return value
    param = f"extra_body.google.{name}"
    raise ApiError(400, f"'{param}' must be a string.", param=param, code="invalid_type")


def _size_of(side: int) -> str:
    return next((size for size, longest in _LONGEST_SIDE if side <= longest), "4K")


def _has_choice(facts: ModelFacts) -> bool:
    """A model with one size refuses the field (recorded of gemini-2.5-flash-image)."""
    return len(facts.image_sizes) > 1


def _note_pixels(
    param: str, asked: str, pixels: tuple[int, int], found: Frame, facts: ModelFacts, notes: Notes
) -> None:
    """Only squares come in the very size that was asked for; the others differ from model to model by some pixels."""
    if found == Frame():
        notes.drop(param)
        return
    made = found.size or facts.image_sizes[0]
    side = _SIZES.get(made)
    if found.ratio == "1:1" and pixels == (side, side):
        return
    notes.adjust(f"{param}={asked}->{found.ratio or 'auto'},{made}")


def _by_quality(quality: str, facts: ModelFacts, notes: Notes, place: str) -> str:
    size = nearest_size(QUALITIES[quality], facts.image_sizes)
    notes.adjust(f"{place}quality={quality}->{size}")
    return size
