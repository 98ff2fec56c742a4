"""The snippets of Google's page on OpenAI compatibility, as a reader pastes them.

Each file in `docs/examples/` holds one feature's code in up to three languages. Only what the page tells a reader to
change is changed: the base URL, the key, and the paths of media files.
"""

import io
import re
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

SNIPPETS = Path(__file__).parents[2] / "docs" / "examples"
HOSTED = re.compile(r"https://generativelanguage\.googleapis\.com/v1beta(?:/openai)?")
KEY = "AIzaTheReadersKey"
IMAGE_SIZE = (37, 23)
AUDIO_SECONDS = 1.5
_RATE = 8000


@dataclass(frozen=True, slots=True)
class Media:
    """The files that snippets read."""

    image: Path
    audio: Path


def make_media(folder: Path) -> Media:
    """A JPEG of `IMAGE_SIZE` pixels and a WAV file of `AUDIO_SECONDS`."""
    media = Media(folder / "image.jpeg", folder / "file.wav")
    Image.new("RGB", IMAGE_SIZE, "teal").save(media.image, "JPEG")
    silence = io.BytesIO()
    with wave.open(silence, "wb") as track:
        track.setnchannels(1)
        track.setsampwidth(2)
        track.setframerate(_RATE)
        track.writeframes(bytes(2 * int(_RATE * AUDIO_SECONDS)))
    media.audio.write_bytes(silence.getvalue())
    return media


def snippet(feature: str, language: str, base_url: str, media: Media) -> str:
    """The code of a feature in a language (`python`, `javascript`, `bash`), with the reader's changes."""
    text = (SNIPPETS / f"{feature}.md").read_text()
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, f"{feature} has no {language} snippet"
    code = HOSTED.sub(base_url, found[1]).replace("GEMINI_API_KEY", KEY)
    code = code.replace("Path/to/agi/image.jpeg", str(media.image))
    return code.replace("/path/to/your/audio/file.wav", str(media.audio))


def run_python(code: str) -> dict[str, Any]:
    """The variables that a Python snippet leaves; `printed` is a list of what it printed, the objects themselves."""
    printed: list[Any] = []
    names: dict[str, Any] = {"__name__": "__main__", "MY_API_KEY": KEY, "print": printed.append}
    try:
        exec(compile(code, "snippet", "exec"), names)
    finally:
        names["client"].close()
    return {**names, "printed": printed}


def run_curl(code: str) -> bytes:
    """What a shell snippet writes.

    GNU's base64 breaks its lines, which JSON forbids in a string; the one of macOS, which the page means, does not.
    """
    quiet = code.replace("curl ", 'curl --silent --show-error --noproxy "*" ')
    unbroken = 'base64() { command base64 "$@" | tr -d "\\n"; }; export -f base64\n'
    done = subprocess.run(["bash", "-c", unbroken + quiet], capture_output=True, check=True, timeout=30)
    return done.stdout
