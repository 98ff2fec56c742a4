"""Wire types of the native Gemini API v1beta, spelled as in its reference; by `scripts/write_types.py`.

Source: https://ai.google.dev/api/generate-content. Every field is optional, because Google leaves out what is zero,
empty or default. A dict may hold fields that are newer than this file: they are passed on, never an error.
"""

from typing import Annotated

from pydantic import SkipValidation
from typing_extensions import TypedDict  # what pydantic reads before Python 3.12


class Blob(TypedDict, total=False):
    """Inline bytes; `data` is standard base64."""

    mimeType: str
    data: str
    displayName: str


class FileData(TypedDict, total=False):
    """A reference to media: a Files API URI, a YouTube URL, a public https URL or a registered `gs://` URL."""

    mimeType: str
    fileUri: str
    displayName: str


class PartialArg(TypedDict, total=False):
    """A piece of one argument, in a stream of arguments (`streamFunctionCallArguments`)."""

    jsonPath: str
    stringValue: str
    numberValue: float
    boolValue: bool
    nullValue: object
    willContinue: bool


class FunctionCall(TypedDict, total=False):
    """A call the model asks for. `id` is absent on Gemini 2.x; `args` may be absent when there are none.

    In a stream of arguments the first frame has the name, the next ones `partialArgs`, and the last no `willContinue`.
    """

    id: str
    name: str
    args: dict[str, object]
    partialArgs: list[PartialArg]
    willContinue: bool


class FunctionResponsePart(TypedDict, total=False):
    """Media inside a function response (Gemini 3 and later)."""

    inlineData: Blob
    fileData: FileData


class FunctionResponse(TypedDict, total=False):
    """The result of a call; `response` must be an object."""

    id: str
    name: str
    response: dict[str, object]
    parts: list[FunctionResponsePart]


class ExecutableCode(TypedDict, total=False):
    """Code the model wrote for the code execution tool."""

    id: str
    language: str
    code: str


class CodeExecutionResult(TypedDict, total=False):
    """What that code printed; `output` may be absent."""

    id: str
    outcome: str
    output: str


class MediaResolution(TypedDict, total=False):
    """How many tokens a part's media may take (Gemini 3 and later)."""

    level: str


class VideoMetadata(TypedDict, total=False):
    """Which stretch of a video to read, and at how many frames a second."""

    startOffset: str
    endOffset: str
    fps: float


class Part(TypedDict, total=False):
    """One piece of a turn: exactly one data field, and flags beside it."""

    text: str
    inlineData: Blob
    fileData: FileData
    functionCall: FunctionCall
    functionResponse: FunctionResponse
    executableCode: ExecutableCode
    codeExecutionResult: CodeExecutionResult
    toolCall: dict[str, object]
    toolResponse: dict[str, object]
    thought: bool
    thoughtSignature: str
    videoMetadata: VideoMetadata
    mediaResolution: MediaResolution
    speechMetadata: dict[str, str]
    audioTranscription: dict[str, object]


class Content(TypedDict, total=False):
    """One turn. `role` is `user` or `model`; results of functions travel as `user`."""

    role: str
    parts: list[Part]


class FunctionDeclaration(TypedDict, total=False):
    """A function the model may call. `parameters` and `parametersJsonSchema` exclude each other."""

    name: str
    description: str
    parameters: dict[str, object]
    parametersJsonSchema: dict[str, object]


class Tool(TypedDict, total=False):
    """Usually one key an entry: the functions, or one built-in tool."""

    functionDeclarations: list[FunctionDeclaration]
    googleSearch: dict[str, object]
    codeExecution: dict[str, object]
    urlContext: dict[str, object]
    googleMaps: dict[str, object]
    fileSearch: dict[str, object]
    mcpServers: list[dict[str, object]]


class FunctionCallingConfig(TypedDict, total=False):
    """`mode` is AUTO, ANY, NONE or VALIDATED; `allowedFunctionNames` goes with ANY and VALIDATED only."""

    mode: str
    allowedFunctionNames: list[str]


class ToolConfig(TypedDict, total=False):
    """How tools may be used."""

    functionCallingConfig: FunctionCallingConfig
    retrievalConfig: dict[str, object]
    includeServerSideToolInvocations: bool


class ThinkingConfig(TypedDict, total=False):
    """`thinkingBudget` (tokens, -1 = the model decides) and `thinkingLevel` exclude each other."""

    includeThoughts: bool
    thinkingBudget: int
    thinkingLevel: str


class GenerationConfig(TypedDict, total=False):
    """Sampling, length and format of the answer."""

    stopSequences: list[str]
    candidateCount: int
    maxOutputTokens: int
    temperature: float
    topP: float
    topK: int
    seed: int
    presencePenalty: float
    frequencyPenalty: float
    responseLogprobs: bool
    logprobs: int
    responseMimeType: str
    responseJsonSchema: object
    responseSchema: dict[str, object]
    responseModalities: list[str]
    mediaResolution: str
    speechConfig: dict[str, object]
    responseFormat: dict[str, object]
    audioTranscriptionConfig: dict[str, object]
    imageConfig: dict[str, object]
    thinkingConfig: ThinkingConfig


class SafetySetting(TypedDict, total=False):
    """One threshold a category."""

    category: str
    threshold: str


class GenerateContentRequest(TypedDict, total=False):
    """Body of `generateContent` and `streamGenerateContent`. The model is in the path."""

    contents: list[Content]
    systemInstruction: Content
    tools: list[Tool]
    toolConfig: ToolConfig
    safetySettings: list[SafetySetting]
    generationConfig: GenerationConfig
    cachedContent: str
    serviceTier: str
    store: bool


class ModalityTokenCount(TypedDict, total=False):
    """Tokens of one modality: TEXT, IMAGE, VIDEO, AUDIO or DOCUMENT."""

    modality: str
    tokenCount: int


class UsageMetadata(TypedDict, total=False):
    """Token counts; cumulative over a stream. Prompt includes cached, candidates excludes thoughts."""

    promptTokenCount: int
    candidatesTokenCount: int
    totalTokenCount: int
    thoughtsTokenCount: int
    cachedContentTokenCount: int
    toolUsePromptTokenCount: int
    promptTokensDetails: list[ModalityTokenCount]
    cacheTokensDetails: list[ModalityTokenCount]
    candidatesTokensDetails: list[ModalityTokenCount]
    serviceTier: str
    trafficType: str


class LogprobsCandidate(TypedDict, total=False):
    """A token and its log probability."""

    token: str
    tokenId: int
    logProbability: float


class TopCandidates(TypedDict, total=False):
    """The likeliest tokens at one position."""

    candidates: list[LogprobsCandidate]


class LogprobsResult(TypedDict, total=False):
    """`topCandidates[i]` belongs to `chosenCandidates[i]`, and is absent when it was not asked for."""

    chosenCandidates: list[LogprobsCandidate]
    topCandidates: list[TopCandidates]


class Segment(TypedDict, total=False):
    """A stretch of a part; the indexes count UTF-8 bytes, and 0 is left out."""

    partIndex: int
    startIndex: int
    endIndex: int
    text: str


class GroundingSupport(TypedDict, total=False):
    """Which chunks support which segment."""

    segment: Segment
    groundingChunkIndices: list[int]


class GroundingMetadata(TypedDict, total=False):
    """Sources of an answer; may be an empty object on all but the last event of a stream."""

    groundingChunks: list[dict[str, object]]
    groundingSupports: list[GroundingSupport]
    searchEntryPoint: dict[str, object]
    webSearchQueries: list[str]


class Candidate(TypedDict, total=False):
    """One answer. `content` may be absent, empty, or without `parts`; an absent `index` is 0."""

    content: Content
    finishReason: str
    finishMessage: str
    index: int
    safetyRatings: list[dict[str, object]]
    citationMetadata: dict[str, object]
    groundingMetadata: GroundingMetadata
    urlContextMetadata: dict[str, object]
    avgLogprobs: float
    logprobsResult: LogprobsResult


class PromptFeedback(TypedDict, total=False):
    """Present without candidates when the prompt was blocked."""

    blockReason: str
    blockReasonMessage: str
    safetyRatings: list[dict[str, object]]


class GenerateContentResponse(TypedDict, total=False):
    """A whole answer, or one event of a stream: increments of parts, cumulative usage."""

    candidates: list[Candidate]
    promptFeedback: PromptFeedback
    usageMetadata: UsageMetadata
    modelVersion: str
    modelStatus: dict[str, object]
    responseId: str


class CountTokensRequest(TypedDict, total=False):
    """Body of `countTokens`: bare contents, or a whole request; the two exclude each other."""

    contents: list[Content]
    generateContentRequest: dict[str, object]


class CountTokensResponse(TypedDict, total=False):
    """Answer of `countTokens`."""

    totalTokens: int
    promptTokensDetails: list[ModalityTokenCount]
    cacheTokensDetails: list[ModalityTokenCount]


class EmbedContentRequest(TypedDict, total=False):
    """One vector: all parts of `content` are fused into it. `model` is the resource name, as in the path."""

    model: str
    content: Content
    taskType: str
    title: str
    outputDimensionality: int


class BatchEmbedContentsRequest(TypedDict, total=False):
    """Body of `batchEmbedContents`: at most 100 requests."""

    requests: list[EmbedContentRequest]


class ContentEmbedding(TypedDict, total=False):
    """A vector; its length is 1 only on some models and sizes.

    The code that uses them finds out whether they are numbers: there may be 300,000, and to look at each takes 4 ms.
    """

    values: Annotated[list[float], SkipValidation]


class EmbeddingUsageMetadata(TypedDict, total=False):
    """Token count of all requests of a batch; gemini-embedding-001 sends none. `promptTokenDetails` has no second s."""

    promptTokenCount: int
    promptTokenDetails: list[ModalityTokenCount]


class BatchEmbedContentsResponse(TypedDict, total=False):
    """The vectors, in the order of the requests."""

    embeddings: list[ContentEmbedding]
    usageMetadata: EmbeddingUsageMetadata


class Prediction(TypedDict, total=False):
    """An image of Imagen, or the reason why others are missing; `prompt` is there when it was rewritten."""

    bytesBase64Encoded: str
    mimeType: str
    prompt: str
    raiFilteredReason: str


class PredictResponse(TypedDict, total=False):
    """Images that were filtered are missing; `{}` when all were, and no reason was asked for."""

    predictions: list[Prediction]


class ModelResource(TypedDict, total=False):
    """A model of `models.list`. Google gives neither a date nor an owner."""

    name: str
    version: str
    displayName: str
    description: str
    inputTokenLimit: int
    outputTokenLimit: int
    supportedGenerationMethods: list[str]
    thinking: bool
    temperature: float
    maxTemperature: float
    topP: float
    topK: int


class ListModelsResponse(TypedDict, total=False):
    """One page of models; the last has no `nextPageToken`."""

    models: list[ModelResource]
    nextPageToken: str
