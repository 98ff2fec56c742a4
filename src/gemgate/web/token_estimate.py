"""How many tokens a request may use, estimated from its path and its body. No I/O.

The estimate is reserved when a request begins, and replaces Google's count where Google gives none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import orjson

BYTES_PER_TOKEN = 4

MEDIA_TOKENS = 258
"""Of one image, video or document in the prompt: what Google counts for a small image. Longer ones cost more."""

IMAGE_TOKENS = 1290
"""Of one generated image: https://ai.google.dev/gemini-api/docs/pricing."""

SPOKEN_TOKENS = 2
"""Of speech, for each character of its text: 15 characters a second, and 32 tokens a second of sound."""

UPLOADED_BYTES = 500
"""Of compressed audio for each token: 32 tokens a second, at 128 kbit/s. Uncompressed audio has fewer tokens."""

DEFAULT_ANSWER = 1024
"""Reserved for an answer whose length the request does not limit, up to a quarter of the caller's limit."""

LONGEST_ANSWER = 65_536
"""The highest output limit of Google's models, thoughts included."""

_MOST_CANDIDATES = 8
_MOST_PROMPTS = 128


class AnswerKind(StrEnum):
    """What a model makes of a request."""

    TEXT = "text"
    IMAGE = "image"
    VECTOR = "vector"
    SCORES = "scores"
    JOB = "job"
    SPEECH = "speech"
    TRANSCRIPT = "transcript"


_OPENAI = {
    "/completions": AnswerKind.TEXT,  # of chats too
    "/responses": AnswerKind.TEXT,
    "/responses/compact": AnswerKind.TEXT,
    "/images/generations": AnswerKind.IMAGE,
    "/images/edits": AnswerKind.IMAGE,
    "/images/variations": AnswerKind.IMAGE,
    "/embeddings": AnswerKind.VECTOR,
    "/moderations": AnswerKind.SCORES,
    "/decisions": AnswerKind.SCORES,
    "/audio/speech": AnswerKind.SPEECH,
    "/audio/transcriptions": AnswerKind.TRANSCRIPT,
    "/audio/translations": AnswerKind.TRANSCRIPT,
}
_NATIVE = {
    "generateContent": AnswerKind.TEXT,
    "streamGenerateContent": AnswerKind.TEXT,
    "generateAnswer": AnswerKind.TEXT,
    "predict": AnswerKind.IMAGE,
    "embedContent": AnswerKind.VECTOR,
    "batchEmbedContents": AnswerKind.VECTOR,
    "batchGenerateContent": AnswerKind.JOB,
    "asyncBatchEmbedContent": AnswerKind.JOB,
    "predictLongRunning": AnswerKind.JOB,
}


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """The tokens of one request.

    Attributes:
        prompt: Of the body.
        reserve: Held back for the answer; never more than the caller's limit.
        most: The most that the answer can be charged without Google's count.
        by_size: Whether that depends on the bytes that were answered.
    """

    prompt: int = 0
    reserve: int = 0
    most: int = 0
    by_size: bool = False

    @property
    def total(self) -> int:
        """What is reserved."""
        return self.prompt + self.reserve

    def charge(self, answered: int) -> int:
        """What the request costs where Google gives no count, by the bytes that were answered."""
        if not self.by_size:
            return self.prompt + self.most
        return self.prompt + (min(answered // BYTES_PER_TOKEN, self.most) if answered else self.reserve)


def kind_of(path: str) -> AnswerKind | None:
    """What the path asks a model for; None if it asks none, or only has tokens counted."""
    native = _NATIVE.get(path.rpartition(":")[2])
    return native or next((kind for ending, kind in _OPENAI.items() if path.endswith(ending)), None)


def estimate(body: bytes, kind: AnswerKind | None, limit: int, uploaded: int = 0) -> TokenEstimate:
    """The tokens of a request.

    Args:
        body: The whole of it, as JSON; anything else counts by its size. Empty if it is a form.
        kind: What its path asks for.
        limit: The caller's tokens a minute.
        uploaded: The bytes that a form of audio says it has.
    """
    if kind is AnswerKind.TRANSCRIPT:
        most = uploaded // UPLOADED_BYTES
        return TokenEstimate(0, min(max(most, 1), max(1, limit // 4)), most)
    value = _parsed(body)
    prompt = _prompt_tokens(body, value)
    default = max(1, limit // 4)
    if kind is AnswerKind.TEXT:
        stated, number = _stated(value)
        number *= _prompts(value)
        most = (stated or LONGEST_ANSWER) * number
        reserve = min(stated * number, limit) if stated else min(DEFAULT_ANSWER * number, default)
        return TokenEstimate(prompt, reserve, most, by_size=True)
    if kind is AnswerKind.IMAGE:
        most = IMAGE_TOKENS * _stated(value)[1]
        return TokenEstimate(prompt, min(most, default), most)
    if kind is AnswerKind.SPEECH:
        text = value.get("input") if isinstance(value, dict) else ""
        most = SPOKEN_TOKENS * len(text) if isinstance(text, str) else 0
        return TokenEstimate(prompt, min(most, default), most)
    if kind is AnswerKind.JOB:
        most = min(limit, sum(_line_tokens(line) for line in _lines(value)))
        return TokenEstimate(max(1, prompt), most, most)
    return TokenEstimate(prompt)


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None


def _plain(name: str) -> str:
    """A name in the one spelling that camel case, snake case and mixtures have in common."""
    return name.replace("_", "").lower()


_MAXIMA = frozenset({"maxtokens", "maxcompletiontokens", "maxoutputtokens"})
_NUMBERS = frozenset({"n", "candidatecount", "samplecount"})
_CONFIGS = frozenset({"generationconfig", "extrabody", "google", "parameters", "instances"})


def _stated(value: object) -> tuple[int, int]:
    """The length of an answer that the request allows (0: it does not say), and the number of answers."""
    longest, number = 0, 1
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        for name, child in node.items():
            plain = _plain(name) if len(name) < 64 else ""
            if plain in _MAXIMA:
                longest = max(longest, _whole(child, LONGEST_ANSWER))
            elif plain in _NUMBERS:
                number = max(number, _whole(child, _MOST_CANDIDATES))
            elif plain in _CONFIGS:
                waiting.append(child)
    return longest, number


def _prompts(value: object) -> int:
    """How many prompts are answered, where a request has several."""
    prompts = value.get("prompt") if isinstance(value, dict) else None
    return max(1, min(len(prompts), _MOST_PROMPTS)) if isinstance(prompts, list) else 1


def _whole(value: object, most: int) -> int:
    """A number of tokens or answers, also as Google's JSON allows to write it; 0 for anything else."""
    if isinstance(value, str) and len(value) < 16 and value.isdecimal() and value.isascii():
        value = int(value)
    return int(max(0, min(value, most))) if isinstance(value, (int, float)) else 0


_TO_LINES = frozenset({"batch", "inputconfig", "requests"})


def _lines(value: object) -> Iterator[object]:
    """The requests that a job has in its body."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            yield from (line.get("request") for line in node if isinstance(line, dict))
        elif isinstance(node, dict):
            waiting.extend(child for name, child in node.items() if len(name) < 64 and _plain(name) in _TO_LINES)


def _line_tokens(line: object) -> int:
    if isinstance(line, dict) and "content" in line:
        return 0  # a vector is asked for
    stated, number = _stated(line)
    return (stated or DEFAULT_ANSWER) * number


# Where requests have media: by the name of the object, the names of its content and of its type.
_OBJECTS = {
    "inlineData": ("data",),
    "inline_data": ("data",),
    "image_url": ("url",),
    "video_url": ("url",),
    "audio_url": ("url",),
    "file_url": ("url",),
    "input_audio": ("data",),
    "file": ("file_data",),
}
_STRINGS = frozenset({"bytesBase64Encoded", "bytes_base64_encoded", "imageBytes", "image_bytes", "image_url"})
# What a model reads as text, whatever it looks like.
_OPAQUE = frozenset({"args", "arguments", "response", "tools", "functions", "parameters", "response_format", "output"})
_MEDIA = ("image/", "audio/", "video/", "application/pdf")
_PDF = "JVBERi"  # "%PDF" in base64


def _prompt_tokens(body: bytes, value: object) -> int:
    size, number = 0, 0
    for media in _media(value):
        size += len(media)
        number += 1
    return max(0, len(body) - size) // BYTES_PER_TOKEN + number * MEDIA_TOKENS


def _media(value: object) -> Iterator[str]:
    """Base64 that costs other than by its size. Text in base64 is text: a model reads it."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(item for item in node if isinstance(item, (dict, list)))
        elif isinstance(node, dict):
            for name, child in node.items():
                if isinstance(child, str):
                    if name in _STRINGS and (name != "image_url" or _is_media_url(child)):
                        yield child
                elif isinstance(child, dict) and name in _OBJECTS:
                    yield from _content(name, child)
                elif isinstance(child, (dict, list)) and name not in _OPAQUE:
                    waiting.append(child)


def _content(name: str, found: dict[str, object]) -> Iterator[str]:
    for field in _OBJECTS[name]:
        content = found.get(field)
        if not isinstance(content, str):
            continue
        mime = found.get("mimeType") or found.get("mime_type")
        if (
            name == "input_audio"
            or _is_media_url(content)
            or (isinstance(mime, str) and mime.strip().lower().startswith(_MEDIA))
            or (name == "file" and content.startswith(_PDF))
        ):
            yield content


def _is_media_url(text: str) -> bool:
    head = text[:64].lstrip().lower()
    return head.startswith("data:") and head[5:].lstrip().startswith(_MEDIA)
