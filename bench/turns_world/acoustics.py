"""What the ear and its turn model make of a scripted caller: levels, voice, scores.

In: utterances and sounds of `bench.turns_world.scripts`.  Out: frames of 20 ms for the real
`agent.turns.vad.VoiceGate`, smart-turn's probabilities, and texts (made in `transcripts`).
Nothing depends on the order of the questions: all randomness is drawn from the seed and the id of
what is heard, so that every turn taker observes the same.  Pure.

smart-turn.  eot-bench publishes at which thresholds smart-turn v3.2, asked after 0.2 s of silence,
does best, with the share of true ends it then detects (English: 97.0 % at 0.01, 88.2 % at 0.05,
84.8 % at 0.09, 80.2 % at 0.21; Chinese: 87.8 % at 0.14, 80.2 % at 0.40, 77.3 % at 0.56) and of
holds it cuts.  With the lengths of holds that gives the share of holds above each threshold.
`ENDS` and `HOLDS` are these two distributions; which pause gets which place in its distribution
depends on the pause and on the turn.  How the score drifts as silence grows was measured with the
model itself, on 46 recorded and synthetic sentences, whole and cut at a quiet spot: the ends keep
their scores, but the cuts come to look like ends, by 1.9 in log-odds after 0.6 s (`DRIFT`).
"""

import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

from agent.turns.events import SILENT_DBFS
from agent.turns.vad import WINDOW_S
from bench.turns_world.scripts import Caller, Hold, Language, Sound, TurnKind, Utterance, Word
from bench.turns_world.transcripts import Listener

FRAME_S = 0.02
FLOOR_DBFS = -55.0
"""`agent.turns.vad` takes nothing quieter for voice."""

Knots = tuple[tuple[float, float], ...]
Pause = Literal["end", "hold"]
ENDS: Mapping[Language, Knots] = {
    "en": (
        (0.0005, 1.0),
        (0.01, 0.97),
        (0.05, 0.883),
        (0.09, 0.848),
        (0.21, 0.802),
        (0.5, 0.73),
        (0.9, 0.56),
        (0.99, 0.2),
        (0.999, 0.0),
    ),
    "zh": (
        (0.001, 1.0),
        (0.05, 0.93),
        (0.14, 0.878),
        (0.40, 0.802),
        (0.56, 0.773),
        (0.9, 0.6),
        (0.99, 0.25),
        (0.999, 0.0),
    ),
}
"""Probability after 0.2 s and share of the true ends that score as high or higher."""
HOLDS: Mapping[Language, Knots] = {
    "en": (
        (0.0002, 1.0),
        (0.01, 0.45),
        (0.05, 0.245),
        (0.09, 0.24),
        (0.21, 0.23),
        (0.5, 0.205),
        (0.9, 0.11),
        (0.99, 0.02),
        (0.999, 0.0),
    ),
    "zh": (
        (0.0005, 1.0),
        (0.02, 0.56),
        (0.14, 0.385),
        (0.40, 0.38),
        (0.56, 0.37),
        (0.9, 0.2),
        (0.99, 0.04),
        (0.999, 0.0),
    ),
}
"""The same of holds."""
SCORED_AT_S = 0.2
DRIFT: Mapping[Pause, Knots] = {
    "end": ((0.0, -0.75), (0.1, -0.6), (0.2, 0.0), (0.3, 0.2), (0.6, 0.3), (1.6, 0.1)),
    "hold": ((0.0, -1.2), (0.1, -0.6), (0.2, 0.0), (0.3, 0.75), (0.4, 1.3), (0.6, 1.9), (1.6, 2.0)),
}
"""Silence (s) and how far the log-odds are above those after 0.2 s."""
_DRIFTS_APART: Mapping[Pause, float] = {"end": 0.6, "hold": 1.4}
"""Spread of that drift among pauses, once the silence is long."""
_WANDERS: Mapping[Pause, float] = {"end": 0.5, "hold": 0.8}
"""Spread of the log-odds from one score to the next of the same pause."""

_OF_TURN = 0.4
"""Correlation of the scores of one turn: voices differ."""
_LOOKS_COMPLETE = 0.35
"""A hold whose words could stand alone also sounds more like an end."""
_LONG = 0.09
"""So does one that will be twice as long: eot-bench's long holds score higher than its short."""
_USUAL_HOLD_S = 0.28
_END_OF: Mapping[TurnKind, float] = {"short answer": -0.25, "trailing off": -0.6, "slot": -0.1}
"""Ends that sound less like one."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Sound of one source, 20 ms a frame from its first sound on."""

    level_dbfs: tuple[float, ...]
    voice: tuple[float, ...]
    """Silero's probability, were the source alone."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame of the caller's line, as `VoiceGate.step` takes it."""

    level_dbfs: float
    fast: bool
    """webrtcvad hears voice."""
    sure: float | None
    """Silero's probability, in frames in which one of its windows of 32 ms ends."""


def agent_levels_dbfs(words: Sequence[Word], seed: int) -> tuple[float, ...]:
    """Loudness of the agent's voice speaking `words`, 20 ms a frame."""
    rng = random.Random(f"agent/{seed}")
    return _speech(words, _AGENT_DBFS, 1.0, rng).level_dbfs


_AGENT_DBFS = -20.0


class Acoustics:
    """The models' view of one script's caller."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self._caller = caller
        self._seed = seed
        self._listener = Listener(seed)

    def frames(self, source: Utterance | Sound) -> Frames:
        """The sound of a turn or of something else on the caller's line."""
        rng = self._rng(source.id, "frames")
        if isinstance(source, Utterance):
            return _speech(source.words, self._caller.level_dbfs, 1.0, rng)
        level_dbfs = self._caller.level_dbfs + source.level_db
        if source.speech:
            clear = 1.0
            if source.kind == "tv":
                clear = rng.uniform(0.45, 0.95)
            elif source.level_db < -9:
                clear = rng.uniform(0.55, 1.0)
            return _speech(source.speech.words, level_dbfs, clear, rng)
        return _noise(source, level_dbfs, rng)

    def turn_score(self, speech: Utterance | None, spoken_s: float, silence_s: float) -> float:
        """smart-turn's probability that the turn is over.

        `spoken_s`: where in the utterance the speech stopped; `silence_s`: silence heard since.
        Without speech (a cough) it is that of some true end: smart-turn was trained on words.
        """
        if speech is None:
            return self._score("en", "end", 0.0, ("noise", f"{spoken_s:.2f}"), silence_s)
        hold = _hold_at(speech, spoken_s)
        if hold is None:
            high = _END_OF.get(speech.kind, 0.1)
            return self._score(speech.language, "end", high, (speech.id, "end"), silence_s)
        high = _LOOKS_COMPLETE if hold.looks_complete else -0.5 * _LOOKS_COMPLETE
        high += _LONG * math.log2((hold.end_s - hold.start_s) / _USUAL_HOLD_S)
        key = (speech.id, str(hold.after))
        return self._score(speech.language, "hold", high, key, silence_s)

    def transcript(
        self, speech: Utterance, from_s: float, to_s: float, level_db: float = 0.0
    ) -> str:
        """Whisper's text of the words between two times: see `Listener.transcript`."""
        return self._listener.transcript(speech, from_s, to_s, level_db)

    def noise_transcript(self, sound: Sound, language: Language) -> str:
        """Whisper's text of a sound without words: see `Listener.noise_transcript`."""
        return self._listener.noise_transcript(sound, language)

    def _score(
        self,
        language: Language,
        pause: Pause,
        high: float,
        key: tuple[str, str],
        silence_s: float,
    ) -> float:
        of_turn = self._rng(key[0], "voice").gauss(0, 1)
        of_pause = self._rng(*key, "pause").gauss(0, 1)
        place = high + math.sqrt(_OF_TURN) * of_turn + math.sqrt(1 - _OF_TURN) * of_pause
        share_higher = 1 - NormalDist(0, _PLACE_SPREAD[pause]).cdf(place)
        odds = _log_odds_at(share_higher, (ENDS if pause == "end" else HOLDS)[language])
        odds += _between(DRIFT[pause], silence_s)
        later = min(1.0, max(0.0, (silence_s - SCORED_AT_S) / 0.4))
        odds += later * self._rng(*key, "drift").gauss(0, _DRIFTS_APART[pause])
        if abs(silence_s - SCORED_AT_S) > FRAME_S / 2:
            odds += self._rng(*key, f"{silence_s:.2f}").gauss(0, _WANDERS[pause])
        return 1 / (1 + math.exp(-odds))

    def _rng(self, *key: str) -> random.Random:
        return random.Random(f"{self._seed}/{'/'.join(key)}")


_PLACE_SPREAD: Mapping[Pause, float] = {"end": 1.03, "hold": 1.07}
"""Of the places, kinds included: makes them as even as `ENDS` and `HOLDS` want them."""


def _hold_at(speech: Utterance, spoken_s: float) -> Hold | None:
    """The hold before which speech stopped at `spoken_s`; None for the end.

    Detectors err by some hundredths of a second, so the nearest pause counts.
    """
    nearest, distance_s = None, abs(speech.duration_s - spoken_s)
    for hold in speech.holds:
        if abs(hold.start_s - spoken_s) < distance_s:
            nearest, distance_s = hold, abs(hold.start_s - spoken_s)
    return nearest


def _log_odds_at(share: float, knots: Knots) -> float:
    """The log-odds that this share exceeds."""
    shares = [-s for _, s in knots]
    index = min(max(bisect_right(shares, -share), 1), len(knots) - 1)
    (low, many), (high, few) = knots[index - 1], knots[index]
    part = min(1.0, max(0.0, (many - share) / (many - few)))
    return _log_odds(low) + part * (_log_odds(high) - _log_odds(low))


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _between(knots: Knots, at: float) -> float:
    """Linear between knots, constant outside."""
    if at <= knots[0][0]:
        return knots[0][1]
    for (x0, y0), (x1, y1) in zip(knots, knots[1:], strict=False):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return knots[-1][1]


# Sound

_SYLLABLE_S = 0.19
_CREST_DB = 2.5
"""A syllable's loudest frame against the mean of speech."""
_DIP_DB = 9.0
"""How far loudness falls between syllables."""
_UNVOICED_DB = 10.0
"""How much quieter the consonants before a voice, and a voice that fades, are."""
_MISSED_WORDS = 0.015
"""Share of the short words that silero does not take for voice."""
_ONSETS = (0.3, 0.35, 0.2, 0.15)
"""How often it takes up to 20, 60, 100 and 160 ms until silero hears the voice in what sounds."""
_FADES = 0.08
"""How often the last tenths of a second before a pause are too faint for it."""
_ROOM_SURE = 0.03
"""Silero's probability where nobody speaks."""
_LONGEST_TAIL = 5
"""Frames for which silero may go on after the last sound.

Measured with silero itself on 73 recorded and synthetic sentences in a quiet room: its first sure
window ends 59 ms (median) and 143 ms (90 %) after the first sound, its last 59 ms after the last
(from -161 ms at 5 % to 102 ms at 95 %).
"""


def _speech(words: Sequence[Word], level_dbfs: float, clear: float, rng: random.Random) -> Frames:
    """Words: loudness rises and falls with each syllable; the voice sets in late and trails on.

    `clear` scales silero's probability: speech from afar or from a loudspeaker is doubtful.
    """
    count = math.ceil(words[-1].end_s / FRAME_S) + _LONGEST_TAIL
    levels, voice = [SILENT_DBFS] * count, [0.02] * count
    for index, word in enumerate(words):
        length_s = word.end_s - word.start_s
        syllable_s = length_s / max(1, round(length_s / _SYLLABLE_S))
        missed = length_s < 0.3 and rng.random() < _MISSED_WORDS
        begins = index == 0 or word.start_s > words[index - 1].end_s
        ends = index + 1 == len(words) or words[index + 1].start_s > word.end_s
        late_s = min(0.5 * length_s, _unsure_s(rng)) if begins else 0.0
        fades_s = min(0.5 * length_s, 0.14) if ends and rng.random() < _FADES else 0.0
        first, last = round(word.start_s / FRAME_S), round(word.end_s / FRAME_S)
        for frame in range(first, last):
            at_s = frame * FRAME_S - word.start_s
            dip = 1 - math.sin(math.pi * (at_s % syllable_s / syllable_s))
            sounding = late_s - FRAME_S / 2 <= at_s < length_s - fades_s
            levels[frame] = level_dbfs + _CREST_DB - _DIP_DB * dip + rng.gauss(0, 1.2)
            levels[frame] -= 0 if sounding else _UNVOICED_DB
            sure = 0.97 - 0.1 * dip if sounding and not missed else 0.3
            voice[frame] = min(0.99, max(0.01, clear * (sure + rng.gauss(0, 0.03))))
        if ends and not fades_s:
            for frame in range(last, last + rng.randint(0, _LONGEST_TAIL)):
                levels[frame], voice[frame] = level_dbfs - 18, 0.75 * clear
    return Frames(tuple(levels), tuple(voice))


def _unsure_s(rng: random.Random) -> float:
    """From a word's first sound to where silero is sure of a voice: consonants come first."""
    return rng.uniform(
        *rng.choices(((0, 0.02), (0.02, 0.06), (0.06, 0.1), (0.1, 0.16)), _ONSETS)[0]
    )


def _noise(sound: Sound, level_dbfs: float, rng: random.Random) -> Frames:
    """A sound without words.

    Half of the coughs have no voice, a third a moment of it, the others sound like speech to
    silero; laughter is voice in bursts, five a second, or breath; a tic is a click or a hum.
    """
    count = max(1, round(sound.duration_s / FRAME_S))
    sort = rng.random()
    levels, voice = [], []
    for frame in range(count):
        now_s = frame * FRAME_S
        burst = math.exp(-now_s / (0.4 * sound.duration_s))
        level, sure = level_dbfs + 4 + 8 * math.log10(max(burst, 0.05)), 0.12
        if sound.kind == "cough":
            voiced = sort >= 0.8 or (sort >= 0.5 and 0.02 <= now_s < 0.1)
            sure = 0.75 if voiced else 0.15
        elif sound.kind == "laughter":
            on = now_s * 5 % 1 < 0.6
            level = level_dbfs + (2 if on else -10)
            sure = (0.85 if sort < 0.6 else 0.4) if on else 0.25
        elif sort < 0.6:
            level, sure = level_dbfs, 0.65
        levels.append(level + rng.gauss(0, 1.5))
        voice.append(min(0.98, max(0.01, sure + rng.gauss(0, 0.06))))
    return Frames(tuple(levels), tuple(voice))


@dataclass(slots=True)
class _Source:
    frames: Frames
    first: int


@dataclass(slots=True)
class Microphone:
    """The caller's line: mixes what sounds at once, one frame a step."""

    caller: Caller
    seed: int
    _sources: list[_Source] = field(default_factory=list)
    _frame: int = 0
    _window: list[tuple[float, float]] = field(default_factory=list)
    """Level and probability of the frames since silero's last window."""
    _windows: int = 0
    _echo: deque[float] = field(init=False)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        delay = max(1, round(self.caller.echo_delay_s / FRAME_S))
        self._echo = deque([SILENT_DBFS] * delay, maxlen=delay)
        self._rng = random.Random(f"{self.seed}/line")

    def begin(self, frames: Frames, start_s: float) -> None:
        """Let a source sound from `start_s` on."""
        self._sources.append(_Source(frames, round(start_s / FRAME_S)))

    def step(self, agent_dbfs: float) -> Heard:
        """The next frame; `agent_dbfs` is what leaves the agent in it, for the echo."""
        level_dbfs, sure = self._mixed(self._echoed(agent_dbfs))
        self._frame += 1
        self._window.append((level_dbfs, sure))
        loud = level_dbfs >= FLOOR_DBFS
        fast = loud and sure > 0.3 and self._rng.random() < 0.97
        return Heard(level_dbfs, fast, self._window_ends())

    def _echoed(self, agent_dbfs: float) -> float:
        came_back = self._echo[0]
        self._echo.append(agent_dbfs)
        if self.caller.echo_db is None or came_back <= SILENT_DBFS:
            return SILENT_DBFS
        return came_back + self.caller.echo_db

    def _mixed(self, echo_dbfs: float) -> tuple[float, float]:
        """Loudness of everything together, and how sure silero is of a voice in it.

        A voice counts as far as it stands out of the room and is not drowned by something louder.
        """
        noise_dbfs = self.caller.noise_dbfs + self._rng.gauss(0, 1)
        heard = [(echo_dbfs, 0.92)] if echo_dbfs > SILENT_DBFS else []
        over = False
        for source in self._sources:
            at = self._frame - source.first
            if 0 <= at < len(source.frames.voice):
                heard.append((source.frames.level_dbfs[at], source.frames.voice[at]))
            over = over or at >= len(source.frames.voice)
        if over:
            self._sources = [
                s for s in self._sources if s.first + len(s.frames.voice) > self._frame
            ]
        if not heard:
            return noise_dbfs, _ROOM_SURE
        loudest = max(heard)[0]
        power, sure = 10 ** (noise_dbfs / 10), _ROOM_SURE
        for level, voice in heard:
            power += 10 ** (level / 10)
            stands_out = (level - noise_dbfs - 2) / 10
            undrowned = (level - loudest + 15) / 10
            if stands_out > 0 and undrowned > 0:
                sure = max(sure, voice * min(1.0, stands_out) * min(1.0, undrowned))
        return 10 * math.log10(power), sure

    def _window_ends(self) -> float | None:
        if math.floor(self._frame * FRAME_S / WINDOW_S + 1e-9) == self._windows:
            return None
        self._windows += 1
        loudest = max(level for level, _ in self._window)
        sure = sum(p for _, p in self._window) / len(self._window)
        self._window.clear()
        return sure if loudest >= FLOOR_DBFS else 0.0
