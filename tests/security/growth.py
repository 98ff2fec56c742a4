"""Every list, object and text of the requests, made longer: what each endpoint does with it, and what it sends."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from tests.security.bodies import tool
from tests.security.timing import MODEL

from gemgate.api.batches.input_lines import InputReader
from gemgate.api.batches.line_translation import LineJob, prepare
from gemgate.api.batches.wire import BatchRequest
from gemgate.api.batches.worker_process import Setup
from gemgate.api.chat.messages import inline_media_of, media_of
from gemgate.api.chat.request import to_gemini as chat_to_gemini
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.completions.request import to_gemini as completions_to_gemini
from gemgate.api.completions.wire import TextCompletionRequest
from gemgate.api.decisions.inputs import media_of as decision_media_of
from gemgate.api.decisions.translation import to_gemini as decision_to_gemini
from gemgate.api.decisions.wire import DecisionRequest
from gemgate.api.embeddings.translation import to_gemini as embeddings_to_gemini
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.api.files.wire import CompleteRequest, UploadRequest
from gemgate.api.images.edit_body import from_json
from gemgate.api.images.request import to_gemini as image_to_gemini
from gemgate.api.images.wire import GenerationRequest, VariationRequest
from gemgate.api.moderations.inputs import media_of as moderated_media_of
from gemgate.api.moderations.request import to_gemini as moderation_to_gemini
from gemgate.api.moderations.wire import ModerationRequest
from gemgate.api.responses.conversation_wire import ConversationRequest
from gemgate.api.responses.echo import echo_of
from gemgate.api.responses.items import inline_media_of as inline_media_of_items
from gemgate.api.responses.items import media_of as media_of_items
from gemgate.api.responses.items import read_input
from gemgate.api.responses.kept_responses import new_conversation_items
from gemgate.api.responses.kept_turn import input_turn
from gemgate.api.responses.request import Conversation
from gemgate.api.responses.request import to_gemini as response_to_gemini
from gemgate.api.responses.wire import ResponseRequest
from gemgate.api.speech.request import to_gemini as speech_to_gemini
from gemgate.api.speech.wire import SpeechRequest
from gemgate.api.transcriptions.plan import HeardAudio
from gemgate.api.transcriptions.request import to_gemini as transcription_to_gemini
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.encryption import Encryptor
from gemgate.errors import ApiError
from gemgate.media.references import FileRef
from gemgate.translation.validation import parse

Path = tuple[str | int, ...]
Json = Any
Work = Callable[[bytes], list[bytes]]
"""What an endpoint makes of a body: the native requests, or nothing where it refuses."""

PIXEL = "data:image/png;base64,iVBORw0KGgo="
PICTURE = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
SCHEMA = {
    "type": "object",
    "title": "t",
    "description": "d",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x"], "pattern": "p", "examples": ["e"], "format": "f"},
        "b": {"allOf": [{"required": ["a"], "propertyOrdering": ["a"]}, {"required": ["b"], "properties": {"q": {}}}]},
        "c": {"$ref": "#/$defs/A", "minLength": 1},
        "d": {"anyOf": [{"$ref": "#/$defs/A"}], "items": {"type": "string"}},
        "e": {"prefixItems": [{"const": 1}], "items": False},
        "f": {"oneOf": [{"required": ["a"]}, {"not": {}}], "type": "object", "dependentRequired": {"a": ["b"]}},
        "g": {"patternProperties": {"p": {}}, "additionalProperties": False},
        "h": {"if": {"a": 1}, "then": {}, "contains": {"type": "string"}},
        "i": {"enum": [{"o": 1}, 1, None, True]},
        "r": {"$ref": "#"},
    },
    "required": ["r"],
    "$defs": {"A": {"type": "string", "enum": ["u"]}, "$B": {"$anchor": "b"}},
}
CHAT = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "s", "name": "n"},
        {"role": "user", "content": [{"type": "text", "text": "t", "unknown": 1}, PICTURE], "unknown": "u"},
        {
            "role": "assistant",
            "content": "<thought>a</thought>b",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f.é", "arguments": '{"a":"b"}'}}],
            "extra_content": {"google": {"parts": [{"text": "p"}], "thought_signature": "s"}},
            "images": [{"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": '{"a": [1]}'}]},
    ],
    "tools": [tool(SCHEMA), {"type": "custom", "custom": {"name": "k", "description": "d"}}],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    },
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    "stop": ["s"],
    "metadata": {"k": "v"},
    "logit_bias": {"1": 1.0},
    "modalities": ["text"],
    "user": "u",
    "google": {"safety_settings": [{"category": "c"}], "tool_config": {"retrieval_config": {"a": "b"}}},
    "extra_body": {"google": {"generation_config": {"stop_sequences": ["q"], "a_b": {"c_d": "e"}}}, "unknown": "u"},
}
RESPONSE = {
    "model": MODEL,
    "instructions": "i",
    "input": [
        {"role": "developer", "content": "d", "unknown": "u"},
        {"role": "user", "content": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": PIXEL}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "encrypted_content": "e",
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":"b"}'},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": '{"a": [1]}'}]},
        {"type": "custom_tool_call", "call_id": "d", "name": "k", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "y"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "o", "annotations": []}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        {"role": "user", "content": "b"},
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": SCHEMA, "strict": True},
        {
            "type": "custom",
            "name": "k",
            "description": "d",
            "format": {"type": "grammar", "syntax": "lark", "definition": "g"},
        },
        {
            "type": "namespace",
            "name": "n",
            "description": "d",
            "tools": [{"type": "function", "name": "m", "parameters": {}}],
        },
        {"type": "web_search", "filters": {"allowed_domains": ["x.example"]}},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    "include": ["reasoning.encrypted_content"],
    "metadata": {"k": "v"},
    "google": {"safety_settings": [{"category": "c"}], "generation_config": {"stop_sequences": ["q"]}},
}
CONVERSATION = {"items": RESPONSE["input"], "metadata": {"k": "v"}}
COMPLETIONS = {
    "model": MODEL,
    "prompt": ["a", [1]],
    "suffix": "s",
    "stop": ["x"],
    "logit_bias": {"1": 1.0},
    "user": "u",
    "google": {"safety_settings": [{"category": "c"}]},
}
MODERATION = {"model": MODEL, "input": ["a"], "unknown": "u"}
MODERATED_PARTS = {"model": MODEL, "input": [{"type": "text", "text": "t", "unknown": "u"}, PICTURE]}
DECISION = {
    "model": "gemini-decision-1",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "t"}, {"type": "input_json", "data": {"a": ["b"]}}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"}]},
    ],
    "questions": [
        {"type": "predicate", "name": "n", "instructions": [{"type": "input_text", "text": "i"}]},
        {"type": "choice", "instructions": "i", "choices": [{"value": "a", "description": "d"}, {"value": "b"}]},
        {"type": "score", "instructions": "i", "levels": [{"label": "a", "description": "d"}, {"label": "b"}]},
    ],
    "safety_identifier": "s",
}
EMBEDDINGS = {
    "model": "gemini-embedding-001",
    "input": ["a", [{"type": "text", "text": "b"}]],
    "extra_body": {"google": {"task_type": "t", "title": "i"}},
    "user": "u",
}
DRAWER = "gemini-2.5-flash-image"
GENERATION = {"model": DRAWER, "prompt": "p", "size": "1x1", "svg": ["s"], "google": {"a": "b"}}
EDIT = {**GENERATION, "images": [{"image_url": "data:image/png;base64,iVBORw0KGgo="}]}
VARIATION = {"model": "dall-e-2", "image": PIXEL, "size": "1x1", "svg": ["s"], "user": "u", "google": {"a": "b"}}
SPEECH = {
    "model": "gemini-3.8-flash-tts",
    "input": "Joe: a\nAnn: b",
    "voice": "alloy",
    "instructions": "i",
    "google": {
        "speech_config": {
            "multi_speaker_voice_config": {
                "speaker_voice_configs": [
                    {"speaker": "Joe", "voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}},
                    {"speaker": "Ann", "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
                ]
            }
        },
        "speech_metadata": {"k": "v"},
        "safety_settings": [{"category": "c"}],
    },
}
TRANSCRIPTION = {
    "model": "gemini-3.5-transcribe",
    "language": "en",
    "languages": ["de"],
    "prompt": "Aurora, Brest",
    "keywords": ["k"],
    "response_format": "verbose_json",
    "timestamp_granularities": ["word"],
    "include": ["logprobs"],
    "known_speaker_names": ["n"],
    "unknown": "u",
    "google": {"safety_settings": [{"category": "c"}], "generation_config": {"stop_sequences": ["q"]}},
}
PROMPTED = {"model": MODEL, "prompt": "p", "keywords": ["k"], "languages": ["de"], "response_format": "srt"}
TRANSLATION = {"model": MODEL, "prompt": "p", "response_format": "srt", "unknown": "u"}
UPLOAD = {"filename": "f", "purpose": "batch", "bytes": 1, "mime_type": "m", "unknown": "u"}
COMPLETE = {"part_ids": ["p"], "md5": "m"}
BATCH = {"input_file_id": "f", "endpoint": "/v1/embeddings", "completion_window": "24h", "metadata": {"k": "v"}}
LINE = {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": CHAT}

_TRANSLATORS = Setup({}).translators()
_JOB = LineJob("b", "/v1/chat/completions", 1)
_ENCRYPTOR = Encryptor(["secret"], b"growth")


def chat(raw: bytes) -> list[bytes]:
    """A chat request, as far as it goes without a network."""
    request = parse(ChatCompletionRequest, raw)
    media_of(request.messages)
    inline_media_of(request.messages)
    return [orjson.dumps(chat_to_gemini(request, _TRANSLATORS.chat, dialect="google").body)]


def response(raw: bytes) -> list[bytes]:
    """A request of the Responses API: translated, and as it would be kept."""
    request = parse(ResponseRequest, raw)
    items = read_input(request.input)
    input_turn(items)
    media_of_items(items)
    inline_media_of_items(items)
    orjson.dumps(list(echo_of(request, is_stored=True)))
    translation = response_to_gemini(request, Conversation(items), _TRANSLATORS.chat, _ENCRYPTOR)
    return [orjson.dumps(translation.body)]


def conversation(raw: bytes) -> list[bytes]:
    """A request that begins a conversation."""
    new_conversation_items(parse(ConversationRequest, raw).items or [])
    return []


def embeddings(raw: bytes) -> list[bytes]:
    """An embeddings request."""
    bodies = embeddings_to_gemini(parse(EmbeddingRequest, raw), _TRANSLATORS.embeddings).bodies
    return [orjson.dumps(body) for body in bodies]


def completions(raw: bytes) -> list[bytes]:
    """A request for texts."""
    request = parse(TextCompletionRequest, raw)
    return [orjson.dumps(body) for body in completions_to_gemini(request, _TRANSLATORS.chat).bodies()]


def moderation(raw: bytes) -> list[bytes]:
    """A request for moderation, by a general model."""
    request = parse(ModerationRequest, raw)
    moderated_media_of(request)
    translation = moderation_to_gemini(request, _TRANSLATORS.chat, {}, model=MODEL)
    return [orjson.dumps(prompt) for prompt in translation.prompts]


def decision(raw: bytes) -> list[bytes]:
    """A request for decisions."""
    request = parse(DecisionRequest, raw)
    decision_media_of(request)
    return [orjson.dumps(decision_to_gemini(request, _TRANSLATORS.chat, {}, model="gemini-decision-1").body)]


def line(raw: bytes) -> list[bytes]:
    """A line of a batch."""
    reader = InputReader()
    return [
        orjson.dumps(request)
        for read in [*reader.feed(raw), *reader.finish()]
        for request in prepare(read.body, _JOB, _TRANSLATORS).to_gemini({})
    ]


def speech(raw: bytes) -> list[bytes]:
    """A request for speech."""
    return [orjson.dumps(speech_to_gemini(parse(SpeechRequest, raw), _TRANSLATORS.chat).body)]


def transcription(raw: bytes) -> list[bytes]:
    """The fields of a form with audio."""
    return _heard(parse(TranscriptionRequest, raw))


def translation(raw: bytes) -> list[bytes]:
    """The same for a translation."""
    return _heard(parse(TranslationRequest, raw))


def _heard(request: TranscriptionRequest | TranslationRequest) -> list[bytes]:
    audio = HeardAudio([{"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}], "audio/wav", 1.0)
    return [orjson.dumps(transcription_to_gemini(request, audio, _TRANSLATORS.chat).body)]


def validated(model: Any) -> Work:
    """A request that is validated, and no more."""

    def work(raw: bytes) -> list[bytes]:
        parse(model, raw)
        return []

    return work


def edit(raw: bytes) -> list[bytes]:
    """A request to change images."""
    from_json(raw)
    return []


def variation(raw: bytes) -> list[bytes]:
    """A request for variations of an image."""
    request, images = from_json(raw, VariationRequest)
    parts = [image for image in images if not isinstance(image, FileRef)]
    bodies = image_to_gemini(request, _TRANSLATORS.chat, "generateContent", parts, model=DRAWER).bodies
    return [orjson.dumps(body) for body in bodies]


ENDPOINTS: dict[str, tuple[Json, Work]] = {
    "chat": (CHAT, chat),
    "responses": (RESPONSE, response),
    "conversations": (CONVERSATION, conversation),
    "completions": (COMPLETIONS, completions),
    "moderations": (MODERATION, moderation),
    "moderations of parts": (MODERATED_PARTS, moderation),
    "decisions": (DECISION, decision),
    "embeddings": (EMBEDDINGS, embeddings),
    "speech": (SPEECH, speech),
    "transcriptions": (TRANSCRIPTION, transcription),
    "transcriptions of a general model": (PROMPTED, transcription),
    "translations": (TRANSLATION, translation),
    "generations": (GENERATION, validated(GenerationRequest)),
    "edits": (EDIT, edit),
    "variations": (VARIATION, variation),
    "uploads": (UPLOAD, validated(UploadRequest)),
    "completions of uploads": (COMPLETE, validated(CompleteRequest)),
    "batches": (BATCH, validated(BatchRequest)),
    "lines": (LINE, line),
}


def tried(work: Work, raw: bytes) -> list[bytes]:
    """What comes of it; nothing where it is refused."""
    try:
        return work(raw)
    except ApiError as error:
        if error.status != 400:
            raise
        return []


def places(value: Json, path: Path = ()) -> Iterator[Path]:
    """Where lists, objects and texts stand."""
    if isinstance(value, str | list | dict):
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


FILLINGS = ("_", "[", "a/", "9", " ", "é", '"', "Joe: \n")
"""What a text is made of, of which something may go back."""


def grown(base: Json, path: Path, size: int, filling: str = "", *, is_same: bool = False) -> bytes:
    """`base` with `size` items (or characters) at `path`: items that are the same, or that differ in their names."""
    body = copy.deepcopy(base)
    if not path:
        return orjson.dumps({**body, **{f"n{index}": 1 for index in range(size)}})
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    value = holder[path[-1]]
    if isinstance(value, str):
        holder[path[-1]] = (filling or "a") * (size // len(filling or "a"))
    elif isinstance(value, list):
        items = value or [1]
        holder[path[-1]] = [items[0] if is_same else _varied(items[0], index) for index in range(size)] + items[1:]
    else:
        sample = next(iter(value.values()), 1)
        holder[path[-1]] = value | {f"n{index}{filling}": sample for index in range(size)}
    return orjson.dumps(body)


_NAMES = frozenset({"id", "name", "tool_call_id", "text", "title", "$ref", "custom_id"})


def _varied(item: Json, index: int) -> Json:
    if isinstance(item, str):
        return f"{item}{index}"
    if isinstance(item, dict):
        return {
            name: _varied(value, index) if name in _NAMES or isinstance(value, dict | list) else value
            for name, value in item.items()
        }
    return [_varied(value, index) for value in item] if isinstance(item, list) else item
