"""Sounds over the agent's voice, frame by frame: what the agent does, and when."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from agent.config import BargeInConfig
from agent.turns.barge_in import BargeIn, Evidence, Mode, Reaction, State
from agent.turns.events import Duck, Hold, Interrupt, Restore
from agent.turns.reading import Reading

CONFIG = BargeInConfig(duck_ms=32, hold_ms=130, sure_ms=700, words_ms=500)
FRAME_S = 0.02
WINDOW_S = 0.032
CALLER_DBFS, SIDE_TALK_DBFS, NOISE_DBFS, AGENT_DBFS = -24.0, -38.0, -65.0, -22.0

BACKCHANNEL = Reading(words=1, complete=0.9, is_backchannel=True)
OBJECTION = Reading(words=1, complete=0.9, objects=True)
WORDS = Reading(words=4, complete=0.9)
NOTHING = Reading(complete=0.0)
ECHO = Reading(words=5, complete=0.9, echoes=0.9)


@dataclass
class Overlap:
    """An agent that speaks from 2 s on, with a caller who said something in the first second.

    `voices`: (from, to, level) of what is voice to the detector.  `words`: (when, reading, final).
    """

    voices: Sequence[tuple[float, float, float]]
    words: Sequence[tuple[float, Reading, bool]] = ()
    mode: Mode = "open"
    agent_s: tuple[float, float] = (2.0, 20.0)
    spoke_before: bool = True
    keys: Sequence[tuple[float, float]] = ()
    noises: Sequence[tuple[float, float, float]] = ()
    done: list[tuple[float, Reaction]] = field(default_factory=list)
    undecided_until_s: float = 0.0

    def play(self, until_s: float = 8.0) -> "Overlap":
        it = BargeIn(CONFIG, self.mode)
        voices = [*([(0.3, 1.3, CALLER_DBFS)] if self.spoke_before else []), *self.voices]
        held = left = False
        level = AGENT_DBFS
        for frame in range(1, round(until_s / FRAME_S) + 1):
            now_s = round(frame * FRAME_S, 3)
            speaks = [v for v in voices if v[0] < now_s <= v[1] + 1e-9]
            began_s = max((v[0] for v in speaks), default=0.0)
            run_s = WINDOW_S * math.floor((now_s - began_s) / WINDOW_S + 1e-6) if speaks else 0.0
            sounds = self.agent_s[0] <= now_s < self.agent_s[1] and not held
            evidence = Evidence(
                busy=1.8 <= now_s < self.agent_s[1] and not left,
                run_s=run_s,
                voiced_s=sum(min(now_s, v[1]) - v[0] for v in voices if v[0] + 0.1 < now_s),
                level_dbfs=max(
                    (v[2] for v in (*speaks, *self.noises) if v[0] < now_s <= v[1] + 1e-9),
                    default=NOISE_DBFS,
                ),
                agent_dbfs=level if sounds else -90.0,
                key_pressed=any(a <= now_s < b for a, b in self.keys),
            )
            for at_s, reading, final in self.words:
                if at_s <= now_s:
                    evidence = replace(evidence, reading=reading, reading_is_final=final)
            for reaction in it.step(evidence, now_s):
                self.done.append((now_s, reaction))
                match reaction:
                    case Duck():
                        level = AGENT_DBFS - 12
                    case Hold():
                        held = True
                    case Restore():
                        held, level = False, AGENT_DBFS
                    case Interrupt():
                        left = True
            if it.undecided:
                self.undecided_until_s = now_s
        assert it.state in State
        return self

    @property
    def names(self) -> list[str]:
        return [
            reaction.reason
            if isinstance(reaction, Restore | Interrupt)
            else type(reaction).__name__
            for _, reaction in self.done
        ]

    def when(self, kind: type[Reaction]) -> float:
        return next(at_s for at_s, reaction in self.done if isinstance(reaction, kind))


def test_the_voice_is_lowered_at_the_first_sound_held_after_more_and_then_left() -> None:
    overlap = Overlap([(4.0, 6.0, CALLER_DBFS)]).play()
    assert overlap.names == ["Duck", "Hold", "voice"]
    assert overlap.when(Duck) == pytest.approx(4.04)
    assert overlap.when(Hold) == pytest.approx(4.14)
    assert overlap.when(Interrupt) == pytest.approx(4.72, abs=0.021)


def test_words_that_are_no_backchannel_interrupt_before_the_voice_is_long() -> None:
    overlap = Overlap([(4.0, 4.5, CALLER_DBFS)], [(4.68, WORDS, True)]).play()
    assert overlap.names == ["Duck", "Hold", "words"]
    assert overlap.when(Interrupt) == pytest.approx(4.68)


def test_an_objection_interrupts_while_the_caller_still_speaks() -> None:
    overlap = Overlap([(4.0, 6.0, CALLER_DBFS)], [(4.4, OBJECTION, False)]).play()
    assert overlap.names[-1] == "objects" and overlap.when(Interrupt) == pytest.approx(4.4)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [(BACKCHANNEL, "backchannel"), (ECHO, "echo")],
)
def test_what_was_no_interruption_lets_the_agent_speak_on(reading: Reading, reason: str) -> None:
    overlap = Overlap([(4.0, 4.4, CALLER_DBFS)], [(4.6, reading, True)]).play()
    assert overlap.names == ["Duck", "Hold", reason]


def test_a_cough_of_a_tenth_of_a_second_only_lowers_the_voice() -> None:
    overlap = Overlap([(4.0, 4.1, CALLER_DBFS)]).play()
    assert overlap.names == ["Duck", "short sound"]
    assert overlap.when(Restore) == pytest.approx(4.26, abs=0.021)


def test_a_cough_that_is_held_for_is_soon_spoken_over_though_its_words_are_still_awaited() -> None:
    overlap = Overlap([(4.0, 4.17, CALLER_DBFS)], [(4.9, NOTHING, True)]).play()
    assert overlap.names == ["Duck", "Hold", "short sound"]
    assert overlap.when(Restore) < 4.4
    assert overlap.undecided_until_s == pytest.approx(4.88)


def test_a_short_no_interrupts_when_its_words_come_though_the_agent_spoke_on() -> None:
    overlap = Overlap([(4.0, 4.17, CALLER_DBFS)], [(4.7, OBJECTION, True)]).play()
    assert overlap.names == ["Duck", "Hold", "short sound", "objects"]


def test_words_of_a_very_short_sound_are_not_believed_unless_they_object() -> None:
    overlap = Overlap([(4.0, 4.17, CALLER_DBFS)], [(4.7, WORDS, True)]).play()
    assert overlap.names == ["Duck", "Hold", "short sound"]


def test_words_that_do_not_come_are_not_waited_for_longer_than_allowed() -> None:
    overlap = Overlap([(4.0, 4.5, CALLER_DBFS)]).play()
    assert overlap.names == ["Duck", "Hold", "no words in time"]
    assert overlap.when(Restore) == pytest.approx(5.0, abs=0.041)
    assert overlap.undecided_until_s == pytest.approx(6.5, abs=0.05)


def test_late_words_still_interrupt() -> None:
    overlap = Overlap([(4.0, 4.5, CALLER_DBFS)], [(5.4, WORDS, True)]).play()
    assert overlap.names == ["Duck", "Hold", "no words in time", "words"]


def test_a_loud_sound_that_is_no_voice_lowers_the_agents_for_a_moment() -> None:
    overlap = Overlap([], noises=[(4.0, 4.3, CALLER_DBFS)]).play()
    assert overlap.names == ["Duck", "short sound"]
    assert overlap.when(Duck) == pytest.approx(4.06, abs=0.021)
    assert overlap.undecided_until_s < 4.3


def test_two_syllables_of_agreement_are_one_sound() -> None:
    voices = [(4.0, 4.18, CALLER_DBFS), (4.26, 4.5, CALLER_DBFS)]
    overlap = Overlap(voices, [(4.75, BACKCHANNEL, True)]).play()
    assert overlap.names == ["Duck", "Hold", "backchannel"]


def test_agreement_that_goes_on_is_waited_for_to_its_end() -> None:
    voices = [(4.0, 4.95, CALLER_DBFS)]
    words = [(4.4, BACKCHANNEL, False), (5.2, BACKCHANNEL, True)]
    assert Overlap(voices, words).play().names == ["Duck", "Hold", "backchannel"]


def test_side_talk_lowers_the_voice_for_a_moment_and_stops_nothing() -> None:
    overlap = Overlap([(4.0, 6.0, SIDE_TALK_DBFS)], [(5.0, WORDS, False)]).play()
    assert overlap.names == ["Duck", "quiet voice"]
    assert overlap.when(Restore) - overlap.when(Duck) <= 0.52


def test_television_that_never_ends_lowers_the_voice_once() -> None:
    overlap = Overlap([(3.0, 20.0, SIDE_TALK_DBFS)]).play(until_s=12)
    assert overlap.names == ["Duck", "quiet voice"]


def test_the_caller_is_heard_over_the_television() -> None:
    voices = [(3.0, 5.0, SIDE_TALK_DBFS), (5.0, 6.5, CALLER_DBFS)]
    overlap = Overlap(voices).play()
    assert overlap.names == ["Duck", "quiet voice", "Duck", "Hold", "voice"]


def test_before_the_caller_has_spoken_nobody_is_too_quiet() -> None:
    overlap = Overlap([(4.0, 5.5, SIDE_TALK_DBFS)], spoke_before=False).play()
    assert overlap.names == ["Duck", "Hold", "voice"]


def test_a_persona_that_nobody_interrupts_does_not_even_lower_its_voice() -> None:
    overlap = Overlap([(4.0, 7.0, CALLER_DBFS)], [(4.4, OBJECTION, False)], mode="never").play()
    assert overlap.names == [] and overlap.undecided_until_s == 0.0


@pytest.mark.parametrize("mode", ["open", "never"])
def test_before_the_agent_has_said_anything_the_caller_goes_on(mode: Mode) -> None:
    overlap = Overlap([(2.2, 3.0, CALLER_DBFS)], mode=mode, agent_s=(4.0, 9.0)).play()
    assert overlap.names == ["goes on"]
    assert overlap.when(Interrupt) == pytest.approx(2.36, abs=0.021)


def test_a_cough_does_not_begin_the_answer_anew() -> None:
    overlap = Overlap([(2.2, 2.3, CALLER_DBFS)], agent_s=(4.0, 9.0)).play()
    assert overlap.names == []


def test_with_push_to_talk_only_the_key_interrupts() -> None:
    talk = [(4.0, 7.0, CALLER_DBFS)]
    assert Overlap(talk, [(4.4, OBJECTION, False)], mode="push-to-talk").play().names == []
    overlap = Overlap(talk, mode="push-to-talk", keys=[(4.5, 6.0)]).play()
    assert overlap.names == ["talk key"] and overlap.when(Interrupt) == pytest.approx(4.5)


def test_in_a_silence_of_the_agent_within_its_reply_an_interruption_is_one_too() -> None:
    overlap = Overlap([(5.0, 6.5, CALLER_DBFS)], agent_s=(2.0, 3.0))
    overlap.agent_s = (2.0, 20.0)
    assert overlap.play().names == ["Duck", "Hold", "voice"]


def test_what_ends_with_the_reply_needs_no_restoring() -> None:
    overlap = Overlap([(4.0, 6.0, CALLER_DBFS)], agent_s=(2.0, 4.3)).play()
    assert overlap.names == ["Duck", "Hold"] and overlap.undecided_until_s < 4.3


def test_what_may_be_the_echo_of_the_first_words_is_not_even_ducked_for() -> None:
    overlap = Overlap([(2.06, 2.9, AGENT_DBFS - 12)], spoke_before=False).play(until_s=2.9)
    assert overlap.names == []


def test_who_is_louder_than_an_echo_could_be_is_heard_from_the_first() -> None:
    overlap = Overlap([(2.1, 4.0, AGENT_DBFS)], spoke_before=False).play()
    assert overlap.names == ["Duck", "Hold", "voice"]
    assert overlap.when(Hold) == pytest.approx(2.26, abs=0.021)


def test_um_is_followed_by_words_so_the_agent_waits_for_them() -> None:
    voices = [(4.0, 4.3, CALLER_DBFS), (4.6, 6.0, CALLER_DBFS)]
    overlap = Overlap(voices, [(4.45, NOTHING, True), (4.62, NOTHING, False)]).play()
    assert overlap.names == ["Duck", "Hold", "voice"]


def test_um_that_nothing_follows_is_spoken_over_after_a_while() -> None:
    overlap = Overlap([(4.0, 4.3, CALLER_DBFS)], [(4.45, NOTHING, True)]).play()
    assert overlap.names == ["Duck", "Hold", "no words in time"]
    assert overlap.when(Restore) == pytest.approx(5.5, abs=0.041)


def test_a_short_um_is_no_cough() -> None:
    um = Reading(words=1, complete=0.04, holds=True)
    overlap = Overlap([(4.0, 4.17, CALLER_DBFS)], [(4.3, um, True)]).play()
    assert overlap.names == ["Duck", "Hold", "no words in time"]
    overlap = Overlap([(4.0, 4.17, CALLER_DBFS)], [(4.3, WORDS, True)]).play()
    assert overlap.names == ["Duck", "Hold", "too short for words"]


@pytest.mark.parametrize(("asks", "then"), [(False, "no words in time"), (True, "words")])
def test_two_words_interrupt_only_as_a_question(asks: bool, then: str) -> None:
    two = Reading(words=2, complete=0.9, asks=asks)
    overlap = Overlap([(4.0, 4.5, CALLER_DBFS)], [(4.68, two, True)]).play()
    assert overlap.names == ["Duck", "Hold", then]


def test_who_says_it_again_means_it() -> None:
    word = Reading(words=1, complete=0.9)
    voices = [(at, at + 0.4, CALLER_DBFS) for at in (4.0, 7.0)]
    words = [(4.6, word, True), (7.1, word, False), (7.6, word, True)]
    assert Overlap(voices, words).play().names == [
        *["Duck", "Hold", "no words in time"],
        *["Duck", "Hold", "words"],
    ]


def test_sounds_one_after_another_do_not_add_up_to_an_interruption() -> None:
    voices = [(at, at + 0.45, CALLER_DBFS) for at in (4.0, 5.4, 6.8)]
    assert Overlap(voices).play().names == ["Duck", "Hold", "no words in time"] * 3


def test_an_interruption_is_given_once() -> None:
    overlap = Overlap([(4.0, 7.0, CALLER_DBFS)], [(4.3, OBJECTION, False)])
    assert overlap.play().names.count("objects") == 1
