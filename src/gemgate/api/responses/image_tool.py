"""The options of the tool `image_generation`, as far as a model has them that draws within its answer."""

from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.translation.image_frame import QUALITIES, frame
from gemgate.translation.notes import Notes
from gemgate.translation.validation import show

_SAYS_NOTHING: dict[str, tuple[object, ...]] = {
    "action": ("auto",),
    "background": ("auto",),
    "moderation": ("auto",),
    "output_compression": (100,),
    "output_format": ("auto",),
}
"""Values of options that ask for nothing in particular. Gemini has no masks, and one format of its own."""

_READ = frozenset({"type", "namespace", "size", "quality", "partial_images"})
_MOST_PARTIAL_IMAGES = 3


def image_config(tool: dict[str, object], param: str, facts: ModelFacts, notes: Notes) -> dict[str, object]:
    """The native `imageConfig` that the tool asks for; options without a counterpart are noted as dropped.

    Args:
        tool: The tool.
        param: The caller's name of it, such as `tools[0]`.
        facts: Of the model, which makes images.
        notes: What is dropped and adjusted.

    Raises:
        ApiError: 400 for a size or a quality that cannot be read.
    """
    for name, value in tool.items():
        if name not in _READ and value is not None and value not in _SAYS_NOTHING.get(name, ()):
            notes.drop(f"{param}.{name}")
    size, quality = _text(tool, "size", param), _text(tool, "quality", param)
    if quality not in (None, "auto", *QUALITIES):
        choices = ", ".join(("auto", *QUALITIES))
        msg = f"Invalid value for '{param}.quality': {show(quality)}. Supported values are: {choices}."
        raise ApiError(400, msg, param=f"{param}.quality", code="invalid_value")
    return frame(size, quality, {}, facts, notes, f"{param}.").config


def partial_images(tool: dict[str, object], param: str, notes: Notes) -> int:
    """How many images are to be shown before the final one. Gemini gives that alone, which is noted.

    Raises:
        ApiError: 400 for anything but a number from 0 to 3.
    """
    wanted = tool.get("partial_images")
    if wanted is None:
        return 0
    name = f"{param}.partial_images"
    if type(wanted) is not int:
        msg = f"Invalid type for '{name}': expected an integer, but got {show(wanted, with_type=True)} instead."
        raise ApiError(400, msg, param=name, code="invalid_type")
    if not 0 <= wanted <= _MOST_PARTIAL_IMAGES:
        msg = f"Invalid value for '{name}': {show(wanted)}. Expected a number from 0 to {_MOST_PARTIAL_IMAGES}."
        raise ApiError(400, msg, param=name, code="invalid_value")
    if wanted:
        notes.adjust(f"{name}={wanted}->the final image")
    return wanted


def _text(tool: dict[str, object], name: str, param: str) -> str | None:
    value = tool.get(name)
    if value is None or isinstance(value, str):
        return value
    msg = f"Invalid type for '{param}.{name}': expected a string, but got {show(value, with_type=True)} instead."
    raise ApiError(400, msg, param=f"{param}.{name}", code="invalid_type")
