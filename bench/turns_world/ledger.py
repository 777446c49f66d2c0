"""What happened in a simulated call, written down as it happens and scored when it is over.

In: what began to sound, what the turn taker did, and the agent's replies.  Out: the `Outcome` of
`bench.turns_world.scores`, on the clock of the caller's edge of the line: what they say is heard by
the ear `up` later, what leaves the agent is heard by them `down` later.  Pure.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bench.turns_world.acoustics import FRAME_S
from bench.turns_world.agent_model import AgentModel, Cut, Reply
from bench.turns_world.ears_model import Source
from bench.turns_world.latencies import Latencies
from bench.turns_world.scores import (
    DraftOutcome,
    Outcome,
    PauseOutcome,
    SoundOutcome,
    TurnOutcome,
)
from bench.turns_world.scripts import Script, Sound, Utterance

Control = Literal["duck", "hold", "restore", "stop"]
TICK_S = 0.2
TICKS_WITHIN_S = 3.0
NO_CHANCE_S = 0.3
"""A reply that ends so soon by itself could not have been interrupted."""
BLAME_S = 3.0
"""What the agent does so long after a sound has ended is not because of it."""


@dataclass(slots=True)
class _TurnRecord:
    source: Source
    speech: Utterance
    interrupts: Reply | None
    uses_tool: bool
    ended: dict[int, float] = field(default_factory=dict)
    """Moment at which the turn was taken to be over, by the pause in which it was."""
    cuts: list[Cut] = field(default_factory=list)

    @property
    def end_s(self) -> float:
        return self.source.end_s


@dataclass(slots=True)
class _SoundRecord:
    source: Source
    sound: Sound
    over: Reply | None
    """The reply that sounded when it began."""
    answered: bool = False


@dataclass(slots=True)
class Ledger:
    """The record of one call; times are the ear's and the server's, which are one."""

    script: Script
    latencies: Latencies
    turns: list[_TurnRecord] = field(default_factory=list)
    sounds: list[_SoundRecord] = field(default_factory=list)
    controls: list[tuple[float, Control]] = field(default_factory=list)

    def began(self, source: Source, agent: AgentModel, *, uses_tool: bool) -> None:
        """Something begins to sound on the caller's line."""
        sounding = agent.reply if agent.reply and agent.reply.sounding else None
        what = source.what
        if not source.is_turn:
            assert isinstance(what, Sound)
            self.sounds.append(_SoundRecord(source, what, sounding))
            return
        if self.turns and self.turns[-1].source.what is what:
            self.turns[-1].source.end_s = source.end_s  # said once more
            return
        assert source.speech
        self.turns.append(_TurnRecord(source, source.speech, sounding, uses_tool))

    def ended(self, now_s: float) -> None:
        """The taker took a turn to be over: at its end, or in the newest hold, which it cut."""
        record = self.turns[-1] if self.turns else None
        newest = self.sounds[-1] if self.sounds else None
        if record is None:
            return
        if now_s >= record.end_s:
            pause = len(record.speech.holds)
            if newest and newest.source.start_s >= record.end_s and pause in record.ended:
                newest.answered = True
            record.ended.setdefault(pause, now_s)
        elif now_s >= record.source.start_s:
            begun = [
                index
                for index, hold in enumerate(record.speech.holds)
                if record.source.start_s + hold.start_s <= now_s
            ]
            if begun:
                record.ended.setdefault(begun[-1], now_s)

    def controlled(self, control: Control, now_s: float) -> None:
        """The taker lowered, held, restored or broke off the agent's voice."""
        self.controls.append((now_s, control))

    def cut(self, cut: Cut) -> None:
        """A reply was broken off."""
        if self.turns and cut.reply.first_voice_s is not None:
            self.turns[-1].cuts.append(cut)

    # When the call is over.

    def outcome(self, agent: AgentModel, now_s: float) -> Outcome:
        """All that came of the call, which ended at `now_s`."""
        drafts = []
        for draft in agent.drafts.values():
            tokens, audio_s = agent.work(draft, now_s)
            drafts.append(DraftOutcome(draft.used, tokens, audio_s))
        return Outcome(
            tuple(self._turn(index, agent) for index in range(len(self.turns))),
            tuple(self._sound(record, agent) for record in self.sounds),
            tuple(drafts),
        )

    def _turn(self, index: int, agent: AgentModel) -> TurnOutcome:
        record = self.turns[index]
        later = self.turns[index + 1 :]
        until_s = later[0].source.start_s if later else math.inf
        start_s, up_s, down_s = record.source.start_s, self.latencies.up_s, self.latencies.down_s
        pauses = [
            PauseOutcome(
                hold.kind,
                hold.end_s - hold.start_s,
                self._after(record, number, start_s + hold.start_s),
                hold.looks_complete,
            )
            for number, hold in enumerate(record.speech.holds)
        ]
        end = self._after(record, len(pauses), record.end_s)
        pauses.append(PauseOutcome("end", 0.0, end, record.speech.looks_complete))
        errors = [abs(cut.heard_words - cut.played_words) for cut in record.cuts]
        return TurnOutcome(
            script=self.script.id,
            language=self.script.language,
            kind=record.speech.kind,
            pauses=tuple(pauses),
            began_s=start_s - up_s,
            ended_s=record.end_s - up_s,
            answered_s=_plus(_answered_s(record, agent.replies, until_s), down_s),
            uses_tool=record.uses_tool,
            overlaps_ms=tuple(self._overlaps_ms(record, agent)),
            yield_ms=self._yield_ms(record),
            duck_ms=self._duck_ms(record),
            heard_error_words=max(errors, default=None),
        )

    def _after(self, record: _TurnRecord, pause: int, began_s: float) -> float | None:
        at_s = record.ended.get(pause)
        return None if at_s is None else at_s - began_s

    def _overlaps_ms(self, record: _TurnRecord, agent: AgentModel) -> Iterable[float]:
        """How long both spoke, at the caller's edge, for replies that began inside the turn."""
        shift_s = self.latencies.up_s + self.latencies.down_s
        for reply in agent.replies:
            began_s = reply.first_voice_s
            if began_s is None or reply is record.interrupts:
                continue
            if record.source.start_s <= began_s + shift_s < record.end_s:
                ended_s = reply.last_voice_s + shift_s
                both_s = sum(
                    max(0.0, min(to_s, ended_s) - max(from_s, began_s + shift_s))
                    for from_s, to_s in record.source.voiced()
                )
                yield 1000 * both_s

    def _yield_ms(self, record: _TurnRecord) -> float | None:
        reply = record.interrupts
        if reply is None:
            return None
        silent_s = reply.last_voice_s - record.source.start_s
        if not reply.cut:
            return None if silent_s < NO_CHANCE_S else math.inf
        return 1000 * max(0.0, silent_s + self.latencies.up_s + self.latencies.down_s)

    def _duck_ms(self, record: _TurnRecord) -> float | None:
        reply = record.interrupts
        if reply is None:
            return None
        until_s = math.inf if reply.ended_s is None else reply.ended_s + FRAME_S
        for at_s, control in self.controls:
            if record.source.start_s <= at_s <= until_s and control != "restore":
                line_s = self.latencies.up_s + self.latencies.down_s
                return 1000 * (at_s - record.source.start_s + line_s)
        return None

    def _sound(self, record: _SoundRecord, agent: AgentModel) -> SoundOutcome:
        source, reply = record.source, record.over
        until_s = source.end_s + BLAME_S
        begins = [turn.source.start_s for turn in self.turns]
        begins += [sound.source.start_s for sound in self.sounds]
        until_s = min([until_s, *(s for s in begins if s > source.start_s)])
        window = [(at, what) for at, what in self.controls if source.start_s <= at < until_s]
        held_s, ducked_s = _spans_s(window, until_s)
        responded_ms = None
        if reply is None and record.answered:
            voices = [r.first_voice_s for r in agent.replies if r.begun_s >= source.start_s]
            began_s = next((voice for voice in voices if voice is not None), None)
            line_s = self.latencies.up_s + self.latencies.down_s
            responded_ms = _ms(_plus(began_s, line_s - source.end_s))
        return SoundOutcome(
            script=self.script.id,
            language=self.script.language,
            kind=record.sound.kind,
            agent_spoke=reply is not None,
            stopped=reply is not None and any(what == "stop" for _, what in window),
            held_ms=1000 * held_s,
            ducked_ms=1000 * ducked_s,
            silent_tick_ms=self._silent_tick_ms(source, reply, agent) if reply else None,
            responded_ms=responded_ms,
        )

    def _silent_tick_ms(self, source: Source, reply: Reply, agent: AgentModel) -> float | None:
        """From the onset to the end of the first tick without the agent's voice."""
        onset_s = source.start_s - self.latencies.up_s
        down_s = self.latencies.down_s
        natural_end_s = reply.last_voice_s + down_s
        tick = math.ceil(onset_s / TICK_S)
        while tick * TICK_S < onset_s + TICKS_WITHIN_S:
            from_s, to_s = tick * TICK_S, (tick + 1) * TICK_S
            if not reply.cut and from_s >= natural_end_s:
                return None
            voiced = agent.voiced
            if not any(a + down_s < to_s and b + down_s > from_s for a, b in voiced):
                return 1000 * (to_s - onset_s)
            tick += 1
        return None


def _answered_s(record: _TurnRecord, replies: list[Reply], until_s: float) -> float | None:
    """First voice of the first reply to the whole turn, if it came before the next turn."""
    for reply in replies:
        voice_s = reply.first_voice_s
        if reply.answers and reply.begun_s >= record.end_s and voice_s is not None:
            return voice_s if voice_s < until_s else None
    return None


def _spans_s(window: list[tuple[float, Control]], until_s: float) -> tuple[float, float]:
    """How long the voice was held, and lowered or held, and then went on."""
    held_s = lowered_s = 0.0
    held_at = lowered_at = None
    for at_s, what in window:
        if what == "duck":
            lowered_at = at_s if lowered_at is None else lowered_at
        elif what == "hold":
            held_at = at_s if held_at is None else held_at
        elif what == "restore":
            held_s += 0.0 if held_at is None else at_s - held_at
            lowered_s += 0.0 if lowered_at is None else at_s - lowered_at
            held_at = lowered_at = None
    return held_s, lowered_s


def _plus(time_s: float | None, more_s: float) -> float | None:
    return None if time_s is None else time_s + more_s


def _ms(time_s: float | None) -> float | None:
    return None if time_s is None else 1000 * time_s
