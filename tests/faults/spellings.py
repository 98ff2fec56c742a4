"""Other spellings of requests: what users write, what it means, and what Google is asked.

The tests and tables of docs/chat.md, docs/responses.md, docs/embeddings.md and docs/images.md are made of these rows.
"""

import json
from dataclasses import dataclass, field
from typing import Any

FLASH = "gemini-2.5-flash"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
SAFETY = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]


@dataclass(frozen=True)
class Spelling:
    """One way to write something.

    Attributes:
        written: The fields of the request.
        means: What they mean, in the words of the documentation.
        native: What the native request has of it.
        adjusted: The notes in `x-gemgate-adjusted`.
        dropped: The names in `x-gemgate-dropped-params`.
        model: The model that is asked.
    """

    written: dict[str, Any]
    means: str
    native: dict[str, Any]
    adjusted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    model: str = FLASH


def _config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


def _thinking(**fields: Any) -> dict[str, Any]:
    return _config(thinkingConfig=fields)


def _user(**part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


def _turn(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


_FILE = {"fileUri": "gs://b/v.mp4", "mimeType": "video/mp4"}
_FUNCTION = {"name": "f", "description": "f", "parametersJsonSchema": {"type": "object", "properties": {}}}

SPELLINGS = [
    Spelling(
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "`reasoning.max_tokens`",
        _thinking(thinkingBudget=2000),
    ),
    Spelling({"thinking": {"budget_tokens": 2000}}, "`reasoning.max_tokens`", _thinking(thinkingBudget=2000)),
    Spelling({"thinking": {"type": "disabled"}}, "`reasoning.enabled: false`", _thinking(thinkingBudget=0)),
    Spelling({"thinking": {"type": "adaptive"}}, "`reasoning.enabled: true`", _thinking(thinkingBudget=-1)),
    Spelling(
        {"reasoning_effort": {"effort": "low", "summary": "auto"}},
        "`reasoning`",
        _thinking(thinkingBudget=1024, includeThoughts=True),
    ),
    Spelling(
        {"reasoning": {"enabled": False}}, "no thinking, or the least that the model has", _thinking(thinkingBudget=0)
    ),
    Spelling({"max_tokens": -1}, "no limit", {}),
    Spelling({"top_k": 0}, "no `top_k`", {}),
    Spelling(
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "auto"}},
        '`tool_choice: "auto"`; also `none`, `required` and `any`',
        {"tools": [{"functionDeclarations": [_FUNCTION]}]},
    ),
    Spelling(
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "any"},
        '`tool_choice: "required"`',
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ),
    Spelling(
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "AUTO"},
        "the mode in Google's spelling; also in `type`, and beside other fields",
        {"toolConfig": None},
    ),
    Spelling(
        {"tools": [{"type": "function", "name": "f"}]},
        "a function, as the Responses API declares it; the type may be left out",
        {"tools": [{"functionDeclarations": [_FUNCTION]}]},
    ),
    Spelling(
        {"tools": [{"name": "f", "input_schema": SCHEMA}]},
        "`parameters`; also `inputSchema` and `parametersJsonSchema`",
        {"tools": [{"functionDeclarations": [{**_FUNCTION, "parametersJsonSchema": SCHEMA}]}]},
    ),
    Spelling({"tools": [{"googleSearch": {}}]}, "Google's tool", {"tools": [{"googleSearch": {}}]}),
    Spelling({"tools": [{"url_context": {}}]}, "Google's tool", {"tools": [{"urlContext": {}}]}),
    Spelling(
        {"tools": [{"type": "google_maps", "google_maps": {"enable_widget": True}}]},
        "the options of the tool",
        {"tools": [{"googleMaps": {"enableWidget": True}}]},
    ),
    Spelling({"safetySettings": SAFETY}, "`extra_body.google.safety_settings`", {"safetySettings": SAFETY}),
    Spelling({"safety_settings": SAFETY}, "`extra_body.google.safety_settings`", {"safetySettings": SAFETY}),
    Spelling(
        {"cachedContent": "cachedContents/abc"},
        "`extra_body.google.cached_content`",
        {"cachedContent": "cachedContents/abc"},
    ),
    Spelling({"cached_content": "abc"}, "`extra_body.google.cached_content`", {"cachedContent": "cachedContents/abc"}),
    Spelling({"cached_content": ""}, "no cache", {"cachedContent": None}),
    Spelling({"generationConfig": {"topK": 3}}, "`extra_body.google.generation_config`", _config(topK=3)),
    Spelling({"generation_config": {"top_k": 3}}, "`extra_body.google.generation_config`", _config(topK=3)),
    Spelling(
        {"image_config": {"aspect_ratio": "16:9"}},
        "`imageConfig`, in chats with models that make images; elsewhere it is dropped",
        _config(imageConfig={"aspectRatio": "16:9"}),
        model="gemini-2.5-flash-image",
    ),
    Spelling({"image_config": {"aspect_ratio": "16:9"}}, "nothing, with a model of text", {}, dropped=["image_config"]),
    Spelling(
        {"guided_json": SCHEMA},
        "`response_format` with this schema",
        _config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    Spelling(
        {"guided_json": json.dumps(SCHEMA)},
        "the same, as text",
        _config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    Spelling(
        {"guided_choice": ["yes", "no"]},
        "an answer that is one of these",
        _config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["yes", "no"]}),
    ),
    Spelling(
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        "`response_format` with this schema",
        _config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    Spelling(
        _user(type="image_url", image_url="gs://b/o.png"),
        "`image_url.url`",
        _turn({"fileData": {"fileUri": "gs://b/o.png", "mimeType": "image/png"}}),
    ),
    Spelling(
        _user(type="image_url", image_url={"url": "gs://b/o.png", "detail": ""}),
        "no `detail`",
        _turn({"fileData": {"fileUri": "gs://b/o.png", "mimeType": "image/png"}}),
    ),
    Spelling(
        _user(type="audio_url", audio_url={"url": "gs://b/a.wav"}),
        "sound, as `video_url` for films",
        _turn({"fileData": {"fileUri": "gs://b/a.wav", "mimeType": "audio/wav"}}),
    ),
    Spelling(
        _user(type="file", file={"file_id": "https://youtu.be/abcdefghijk"}),
        "`file.file_url`",
        _turn({"fileData": {"fileUri": "https://youtu.be/abcdefghijk", "mimeType": "video/mp4"}}),
    ),
    Spelling(
        _user(type="file", file={"file_id": "gs://b/v.mp4", "video_metadata": {"start_offset": "5s", "fps": 2}}),
        "start, end and frames of a film",
        _turn({"fileData": _FILE, "videoMetadata": {"startOffset": "5s", "fps": 2}}),
    ),
    Spelling(
        _user(type="file", file={"file_id": "gs://b/v", "mime_type": "video/mp4"}),
        "`file.format`; also in `image_url` and `video_url`",
        _turn({"fileData": {"fileUri": "gs://b/v", "mimeType": "video/mp4"}}),
    ),
]

PREFIXES = [
    *("google/", "gemini/", "vertex_ai/", "publishers/google/models/", "models/", "vertex_ai/gemini/"),
    *("google/gemini/", "gemini/models/"),
]
"""What may be before the name of a model."""

SIGNATURE = "R09PRF9TSUdOQVRVUkU="

SIGNED = [
    {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": SIGNATURE}]},
    {"reasoning_signature": SIGNATURE},
    {
        "reasoning_details": [
            {"type": "reasoning.encrypted", "data": SIGNATURE, "id": "c", "format": "google-gemini-v1"}
        ]
    },
    {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": SIGNATURE}]},
    {"content": [{"type": "thinking", "thinking": "hm", "signature": SIGNATURE}]},
]
"""Fields of a message of the assistant in which other gateways keep thought signatures."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

EMBEDDING_SPELLINGS = [
    Spelling(
        {"input": "a", "taskType": "retrieval-query", "outputDimensionality": 256},
        "`task_type` and `dimensions`, in Google's spelling",
        {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": "a", "task_type": "retrieval_query"},
        "`extra_body.google.task_type`",
        {"taskType": "RETRIEVAL_QUERY"},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": "a", "input_type": "search_document", "title": "T"},
        "the task type, in the words of other APIs, and `extra_body.google.title`",
        {"taskType": "RETRIEVAL_DOCUMENT", "title": "T"},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": "a", "input_type": "query"},
        "the task type of a query",
        {"taskType": "RETRIEVAL_QUERY"},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": "a", "input_type": "query", "task_type": "CLUSTERING"},
        "`task_type`, which is Google's own word",
        {"taskType": "CLUSTERING"},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": [{"type": "text", "text": "a", "task_type": "CLUSTERING", "title": "A"}]},
        "settings of this item",
        {"taskType": "CLUSTERING", "title": "A"},
        model="gemini-embedding-001",
    ),
    Spelling(
        {"input": "a", "task_type": "CLUSTERING"},
        "nothing, with a model that takes no task types",
        {},
        dropped=["task_type"],
        model="gemini-embedding-2",
    ),
    Spelling(
        {"input": "gs://b/o.png"},
        "the picture; a 400 with a model that embeds text alone",
        {"content": {"parts": [{"fileData": {"fileUri": "gs://b/o.png", "mimeType": "image/png"}}]}},
        model="gemini-embedding-2",
    ),
    Spelling(
        {"input": f"data:image/png;base64,{PIXEL}"},
        "the picture; a 400 with a model that embeds text alone",
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": PIXEL}}]}},
        model="gemini-embedding-2",
    ),
]

IMAGE_SPELLINGS = [
    Spelling({"size": "16:9"}, "`extra_body.google.aspect_ratio`", {"aspectRatio": "16:9"}, model="gemini-3-pro-image"),
    Spelling(
        {"size": "17:9"}, "the nearest ratio", {"aspectRatio": "16:9"}, ["size=17:9->16:9"], model="gemini-3-pro-image"
    ),
    Spelling({"size": "auto"}, "no size", {}, model="gemini-3-pro-image"),
    Spelling({"size": "2K"}, "`extra_body.google.image_size`", {"imageSize": "2K"}, model="gemini-3-pro-image"),
    Spelling(
        {"size": "1024X1024"},
        "`1024x1024`; also with the sign for times",
        {"aspectRatio": "1:1", "imageSize": "1K"},
        model="gemini-3-pro-image",
    ),
    Spelling(
        {"size": "16:9", "aspect_ratio": "5:4"},
        "the aspect ratio",
        {"aspectRatio": "5:4"},
        ["size=16:9->extra_body.google.aspect_ratio"],
        model="gemini-3-pro-image",
    ),
    Spelling(
        {"aspectRatio": "16:9"},
        "`extra_body.google.aspect_ratio`; also `image_size`",
        {"aspectRatio": "16:9"},
        model="gemini-3-pro-image",
    ),
    Spelling(
        {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}},
        "`extra_body.google.aspect_ratio` and `image_size`",
        {"aspectRatio": "16:9", "imageSize": "2K"},
        model="gemini-3-pro-image",
    ),
    Spelling({"quality": "hd"}, "`2K`", {"imageSize": "2K"}, ["quality=hd->2K"], model="gemini-3-pro-image"),
]


def _input(**part: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": [part]}]}


_JSON = _config(responseMimeType="application/json", responseJsonSchema=SCHEMA)
_F = {"type": "function", "name": "f"}

RESPONSE_SPELLINGS = [
    Spelling({"reasoning": {"max_tokens": 2000}}, "the budget of thoughts", _thinking(thinkingBudget=2000)),
    Spelling(
        {"reasoning": {"enabled": False}}, "no thinking, or the least that the model has", _thinking(thinkingBudget=0)
    ),
    Spelling({"reasoning_effort": "low"}, "`reasoning.effort`", _thinking(thinkingBudget=1024)),
    Spelling(
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "`reasoning.max_tokens`",
        _thinking(thinkingBudget=2000),
    ),
    Spelling({"max_output_tokens": -1}, "no limit", {}),
    Spelling({"text": {"format": {"type": "json_object", "schema": SCHEMA}}}, "this schema", _JSON),
    Spelling(
        {"text": {"format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}},
        "the format, unnested",
        _JSON,
    ),
    Spelling({"guided_json": SCHEMA}, "`text.format` with this schema", _JSON),
    Spelling(
        {"guided_choice": ["yes", "no"]},
        "an answer that is one of these",
        _config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["yes", "no"]}),
    ),
    Spelling({"safetySettings": SAFETY}, "`extra_body.google.safety_settings`", {"safetySettings": SAFETY}),
    Spelling({"cached_content": "abc"}, "`extra_body.google.cached_content`", {"cachedContent": "cachedContents/abc"}),
    Spelling({"generationConfig": {"topK": 3}}, "`extra_body.google.generation_config`", _config(topK=3)),
    Spelling(
        {"image_config": {"aspect_ratio": "16:9"}},
        "`imageConfig`, with models that make images; elsewhere it is dropped",
        _config(imageConfig={"aspectRatio": "16:9"}),
        model="gemini-2.5-flash-image",
    ),
    Spelling(
        {"tools": [{"name": "f", "input_schema": SCHEMA}]},
        'a function with these `parameters`; so is chat\'s `{"function": {…}}`',
        {"tools": [{"functionDeclarations": [{**_FUNCTION, "parametersJsonSchema": SCHEMA}]}]},
    ),
    Spelling(
        {"tools": [_F], "tool_choice": {"type": "any"}},
        '`tool_choice: "required"`; also `auto`, `none` and `required`',
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ),
    Spelling({"tools": [{"googleSearch": {}}]}, "Google's tool", {"tools": [{"googleSearch": {}}]}),
    Spelling({"tools": [{"type": "url_context"}]}, "Google's tool", {"tools": [{"urlContext": {}}]}),
    Spelling(
        {"tools": [{"type": "google_maps", "google_maps": {"enable_widget": True}}]},
        "the options of the tool",
        {"tools": [{"googleMaps": {"enableWidget": True}}]},
    ),
    Spelling(
        _input(type="input_image", image_url={"url": "gs://b/o", "format": "image/webp"}),
        "the picture, of this type; also `mime_type`",
        _turn({"fileData": {"fileUri": "gs://b/o", "mimeType": "image/webp"}}),
    ),
    Spelling(
        _input(type="input_file", file_id="gs://b/v.mp4", video_metadata={"fps": 2}),
        "start, end and frames of a film",
        _turn({"fileData": _FILE, "videoMetadata": {"fps": 2}}),
    ),
    Spelling(
        _input(type="audio_url", audio_url={"url": "gs://b/a.wav"}),
        "sound, as `input_video` for films",
        _turn({"fileData": {"fileUri": "gs://b/a.wav", "mimeType": "audio/wav"}}),
    ),
]
