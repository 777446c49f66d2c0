"""A persona: who the agent is in a call, read from `personas/<id>.toml`.

In: a folder of files.  Out: frozen `Persona`s by id, or one `ConfigError` with every problem of
every file.  Knows nothing of voices and tools but their names; callable from any thread.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agent.config import Table
from agent.tables import ConfigError, Problem, fit, read_toml, unknown
from tts.types import SynthesisRequest, Voice


class TurnTemperament(Table):
    """How this persona takes turns."""

    patience: Annotated[float, Field(ge=0.5, le=3)] = 1.0
    """Scales how long a pause of the caller is waited out; 2 suits children."""
    interruption: Literal["open", "push-to-talk", "never"] = "open"
    """Who may interrupt: whoever speaks, only who holds the talk key, or nobody."""
    false_interruption: Literal["resume", "rephrase", "drop"] = "resume"
    """After an interruption that was none: say on from the last phrase, say it in other words, or
    leave it."""
    murmurs: bool = False
    """Whether the agent says "mm-hm" in long turns of the caller."""


class Persona(Table):
    """One persona file; `id` is the file's name without ".toml"."""

    id: str
    name: str
    """What a person picks from a list."""
    language: Literal["en", "zh", "ja", "ko", "yue"]
    """Language the agent listens and speaks in."""
    voice: str
    """Voice id of the TTS service."""
    emotion: str = ""
    """One of the voice's emotions; empty is the voice's first."""
    speed: Annotated[float, Field(ge=0.5, le=2)] = 1.0
    """Speaking rate."""
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)]
    """System prompt."""
    greeting: str = ""
    """What the agent says first; empty waits for the caller."""
    tools: list[str] = []
    """Names of tools this persona may use."""
    turns: TurnTemperament = TurnTemperament()
    examples: list[tuple[str, str]] = []
    """(user, agent) exchanges put before the conversation: they steer small models more than
    instructions do."""
    phrases: dict[str, str | list[str]] = {}
    """Own wording for canned phrases, or several that take turns: see `agent.phrases`."""

    def request(self, text: str) -> SynthesisRequest:
        """Ask the speech service to speak `text` the way this persona does."""
        return SynthesisRequest(
            text, self.voice, self.language, self.speed, self.emotion, marks=("phone",)
        )


def load_personas(folder: Path) -> dict[str, Persona]:
    """Read every `*.toml` of a folder, by id, in alphabetical order.

    Raises `ConfigError` with every problem: no folder, no file, a file that does not fit, two
    personas that a person picking from the list could not tell apart.
    """
    if not folder.is_dir():
        raise ConfigError([Problem(str(folder), "", "is no folder of personas")])
    personas: dict[str, Persona] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            personas[path.stem] = read_persona(path)
        except ConfigError as error:
            problems += error.problems
    taken: dict[tuple[str, str], str] = {}
    for persona in personas.values():
        other = taken.setdefault((persona.language, persona.name), persona.id)
        if other != persona.id:
            message = f'"{persona.name}" is already the name of {other}.toml in this language'
            problems.append(Problem(f"{persona.id}.toml", "name", message))
    if not personas and not problems:
        problems.append(Problem(str(folder), "", "holds no persona (*.toml)"))
    if problems:
        raise ConfigError(problems)
    return personas


def read_persona(path: Path) -> Persona:
    """Read one file; raises `ConfigError`."""
    data = read_toml(path)
    if "id" in data:
        raise ConfigError([Problem(path.name, "id", "is the file's name; remove this key")])
    return fit(Persona, {"id": path.stem, **data}, path.name)


def check_names(
    personas: Mapping[str, Persona],
    *,
    default: str,
    tools: Collection[str],
    phrases: Collection[str],
) -> list[Problem]:
    """Return what personas refer to that does not exist.

    Voices are the synthesis service's to know: see `voice_problem`.
    """
    problems = []
    if default not in personas:
        message = unknown(default, "persona", sorted(personas))
        problems.append(Problem("calls.default_persona", "", message))
    for persona in personas.values():
        source = f"{persona.id}.toml"
        for tool in persona.tools:
            if tool not in tools:
                problems.append(Problem(source, "tools", unknown(tool, "tool", sorted(tools))))
        for phrase in persona.phrases:
            if phrase not in phrases:
                message = unknown(phrase, "phrase", sorted(phrases))
                problems.append(Problem(source, "phrases", message))
    return problems


def voice_problem(persona: Persona, voices: Mapping[str, Voice]) -> str | None:
    """Say why a persona cannot speak with the voices there are, by id; None when it can."""
    voice = voices.get(persona.voice)
    if voice is None:
        return unknown(persona.voice, "voice", sorted(voices))
    if persona.language not in voice.languages:
        spoken = ", ".join(sorted(voice.languages))
        return f'"{persona.voice}" does not speak "{persona.language}" (it speaks: {spoken})'
    if persona.emotion and not voice.emotions:
        return f'"{persona.voice}" has no emotions to choose from, not "{persona.emotion}" either'
    if persona.emotion and persona.emotion not in voice.emotions:
        reason = unknown(persona.emotion, "emotion", sorted(voice.emotions))
        return f'"{persona.voice}": {reason}'
    return None
