"""The simulated shell: what `agent.turns.processor.Ears` does for a turn taker, on a virtual clock.

In: what the taker wants transcribed and scored.  Out: the observations that come back, with the
moment at which they do.  The words and scores are those of `bench.turns_world.acoustics`; the
readings of the words are the real ones.  Pure; takes no decision.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from agent.turns.events import (
    Action,
    BeginTurn,
    CutPrefix,
    Event,
    Heartbeat,
    Judge,
    PrefixReady,
    Rescore,
    SpeechStarted,
    SpeechStopped,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    WordsHeard,
)
from agent.turns.reading import Reading, read
from agent.turns.recognition import CUT_WITHIN_S, LEAD_S, PARTIAL_SHARE
from agent.turns.record import rounded
from agent.turns.vad import VoiceGate
from bench.turns_world.acoustics import Acoustics
from bench.turns_world.latencies import Latencies
from bench.turns_world.scripts import Language, Sound, Utterance, join

Observation = TranscriptReady | TurnScored | WordsHeard | PrefixReady
SAID_CHARS = 400
"""Of what the agent said last, so much is compared with what is heard."""

reading_of = lru_cache(maxsize=200_000)(read)
"""Takers and settings hear the same words again and again."""


def heartbeat(gate: VoiceGate, level_dbfs: float, agent_dbfs: float) -> Heartbeat:
    """A frame as `agent.turns.record.rounded` tells it to the taker, in a tenth of the time."""
    return Heartbeat(
        round(gate.last_voice_s, 3),
        round(gate.run_s, 3),
        round(level_dbfs * 2) / 2,
        round(agent_dbfs * 2) / 2,
    )


@dataclass(slots=True)
class Source:
    """Something that sounds on the caller's line; times are the ear's."""

    what: Utterance | Sound
    start_s: float
    end_s: float

    @property
    def speech(self) -> Utterance | None:
        """Its words, if it has any."""
        return self.what if isinstance(self.what, Utterance) else self.what.speech

    @property
    def is_turn(self) -> bool:
        """Whether it is meant for the agent."""
        return isinstance(self.what, Utterance) or self.what.kind == "interruption"

    def spoken_s(self, until_s: float) -> float:
        """Where in its speech the last word that has ended by ear time `until_s` ends."""
        speech = self.speech
        if speech is None:
            return min(until_s, self.end_s) - self.start_s
        ends = [word.end_s for word in speech.words if self.start_s + word.end_s <= until_s]
        return ends[-1] if ends else 0.0

    def voiced(self) -> Iterator[tuple[float, float]]:
        """Its stretches of voice, from hold to hold."""
        speech = self.speech
        if speech is None:
            yield self.start_s, self.end_s
            return
        at_s = 0.0
        for hold in speech.holds:
            yield self.start_s + at_s, self.start_s + hold.start_s
            at_s = hold.end_s
        yield self.start_s + at_s, self.start_s + speech.duration_s


@dataclass(slots=True)
class EarsModel:
    """The ears of one call."""

    acoustics: Acoustics
    latencies: Latencies
    language: Language
    random: Random
    sources: list[Source] = field(default_factory=list)
    """All that was heard so far, in order of its beginning."""
    turn_from_s: float = 0.0
    stopped_s: float = 0.0
    """End of the newest stretch of speech."""
    said: Callable[[], str] = str
    """What the agent said last."""
    _due: list[tuple[float, int, Observation]] = field(default_factory=list)
    _asked: int = 0
    _partial_due_s: float = 0.0
    _partial_from_s: float = 0.0

    def notice(self, event: Event) -> None:
        """Voice begins or stops, as the detector believes."""
        if isinstance(event, SpeechStarted):
            self._forget_judgement()
        elif isinstance(event, SpeechStopped):
            self.stopped_s = event.at_s

    def carry_out(self, action: Action, ear_s: float, now_s: float) -> None:
        """Do what the taker wants of the ears at ear time `ear_s`; what it wants of the agent is
        none of theirs."""
        match action:
            case BeginTurn(from_s):
                self.turn_from_s = from_s - LEAD_S
            case TranscribePartial():
                self._transcribe_partial(ear_s, now_s)
            case Judge(pause):
                self._judge(pause, ear_s, now_s)
            case Rescore(pause):
                self._score(pause, ear_s, now_s)
            case CutPrefix():
                self._cut_prefix(ear_s, now_s)

    def _judge(self, pause: int, ear_s: float, now_s: float) -> None:
        """Transcribe the turn up to ear time `ear_s` and score how complete it sounds."""
        text = self.text_between(self.turn_from_s, ear_s)
        ready = TranscriptReady(pause, text, self._reading(text))
        self._put(now_s + self.latencies.stt.draw_s(self.random), ready)
        self._score(pause, ear_s, now_s)

    def score_at(self, ear_s: float) -> float:
        """smart-turn's probability that the turn is over, of all that was heard by then."""
        source = self._newest(ear_s)
        if source is None:
            return self.acoustics.turn_score(None, 0.0, ear_s - self.stopped_s)
        spoken_s = source.spoken_s(ear_s)
        silence_s = max(0.0, ear_s - source.start_s - spoken_s)
        return self.acoustics.turn_score(source.speech, spoken_s, silence_s)

    def _score(self, pause: int, ear_s: float, now_s: float) -> None:
        scored = TurnScored(pause, self.score_at(ear_s), max(0.0, ear_s - self.stopped_s))
        self._put(now_s + self.latencies.score.draw_s(self.random), scored)

    def _transcribe_partial(self, ear_s: float, now_s: float) -> None:
        """Transcribe what was said so far, unless that is under way or was done just before."""
        if now_s < self._partial_due_s or ear_s < self._partial_from_s:
            return
        took_s = self.latencies.partial.draw_s(self.random)
        self._partial_due_s = now_s + took_s
        self._partial_from_s = ear_s + took_s / PARTIAL_SHARE
        text = self.text_between(self.turn_from_s, ear_s)
        if text:
            self._put(self._partial_due_s, WordsHeard(text, self._reading(text)))

    def _cut_prefix(self, ear_s: float, now_s: float) -> None:
        """Transcribe a long turn up to a moment between two words of its newest seconds."""
        cut_s = ear_s - CUT_WITHIN_S
        source = self._newest(ear_s)
        if source:
            cut_s = max(cut_s, source.start_s + source.spoken_s(ear_s - FRAME_LEFT_S))
        text = self.text_between(self.turn_from_s, cut_s)
        self.turn_from_s = cut_s
        self._put(now_s + self.latencies.stt.draw_s(self.random), PrefixReady(text))

    def _forget_judgement(self) -> None:
        """The caller speaks on: what is being found out about the pause is of no use."""
        self._due = [entry for entry in self._due if isinstance(entry[2], WordsHeard | PrefixReady)]
        heapq.heapify(self._due)

    def take_due(self, before_s: float) -> tuple[float, Observation] | None:
        """The next observation that is there before a moment, and when it came."""
        if self._due and self._due[0][0] < before_s:
            at_s, _, observation = heapq.heappop(self._due)
            return at_s, observation
        return None

    def _put(self, at_s: float, observation: Observation) -> None:
        self._asked += 1
        heapq.heappush(self._due, (at_s, self._asked, rounded(observation)))

    def _reading(self, text: str) -> Reading:
        return reading_of(text, self.language, said=self.said()[-SAID_CHARS:])

    def _newest(self, ear_s: float) -> Source | None:
        """The source whose voice was heard last."""
        begun = [source for source in self.sources[-4:] if source.start_s < ear_s]
        return max(begun, key=lambda source: min(source.end_s, ear_s), default=None)

    def text_between(self, from_s: float, to_s: float) -> str:
        """The transcript of what was heard between two ear times."""
        parts = []
        for source in self.sources:
            if source.end_s < from_s or source.start_s > to_s:
                continue
            if source.speech:
                start_s = source.start_s
                level_db = source.what.level_db if isinstance(source.what, Sound) else 0.0
                text = self.acoustics.transcript(
                    source.speech, from_s - start_s, to_s - start_s, level_db
                )
            else:
                assert isinstance(source.what, Sound)
                text = self.acoustics.noise_transcript(source.what, self.language)
            if text:
                parts.append(text)
        return join(parts, self.language)


FRAME_LEFT_S = 0.1
"""A long turn is cut before its newest words, which may not have ended."""
