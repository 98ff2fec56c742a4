"""The fields of the settings: each with its default, its bounds and its description."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from gemgate.gemini.vertex.lanes import LocationTable
from gemgate.model_routing.aliases import ModelLists
from gemgate.settings.secret_files import SecretFiles
from gemgate.settings.variables import PREFIX, either_case

Secrets = tuple[SecretStr, ...]


class Fields(SecretFiles):
    """All settings, with their defaults; each is an environment variable (or a line of `.env`).

    Durations are seconds, sizes are bytes. `Settings` adds the rules.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    gemini_api_key: Annotated[Secrets, NoDecode] = Field(
        default=(),
        validation_alias=either_case("GEMINI_API_KEY"),
        description="The Gemini key, or several separated by commas. Absent: each caller's own key is passed through.",
    )
    upstream: str = Field(
        default="https://generativelanguage.googleapis.com",
        description="The base URL of the native Gemini API; or `vertex` for Vertex AI; or both: `gemini,vertex`, where "
        "names such as vertex/gemini-2.5-flash are Vertex AI's.",
    )
    google_cloud_project: str | None = Field(
        default=None,
        validation_alias=either_case("GOOGLE_CLOUD_PROJECT"),
        description="The id of the project that Vertex AI is asked in, with Google's default credentials.",
    )
    google_cloud_location: str = Field(
        default="global",
        validation_alias=either_case("GOOGLE_CLOUD_LOCATION"),
        description="Where in Vertex AI models are: `global`, `us`, `eu` or a region.",
    )
    vertex_locations: Annotated[LocationTable, NoDecode] = Field(
        default={},
        description="Other locations for certain models in Vertex AI: `gemini-2.5-*=europe-west4,us-east5; "
        "imagen-*=us-central1`.",
    )
    vertex_api_key: Annotated[Secrets, NoDecode] = Field(
        default=(),
        description="A key of Vertex AI's express mode, or several separated by commas, in the place of project and "
        "credentials.",
    )
    vertex_service_account: SecretStr | None = Field(
        default=None,
        description="The JSON text of a service account's key for Vertex AI; absent: Google's default credentials, "
        "such as a file that GOOGLE_APPLICATION_CREDENTIALS names.",
    )
    vertex_credentials: Literal["gateway", "callers"] = Field(
        default="gateway",
        description="Whose credentials Vertex AI is asked with: the gateway's, or each caller's own access token, "
        "which is passed on.",
    )
    vertex_endpoint: str | None = Field(
        default=None,
        description="An origin in the place of Vertex AI's hosts, such as a private endpoint; absent: Google's, by "
        "location.",
    )
    vertex_bucket: str | None = Field(
        default=None,
        description="A bucket of Cloud Storage for batches and large media in Vertex AI, as `gs://bucket/prefix` or by "
        "its name.",
    )
    vertex_storage_endpoint: str | None = Field(
        default=None,
        description="The base URL of Cloud Storage in the place of https://storage.googleapis.com, for "
        "GEMGATE_VERTEX_BUCKET.",
    )
    client_keys: Annotated[Secrets, NoDecode] = Field(
        default=(),
        description="The keys that callers must present if the gateway holds the Gemini key; comma separated.",
    )
    client_keys_file: Path | None = Field(
        default=None,
        description="A YAML file of named client keys, with limits and allowed models; reloaded when it changes.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="The address to listen on, or several with commas; `unix:/path` is a Unix domain socket.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="The port to listen on.")
    public_url: str | None = Field(
        default=None,
        description="The gateway's public URL, such as https://ai.example.com, for the upload URLs of Google's clients."
        " Absent: taken from each request (Host, X-Forwarded-Proto).",
    )
    root_path: str = Field(
        default="",
        description="The path below which a proxy shows the gateway, such as /gemini; requests have it or not.",
    )
    workers: PositiveInt = Field(default=1, description="Processes that share the listening socket.")
    shutdown_timeout: PositiveFloat = Field(default=30, description="How long running answers may take after SIGTERM.")
    shutdown_delay: NonNegativeFloat = Field(
        default=0,
        description="How long the gateway keeps accepting requests after SIGTERM, while /readyz answers 503, so that "
        "load balancers notice.",
    )
    data_dir: Path = Field(default=Path("data"), description="The directory for files and batches.")

    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL, for several replicas; absent: SQLite in the data directory."
    )
    blobs_url: str | None = Field(
        default=None, description="An s3://, gs:// or az:// bucket; absent: a directory in the data directory."
    )

    store_timeout: PositiveFloat = Field(
        default=10, description="For one transaction of the database, and one wait for the bucket; then 503."
    )
    readiness: Literal["chat", "store", "all"] = Field(
        default="chat",
        description="What /readyz needs for a 200: what chat needs, also the store of files and batches, or also Redis "
        "and a Gemini key that Google takes. It reports the rest as degraded.",
    )

    redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis through which workers and replicas share limits, cool-downs and thought signatures; "
        "absent: each process has its own.",
    )

    secret: Annotated[Secrets, NoDecode] = Field(
        default=(),
        description="The secret that encrypts callers' keys while a batch runs (several: the first encrypts, all "
        "decrypt), the same for all replicas; absent: a random one in the data directory.",
    )
    responses_store: bool = Field(
        default=True,
        description="Whether responses and conversations may be kept: `on`, unless the caller says store: false, or "
        "`off`.",
    )
    responses_lifetime: PositiveInt = Field(
        default=2_592_000,
        description="Seconds for which a response is kept, and a conversation after its last change.",
    )
    responses_websocket: bool = Field(
        default=True,
        description="Whether /v1/responses may be a WebSocket: `on`, or `off`, and then a 426.",
    )
    websockets_per_caller: PositiveInt = Field(
        default=200, description="Open WebSockets of one caller, in each worker; one more is a 429."
    )
    websocket_idle_timeout: PositiveFloat = Field(
        default=900, description="Seconds after which a WebSocket is closed on which nothing is asked."
    )
    websocket_lifetime: PositiveFloat = Field(
        default=3600, description="Seconds after which a WebSocket is closed, once it has given the answer in hand."
    )
    max_background_responses: NonNegativeInt = Field(
        default=200,
        description="Responses that are generated in the background at once, in each worker; one more is a 503, and 0 "
        "switches the background off.",
    )
    max_background_responses_per_caller: PositiveInt = Field(
        default=20, description="Of these, responses of one caller; one more is a 429."
    )
    background_timeout: PositiveFloat = Field(
        default=3600, description="For a response in the background; then it ends as failed."
    )
    files_max_bytes: PositiveInt = Field(
        default=536_870_912, description="The largest file that is uploaded in one request."
    )
    uploads_max_bytes: PositiveInt = Field(
        default=8_589_934_592, description="The largest file that is uploaded in parts."
    )
    storage_bytes_per_caller: PositiveInt = Field(
        default=107_374_182_400, description="Bytes of files and parts of uploads that one caller may store."
    )
    storage_files_per_caller: PositiveInt = Field(
        default=100_000, description="Files, uploads, their parts and conversations that one caller may store."
    )
    storage_free_bytes: NonNegativeInt = Field(
        default=536_870_912,
        description="Free bytes of the data directory's disk, below which uploads are refused with 507.",
    )

    unsupported_params: Literal["warn", "strict", "ignore"] = Field(
        default="warn",
        description="A parameter that Gemini lacks: dropped and named in x-gemgate-dropped-params, a 400, or dropped "
        "silently.",
    )
    trailing_assistant: Literal["trim", "reject", "continue"] = Field(
        default="trim",
        description="A last message of the assistant, on a model that rejects it: removed, a 400, or followed by a "
        "turn that asks the model to continue.",
    )
    cached_search: Literal["drop", "live"] = Field(
        default="drop",
        description="A web search that is to find in a cache alone (external_web_access: false, as Codex asks for): "
        "dropped, because Gemini has none, or live all the same. Either is named in a header.",
    )
    remote_media: Literal["fetch", "google", "refuse"] = Field(
        default="fetch",
        description="An https URL of an image or a file: fetched by the gateway (guarded), passed to Google, or a 400.",
    )
    large_media: Literal["refuse", "upload"] | None = Field(
        default=None,
        description="Media that makes a request larger than GEMGATE_INLINE_MAX_BYTES: a 413 (refuse), or uploaded to "
        "Google, where it stays for 48 hours (upload). Unset: a 413, but audio that is to be transcribed is uploaded, "
        "and deleted after the answer.",
    )
    inline_max_bytes: PositiveInt = Field(
        default=100_000_000, description="The largest request that Google accepts, including its media as base64."
    )
    models: Annotated[ModelLists, NoDecode] = Field(
        default_factory=dict,
        description="Aliases for models, with fallbacks after the first: gpt-4o=gemini-3.8-flash,gemini-3.5-flash-lite;"
        " small=gemini-3.5-flash-lite.",
    )
    model_facts: Annotated[dict[str, object] | Path, NoDecode] = Field(
        default_factory=dict,
        description='Changes to the built-in table of models, as JSON: {"gemini-9-*": {"thinking": "level"}}; or a '
        "JSON or YAML file of them, reloaded when it changes.",
    )
    model_facts_date: date | None = Field(
        default=None,
        description="The day whose facts about models hold, such as 2026-12-01, to see in advance what changes then; "
        "absent: today.",
    )

    learned_facts_ttl: NonNegativeFloat = Field(
        default=86_400,
        description="How long a fact about a model that Google's answers have taught is believed; 0: nothing is "
        "learned.",
    )
    retired_models: Literal["refuse", "successor"] = Field(
        default="refuse",
        description="A model that Google has retired: its 404 with the successor's name, or the successor asked in its "
        "place.",
    )

    show_thoughts: Literal["off", "on", "tags"] = Field(
        default="off",
        description="Thoughts for clients that cannot ask for them: no; where the endpoint has them "
        "(reasoning_content of chats below /v1); or, in chats, between <thought> tags in the content.",
    )

    embedding_usage: Literal["count", "off"] = Field(
        default="count",
        description="Tokens of embeddings that Google does not report: counted with extra calls, or reported as 0.",
    )
    embedding_concurrency: PositiveInt = Field(
        default=4, description="Concurrent calls to Google for one embeddings request."
    )
    image_url_lifetime: NonNegativeInt = Field(
        default=3600,
        description="Seconds for which an image is kept that is answered as a URL (response_format: url); 0: such a "
        "request is a 400.",
    )
    moderation_threshold: float = Field(
        default=0.5, gt=0, le=1, description="The score from which a category of /v1/moderations is flagged."
    )
    moderation_model: str = Field(
        default="gemini-3.5-flash-lite",
        min_length=1,
        description="The model that judges for /v1/moderations where the account has no Decisions API, and in batches.",
    )
    models_ttl: PositiveFloat = Field(default=300, description="How long a list of models is cached.")
    models_refresh: NonNegativeFloat = Field(
        default=86_400,
        description="How often Google's list of models is read in the background, for what it says about them; 0: only "
        "when a caller asks for it.",
    )

    connect_timeout: PositiveFloat = Field(default=10, description="To open a connection to Google.")
    first_byte_timeout: PositiveFloat = Field(default=300, description="From the request to Google's first byte.")
    event_timeout: PositiveFloat = Field(default=300, description="Between two reads of an answer.")
    request_timeout: PositiveFloat = Field(default=1800, description="For the whole call to Google.")
    max_connections: PositiveInt = Field(default=1000, description="Open connections to Google, in each worker.")

    retries: NonNegativeInt = Field(
        default=2, description="Retries after a failed attempt (429, 5xx, no connection), before the answer starts."
    )
    retry_max_wait: NonNegativeFloat = Field(
        default=5,
        description="The longest delay before a retry; if Google asks for a longer one, the caller gets the error.",
    )
    retry_empty: bool = Field(
        default=True, description="Retry once after an answer without content, or with a malformed call."
    )
    cool_down: PositiveFloat = Field(
        default=10, description="The cool-down of a key for a model after a 429 that names no time."
    )
    breaker_failures: NonNegativeInt = Field(
        default=50,
        description="Failed calls within 30 s, nine of ten, that open a model's circuit breaker; 0: never.",
    )

    stream_start_after: PositiveFloat = Field(
        default=10, description="A stream without a first event after this time is answered with 200 and kept alive."
    )
    keepalive_interval: PositiveFloat = Field(
        default=15, description="The interval of the comments that keep a stream alive."
    )

    native_keepalive_interval: NonNegativeFloat = Field(
        default=0, description="The same on Google's own event streams; 0: none, as Google sends none."
    )
    client_keepalive_timeout: PositiveFloat = Field(
        default=75,
        description="How long an idle connection of a caller stays open: longer than load balancers keep theirs (60).",
    )

    max_answer_bytes: PositiveInt = Field(
        default=268_435_456, description="The largest answer of Google's, or event of a stream, that is held in memory."
    )

    max_concurrent_requests: PositiveInt = Field(
        default=1000, description="Concurrent requests, in each worker; one more is a 503."
    )
    max_concurrent_requests_per_caller: PositiveInt | None = Field(
        default=None,
        description="Of these, requests of one caller; one more is a 429. Absent: three quarters of them, or no bound "
        "where callers present no key.",
    )
    max_client_connections: PositiveInt | None = Field(
        default=None,
        description="Open connections of callers, in each worker; of one more the oldest idle one is closed. Absent: "
        "10,000, and never more than half of the open files that the system allows.",
    )
    max_header_bytes: PositiveInt = Field(
        default=65_536, description="The longest request line with its headers, and the most of trailers."
    )
    max_body_bytes: PositiveInt = Field(default=104_857_600, description="The largest request body.")
    max_tools: PositiveInt = Field(default=512, description="Tools in one request.")
    header_timeout: PositiveFloat = Field(default=30, description="For the headers of a request to arrive.")
    body_timeout: PositiveFloat = Field(
        default=30,
        description="For a body to arrive, plus a second for each KiB; also the longest time without a byte of it.",
    )
    body_total_timeout: PositiveFloat = Field(default=3600, description="For a whole body, whatever its size.")
    send_timeout: PositiveFloat = Field(
        default=60, description="A client that reads less than a KiB a second for this time is disconnected."
    )

    media_max_bytes: PositiveInt = Field(default=52_428_800, description="The largest remote image or file.")
    media_max_urls: PositiveInt = Field(default=16, description="Remote images and files in one request.")
    media_budget_bytes: PositiveInt = Field(
        default=536_870_912,
        description="Remote media held at once, as base64, in each worker: 503 beyond it. One caller may hold half.",
    )
    media_timeout: PositiveFloat = Field(default=20, description="To fetch one remote image or file.")

    signature_store_size: PositiveInt = Field(
        default=20_000, description="Number of thought signatures stored for clients that drop them."
    )
    signature_ttl: PositiveFloat = Field(default=86_400, description="How long thought signatures are stored.")

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Web pages that may call the gateway from a browser: origins, comma separated, or * for all.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Names by which callers reach the gateway (their Host header), comma separated; * is any. Absent: "
        "a gateway that asks for no key answers to loopback names and to GEMGATE_HOST alone, any other to all.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Human-readable lines, or one JSON object a line."
    )

    log_bodies: bool = Field(
        default=False, description="Log requests and responses, without media, at the level debug."
    )
    log_identifiers: Literal["off", "hashed"] = Field(
        default="off",
        description="Log hashes of callers' addresses and of OpenAI's safety_identifier or user, made with "
        "GEMGATE_SECRET.",
    )
    tracing: bool = Field(
        default=False,
        description="Send traces, configured by the standard OTEL_ variables; needs the extra otel.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="The token that a scraper must present to read /metrics; absent: anyone who can reach the port can "
        "read them.",
    )
    console: bool = Field(
        default=True,
        description="Whether there is a console, for browsers: `on` (on the loopback alone, unless it has a token), or "
        "`off`.",
    )
    console_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The token that a browser presents once to open the console; absent: it is served on the loopback "
        "alone, and to nobody behind a proxy.",
    )
    prices: Literal["bundled", "refresh", "off"] = Field(
        default="bundled",
        description="The price table for the cost of a request: that of the installed package, a newer one fetched "
        "from GitHub every hour, or none.",
    )
