"""The one schema of `agent.toml`: every table, every default, every bound.

In: a TOML file, overrides of single keys, and the environment variables it names.  Out: one
frozen `Config` and its `Secrets`, or a `ConfigError` with every problem.  Nothing else in `agent`
reads the environment or knows where the file is.  An object gets its own table (`VadConfig`),
never the whole.  Reads files only while loading; callable from any thread.
"""

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agent.page import personas_dir
from agent.tables import ConfigError, Problem, fit, read_toml, unknown
from tts.config import ServiceConfig, TracingConfig
from tts.servers.origin import is_loopback

CONFIG_FILE = "agent.toml"

ENVIRONMENT = {
    "PARLEY_CONFIG": "Configuration file, when `--config` is not given.",
    "PARLEY_CACHE": "Folder for files derived from installed packages (joined model weights).",
    "PARLEY_TOKEN": "Bearer token of the daemon: see `server.token_env`.",
    "PARLEY_JWT_SECRET": "Secret of tokens signed with HS256: see `tts.service.access.jwt`.",
    "PARLEY_WEBHOOK_SECRET": "Secret that call-backs of jobs are signed with.",
    "PARLEY_TTS_KEY": "Key for a speech service that runs elsewhere: see `tts.key_env`.",
    "PARLEY_LLM_API_KEY": "Key of the language model's endpoint: see `llm.api_key_env`.",
}
"""Every variable with our prefix that is read; any other one is an error."""

PREFIX = "PARLEY_"

Seconds = Annotated[float, Field(gt=0, le=3600)]
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(_none_if_empty)]
"""A path, or "" for none: TOML has no null."""


class Table(BaseModel):
    """A table of the file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ServerConfig(Table):
    """Where the daemon listens and how much it takes on."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback requires a token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 7860
    """TCP port of the page and the signalling; 0 picks a free one."""
    token_env: str = "PARLEY_TOKEN"
    """Name of the environment variable that holds the bearer token."""
    allowed_origins: list[str] = []
    """Other sites whose pages may call, for example ["https://app.example.org"]. The daemon's own
    page always may, and on loopback every page served from this machine."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Agent worker processes; each carries about six to eight calls on one core."""
    max_calls: Annotated[int, Field(ge=1, le=256)] = 4
    """Calls a worker carries at once; one more is answered with 503."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=10_000_000)] = 262_144
    """Largest request body accepted."""
    drain_s: Seconds = 60.0
    """After SIGTERM, how long running calls may take to end by themselves."""


class IceServerConfig(Table):
    """A STUN or TURN server."""

    urls: list[str]
    """For example ["stun:stun.example.org:3478"], or "turn:host:3478?transport=udp" for TURN."""
    username: str | None = None
    """TURN user name."""
    credential_env: str | None = None
    """Name of the environment variable that holds the TURN credential."""


class WebRtcConfig(Table):
    """The WebRTC line."""

    ice_servers: list[IceServerConfig] = []
    """STUN and TURN servers, for the daemon and the page alike. None: host candidates only."""
    gather_timeout_ms: Annotated[int, Field(ge=50, le=10_000)] = 500
    """An answer never waits longer than this for a STUN or TURN server."""
    connect_timeout_s: Seconds = 15.0
    """A call whose media does not connect within this is ended."""
    silence_timeout_s: Seconds = 30.0
    """A call from which no packet came for this long is ended."""
    look_ahead_ms: Annotated[int, Field(ge=20, le=2000)] = 100
    """After a stall of the loop, agent audio of up to this length is sent at once to catch up."""
    fade_ms: Annotated[int, Field(ge=0, le=100)] = 20
    """Length of the fade when the agent is interrupted."""
    reorder_packets: Annotated[int, Field(ge=1, le=16)] = 2
    """A missing packet is concealed once this many later ones have come."""


class VadConfig(Table):
    """Voice activity detection: fast stop, sure start."""

    start_ms: Annotated[int, Field(ge=32, le=1000)] = 96
    """Voice that must be seen before speech is believed to have begun."""
    stop_ms: Annotated[int, Field(ge=40, le=2000)] = 60
    """Silence after which speech is believed to have paused."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Silero probability above which a window counts as voice."""
    webrtc_mode: Annotated[int, Field(ge=0, le=3)] = 2
    """Aggressiveness of webrtcvad; 3 rejects most."""


class BargeInConfig(Table):
    """What the agent does when the caller makes a sound while it speaks."""

    duck_ms: Annotated[int, Field(ge=20, le=1000)] = 32
    """Sound like voice after which the agent lowers its voice."""
    duck_db: Annotated[float, Field(ge=0, le=60)] = 12.0
    """By how much it does."""
    hold_ms: Annotated[int, Field(ge=40, le=2000)] = 80
    """Voice after which it falls silent and keeps its place, until it is known whether it is
    interrupted."""
    sure_ms: Annotated[int, Field(ge=40, le=5000)] = 1000
    """Voice that is an interruption whatever its words are. The agent is silent before, so more
    costs the caller nothing."""
    words_ms: Annotated[int, Field(ge=0, le=5000)] = 500
    """After shorter voice: how long its words are waited for before the agent speaks on."""


class SpeculationConfig(Table):
    """Answers that are begun before it is sure that the caller has finished."""

    enabled: bool = True
    """Whether answers are begun early at all."""
    from_probability: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Probability that the turn is over from which on its answer is begun."""
    max_wasted_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of the answers begun early in the last minute; with more thrown away, none is begun."""
    max_calls: Annotated[int, Field(ge=1, le=256)] = 4
    """With more calls than this in a worker none is begun early."""


class OpenersConfig(Table):
    """Short openers ("Let me see.") that cover a long wait for an answer."""

    enabled: bool = True
    """Whether there are any."""
    wait_ms: Annotated[int, Field(ge=200, le=10_000)] = 1200
    """Predicted silence from which on one is said."""


class TurnsConfig(Table):
    """When the caller has finished, and when the agent yields."""

    min_silence_ms: Milliseconds = 200
    """A turn never ends before this much silence."""
    max_silence_ms: Annotated[int, Field(ge=200, le=10_000)] = 2200
    """A turn ends after this much silence, whatever is believed of it."""
    kept_floor_ms: Annotated[int, Field(ge=200, le=20_000)] = 3000
    """The same where the caller keeps the floor: a number is not complete, or they said "um" or
    "let me see"."""
    cut_off_cost_s: Annotated[float, Field(gt=0, le=100)] = 2.0
    """How many seconds of needless waiting are as bad as cutting the caller off once. Less answers
    faster and cuts off more often."""
    partial_interval_ms: Annotated[int, Field(ge=100, le=5000)] = 600
    """Time between partial transcripts while the user speaks; 60000 and more would be never."""
    max_turn_s: Annotated[float, Field(gt=1, le=120)] = 25.0
    """Audio of one turn that is transcribed in one piece."""
    idle_prompt_s: Annotated[float, Field(ge=0, le=600)] = 20.0
    """Silence of both sides after which the agent asks whether the caller is there; 0 is never."""
    max_idle_prompts: Annotated[int, Field(ge=0, le=10)] = 2
    """Unanswered prompts after which the agent says goodbye and ends the call."""
    hold_s: Annotated[float, Field(ge=0, le=3600)] = 90.0
    """How long the agent stays silent after the caller asked it to wait."""
    barge_in: BargeInConfig = BargeInConfig()
    """See there."""
    speculation: SpeculationConfig = SpeculationConfig()
    """See there."""
    openers: OpenersConfig = OpenersConfig()
    """See there."""


class SttConfig(Table):
    """Speech recognition with faster-whisper."""

    model: str = "base"
    """"base", "tiny.en" (from installed packages), a hub size such as "small", or a folder."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the model runs."""
    compute_type: str = "int8"
    """CTranslate2 compute type."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads of one transcription."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Transcriptions made at once. From two on, a final one never waits for a partial one."""
    window: Literal["short", "full"] = "short"
    """"short" encodes only the audio there is, with a guard; "full" pads to 30 s as trained."""
    warm_up: bool = True
    """Run the model once before readiness."""


class LlmConfig(Table):
    """The language model endpoint."""

    base_url: str = ""
    """OpenAI-compatible endpoint, for example "http://127.0.0.1:11434/v1". Empty: the built-in
    local server with SmolLM2-135M (English small talk only)."""
    model: str = "default"
    """Model name sent to the endpoint."""
    api_key_env: str = "PARLEY_LLM_API_KEY"
    """Name of the environment variable that holds the key; unset sends "none"."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=16, le=8192)] = 160
    """Longest answer, in tokens."""
    connect_timeout_s: Seconds = 2.0
    """Time to connect."""
    first_token_timeout_s: Seconds = 10.0
    """Time to the first token, for each try."""
    token_timeout_s: Seconds = 5.0
    """Longest gap between tokens."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Tries after the first, all before the first token."""
    tools: bool | None = None
    """Whether tools are offered to the model. Unset: yes for an endpoint, no for the built-in
    model, which cannot use them."""
    extra_body: dict[str, Any] = {}
    """Further parameters of the request, as the endpoint names them, for example
    {top_k = 40, repeat_penalty = 1.1}."""
    context_tokens: Annotated[int, Field(ge=256, le=1_000_000)] = 1600
    """Estimated size of the conversation above which its older part is summarised."""
    keep_messages: Annotated[int, Field(ge=2, le=200)] = 6
    """Newest messages that are never summarised."""
    local_model_path: OptionalPath = None
    """GGUF file for the built-in server, relative to the configuration file. Unset: SmolLM2 from
    its package."""
    local_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """CPU threads of the built-in server."""
    local_slots: Annotated[int, Field(ge=1, le=64)] = 2
    """Requests the built-in server decodes at once."""


class TtsConfig(Table):
    """The speech synthesis service, as its client sees it."""

    address: str = ""
    """gRPC address, for example "unix:/run/tts.sock" or "10.0.0.5:50051". Empty: the supervisor
    starts the service itself."""
    http_address: str = ""
    """Address of that service's HTTP door, for example "http://10.0.0.5:8080", which is then also
    reached through the daemon's port. With an empty `address`: that of the daemon's own service."""
    key_env: str = "PARLEY_TTS_KEY"
    """Name of the environment variable that holds the key for a service at `address`."""
    tls: bool = False
    """Whether the connection to `address` is encrypted."""
    tls_ca: OptionalPath = None
    """PEM file with the issuers of that service's certificate; "" for those that are trusted
    anyway."""
    first_chunk_timeout_s: Seconds = 10.0
    """Time to the first audio of a piece."""
    service: ServiceConfig = ServiceConfig()
    """Settings of the service that the supervisor starts. One that runs by itself reads the same
    tables, without `tts.service`, from the file named by its `--config`."""


class CallsConfig(Table):
    """What is kept of calls, and the persona when the caller names none."""

    default_persona: str = "customer-service-en"
    """Persona of a call that names none."""
    personas_dir: Path = Path("personas")
    """Folder of persona files, relative to the configuration file. Where it is not set and not
    there, the personas that come with Parley."""
    log_dir: OptionalPath = Path("calls")
    """Folder of event logs (one JSON-lines file a call) and recordings, relative to the
    configuration file; "" keeps no logs."""
    log_text: bool = False
    """Whether event logs contain what was said."""
    record: bool = False
    """Whether calls are recorded (stereo WAV: caller left, agent right)."""
    max_call_s: Annotated[float, Field(gt=0, le=86_400)] = 3600.0
    """A call is ended after this."""

    @model_validator(mode="after")
    def _recordings_have_a_folder(self) -> "CallsConfig":
        if self.record and self.log_dir is None:
            raise ValueError("recordings go to calls.log_dir, which is empty; name a folder")
        return self


class Config(Table):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    webrtc: WebRtcConfig = WebRtcConfig()
    vad: VadConfig = VadConfig()
    turns: TurnsConfig = TurnsConfig()
    stt: SttConfig = SttConfig()
    llm: LlmConfig = LlmConfig()
    tts: TtsConfig = TtsConfig()
    calls: CallsConfig = CallsConfig()
    tracing: TracingConfig = TracingConfig()


@dataclass(frozen=True, slots=True)
class Secrets:
    """What comes from the environment by declared names; never printed, never written."""

    token: str | None = field(default=None, repr=False)
    """Bearer token that requests must carry; None asks for none."""
    llm_api_key: str = field(default="none", repr=False)
    """Key for the language model's endpoint."""
    tts_key: str | None = field(default=None, repr=False)
    """Key for a speech service that runs elsewhere."""
    ice_credentials: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    """TURN credentials by the name of the variable that holds them."""


def config_path(argument: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the argument, else PARLEY_CONFIG, else ./agent.toml if it is there.

    None means that every default stands.
    """
    if argument is not None:
        return argument
    if named := environ.get("PARLEY_CONFIG"):
        return Path(named)
    return Path(CONFIG_FILE) if Path(CONFIG_FILE).exists() else None


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for derived files: PARLEY_CACHE, else the user's cache folder."""
    if named := environ.get("PARLEY_CACHE"):
        return Path(named)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley"


def load(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file and apply overrides such as "stt.model=tiny.en".

    Relative paths become absolute against the file's folder (the working folder without a file).
    Raises `ConfigError`.
    """
    data = read_toml(path) if path is not None else {}
    source = path.name if path is not None else "defaults"
    for override in overrides:
        apply_override(override, data)
    config = fit(Config, data, source)
    return _with_absolute_paths(config, (path.parent if path else Path()).absolute())


def service_settings(config: Config) -> ServiceConfig:
    """Return the synthesis service's settings.  Its traces go where those of calls go, unless it
    says otherwise."""
    service = config.tts.service
    if "tracing" in service.model_fields_set:
        return service
    return service.model_copy(update={"tracing": config.tracing})


def write_resolved(config: Config, path: Path) -> None:
    """Write a loaded configuration for child processes: they must not read a changed file."""
    path.write_text(config.model_dump_json(), encoding="utf-8")


def read_resolved(path: Path) -> Config:
    """Read what `write_resolved` wrote."""
    return Config.model_validate_json(path.read_bytes())


def read_secrets(config: Config, environ: Mapping[str, str]) -> Secrets:
    """Read the secrets that `config` names.

    Raises `ConfigError` for an unknown variable with our prefix, a TURN credential that is not
    set, or an address beyond loopback without a token.
    """
    ice_names = [server.credential_env for server in config.webrtc.ice_servers]
    credentials = {name: environ[name] for name in ice_names if name and name in environ}
    named = (config.server.token_env, config.llm.api_key_env, config.tts.key_env)
    declared = {*named, *filter(None, ice_names)}
    known = sorted({*ENVIRONMENT, *(name for name in declared if name.startswith(PREFIX))})
    problems = [
        Problem("environment", "", unknown(name, "variable", known))
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]
    problems += [
        Problem("environment", name, "is not set, but webrtc.ice_servers names it")
        for name in ice_names
        if name and name not in environ
    ]
    token = environ.get(config.server.token_env) or None
    if token is None and not is_loopback(config.server.host):
        problems.append(
            Problem(
                "server.host",
                "",
                f'"{config.server.host}" is reachable from other machines, which needs a token: '
                f"set the environment variable {config.server.token_env} to a long random string, "
                'or listen on "127.0.0.1"',
            )
        )
    if problems:
        raise ConfigError(problems)
    return Secrets(
        token=token,
        llm_api_key=environ.get(config.llm.api_key_env) or "none",
        tts_key=(environ.get(config.tts.key_env) or None) if config.tts.address else None,
        ice_credentials=MappingProxyType(credentials),
    )


def apply_override(override: str, data: dict[str, Any]) -> None:
    """Set one dotted key; the value is TOML, or a plain string where it is not.

    Raises `ConfigError`.
    """
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or len(names) < 2 or not all(names):
        raise ConfigError(
            [Problem("--set", override, 'must look like table.key=value: "stt.model=tiny.en"')]
        )
    table, *inner, name = names
    if table not in Config.model_fields:
        raise ConfigError([Problem("--set", key, unknown(table, "table", [*Config.model_fields]))])
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    entries: Any = data
    for part in (table, *inner):
        entries = entries.setdefault(part, {})
        if not isinstance(entries, dict):
            return  # the schema's check names what stands there instead of a table
    entries[name] = value


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    calls, llm = config.calls, config.llm
    personas = folder / calls.personas_dir
    if "personas_dir" not in calls.model_fields_set and not personas.is_dir():
        with contextlib.suppress(FileNotFoundError):
            personas = personas_dir()
    calls = calls.model_copy(
        update={
            "personas_dir": personas,
            "log_dir": folder / calls.log_dir if calls.log_dir else None,
        }
    )
    if llm.local_model_path is not None:
        llm = llm.model_copy(update={"local_model_path": folder / llm.local_model_path})
    tts = config.tts.model_copy(update={"service": config.tts.service.beside(folder)})
    return config.model_copy(update={"calls": calls, "llm": llm, "tts": tts})
