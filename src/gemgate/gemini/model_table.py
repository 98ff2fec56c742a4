"""The built-in table of models: a row for each family, with its source and the day on which the source was read.

The first row whose pattern fits a name, and whose day has come, describes it. A name that only `gemini-*` fits has the
facts of the newest family.
"""

from dataclasses import dataclass, replace
from typing import Any

from gemgate.gemini.model_facts import FIVE_RATIOS, TEN_RATIOS, ModelFacts

TABLE_DATE = "2026-11-29"
"""The day on which the table was last compared with its sources."""


@dataclass(frozen=True, slots=True)
class FactRow:
    """The facts of the models whose names a pattern fits.

    Attributes:
        pattern: As of `fnmatch`, such as `gemini-2.5-*`.
        facts: What is believed of them.
        source: Where that comes from: a page, a recording, the source text of a client library.
        date: The day of the source, or on which it was read.
        since: The day from which the row holds; empty: it always has.
    """

    pattern: str
    facts: ModelFacts
    source: str
    date: str = TABLE_DATE
    since: str = ""


def _like(facts: ModelFacts, **changes: Any) -> ModelFacts:
    return replace(facts, **changes)


# Sources. `docs` stands for https://ai.google.dev/gemini-api/docs.
_THINKING = "docs/thinking"
_RECORDED = "recorded exchanges"
_IMAGES = "docs/image-generation; recorded exchanges"
_IMAGEN = "docs/imagen; docs/deprecations: shut down on the Developer API"
_DEPRECATIONS = "docs/deprecations"
_LIBRARIES = "model tables of pydantic-ai 2.68 and LiteLLM 1.110.2"
_LIVE_CALLS = "pydantic-ai 2.68, models/google.py: calls to Google on the day given"
_REROUTED = (
    "docs/deprecations as read on 2026-11-10; LiteLLM 1.110.2: from this day Google answers the name with its successor"
)
_TTS = "cloud.google.com: text-to-speech migration guide"
_SDK = "google-genai 3.6.1"
_GUIDE = "docs: get started with Gemini 4"

NEWEST = ModelFacts()
"""Gemini 3.6 and later."""

_FOUR = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_LONG_RATIOS = (*TEN_RATIOS, "1:4", "4:1", "1:8", "8:1")

# MCP servers: recorded of 2.5; "Gemini 3 does not support remote MCP" (docs/interactions); later ones by the schema.
_GEMINI_3 = _like(NEWEST, sampling="taken", prefill=True, mcp_servers=False)
_GEMINI_2 = _like(
    NEWEST,
    thinking="none",
    sampling="taken",
    candidate_count=True,
    logprobs=True,
    json_with_tools=False,
    builtin_with_functions=False,
    mcp_servers=False,
    call_ids=False,
    signatures=False,
    response_parts=False,
    part_resolution=False,
    prefill=True,
    cache_minimum=2048,
)
_GEMINI_25 = _like(_GEMINI_2, thinking="budget", can_stop_thinking=True, mcp_servers=True)
_GEMINI_20 = _like(
    _GEMINI_2, penalties=True, validated=False, aspect_ratios=(), output_limit=8192, unary_output_limit=8192
)
_GEMINI_4 = _like(NEWEST, unary_output_limit=32_768)

_FLASH_38 = NEWEST
_FLASH_LITE_35 = _like(NEWEST, levels=_FOUR)

_IMAGE_2 = _like(
    _GEMINI_2,
    images=True,
    candidate_count=False,
    explicit_caching=False,
    input_limit=32_768,
    output_limit=32_768,
    unary_output_limit=32_768,
)
_IMAGE_3 = _like(
    _GEMINI_3,
    thinking="none",
    images=True,
    explicit_caching=False,
    image_modalities=("IMAGE",),
    image_sizes=("1K", "2K", "4K"),
    input_limit=131_072,
    output_limit=32_768,
    unary_output_limit=32_768,
)
_IMAGE_31 = _like(_IMAGE_3, aspect_ratios=_LONG_RATIOS, image_sizes=("512", "1K", "2K", "4K"))
_TWO_LEVELS = {"thinking": "level", "levels": ("MINIMAL", "HIGH")}

_SPEECH_LIMITS = {"input_limit": 8192, "output_limit": 16_384, "unary_output_limit": 16_384, "explicit_caching": False}
_SPEECH_2 = _like(
    _GEMINI_2, speech=True, system_instruction=False, sampling="ignored", **_SPEECH_LIMITS, shutdown="2026-12-18"
)
_SPEECH_3 = _like(
    _GEMINI_3, thinking="none", speech=True, system_instruction=False, sampling="ignored", **_SPEECH_LIMITS
)
_SPEECH_38 = _like(
    _SPEECH_3,
    sampling="refused",
    speech_output="wav",
    speech_style="metadata",
    speech_formats=("AUDIO_MP3", "AUDIO_OGG_OPUS", "AUDIO_L16", "AUDIO_WAV", "AUDIO_ALAW", "AUDIO_MULAW"),
)

_EMBEDDING_001 = _like(
    _GEMINI_2, purpose="embeddings", task_types=True, embedding_usage=False, input_limit=2048, output_limit=1
)
_EMBEDDING_2 = _like(_GEMINI_3, purpose="embeddings", thinking="none", input_limit=8192, output_limit=1)

_OTHER = _like(
    _GEMINI_2,
    candidate_count=False,
    logprobs=False,
    validated=False,
    image_method=None,
    aspect_ratios=FIVE_RATIOS,
    task_types=True,
    embedding_usage=False,
)
_TEXT_EMBEDDING = _like(_OTHER, purpose="embeddings", input_limit=2048, output_limit=1)
_NO_CHAT = _like(_OTHER, functions=False, explicit_caching=False)
_RECOGNIZER = _like(
    _NO_CHAT,
    purpose="transcription",
    sampling="ignored",
    system_instruction=False,
    audio_limit=3600,
    timed_audio_limit=1800,
    input_limit=98_304,
    output_limit=32_768,
    unary_output_limit=32_768,
)
_IMAGEN_4 = _like(_NO_CHAT, purpose="images", images=True, image_method="predict", shutdown="2026-08-17")
_IMAGEN_4 = _like(_IMAGEN_4, successor="gemini-3.1-flash-image")
_IMAGEN_3 = _like(_IMAGEN_4, shutdown="2025-11-10")
_VEO = _like(_NO_CHAT, purpose="video", shutdown="2026-10-22", successor="gemini-omni-1.2-flash")

_GEMMA_3 = _like(
    _GEMINI_2,
    system_instruction=False,
    candidate_count=False,
    logprobs=False,
    validated=False,
    explicit_caching=False,
    input_limit=131_072,
    output_limit=8192,
    unary_output_limit=8192,
)
_GEMMA_4 = _like(
    _GEMMA_3,
    thinking="level",
    levels=("MINIMAL", "HIGH"),
    system_instruction=True,
    input_limit=262_144,
    output_limit=32_768,
    unary_output_limit=32_768,
)
_ARGON = _like(_GEMINI_4, explicit_caching=False, cache_minimum=6144, continuation=True)


DATED: tuple[FactRow, ...] = (
    FactRow("gemini-2.5-pro", _FLASH_38, _REROUTED, "2026-11-10", since="2026-12-01"),
    FactRow("gemini-2.5-flash", _FLASH_LITE_35, _REROUTED, "2026-11-10", since="2026-12-01"),
)
"""Rows that begin to hold on a day; they go before all others."""

ROWS: tuple[FactRow, ...] = (
    # Not for chat.
    FactRow("gemini-3.5-transcribe-live*", _like(_NO_CHAT, purpose="live"), _LIBRARIES),
    FactRow("gemini-*-transcribe*", _RECOGNIZER, "docs/generate-content/transcribe; the limits: LiteLLM 1.110.2"),
    FactRow("gemini-*-live-translate*", _like(_NO_CHAT, purpose="live"), _LIBRARIES),
    FactRow("gemini-*live-extended-thinking*", _like(_NO_CHAT, purpose="live", thinking="level"), _LIVE_CALLS),
    FactRow("gemini-*-live*", _like(_NO_CHAT, purpose="live"), "docs/live; " + _LIBRARIES),
    FactRow("gemini-live-*", _like(_NO_CHAT, purpose="live"), "docs/live; " + _LIBRARIES),
    FactRow("gemini-*-native-audio*", _like(_NO_CHAT, purpose="live"), "docs/live; " + _LIBRARIES),
    FactRow("gemini-robotics-er-*-streaming*", _like(_NO_CHAT, purpose="live"), _LIBRARIES),
    FactRow(
        "gemini-omni-1.1-*",
        _like(_NO_CHAT, purpose="interactions", shutdown="2026-12-03", successor="gemini-omni-1.2-flash"),
        "LiteLLM 1.110.2; " + _SDK,
    ),
    FactRow("gemini-omni-*", _like(_NO_CHAT, purpose="interactions"), _SDK + ", interactions: video out"),
    FactRow("gemini-decision-*", _like(_NO_CHAT, purpose="decisions"), _SDK + ", decisions"),
    FactRow("veo-*", _VEO, _DEPRECATIONS, "2026-10-25"),
    FactRow("lyria-*", _like(_NO_CHAT, purpose="music"), _SDK + ", interactions: audio out"),
    FactRow("deep-research-*", _like(_NO_CHAT, purpose="agents"), _SDK + ", interactions: agents"),
    FactRow("antigravity-*", _like(_NO_CHAT, purpose="agents"), _SDK + ", interactions: agents"),
    # Speech.
    FactRow("gemini-2.5-*-tts*", _like(_SPEECH_2, successor="gemini-3.8-flash-lite-tts"), _TTS),
    FactRow(
        "gemini-3.1-*-tts*",
        _like(_SPEECH_3, shutdown="2026-12-18", successor="gemini-3.8-flash-lite-tts"),
        _TTS,
    ),
    FactRow("gemini-*-tts*", _SPEECH_38, _TTS),
    # Images.
    FactRow(
        "gemini-2.5-*-image*",
        _like(_IMAGE_2, image_modalities=("IMAGE",), shutdown="2027-03-15", successor="gemini-3.1-flash-image"),
        _IMAGES + "; the day of its end: LiteLLM 1.110.2",
    ),
    FactRow(
        "gemini-2.0-*-image*",
        _like(_IMAGE_2, aspect_ratios=(), shutdown="2026-06-01", successor="gemini-3.1-flash-image"),
        _DEPRECATIONS,
    ),
    FactRow("gemini-3.1-flash-lite-image*", _like(_IMAGE_3, image_sizes=("1K",), **_TWO_LEVELS), _LIBRARIES),
    FactRow("gemini-3.1-flash-image*", _like(_IMAGE_31, **_TWO_LEVELS), _LIVE_CALLS, "2026-09-30"),
    FactRow("gemini-*-image*", _IMAGE_3, _IMAGES),
    FactRow("gemini-nano-banana-*", _IMAGE_31, _IMAGES),
    FactRow("nano-banana-pro*", _IMAGE_3, _IMAGES),
    FactRow("nano-banana-*", _IMAGE_31, _IMAGES),
    FactRow("imagen-4*-fast-*", _IMAGEN_4, _IMAGEN, "2026-08-17"),
    FactRow("imagen-4*", _like(_IMAGEN_4, image_sizes=("1K", "2K")), _IMAGEN, "2026-08-17"),
    FactRow("imagen-*", _IMAGEN_3, _IMAGEN, "2025-11-10"),
    # Embeddings.
    FactRow(
        "gemini-embedding-001*",
        _like(_EMBEDDING_001, shutdown="2028-05-14", successor="gemini-embedding-2"),
        _RECORDED + "; the day of its end: LiteLLM 1.110.2",
    ),
    FactRow("gemini-embedding-exp*", _EMBEDDING_001, _RECORDED),
    FactRow(
        "gemini-embedding-2-preview",
        _like(_EMBEDDING_2, shutdown="2026-11-06", successor="gemini-embedding-2"),
        "LiteLLM 1.110.2",
    ),
    FactRow("gemini-embedding-*", _EMBEDDING_2, _RECORDED),
    FactRow(
        "text-embedding-*",
        _like(_TEXT_EMBEDDING, shutdown="2026-01-14", successor="gemini-embedding-001"),
        _DEPRECATIONS + "; recorded exchanges",
    ),
    # Chat, oldest first.
    FactRow(
        "gemini-1.*",
        _like(_GEMINI_20, shutdown="2025-09-24", successor="gemini-3.5-flash-lite"),
        _DEPRECATIONS,
    ),
    FactRow(
        "gemini-2.0-flash-lite*",
        _like(_GEMINI_20, shutdown="2026-06-01", successor="gemini-3.1-flash-lite"),
        _DEPRECATIONS,
    ),
    FactRow(
        "gemini-2.0-*",
        _like(_GEMINI_20, shutdown="2026-06-01", successor="gemini-3.5-flash-lite"),
        _DEPRECATIONS + "; the successor is that of 2.5 Flash",
    ),
    FactRow("gemini-2.5-pro*", _like(_GEMINI_25, budget=(128, 32768), can_stop_thinking=False), _THINKING),
    FactRow("gemini-2.5-flash-lite*", _like(_GEMINI_25, budget=(512, 24576)), _THINKING),
    FactRow("gemini-2.5-*", _like(_GEMINI_25, budget=(1, 24576)), _THINKING),
    FactRow(
        "gemini-3-pro*",
        _like(_GEMINI_3, levels=("LOW", "HIGH"), shutdown="2026-03-09", successor="gemini-3.1-pro-preview"),
        _LIVE_CALLS,
        "2026-09-06",
    ),
    FactRow("gemini-3.1-pro*", _GEMINI_3, _THINKING),
    FactRow("gemini-pro-latest", _GEMINI_3, "genai-prices 0.2.3: the alias of 3.1 Pro"),
    FactRow("gemini-3.5-flash-lite*", _FLASH_LITE_35, _THINKING),
    FactRow("gemini-3-flash*", _like(_GEMINI_3, levels=_FOUR), _THINKING),
    FactRow(
        "gemini-3.1-flash-lite*",
        _like(_GEMINI_3, levels=_FOUR, shutdown="2027-05-07", successor="gemini-3.5-flash-lite"),
        _THINKING + "; the day of its end: LiteLLM 1.110.2",
    ),
    FactRow("gemini-flash-lite-latest", _FLASH_LITE_35, "genai-prices 0.2.3: the alias of 3.5 Flash-Lite"),
    FactRow("gemini-3.5-flash*", _like(_GEMINI_3, levels=_FOUR), _THINKING),
    FactRow("gemini-3.6-flash*", _like(NEWEST, levels=_FOUR), _THINKING),
    FactRow("gemini-3.7-flash*", NEWEST, _LIBRARIES),
    FactRow("gemini-3.8-flash*", _FLASH_38, _LIBRARIES),
    FactRow("gemini-flash-latest", _FLASH_38, "genai-prices 0.2.3: the alias of 3.8 Flash"),
    FactRow("gemini-4-argon*", _ARGON, _GUIDE + "; guides/gemini-4-argon", "2026-10-13"),
    FactRow(
        "gemini-4-hydrogen*",
        _like(_GEMINI_4, levels=("LOW", "MEDIUM", "HIGH", "XHIGH")),
        "LiteLLM 1.110.2; " + _SDK,
    ),
    FactRow("gemini-4-*", _GEMINI_4, _GUIDE + "; " + _LIBRARIES, "2026-11-18"),
    FactRow("gemini-robotics-er-*", NEWEST, "LiteLLM 1.110.2: thinking and tools; levels are those of the newest"),
    FactRow("gemini-*", NEWEST, "no row of its own: the newest family"),
    FactRow("gemma-4*", _GEMMA_4, "ai.google.dev/gemma/docs: Gemma on the Gemini API, and the model card"),
    FactRow("gemma-*", _GEMMA_3, _RECORDED),
    FactRow("*", _OTHER, "no row of its own: nothing is assumed"),
)

GUESSES = frozenset({"gemini-*", "*"})
"""Patterns of the rows that describe models nobody has written about yet."""
