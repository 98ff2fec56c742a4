"""Draws the pictures of image models: real PNG and JPEG files in Google's pixel sizes."""

import base64
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from gemgate.emulator.validation import decode_base64

GEMINI_SIZES = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
    "1:4": (512, 2048),
    "4:1": (2048, 512),
    "1:8": (352, 2816),
    "8:1": (2816, 352),
}
IMAGEN_SIZES = {
    "1:1": (1024, 1024),
    "3:4": (896, 1280),
    "4:3": (1280, 896),
    "9:16": (768, 1408),
    "16:9": (1408, 768),
}
_SCALES = {"512": 0.5, "1K": 1.0, "2K": 2.0, "4K": 4.0}
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
DEFAULT_QUALITY = 75


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A file in base64, its MIME type and its pixels."""

    data: str
    kind: str
    width: int
    height: int

    def part(self) -> dict[str, object]:
        """The `inlineData` part."""
        return {"inlineData": {"mimeType": self.kind, "data": self.data}}


def draw(
    seed: str,
    kind: str,
    pixels: tuple[int, int],
    size: str = "1K",
    *,
    inner: Image.Image | None = None,
    quality: int = DEFAULT_QUALITY,
) -> DrawnPicture:
    """Three bands in colours of the seed, with `inner` in the middle; `size` scales the `pixels` of 1K."""
    colours = hashlib.sha256(seed.encode()).digest()
    width, height = (round(side * _SCALES[size]) for side in pixels)
    image = Image.new("RGB", (width, height), tuple(colours[0:3]))
    image.paste(tuple(colours[3:6]), (0, height // 3, width, 2 * height // 3))
    image.paste(tuple(colours[6:9]), (0, 2 * height // 3, width, height))
    if inner is not None:
        small = inner.copy()
        small.thumbnail((width // 2, height // 2))
        image.paste(small, ((width - small.width) // 2, (height - small.height) // 2))
    out = io.BytesIO()
    image.save(out, _FORMATS[kind], quality=quality)
    return DrawnPicture(base64.b64encode(out.getvalue()).decode(), kind, width, height)


def first_image(parts: list[dict[str, Any]]) -> Image.Image | None:
    """The first picture among the parts that can be read."""
    for part in parts:
        blob = part.get("inlineData")
        if blob and blob["mimeType"].startswith("image/"):
            try:
                with Image.open(io.BytesIO(decode_base64(blob["data"]))) as image:
                    # By way of RGBA, since Pillow warns of palettes with transparency otherwise.
                    return image.convert("RGBA").convert("RGB")
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                continue
    return None


def nearest_ratio(image: Image.Image, ratios: tuple[str, ...]) -> str:
    """The ratio that comes nearest to the picture's: what an edit has unasked."""
    wanted = image.width / image.height

    def distance(ratio: str) -> float:
        width, height = GEMINI_SIZES[ratio]
        there = width / height
        return max(there, wanted) / min(there, wanted)

    return min(ratios, key=distance)
