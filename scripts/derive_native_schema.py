"""Derive the emulator's compact schema table from Google's OpenAPI document of the native API.

Usage:
    python scripts/derive_native_schema.py PATH/TO/generativelanguage.v1beta.json [OUTPUT]

The table holds names, types, enums and required fields of everything a client may send, and no descriptions. The same
document gives the same bytes. `OVERLAY` is what recorded traffic shows and the document lacks or contradicts.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

OUTPUT = Path(__file__).resolve().parent.parent / "src/gemgate/emulator/native_schema.json"

ROOTS = (
    "GenerateContentRequest",
    "CountTokensRequest",
    "CachedContent",
    "EmbedContentRequest",
    "BatchEmbedContentsRequest",
    "BatchGenerateContentRequest",
    "AsyncBatchEmbedContentRequest",
    "CreateFileRequest",
    "PredictRequest",
    "PredictLongRunningRequest",
)

# The document gives an enum written inside a field no name; Google's error texts do.
ENUM_NAMES = {
    "SafetySetting.Threshold": "SafetySetting.HarmBlockThreshold",
    "GenerationConfig.ResponseModalities": "GenerationConfig.Modality",
}

OVERLAY: dict[str, Any] = {
    # Marked required, and yet requests without them were answered with 200, or refused in words of their own.
    "not_required": {
        "FunctionDeclaration": ["description"],
        "FunctionResponse": ["response"],
        "GenerateContentBatch": ["model"],
        "EmbedContentBatch": ["model"],
        "GenerateContentRequest": ["model", "contents"],
        "Schema": ["type"],
        "CachedContent": ["model"],
        "EmbedContentRequest": ["model", "content"],
        "BatchEmbedContentsRequest": ["requests"],
        "PredictRequest": ["instances"],
    },
    # Fields that the document lacks, and recorded requests with a 200 carry, or Google's migration guide to the speech
    # of Gemini 3.8 describes.
    "fields": {
        "FunctionResponsePart": {"fileData": "FileData"},
        "Part": {"speechMetadata": "SpeechMetadata"},
        "VoiceConfig": {"voice": "string"},
    },
    "messages": {"SpeechMetadata": {"speaker": "string", "style": "string"}},
    # Values that newer clients send and newer models take.
    "enum_values": {"ThinkingConfig.ThinkingLevel": ["XHIGH"]},
    # Enums whose values were accepted in either case.
    "any_case": ["FunctionCallingConfig.Mode", "ServiceTier", "ThinkingConfig.ThinkingLevel", "Type"],
    # Groups of fields of which one may be set: the document does not show them.
    "oneofs": {
        "Part": {
            "data": [
                "text",
                "inlineData",
                "fileData",
                "functionCall",
                "functionResponse",
                "executableCode",
                "codeExecutionResult",
                "toolCall",
                "toolResponse",
                "audioTranscription",
            ]
        },
        "SpeechConfig": {"config": ["voiceConfig", "multiSpeakerVoiceConfig"]},
        "CachedContent": {"expiration": ["expireTime", "ttl"]},
        "InputConfig": {"source": ["requests", "fileName"]},
        "InputEmbedContentConfig": {"source": ["requests", "fileName"]},
    },
}

SCALARS = {
    ("string", None): "string",
    ("string", "byte"): "bytes",
    ("string", "date-time"): "timestamp",
    ("string", "google-datetime"): "timestamp",
    ("string", "google-duration"): "duration",
    ("string", "int64"): "int64",
    ("boolean", None): "bool",
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("integer", None): "int64",
    ("number", "float"): "float",
    ("number", "double"): "double",
    ("number", None): "double",
}


class Derivation:
    """Walks the document from the roots and collects messages, enums and required fields."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.messages: dict[str, dict[str, str]] = {}
        self.enums: dict[str, list[str]] = {}
        self.required: dict[str, list[str]] = {}

    def message(self, name: str, schema: dict[str, Any]) -> None:
        """Add the message `name` and everything it refers to."""
        if name in self.messages:
            return
        fields: dict[str, str] = {}
        self.messages[name] = fields
        for field, spec in sorted(schema.get("properties", {}).items()):
            fields[field] = self.field(name, field, spec)
        fields.update(OVERLAY["fields"].get(name, {}))
        forgiven = OVERLAY["not_required"].get(name, [])
        if required := sorted(set(schema.get("required", [])) - set(forgiven)):
            self.required[name] = required

    def field(self, owner: str, field: str, spec: dict[str, Any]) -> str:
        """The code of a field's type: a scalar, a name, `[of]` for a list, `{of}` for a map."""
        reference = spec.get("$ref") or next((part["$ref"] for part in spec.get("allOf", []) if "$ref" in part), None)
        if reference:
            return "value" if spec.get("readOnly") else self.named(reference.rsplit("/", 1)[-1])
        if spec.get("type") == "array":
            return f"[{self.field(owner, field, {**spec['items'], 'readOnly': spec.get('readOnly', False)})}]"
        if "enum" in spec:
            name = f"{owner}.{field[0].upper()}{field[1:]}"
            return self.enum(ENUM_NAMES.get(name, name), spec["enum"])
        if spec.get("type") == "object":
            return self.object(owner, field, spec)
        return SCALARS[spec["type"], spec.get("format")] if "type" in spec else "value"

    def object(self, owner: str, field: str, spec: dict[str, Any]) -> str:
        """The code of an object that is written inside a field."""
        if spec.get("properties"):
            self.message(f"{owner}.{field}", spec)
            return f"{owner}.{field}"
        values = spec.get("additionalProperties")
        if isinstance(values, dict) and "$ref" in values:
            return f"{{{self.field(owner, field, values)}}}"
        return "struct"

    def named(self, name: str) -> str:
        """Add the schema `name`, an enum or a message, and give its name back."""
        schema = self.schemas[name]
        if "enum" in schema:
            return self.enum(name, schema["enum"])
        self.message(name, schema)
        return name

    def enum(self, name: str, values: list[str]) -> str:
        """Add the enum `name` with the overlay's values after the document's."""
        self.enums[name] = [*values, *OVERLAY["enum_values"].get(name, [])]
        return name


def derive(document: dict[str, Any]) -> bytes:
    """The table as JSON, one message a line."""
    derivation = Derivation(document["components"]["schemas"])
    for root in ROOTS:
        derivation.named(root)
    table = {
        "messages": derivation.messages | OVERLAY["messages"],
        "enums": derivation.enums,
        "required": derivation.required,
        "oneofs": OVERLAY["oneofs"],
        "anyCase": dict.fromkeys(OVERLAY["any_case"], True),
    }
    return render(table)


def render(table: dict[str, Any]) -> bytes:
    """Sorted JSON with one line for each entry of each group, so that a change is a readable diff."""
    groups = []
    for name, entries in table.items():
        lines = (f"  {orjson.dumps(key).decode()}: {orjson.dumps(entries[key]).decode()}" for key in sorted(entries))
        groups.append(f"{orjson.dumps(name).decode()}: {{\n" + ",\n".join(lines) + "\n}")
    return ("{\n" + ",\n".join(groups) + "\n}\n").encode()


def main(arguments: list[str]) -> None:
    """Read the document named by the first argument and write the table."""
    document = orjson.loads(Path(arguments[0]).read_bytes())
    output = Path(arguments[1]) if len(arguments) > 1 else OUTPUT
    output.write_bytes(derive(document))
    print(f"{output}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
