"""The images and the speech of one choice."""

from dataclasses import dataclass, field

from gemgate.api.chat.answer_text import Delta
from gemgate.api.chat.speech import AudioFormat, Speech
from gemgate.gemini.parts import Media
from gemgate.gemini.types import Blob


@dataclass(slots=True)
class AnswerMedia:
    """What was shown so far.

    Attributes:
        audio_format: The format in which the caller wants speech.
        audio_id: What the speech is called.
        images: How many images were shown; the next one's `index`.
        speech: The speech so far.
        spoken: The pieces of it that the event at hand has brought.
    """

    audio_format: AudioFormat
    audio_id: str
    images: int = 0
    speech: Speech | None = None
    spoken: list[str] = field(default_factory=list)

    def take(self, media: Media, delta: Delta) -> None:
        """Add an image to `delta`; speech is added by `speak`, once the whole event is taken in."""
        kind = media.blob.get("mimeType", "")
        if kind.startswith("audio/"):
            self._hear(media.blob, delta)
            return
        url = f"data:{kind};base64,{media.blob.get('data', '')}"
        image: dict[str, object] = {"index": self.images, "type": "image_url", "image_url": {"url": url}}
        if media.signature:
            image["extra_content"] = {"google": {"thought_signature": media.signature}}
        delta.setdefault("images", []).append(image)
        self.images += 1

    def speak(self, delta: Delta) -> None:
        """Add to `delta` what was said in the event at hand."""
        if self.speech is not None and self.spoken:
            audio = delta.setdefault("audio", {"data": ""})
            audio["data"] += "".join(self.spoken)
            self.spoken.clear()

    def finish(self, delta: dict[str, object]) -> None:
        """Add the rest of the speech."""
        if self.speech is not None and (rest := self.speech.finish()):
            delta["audio"] = {"data": rest}

    def _hear(self, blob: Blob, delta: dict[str, object]) -> None:
        if self.speech is None:
            self.speech = Speech(self.audio_format)
            # Nothing is kept to refer back to: the audio has expired as soon as it is given.
            delta["audio"] = {"id": self.audio_id, "expires_at": 0, "transcript": "", "data": ""}
        self.spoken.append(self.speech.feed(blob))
