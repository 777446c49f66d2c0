"""Writes scripts: callers of many sorts, what they say, and what else happens on their line.

In: a seed, a half and a number.  Out: `Script`s, the same ones for the same seed, bit for bit, on
any machine.  Knows nothing of turn takers, of models, and of what makes a text look complete; the
grammars stand in `bench.turns_world.english` and `chinese`.  Pure.

The halves "calibrate" and "held_out" have no family of calls in common, and other names, things,
towns and wordings, so that what is tuned on one is measured on the other.
"""

import math
import random
from typing import get_args

from bench.turns_world.chinese import CHINESE
from bench.turns_world.english import ENGLISH
from bench.turns_world.grammar import KINDS, MARKS, Family, Grammar, Prompt
from bench.turns_world.scripts import (
    Caller,
    Cue,
    Exchange,
    Half,
    Script,
    Sound,
    SoundKind,
    Utterance,
    join,
)
from bench.turns_world.speaking import Speaker

_HESITANCY = {"en": 1.03, "zh": 1.3}
"""So that callers hold as often as in eot-bench: see `bench.turns_world.speaking`."""
_USUAL = {"Y": 0.7, "T": 1.4}
"""How usual answers of a kind are, where not as usual as all others."""
_ADDS = {False: 0.5, True: 0.12}
"""How often callers add something to an answer; True is for short ones."""
_INTERRUPTED = 0.2
"""Share of the agent's answers that the caller interrupts."""
_DURING: tuple[tuple[SoundKind, float], ...] = (
    ("backchannel", 0.24),
    ("cough", 0.07),
    ("laughter", 0.04),
    ("tic", 0.05),
    ("side talk", 0.08),
    ("tv", 0.04),
)
"""Share of the answers during which there is such a sound."""
_WHILE_SILENT: tuple[tuple[SoundKind, float], ...] = (
    ("tic", 0.03),
    ("cough", 0.03),
    ("side talk", 0.04),
)
"""Share of the answers after which there is such a sound, and nothing else for a while."""


def scripts(seed: int, *, half: Half, count: int) -> list[Script]:
    """`count` scripts of a half, every third of them Chinese.

    Raises ValueError for an unknown half or a count below 1.
    """
    if half not in get_args(Half):
        raise ValueError(f'half is "{half}", must be one of {", ".join(get_args(Half))}')
    if count < 1:
        raise ValueError(f"count is {count}, must be at least 1")
    return [_script(seed, half, index) for index in range(count)]


def _script(seed: int, half: Half, index: int) -> Script:
    grammar = CHINESE if index % 3 == 2 else ENGLISH
    families = [family for family in grammar.families if family.half == half]
    family = families[index // 3 % len(families)]
    # Its own source: a script does not change when others are added.
    rng = random.Random(f"{seed}/{half}/{index}")
    caller = _caller(rng, grammar, family)
    id = f"{half}-{seed}-{index}"
    writer = _Writer(id, rng, Speaker(grammar, half, caller))
    return Script(
        id=id,
        language=grammar.language,
        half=half,
        family=family.name,
        caller=caller,
        exchanges=writer.exchanges(family),
    )


def _caller(rng: random.Random, grammar: Grammar, family: Family) -> Caller:
    child = 1.0 if family.children else 0.0
    speakerphone = rng.random() < 0.45
    return Caller(
        rate=round(math.exp(rng.gauss(0.05, 0.14) - 0.15 * child), 3),
        hesitancy=round(_HESITANCY[grammar.language] * math.exp(rng.gauss(-0.03, 0.25)), 3),
        pause_scale=round(math.exp(rng.gauss(0, 0.35) + 0.2 * child), 3),
        level_dbfs=round(min(-16.0, max(-36.0, rng.gauss(-25, 4))), 1),
        noise_dbfs=round(rng.uniform(-75, -52), 1),
        echo_db=round(rng.uniform(-35, -12), 1) if speakerphone else None,
        echo_delay_s=round(rng.uniform(0.04, 0.25), 3),
    )


class _Writer:
    """Writes the exchanges of one script."""

    def __init__(self, script: str, rng: random.Random, speaker: Speaker) -> None:
        self._script = script
        self._rng = rng
        self._speaker = speaker
        self._grammar = speaker.grammar
        self._half = speaker.half

    def exchanges(self, family: Family) -> tuple[Exchange, ...]:
        """A call through some of the family's prompts, the first of them always."""
        rng = self._rng
        count = rng.randint(min(3, len(family.prompts)), len(family.prompts))
        later = sorted(rng.sample(range(1, len(family.prompts)), count - 1))
        prompts = [family.prompts[index] for index in (0, *later)]
        asks = [self._agent_text(prompt.asks) for prompt in prompts] + [family.closing]
        said, quiet_s = asks[0], 0.0
        exchanges = []
        for index, prompt in enumerate(prompts):
            ack = self._agent_text(rng.choice(prompt.acks))
            reply = self._sentences(ack, asks[index + 1])
            turn = self._answer(f"{self._script}/{index}", prompt)
            sounds = self._sounds(f"{self._script}/{index}", asks[index + 1])
            gap_s = quiet_s + round(min(3.0, 0.55 * math.exp(rng.gauss(0, 0.6))), 3)
            exchanges.append(Exchange(said, gap_s, turn, reply, prompt.uses_tool, sounds))
            said = sounds[-1].reply if sounds and sounds[-1].reply else reply
            quiet_s = _quiet_until_s(sounds)
        return tuple(exchanges)

    def _agent_text(self, line: str) -> str:
        text = self._speaker.expand(self._rng, line)
        if self._grammar.language == "zh":
            return join((part for part in text.split() if part not in MARKS), "zh")
        return " ".join(part for part in text.split() if part not in MARKS)

    def _sentences(self, first: str, second: str) -> str:
        return first + second if self._grammar.language == "zh" else f"{first} {second}"

    def _answer(self, id: str, prompt: Prompt) -> Utterance:
        rng = self._rng
        usual = [_USUAL.get(answer[0], 1.0) for answer in prompt.answers]
        letter, _, line = rng.choices(prompt.answers, usual)[0].partition(" ")
        kind = KINDS[letter]
        if kind != "trailing off" and rng.random() < _ADDS[kind == "short answer"]:
            line += f" / {rng.choice(self._grammar.tails[self._half])}"
            kind = "statement" if kind == "short answer" else kind
        return self._speaker.speak(rng, id, kind, line)

    def _sounds(self, turn: str, next_asks: str) -> tuple[Sound, ...]:
        """What is heard during and after an answer; an interruption ends it, so it comes last."""
        rng = self._rng
        if rng.random() < _INTERRUPTED:
            return (self._interruption(f"{turn}.i", next_asks),)
        sounds: list[Sound] = []
        for kind, share in _DURING:
            if rng.random() < share:
                sounds.append(self._during(f"{turn}.{len(sounds)}", kind))
        for kind, share in _WHILE_SILENT:
            if rng.random() < share:
                cue = Cue("reply end", round(rng.uniform(0.3, 1.2), 3))
                sounds.append(self._sound(f"{turn}.{len(sounds)}", kind, cue))
                break
        if rng.random() < 0.02:
            cue = Cue("turn end", round(rng.uniform(0.1, 0.6), 3))
            sounds.append(self._sound(f"{turn}.{len(sounds)}", "cough", cue))
        return tuple(sounds)

    def _interruption(self, id: str, next_asks: str) -> Sound:
        """At every moment of a reply: its first tenth of a second to its last word."""
        rng = self._rng
        speech = self._speaker.speak(
            rng, id, "interruption", rng.choice(self._grammar.interruptions[self._half])
        )
        if rng.random() < 0.15:
            cue = Cue("agent onset", round(rng.uniform(0.1, 0.5), 3))
        else:
            cue = Cue("reply share", round(rng.uniform(0.03, 0.97), 3))
        reply = rng.choice(self._grammar.interruption_acks[self._half])
        return Sound(
            id=id,
            kind="interruption",
            cue=cue,
            duration_s=speech.duration_s,
            level_db=round(rng.gauss(1, 2), 1),
            speech=speech,
            reply=self._sentences(reply, next_asks),
        )

    def _during(self, id: str, kind: SoundKind) -> Sound:
        if kind == "tv":
            cue = Cue("turn start", round(self._rng.uniform(-1.0, 1.0), 3))
        else:
            cue = Cue("reply share", round(self._rng.uniform(0.05, 0.92), 3))
        return self._sound(id, kind, cue)

    def _sound(self, id: str, kind: SoundKind, cue: Cue) -> Sound:
        rng = self._rng
        speech = self._words_of(id, kind)
        duration_s = speech.duration_s if speech else _DURATION_S[kind][0]
        if not speech:
            duration_s = round(rng.uniform(*_DURATION_S[kind]), 3)
        return Sound(id, kind, cue, duration_s, round(self._level_db(kind), 1), speech)

    def _words_of(self, id: str, kind: SoundKind) -> Utterance | None:
        rng, grammar = self._rng, self._grammar
        if kind == "backchannel":
            word = rng.choice(grammar.backchannels)
            line = f"{word} {word}" if word in ("yeah", "right") and rng.random() < 0.2 else word
        elif kind == "side talk":
            line = rng.choice(grammar.side_talk[self._half])
        elif kind == "tv":
            line = rng.choice(grammar.television[self._half])
        else:
            return None
        return self._speaker.speak(rng, id, "statement", line)

    def _level_db(self, kind: SoundKind) -> float:
        """Loudness against the caller's own speech.

        A quarter of the side talk is the caller's own, with the head turned away; the rest comes
        from somebody else in the room.
        """
        rng = self._rng
        if kind == "side talk":
            return rng.uniform(-9, -4) if rng.random() < 0.25 else rng.uniform(-20, -10)
        if kind == "tv":
            return rng.uniform(-24, -12)
        mean_db, spread_db = _LEVEL_DB[kind]
        return rng.gauss(mean_db, spread_db)


_DURATION_S: dict[SoundKind, tuple[float, float]] = {
    "cough": (0.2, 0.6),
    "laughter": (0.5, 1.6),
    "tic": (0.1, 0.35),
}
_LEVEL_DB: dict[SoundKind, tuple[float, float]] = {
    "backchannel": (-4, 2),
    "cough": (0, 4),
    "laughter": (-2, 3),
    "tic": (-8, 3),
}


def _quiet_until_s(sounds: tuple[Sound, ...]) -> float:
    """How long after the agent's last sound the caller still waits: 2.2 s after what sounded then.

    tau-voice counts an answer to such a sound within 2 s.
    """
    after = [s.cue.value + s.duration_s for s in sounds if s.cue.of == "reply end"]
    return round(max(after) + 2.2, 3) if after else 0.0
