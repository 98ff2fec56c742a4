"""What is known of a model, as one record of facts: what it takes, what it gives, and how long it will be there."""

from dataclasses import dataclass
from typing import Literal

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
"""Every `thinkingLevel` that Google has, weakest first. Source: google-genai 3.6.1, `ThinkingLevel`."""

Level = Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]
Purpose = Literal[
    "chat", "images", "embeddings", "transcription", "live", "video", "music", "decisions", "interactions", "agents"
]

FIVE_RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")
TEN_RATIOS = (*FIVE_RATIOS, "2:3", "3:2", "4:5", "5:4", "21:9")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a family of models takes and gives.

    Attributes:
        purpose: What the model is for; `chat` is everything that `generateContent` answers to a conversation.
        thinking: How thinking is set: by a budget of tokens, by a level, or not at all.
        budget: The least and the largest `thinkingBudget`.
        can_stop_thinking: Whether a budget of 0 is allowed.
        levels: The `thinkingLevel`s, weakest first.
        sampling: Whether `temperature`, `topP` and `topK` have an effect, none, or are refused with a 400.
        max_temperature: The largest `temperature`.
        refused_fields: Fields of `generationConfig`, and `store` and `serviceTier` beside it, that are refused.
        candidate_count: Whether `candidateCount` may be above 1.
        penalties: Whether presence and frequency penalties are taken.
        logprobs: Whether `responseLogprobs` is taken.
        functions: Whether functions may be declared.
        validated: Whether the function calling mode VALIDATED is known.
        json_with_tools: Whether functions and a JSON response go together.
        builtin_with_functions: Whether functions and built-in tools go together.
        mcp_servers: Whether Google connects the model to MCP servers.
        call_ids: Whether function calls carry an `id` that responses repeat.
        signatures: Whether a function call without its thought signature is refused.
        response_parts: Whether a function response may hold media.
        part_resolution: Whether `mediaResolution` is a field of the part rather than of the request.
        prefill: Whether the last turn may be the model's.
        system_instruction: Whether `systemInstruction` is taken.
        images: Whether answers may hold images.
        image_method: The method that makes images; None: the model's own resource says.
        image_modalities: The `responseModalities` to ask for when an image is all that is wanted.
        aspect_ratios: The `aspectRatio`s of images; empty: the field is not taken.
        image_sizes: The sizes of images, smallest first; `imageSize` is taken where there are several.
        speech: Whether answers are speech.
        speech_output: What speech in a whole answer is: raw samples, or a WAV file. Streams carry raw samples.
        speech_style: Where the style of speech goes: into the text, or into `speechMetadata` of the part.
        speech_formats: The `mimeType`s of `responseFormat.audio` besides what comes unasked.
        audio_limit: The longest audio that is transcribed, in seconds; 0: only the tokens are limited.
        timed_audio_limit: The same with the times of words, or with speakers.
        task_types: Whether an embedding's `taskType` and `title` change anything.
        embedding_usage: Whether embeddings come with a token count.
        explicit_caching: Whether `cachedContents` can be made and named.
        cache_minimum: The fewest tokens of a prompt that implicit caching keeps.
        input_limit: The most tokens of a prompt.
        output_limit: The most tokens of an answer.
        unary_output_limit: The most tokens of an answer that comes whole; a longer one must be streamed.
        continuation: Whether an answer that reached its end can be continued by `continuationToken`.
        shutdown: The day from which Google refuses the name, as `2026-06-01`; empty: none is known.
        successor: The model that takes its place; empty: none is known.
        learned: The names of the facts that refusals have taught.
    """

    purpose: Purpose = "chat"
    thinking: Literal["none", "budget", "level"] = "level"
    budget: tuple[int, int] = (1, 24_576)
    can_stop_thinking: bool = False
    levels: tuple[Level, ...] = ("LOW", "MEDIUM", "HIGH")
    sampling: Literal["taken", "ignored", "refused"] = "ignored"
    max_temperature: float = 2.0
    refused_fields: tuple[str, ...] = ()
    candidate_count: bool = False
    penalties: bool = False
    logprobs: bool = False
    functions: bool = True
    validated: bool = True
    json_with_tools: bool = True
    builtin_with_functions: bool = True
    mcp_servers: bool = True
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
    speech_output: Literal["pcm", "wav"] = "pcm"
    speech_style: Literal["text", "metadata"] = "text"
    speech_formats: tuple[str, ...] = ()
    audio_limit: int = 0
    timed_audio_limit: int = 0
    task_types: bool = False
    embedding_usage: bool = True
    explicit_caching: bool = True
    cache_minimum: int = 4096
    input_limit: int = 1_048_576
    output_limit: int = 65_536
    unary_output_limit: int = 65_536
    continuation: bool = False
    shutdown: str = ""
    successor: str = ""
    learned: frozenset[str] = frozenset()

    def nearest_level(self, level: str) -> str:
        """The level of this model that is nearest to `level`; of two that are as near, the stronger."""
        wanted = LEVELS.index(level)
        return min(self.levels, key=lambda known: (abs(LEVELS.index(known) - wanted), -LEVELS.index(known)))

    def is_retired(self, day: str) -> bool:
        """Whether Google has refused the name since before `day`, or since that very day."""
        return bool(self.shutdown) and self.shutdown <= day
