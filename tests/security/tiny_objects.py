"""Bodies of many tiny values, which cost the most for their bytes, for each endpoint that reads JSON."""

from dataclasses import dataclass

from tests.security.timing import MODEL

MAX_OBJECTS = 99_900
"""A body of more objects is refused before anything is made of it."""

CHAT, RESPONSES, CONVERSATIONS = "/v1/chat/completions", "/v1/responses", "/v1/conversations"
EMBEDDINGS, GENERATIONS, EDITS = "/v1/embeddings", "/v1/images/generations", "/v1/images/edits"
NATIVE = f"/v1beta/models/{MODEL}"

_PNG = b'"data:image/png;base64,iVBORw0KGgo="'
_ASKED = b'{"model":"%s",' % MODEL.encode()
_CHAT = _ASKED + b'"messages":[{"role":"user","content":"x"}],'
_CHAT_TOOL = _CHAT + b'"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":'
_RESPONSE_TOOL = _ASKED + b'"input":"x","tools":[{"type":"function","name":"f","parameters":{"properties":'
_CALL = b'{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{"a":['
_EMBED = b'{"model":"gemini-embedding-001","input":'
_DRAW = b'{"model":"gemini-2.5-flash-image","prompt":"p",'
_EDIT = _DRAW + b'"images":[{"image_url":' + _PNG + b"}],"
_UPLOAD = b'{"filename":"f","purpose":"batch","bytes":1,"mime_type":"m",'
_BATCH = b'{"input_file_id":"f","endpoint":"/v1/embeddings","completion_window":"24h",'


@dataclass(frozen=True)
class TinyObjects:
    """A body with `item` many times in a list."""

    path: str
    start: bytes
    item: bytes
    end: bytes

    @property
    def is_dry(self) -> bool:
        """Whether the endpoint can be asked without calling Google."""
        return self.path.startswith((CHAT, RESPONSES, EMBEDDINGS, "/v1/images"))

    def body(self, size: int) -> bytes:
        """One of about `size` bytes, which is not refused for the number of its objects."""
        count = size // (len(self.item) + 1)
        if objects := self.item.count(b"{"):
            count = min(count, MAX_OBJECTS // objects)
        return self.start + b",".join([self.item] * count) + self.end


TINY: dict[str, TinyObjects] = {
    "metadata": TinyObjects(CHAT, _CHAT + b'"metadata":{"a":[', b"{}", b"]}}"),
    "unknown field": TinyObjects(CHAT, _CHAT + b'"zz":[', b"{}", b"]}"),
    "options": TinyObjects(CHAT, _CHAT + b'"google":{"generation_config":{"a":[', b"{}", b"]}}}"),
    "named options": TinyObjects(CHAT, _CHAT + b'"google":{"generation_config":{"a":[', b'{"a_b":1}', b"]}}}"),
    "lists in options": TinyObjects(CHAT, _CHAT + b'"google":{"generation_config":{"a":[', b"[]", b"]}}}"),
    "messages": TinyObjects(CHAT, _ASKED + b'"messages":[', b'{"role":"user","content":"x"}', b"]}"),
    "parts": TinyObjects(
        CHAT, _ASKED + b'"messages":[{"role":"user","content":[', b'{"type":"text","text":"a"}', b"]}]}"
    ),
    "bad images": TinyObjects(
        CHAT,
        _ASKED + b'"messages":[{"role":"user","content":[',
        b'{"type":"image_url","image_url":"data:,a"}',
        b"]}]}",
    ),
    "images": TinyObjects(
        CHAT,
        _ASKED + b'"messages":[{"role":"user","content":[',
        b'{"type":"image_url","image_url":' + _PNG + b"}",
        b"]}]}",
    ),
    "enum": TinyObjects(CHAT, _CHAT_TOOL + b'{"q":{"enum":[', b"{}", b"]}}}}}]}"),
    "schemas": TinyObjects(CHAT, _CHAT_TOOL + b'{"q":{"anyOf":[', b"{}", b"]}}}}}]}"),
    "arguments": TinyObjects(
        CHAT,
        _CHAT[:-2] + b"," + _CALL,
        b"{}",
        b']}}}]},{"role":"tool","tool_call_id":"c","content":"1"}]}',
    ),
    "kept parts": TinyObjects(
        CHAT,
        _CHAT[:-2] + b',{"role":"assistant","content":"a","extra_content":{"google":{"parts":[',
        b'{"text":"p"}',
        b']}}},{"role":"user","content":"x"}]}',
    ),
    "input": TinyObjects(RESPONSES, _ASKED + b'"input":[', b'{"role":"user","content":"x"}', b"]}"),
    "parts of input": TinyObjects(
        RESPONSES, _ASKED + b'"input":[{"role":"user","content":[', b'{"type":"input_text","text":"a"}', b"]}]}"
    ),
    "images of input": TinyObjects(
        RESPONSES,
        _ASKED + b'"input":[{"role":"user","content":[',
        b'{"type":"input_image","image_url":' + _PNG + b"}",
        b"]}]}",
    ),
    "field of an item": TinyObjects(
        RESPONSES, _ASKED + b'"input":[{"role":"user","content":"x","zz":[', b"{}", b"]}]}"
    ),
    "calls": TinyObjects(
        RESPONSES,
        _ASKED + b'"input":[{"role":"user","content":"x"},',
        b'{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},'
        b'{"type":"function_call_output","call_id":"c","output":"1"}',
        b"]}",
    ),
    "reasoning": TinyObjects(
        RESPONSES,
        _ASKED + b'"input":[{"role":"user","content":"x"},',
        b'{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"abc"}',
        b"]}",
    ),
    "references": TinyObjects(
        RESPONSES, _ASKED + b'"input":[{"role":"user","content":"x"},', b'{"type":"item_reference","id":"rs_1"}', b"]}"
    ),
    "options of a response": TinyObjects(
        RESPONSES, _ASKED + b'"input":"x","google":{"generation_config":{"a":[', b"{}", b"]}}}"
    ),
    "schemas of a response": TinyObjects(RESPONSES, _RESPONSE_TOOL + b'{"q":{"anyOf":[', b"{}", b"]}}}}]}"),
    "namespace": TinyObjects(
        RESPONSES,
        _ASKED + b'"input":"x","tools":[{"type":"namespace","name":"n","description":"d","tools":[',
        b'{"type":"function","name":"f","parameters":{}}',
        b"]}]}",
    ),
    "include": TinyObjects(RESPONSES, _ASKED + b'"input":"x","include":[', b'"message.output_text.logprobs"', b"]}"),
    "input to count": TinyObjects(
        f"{RESPONSES}/input_tokens", _ASKED + b'"input":[', b'{"role":"user","content":"x"}', b"]}"
    ),
    "input to compact": TinyObjects(
        f"{RESPONSES}/compact", _ASKED + b'"input":[', b'{"role":"user","content":"x"}', b"]}"
    ),
    "items of a conversation": TinyObjects(CONVERSATIONS, b'{"items":[', b'{"role":"user","content":"x"}', b"]}"),
    "field of a kept item": TinyObjects(
        CONVERSATIONS, b'{"items":[{"role":"user","content":"x","zz":[', b"{}", b"]}]}"
    ),
    "texts to embed": TinyObjects(EMBEDDINGS, _EMBED + b"[", b'"a"', b"]}"),
    "tokens to embed": TinyObjects(EMBEDDINGS, _EMBED + b"[[", b"1", b"]]}"),
    "parts to embed": TinyObjects(EMBEDDINGS, _EMBED + b"[[", b'{"type":"text","text":"b"}', b"]]}"),
    "options of embeddings": TinyObjects(EMBEDDINGS, _EMBED + b'"a","google":{"zz":[', b"{}", b"]}}"),
    "options of images": TinyObjects(GENERATIONS, _DRAW + b'"google":{"generation_config":{"a":[', b"{}", b"]}}}"),
    "images to edit": TinyObjects(EDITS, _DRAW + b'"images":[', b'{"image_url":' + _PNG + b"}", b"]}"),
    "field of an edit": TinyObjects(EDITS, _EDIT + b'"zz":[', b"{}", b"]}"),
    "native contents": TinyObjects(f"{NATIVE}:generateContent", b'{"contents":[', b'{"parts":[{"text":"a"}]}', b"]}"),
    "native parts": TinyObjects(f"{NATIVE}:generateContent", b'{"contents":[{"parts":[', b"{}", b"]}]}"),
    "native lists": TinyObjects(f"{NATIVE}:streamGenerateContent", b'{"contents":[{"parts":[', b"[]", b"]}]}"),
    "native addresses": TinyObjects(
        f"{NATIVE}:generateContent",
        b'{"contents":[{"parts":[',
        b'{"fileData":{"fileUri":"https://example.com/a"}}',
        b"]}]}",
    ),
    "native counting": TinyObjects(
        f"{NATIVE}:countTokens", b'{"generateContentRequest":{"contents":[{"parts":[', b'{"a":{}}', b"]}]}}"
    ),
    "native batch": TinyObjects(
        f"{NATIVE}:batchGenerateContent",
        b'{"batch":{"displayName":"a","inputConfig":{"requests":{"requests":[',
        b'{"request":{"contents":[{"parts":[{"text":"a"}]}]}}',
        b"]}}}}",
    ),
    "native cache": TinyObjects(
        "/v1beta/cachedContents",
        b'{"model":"models/%s","contents":[' % MODEL.encode(),
        b'{"parts":[{"text":"a"}]}',
        b"]}",
    ),
    "upload": TinyObjects("/v1/uploads", _UPLOAD + b'"zz":[', b"{}", b"]}"),
    "batch": TinyObjects("/v1/batches", _BATCH + b'"zz":[', b"{}", b"]}"),
}
