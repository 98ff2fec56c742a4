"""The answers of image models on generateContent: a picture with a sentence, a picture alone, or words alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemgate.emulator import media, pictures

if TYPE_CHECKING:
    from gemgate.emulator.answers import Draft
    from gemgate.emulator.families import ModelFamily
    from gemgate.emulator.prompt import Prompt

_DRAFT_SIZE = "512"


def paint(draft: Draft, model: ModelFamily, prompt: Prompt, seed: str, words: str) -> None:
    """Fill the draft with a picture of the asked ratio and size; `words` quotes the prompt.

    An edit keeps the ratio of the first picture of the prompt unless another is asked for, and shows it in its middle.
    """
    asked = prompt.config.get("responseModalities") or ["TEXT", "IMAGE"]
    if "IMAGE" not in asked:
        draft.parts = [{"text": f"I was asked for words only, so here are words for {words}."}]
        return
    family = model.family
    config = prompt.config.get("imageConfig") or {}
    given = pictures.first_image(prompt.media)
    unasked = pictures.nearest_ratio(given, family.image_ratios) if given else "1:1"
    pixels = pictures.GEMINI_SIZES[config.get("aspectRatio") or unasked]
    image = pictures.draw(seed, family.image_type, pixels, config.get("imageSize") or "1K", inner=given)
    if draft.thoughts:
        sketch = pictures.draw(f"{seed}/sketch", family.image_type, pixels, _DRAFT_SIZE, inner=given)
        draft.sketches = [{**sketch.part(), "thought": True}]
    draft.parts = [image.part()]
    if "TEXT" in asked:
        seen = "".join(f" I started from {media.look(part).words}." for part in prompt.media)
        draft.parts.insert(0, {"text": f"Here is a picture of {image.width}x{image.height} pixels for {words}.{seen}"})
