"""What each operation takes and gives, by method and path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from gemgate.api.batches.wire import BatchRequest
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.completions.wire import TextCompletionRequest
from gemgate.api.decisions.wire import DecisionRequest
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.api.files.wire import CompleteRequest, FileRequest, UploadRequest
from gemgate.api.images.wire import EditRequest, GenerationRequest, VariationRequest
from gemgate.api.models.wire import Model, ModelListObject
from gemgate.api.moderations.wire import ModerationRequest
from gemgate.api.openapi.batches import Batch, BatchList
from gemgate.api.openapi.chat import ChatCompletion, ChatCompletionChunk
from gemgate.api.openapi.common import (
    DryRun,
    ErrorBody,
    Health,
    Unready,
)
from gemgate.api.openapi.completions import TextCompletion
from gemgate.api.openapi.decisions import DecisionObject, ModerationObject
from gemgate.api.openapi.embeddings import EmbeddingList
from gemgate.api.openapi.files import (
    DeletedFile,
    FileList,
    FileObject,
    UploadObject,
    UploadPart,
)
from gemgate.api.openapi.images import ImageEvent, ImagesResponse
from gemgate.api.openapi.responses import (
    CompactedConversation,
    ConversationObject,
    DeletedConversation,
    DeletedResponse,
    InputTokenCount,
    ItemList,
    ResponseEvent,
    ResponseObject,
)
from gemgate.api.openapi.speech import SpeechEvent
from gemgate.api.openapi.transcriptions import SpeakerSegment, Transcript, TranscriptEvent
from gemgate.api.responses.conversation_wire import ConversationChange, ConversationRequest, ItemsRequest
from gemgate.api.responses.wire import ResponseRequest
from gemgate.api.speech.wire import SpeechRequest
from gemgate.api.transcriptions.wire import TranscriptionRequest, TranslationRequest
from gemgate.translation.speech.encoders import MEDIA_TYPES
from gemgate.wire import Wire

_FILE = {"type": "string", "format": "binary"}
_FILES = {"anyOf": [_FILE, {"type": "array", "items": _FILE}]}

Binary = Annotated[bytes, WithJsonSchema(_FILE)]

JSON = "application/json"
FORM = "multipart/form-data"
EVENTS = "text/event-stream"


class FileForm(FileRequest):
    """The form of `POST /v1/files`."""

    file: Binary


class PartForm(Wire):
    """The form of `POST /v1/uploads/{upload_id}/parts`."""

    data: Binary


class EditForm(EditRequest):
    """The form of `POST /v1/images/edits`: up to 16 files in `image` or `image[]`."""

    image: Annotated[str | list[str] | None, WithJsonSchema(_FILES)] = Field(default_factory=list)


class VariationForm(VariationRequest):
    """The form of `POST /v1/images/variations`: one file in `image`."""

    image: Annotated[str | list[str] | None, WithJsonSchema(_FILE)] = Field(default_factory=list)


class TranscriptionForm(TranscriptionRequest):
    """The form of `POST /v1/audio/transcriptions`."""

    file: Binary


class TranslationForm(TranslationRequest):
    """The form of `POST /v1/audio/translations`."""

    file: Binary


Body = Mapping[str, Any]
"""By media type: a type that pydantic reads, several as a union, or `bytes`."""


@dataclass(frozen=True, slots=True)
class DocumentedAnswer:
    """A successful answer: what it means, its bodies and the headers that it may have."""

    means: str
    body: Body
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        answers: By status.
        takes: The body of the request; empty for none.
        failures: The statuses of the failures that are its own, beside those of every operation.
        asks: Headers of the request.
        access: Who may call it: callers with a `key`, those who read `metrics`, or everybody (None).
    """

    answers: Mapping[int, DocumentedAnswer]
    takes: Body = field(default_factory=dict)
    failures: tuple[int, ...] = ()
    asks: tuple[str, ...] = ()
    access: Literal["key", "metrics"] | None = "key"


_NOTES = ("x-gemgate-dropped-params", "x-gemgate-adjusted")
_LIMITS = tuple(
    f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset") for name in ("requests", "tokens")
)
_BODY = (408, 413, 415)
_GOOGLE = (403, 404, 502, 504)


def _gives(means: str, body: object, *headers: str) -> dict[int, DocumentedAnswer]:
    return {200: DocumentedAnswer(means, {JSON: body}, (*headers, *_LIMITS))}


def _generates(takes: Body, means: str, body: Any, event: object = None) -> Operation:
    """An operation that asks a model."""
    bodies = {JSON: body | DryRun}
    if event is not None:
        bodies[EVENTS] = event | ErrorBody
    answer = DocumentedAnswer(means, bodies, ("x-gemgate-model", "x-gemgate-model-status", *_NOTES, *_LIMITS))
    return Operation({200: answer}, takes, (*_BODY, *_GOOGLE), ("x-gemgate-dry-run",))


def _speaks() -> Operation:
    bodies: dict[str, object] = dict.fromkeys(MEDIA_TYPES.values(), bytes)
    answer = DocumentedAnswer(
        _SPEECH,
        {**bodies, EVENTS: SpeechEvent | ErrorBody, JSON: DryRun},
        ("x-gemgate-model", *_NOTES, *_LIMITS),
    )
    return Operation({200: answer}, {JSON: SpeechRequest}, (*_BODY, *_GOOGLE), ("x-gemgate-dry-run",))


def _hears(form: Any) -> Operation:
    answer = DocumentedAnswer(
        _TRANSCRIPT,
        {JSON: Transcript | DryRun, "text/plain": str, EVENTS: TranscriptEvent | SpeakerSegment | ErrorBody},
        ("x-gemgate-model", "x-gemgate-model-status", *_NOTES, *_LIMITS),
    )
    return Operation({200: answer}, {FORM: form}, (*_BODY, *_GOOGLE), ("x-gemgate-dry-run",))


_CHAT = (
    "The answer; with `stream`, events whose `data:` is a chunk each, and `data: [DONE]` at the end, or an error in "
    "its place. Lines that begin with a colon are comments. With `x-gemgate-dry-run`, the native request."
)
_TEXTS = (
    "The texts; with `stream`, events whose `data:` is a piece of one, and `data: [DONE]` at the end. With "
    "`x-gemgate-dry-run`, the native request."
)
_RESPONSES = (
    "The response; with `stream`, its events, of which the last but `data: [DONE]` has the whole response. With "
    "`x-gemgate-dry-run`, the native request."
)
_IMAGES = (
    "The images; with `stream`, an event for each, whose `data:` names its type. With `x-gemgate-dry-run`, the native "
    "request."
)
_SPEECH = (
    "The sound, as it is made, of the type that was asked for; with `stream_format` `sse`, events whose `data:` names "
    "their type. With `x-gemgate-dry-run`, the native request."
)
_TRANSCRIPT = (
    "What is said: JSON, or text for `text`, `srt` and `vtt`; with `stream`, events whose `data:` names their type. "
    "With `x-gemgate-dry-run`, the native request."
)
_CONTENT = ("content-disposition", "etag", "accept-ranges")

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("post", "/v1/chat/completions"): _generates(
        {JSON: ChatCompletionRequest}, _CHAT, ChatCompletion, ChatCompletionChunk
    ),
    ("post", "/v1/completions"): _generates({JSON: TextCompletionRequest}, _TEXTS, TextCompletion, TextCompletion),
    ("post", "/v1/responses"): _generates({JSON: ResponseRequest}, _RESPONSES, ResponseObject, ResponseEvent),
    ("post", "/v1/responses/input_tokens"): _generates(
        {JSON: ResponseRequest}, "The count. With `x-gemgate-dry-run`, the native request.", InputTokenCount
    ),
    ("post", "/v1/responses/compact"): _generates(
        {JSON: ResponseRequest},
        "The shorter conversation. With `x-gemgate-dry-run`, the native request.",
        CompactedConversation,
    ),
    ("get", "/v1/responses/{response_id}"): Operation(
        {
            200: DocumentedAnswer(
                "The response; with `stream`, the events of one that was created in the background.",
                {JSON: ResponseObject, EVENTS: ResponseEvent},
            )
        },
        failures=(404,),
    ),
    ("post", "/v1/responses/{response_id}/cancel"): Operation(
        _gives("The response, which has ended.", ResponseObject), failures=(404,)
    ),
    ("delete", "/v1/responses/{response_id}"): Operation(_gives("It is deleted.", DeletedResponse), failures=(404,)),
    ("get", "/v1/responses/{response_id}/input_items"): Operation(
        _gives("A page of items.", ItemList), failures=(404,)
    ),
    ("post", "/v1/conversations"): Operation(
        _gives("The conversation.", ConversationObject), {JSON: ConversationRequest}, _BODY
    ),
    ("get", "/v1/conversations/{conversation_id}"): Operation(
        _gives("The conversation.", ConversationObject), failures=(404,)
    ),
    ("post", "/v1/conversations/{conversation_id}"): Operation(
        _gives("The conversation.", ConversationObject), {JSON: ConversationChange}, (*_BODY, 404)
    ),
    ("delete", "/v1/conversations/{conversation_id}"): Operation(
        _gives("It is deleted.", DeletedConversation), failures=(404,)
    ),
    ("post", "/v1/conversations/{conversation_id}/items"): Operation(
        _gives("The items.", ItemList), {JSON: ItemsRequest}, (*_BODY, 404)
    ),
    ("get", "/v1/conversations/{conversation_id}/items"): Operation(
        _gives("A page of items.", ItemList), failures=(404,)
    ),
    ("get", "/v1/conversations/{conversation_id}/items/{item_id}"): Operation(
        _gives("The item.", dict[str, object]), failures=(404,)
    ),
    ("delete", "/v1/conversations/{conversation_id}/items/{item_id}"): Operation(
        _gives("The conversation, without the item.", ConversationObject), failures=(404,)
    ),
    ("post", "/v1/embeddings"): _generates(
        {JSON: EmbeddingRequest}, "The vectors. With `x-gemgate-dry-run`, the native request.", EmbeddingList
    ),
    ("post", "/v1/images/generations"): _generates({JSON: GenerationRequest}, _IMAGES, ImagesResponse, ImageEvent),
    ("post", "/v1/images/edits"): _generates({FORM: EditForm, JSON: EditRequest}, _IMAGES, ImagesResponse, ImageEvent),
    ("post", "/v1/images/variations"): _generates(
        {FORM: VariationForm, JSON: VariationRequest}, _IMAGES, ImagesResponse, ImageEvent
    ),
    ("post", "/v1/moderations"): _generates(
        {JSON: ModerationRequest}, "The results. With `x-gemgate-dry-run`, the native request.", ModerationObject
    ),
    ("post", "/v1/decisions"): _generates(
        {JSON: DecisionRequest}, "The answers. With `x-gemgate-dry-run`, the native request.", DecisionObject
    ),
    ("post", "/v1/audio/speech"): _speaks(),
    ("post", "/v1/audio/transcriptions"): _hears(TranscriptionForm),
    ("post", "/v1/audio/translations"): _hears(TranslationForm),
    ("get", "/v1/images/content/{token}/{name}"): Operation(
        {
            200: DocumentedAnswer("The image.", {"*/*": bytes}, _CONTENT),
            206: DocumentedAnswer("The `range` of it.", {"*/*": bytes}, ("content-range", *_CONTENT)),
        },
        failures=(404, 416),
        asks=("range", "if-range"),
        access=None,
    ),
    ("get", "/v1/models"): Operation(
        _gives("The models.", ModelListObject | DryRun, "x-gemgate-stale"),
        failures=_GOOGLE,
        asks=("x-gemgate-dry-run",),
    ),
    ("get", "/v1/models/{model}"): Operation(
        _gives("The model.", Model | DryRun, "x-gemgate-stale"), failures=_GOOGLE, asks=("x-gemgate-dry-run",)
    ),
    ("delete", "/v1/models/{model}"): Operation({}, failures=(403,)),
    ("post", "/v1/files"): Operation(_gives("The file.", FileObject, *_NOTES[:1]), {FORM: FileForm}, _BODY),
    ("get", "/v1/files"): Operation(_gives("A page of files.", FileList)),
    ("get", "/v1/files/{file_id}"): Operation(_gives("The file.", FileObject), failures=(404,)),
    ("delete", "/v1/files/{file_id}"): Operation(_gives("It is deleted.", DeletedFile), failures=(404,)),
    ("get", "/v1/files/{file_id}/content"): Operation(
        {
            200: DocumentedAnswer("The bytes, as what they were uploaded as.", {"*/*": bytes}, (*_CONTENT, *_LIMITS)),
            206: DocumentedAnswer("The `range` of them.", {"*/*": bytes}, ("content-range", *_CONTENT, *_LIMITS)),
        },
        failures=(404, 416),
        asks=("range", "if-range"),
    ),
    ("post", "/v1/uploads"): Operation(_gives("The upload.", UploadObject, *_NOTES[:1]), {JSON: UploadRequest}, _BODY),
    ("post", "/v1/uploads/{upload_id}/parts"): Operation(
        _gives("The part.", UploadPart), {FORM: PartForm}, (*_BODY, 404)
    ),
    ("post", "/v1/uploads/{upload_id}/complete"): Operation(
        _gives("The upload, with its file.", UploadObject, *_NOTES[:1]), {JSON: CompleteRequest}, (*_BODY, 404)
    ),
    ("post", "/v1/uploads/{upload_id}/cancel"): Operation(_gives("The upload.", UploadObject), failures=(404,)),
    ("post", "/v1/batches"): Operation(_gives("The batch.", Batch, *_NOTES[:1]), {JSON: BatchRequest}, _BODY),
    ("get", "/v1/batches"): Operation(_gives("A page of batches.", BatchList)),
    ("get", "/v1/batches/{batch_id}"): Operation(_gives("The batch.", Batch), failures=(404,)),
    ("post", "/v1/batches/{batch_id}/cancel"): Operation(_gives("The batch.", Batch), failures=(404,)),
    ("get", "/healthz"): Operation({200: DocumentedAnswer("The process lives.", {JSON: Health})}, access=None),
    ("get", "/readyz"): Operation(
        {
            200: DocumentedAnswer("Requests may be sent here.", {JSON: Health}),
            503: DocumentedAnswer("The store does not answer.", {JSON: Unready}, ("retry-after",)),
        },
        access=None,
    ),
    ("get", "/metrics"): Operation(
        {200: DocumentedAnswer("In the format that the scraper asks for.", {"text/plain": str})}, access="metrics"
    ),
}
