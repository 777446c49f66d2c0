"""Phrases that must be there at once: what of each persona the speech service makes in advance.

In: the configuration and the personas.  Out: a file of phrases for the service (`cache.phrases`),
which makes them while nobody else is served, and gives them from its cache then.  An opener that
had to be made first would come no sooner than the answer that it is to cover.  Blocking; used by
the supervisor before it starts anything.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from agent.config import Config
from agent.persona import Persona, load_personas
from agent.phrases import Phrases
from agent.tables import ConfigError, Problem
from agent.turns.openers import OCCASIONS
from tts.audio_cache.phrases import read_phrases
from tts.config import ConfigError as ServiceConfigError
from tts.config import ServiceConfig
from tts.types import SynthesisRequest

FILE = "phrases.jsonl"
WHILE_TOOLS_RUN = ("tool_filler", "tool_still", "tool_patience", "tool_timeout")


def with_phrases_of_personas(config: Config, service: ServiceConfig, folder: Path) -> ServiceConfig:
    """Return the service's settings with a file of phrases in `folder`: those that the settings
    name already, then those of personas, the default persona's first.  A cache in memory alone
    would have them made at every start, minutes of a core for slow voices: then the default
    persona's are all there are.

    Unchanged if the service keeps no audio.  Raises `ConfigError` when the personas or the file of
    the settings cannot be used.
    """
    cache = service.cache
    if cache.memory_mb == 0 and cache.dir is None:
        return service
    try:
        named = read_phrases(cache.phrases) if cache.phrases else ()
    except ServiceConfigError as error:
        raise ConfigError([Problem("tts.service", "", str(error))]) from None
    personas = load_personas(config.calls.personas_dir)
    ordered = sorted(personas.values(), key=lambda one: one.id != config.calls.default_persona)
    if cache.dir is None:
        ordered = [one for one in ordered if one.id == config.calls.default_persona]
    requests = dict.fromkeys(
        [
            *(phrase.request for phrase in named),
            *at_once(ordered, openers=config.turns.openers.enabled),
        ]
    )
    path = folder / FILE
    lines = [json.dumps(asdict(request), ensure_ascii=False) for request in requests]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return service.model_copy(update={"cache": cache.model_copy(update={"phrases": path})})


def at_once(personas: Iterable[Persona], *, openers: bool) -> list[SynthesisRequest]:
    """What personas may have to say at once, persona by persona."""
    requests = []
    for persona in personas:
        occasions = ["take_your_time"]
        if openers:
            occasions += OCCASIONS.values()
        if persona.tools:
            occasions += WHILE_TOOLS_RUN
        if persona.turns.murmurs:
            occasions.append("murmur")
        phrases = Phrases(persona.language, persona.phrases)
        for occasion in occasions:
            requests += [persona.request(text) for text in phrases.wordings(occasion)]
    return requests
