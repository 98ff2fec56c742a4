"""One line of a batch as native requests, and their answers as a line of the output or of the error file.

A line goes through the translators of a live request. Nothing is kept between the two ways: whatever an answer needs
is made again from the line itself, because translation is deterministic.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson

from gemgate.api.batches import completion_lines, moderation_lines, response_lines
from gemgate.api.batches.line_limit import line_limit
from gemgate.api.batches.line_rules import refuse_stream, without_tiers
from gemgate.api.chat import messages as chat_messages
from gemgate.api.chat.request import ChatTranslation
from gemgate.api.chat.request import to_gemini as chat_to_gemini
from gemgate.api.chat.response import completion_from_gemini
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.api.embeddings import inputs as embedding_content
from gemgate.api.embeddings import translation as embeddings
from gemgate.api.embeddings.wire import EmbeddingRequest
from gemgate.errors import ApiError, internal_error
from gemgate.gemini.batch_types import JobResult
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.proto_json import whole_number
from gemgate.gemini.usage import searches_of
from gemgate.media.references import Ref, Resolved, placeholders
from gemgate.model_routing.aliases import ModelAliases
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.notes import Notes
from gemgate.translation.options import Dialect, EmbeddingOptions, ModerationOptions, Options
from gemgate.translation.validation import parse_value

if TYPE_CHECKING:
    from gemgate.gemini.types import BatchEmbedContentsResponse, GenerateContentRequest, GenerateContentResponse

Native = Mapping[str, object]

_CANCELLED = 499


@dataclass(frozen=True, slots=True)
class LineJob:
    """What all lines of a batch share.

    Attributes:
        batch_id: `batch_…`.
        url: The endpoint, such as `/v1/chat/completions`.
        created: Unix seconds, for `created` of each answer.
        dialect: How thoughts look in the answers.
        caller_id: Whose batch it is.
        models: Patterns of the models that its caller may use; None for all.
    """

    batch_id: str
    url: str
    created: int
    dialect: Dialect = "openai"
    caller_id: str = ""
    models: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Translators:
    """The operator's decisions, for all endpoints. A job is for one model, so that of a list the first one counts."""

    chat: Options
    embeddings: EmbeddingOptions
    aliases: ModelAliases = field(default_factory=ModelAliases)
    moderation: ModerationOptions = field(default_factory=ModerationOptions)

    def for_answers(self) -> "Translators":
        """The same for a second translation of a line that was accepted: it may not be refused now."""
        chat = replace(
            self.chat,
            remote_media="google",
            trailing_assistant="trim" if self.chat.trailing_assistant == "reject" else self.chat.trailing_assistant,
            unsupported_params="warn" if self.chat.unsupported_params == "strict" else self.chat.unsupported_params,
        )
        policy = chat.unsupported_params
        options = replace(self.embeddings, remote_media="google", unsupported_params=policy)
        return Translators(chat, options, self.aliases, self.moderation)


class Prepared(Protocol):
    """A line whose body was read."""

    def references(self) -> list[Ref]:
        """What must be fetched or looked up before it is translated."""
        ...

    def to_gemini(self, media: Resolved) -> list[Native]:
        """The native requests, without `model`: one, or several whose answers are joined.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        ...

    def sent(self) -> "LineRequest | None":
        """The request that was sent, with placeholders for media; None: its refusals teach nothing.

        Raises:
            ApiError: 400 that names the parameter which Gemini cannot follow.
        """
        ...

    def from_gemini(self, responses: Sequence[Native], request_id: str) -> "LineAnswer":
        """The answer, from the responses to all native requests in their order.

        Raises:
            ApiError: Gemini broke off without an answer.
            GeminiError: the responses cannot be read.
        """
        ...


class LineRequest(Protocol):
    """A translated line, as `ChatTranslation`."""

    model: str
    body: "GenerateContentRequest"
    calls: int
    notes: Notes


class Lessons(Protocol):
    """Learns from refused lines: `LineLessons`."""

    def consider(self, body: Mapping[str, object], error: GeminiError) -> ApiError | None:
        """The error that the line has in place of Google's, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """The body of an answer as JSON, its usage, and what was dropped or adjusted on the way, as headers."""

    body: bytes
    usage: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


def prepare(body: Mapping[str, object], job: LineJob, translators: Translators) -> Prepared:
    """Read the body of a line, which was parsed with its line.

    Raises:
        ApiError: 400 that names what is wrong with it.
    """
    if job.url == "/v1/embeddings":
        embedding = parse_value(EmbeddingRequest, body)
        return _Embeddings(embedding, translators.embeddings, translators.aliases.first(embedding.model))
    if job.url == response_lines.URL:
        model_of = translators.aliases.first
        line = response_lines.ResponseLine.of(body, translators.chat, model_of, job.caller_id, job.created)
        return _Whole(line)
    if job.url == completion_lines.URL:
        first = translators.aliases.first
        return _Whole(completion_lines.TextCompletionLine.of(body, translators.chat, first, job.created))
    if job.url == moderation_lines.URL:
        chat_options, judging = translators.chat, translators.moderation
        return _Whole(moderation_lines.ModerationLine.of(body, chat_options, judging, translators.aliases))
    chat = parse_value(ChatCompletionRequest, body)
    refuse_stream(chat.stream)
    return _Chat(chat, job, translators.chat, translators.aliases.first(chat.model))


@dataclass(frozen=True, slots=True)
class _Chat:
    request: ChatCompletionRequest
    job: LineJob
    options: Options
    model: str

    def references(self) -> list[Ref]:
        return chat_messages.media_of(self.request.messages)

    def to_gemini(self, media: Resolved) -> list[Native]:
        return list(without_tiers(self._translation(media).bodies()))

    def sent(self) -> LineRequest:
        return self._translation(placeholders(self.references()))

    def from_gemini(self, responses: Sequence[Native], request_id: str) -> LineAnswer:
        translation = self._translation(placeholders(self.references()))
        answers = cast("Sequence[GenerateContentResponse]", responses)
        completion = completion_from_gemini(
            answers,
            translation.context,
            fallback_id=request_id.removeprefix("req_"),
            created=self.job.created,
            notes=translation.notes,
        )
        return LineAnswer(orjson.dumps(completion), completion["usage"] or {}, translation.notes.headers())

    def _translation(self, media: Resolved) -> ChatTranslation:
        return chat_to_gemini(
            self.request,
            self.options,
            model=self.model,
            dialect=self.job.dialect,
            caller_id=self.job.caller_id,
            media=media,
        )


@dataclass(frozen=True, slots=True)
class _Whole:
    line: response_lines.ResponseLine | completion_lines.TextCompletionLine | moderation_lines.ModerationLine

    def references(self) -> list[Ref]:
        return self.line.references()

    def to_gemini(self, media: Resolved) -> list[Native]:
        return [*self.line.to_gemini(media)]

    def sent(self) -> LineRequest:
        return self.line.sent()

    def from_gemini(self, responses: Sequence[Native], request_id: str) -> LineAnswer:
        return LineAnswer(*self.line.answer(responses, request_id.removeprefix("req_")))


@dataclass(frozen=True, slots=True)
class _Embeddings:
    request: EmbeddingRequest
    options: EmbeddingOptions
    model: str

    def references(self) -> list[Ref]:
        return embedding_content.media_of(self.request)

    def to_gemini(self, media: Resolved) -> list[Native]:
        bodies = embeddings.to_gemini(self.request, self.options, media, model=self.model).bodies
        requests = [request for body in bodies for request in body["requests"]]
        return [{name: value for name, value in request.items() if name != "model"} for request in requests]

    def sent(self) -> None:
        return None

    def from_gemini(self, responses: Sequence[Native], request_id: str) -> LineAnswer:  # noqa: ARG002  the chat's part needs it
        translation = embeddings.to_gemini(
            self.request, self.options, placeholders(self.references()), model=self.model
        )
        tokens = sum(_tokens(response) for response in responses)
        requests = (request for body in translation.bodies for request in body["requests"])
        vectors = [
            _shortened(response.get("embedding") or {}, request.get("outputDimensionality"))
            for request, response in zip(requests, responses, strict=True)
        ]
        usage_metadata = {"promptTokenCount": tokens}
        joined = cast("BatchEmbedContentsResponse", {"embeddings": vectors, "usageMetadata": usage_metadata})
        answer = embeddings.embeddings_from_gemini(joined, len(responses), is_base64=translation.is_base64)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return LineAnswer(embeddings.embedding_list(translation, [answer]), usage, translation.notes.headers())


def _shortened(embedding: object, size: int | None) -> object:
    """An embedding of `size` numbers at most.

    Jobs in Vertex AI were seen to give all 3,072 of gemini-embedding-001 whatever the request asks for. The first ones
    of them are the shorter vector, but for its length, which is made 1 anyway.
    """
    values = embedding.get("values") if isinstance(embedding, dict) else None
    return {"values": values[:size]} if size and isinstance(values, list) and len(values) > size else embedding


def _tokens(response: Native) -> int:
    """A line of a batch has `tokenCount` beside the embedding; a live answer has `usageMetadata`."""
    metadata = response.get("usageMetadata")
    counted = metadata.get("promptTokenCount") if isinstance(metadata, dict) else None
    return whole_number(response.get("tokenCount")) or whole_number(counted)


class ResultWriter:
    """Makes the lines of the output file and of the error file. The same input gives the same bytes.

    Attributes:
        usage: The tokens of all answers so far.
        served: The `modelVersion` of the latest of them.
        searches: Queries that the web was searched for.
        searching: Requests that have searched.
    """

    def __init__(self, job: LineJob, translators: Translators, lessons: Lessons | None = None) -> None:
        self.usage = Usage()
        self.served = ""
        self.searches = self.searching = 0
        self._lessons = lessons
        self._job = job
        self._translators = translators.for_answers()

    def line(self, custom_id: str, body: Mapping[str, object], results: Sequence[JobResult]) -> tuple[bool, bytes]:
        """The line for the results of all native requests of one line: whether it is good, and its bytes."""
        try:
            with line_limit():
                prepared = prepare(body, self._job, self._translators)
                answer = prepared.from_gemini([_response(result) for result in results], self._request_id(custom_id))
        except ApiError as error:
            return False, self.refused(custom_id, error)
        except GeminiError as error:
            if error.status == _CANCELLED:
                return False, self.not_run(custom_id, "batch_cancelled")
            named = self._lessons.consider(body, error) if self._lessons is not None else None
            return False, self.refused(custom_id, named or error_from_gemini(error))
        except Exception:  # noqa: BLE001  one line must not spoil the others
            return False, self.refused(custom_id, internal_error())
        self.usage.add(answer.usage)
        self.served = _served(results) or self.served
        for searches in (searches_of(cast("GenerateContentResponse", _response(result))) for result in results):
            self.searches += searches
            self.searching += bool(searches)
        response: dict[str, object] = {"status_code": 200, "request_id": self._request_id(custom_id)}
        if answer.headers:
            response["headers"] = answer.headers
        return True, self._wire(custom_id, {**response, "body": orjson.Fragment(answer.body)}, None)

    def refused(self, custom_id: str, error: ApiError) -> bytes:
        """The line for a request that failed, or that could not be translated."""
        response = {"status_code": error.status, "request_id": self._request_id(custom_id), "body": error.body()}
        return self._wire(custom_id, response, None)

    def not_run(self, custom_id: str, code: str) -> bytes:
        """The line for a request that was never run; `code` is one of `NOT_RUN`."""
        return self._wire(custom_id, None, {"code": code, "message": NOT_RUN[code]})

    def _wire(self, custom_id: str, response: Mapping[str, object] | None, error: Mapping[str, object] | None) -> bytes:
        line = {
            "id": f"batch_req_{self._digest(custom_id)}",
            "custom_id": custom_id,
            "response": response,
            "error": error,
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _request_id(self, custom_id: str) -> str:
        return f"req_{self._digest(custom_id)}"

    def _digest(self, custom_id: str) -> str:
        return hashlib.blake2b(f"{self._job.batch_id}\0{custom_id}".encode(), digest_size=16).hexdigest()


def _response(result: JobResult) -> Native:
    if result.error is not None:
        raise result.error
    return result.response or {}


def _served(results: Sequence[JobResult]) -> str:
    version = (results[0].response or {}).get("modelVersion") if results else None
    return version if isinstance(version, str) else ""


NOT_RUN = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed, because the batch was cancelled.",
    "batch_failed": "This request was not executed, because Google failed the whole batch.",
}


def no_result() -> ApiError:
    """The error of a line that Google's results say nothing about, though the job succeeded."""
    msg = "Google finished the batch without a result for this request. Please send it again."
    return ApiError(502, msg, type="server_error", code="upstream_no_answer")


@dataclass(slots=True)
class Usage:
    """Tokens of a whole batch."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0

    def add(self, usage: Mapping[str, Any]) -> None:
        """Add the `usage` of a chat completion, of a list of embeddings, or of a response."""
        prompt = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        completion = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
        self.input_tokens += usage.get("prompt_tokens") or usage.get("input_tokens") or 0
        self.cached_tokens += prompt.get("cached_tokens") or 0
        self.output_tokens += usage.get("completion_tokens") or usage.get("output_tokens") or 0
        self.reasoning_tokens += completion.get("reasoning_tokens") or 0
        self.total_tokens += usage.get("total_tokens") or 0

    def wire(self) -> dict[str, object]:
        """As `usage` of a batch."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.total_tokens,
        }
