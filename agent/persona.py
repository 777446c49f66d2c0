"""A persona: who the agent is in a call, read from `personas/<id>.toml`."""

from typing import Annotated, Literal

from pydantic import Field

from agent.config import Table


class TurnTemperament(Table):
    """How this persona takes turns."""

    patience: Annotated[float, Field(ge=0.5, le=3)] = 1.0
    """Scales how long a pause of the caller is waited out; 2 suits children."""
    interruptible: bool = True
    """Whether the caller may interrupt."""
    barge_in_ms: Annotated[int, Field(ge=40, le=2000)] | None = None
    """Own value for `[turns] barge_in_ms`."""


class Persona(Table):
    """One persona file; `id` is the file's name without ".toml"."""

    id: str
    name: str
    """What a person picks from a list."""
    language: Literal["en", "zh", "ja", "ko", "yue"]
    """Language the agent listens and speaks in."""
    voice: str
    """Voice id of the TTS service."""
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
    phrases: dict[str, str] = {}
    """Own wording for canned phrases: see `agent.phrases`."""
