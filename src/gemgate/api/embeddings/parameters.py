"""What becomes of each parameter of an embeddings request."""

from gemgate.translation.parameters import (
    ParameterSupport,
    dropped,
    handled,
    mapped,
)

PARAMETERS: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; the answer repeats the name that was asked for"),
    "input": mapped(
        "`requests[].content`, one for each item: a text, a content part, or a list of parts; a `file_id` is uploaded"
    ),
    "dimensions": mapped("`outputDimensionality`; vectors have length 1 whatever the model returns"),
    "encoding_format": handled("`float`, or `base64` of little-endian float32"),
    "extra_body": mapped(
        "`extra_body.google`: task_type, title; both dropped on models that ignore them (gemini-embedding-2)"
    ),
    "google": mapped("as `extra_body.google`"),
    "user": dropped("Gemini takes no identifiers of end users"),
}

DROPPED = frozenset(name for name, support in PARAMETERS.items() if support.kind == "dropped")
