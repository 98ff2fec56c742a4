"""Another file format for an image, where Pillow is installed."""

from io import BytesIO

import pybase64

from gemgate.api.images.pictures import Picture

_WRITABLE = frozenset({"gif", "jpeg", "png", "webp"})
_LOSSY = frozenset({"jpeg", "webp"})


def converted(picture: Picture, wanted: str, compression: int | None) -> Picture:
    """`picture` in the format `wanted`, or `picture` itself where that cannot be done; takes a moment of a processor.

    Args:
        picture: An image.
        wanted: `png`, `jpeg`, `webp` or `gif`; anything else cannot be made.
        compression: The quality of a JPEG or WebP, 0 to 100.
    """
    is_recompressed = compression is not None and wanted in _LOSSY
    if wanted not in _WRITABLE or (picture.format == wanted and not is_recompressed):
        return picture
    try:
        from PIL import Image
    except ImportError:
        return picture
    options = {"quality": compression} if is_recompressed else {}
    written = BytesIO()
    try:
        with Image.open(BytesIO(pybase64.b64decode(picture.data))) as opened:
            image: Image.Image = opened
            if wanted == "jpeg" and opened.mode not in {"RGB", "L"}:
                image = Image.new("RGB", opened.size, "white")
                image.paste(opened, mask=opened.convert("RGBA").getchannel("A"))
            image.save(written, wanted, **options)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return picture  # what Pillow cannot read is given as it came
    data = pybase64.b64encode_as_string(written.getbuffer())
    return Picture(data, wanted, picture.pixels, picture.prompt, picture.google)
