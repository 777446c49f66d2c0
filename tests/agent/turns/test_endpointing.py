"""TurnTaker, one behaviour at a time, on hand-made events."""

from typing import TypeVar

import pytest

from agent.config import SpeculationConfig, TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.endpointing import RESCORE_UNTIL_S, Floor, TurnTaker
from agent.turns.events import (
    Action,
    AgentBusy,
    BeginTurn,
    CutPrefix,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Event,
    Heartbeat,
    Hold,
    Interrupt,
    Judge,
    MaySpeculate,
    Murmur,
    PrefixReady,
    Rescore,
    Restore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    TalkKey,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    Weighed,
    WordsHeard,
)
from agent.turns.reading import Reading

CONFIG = TurnsConfig(
    min_silence_ms=240,
    max_silence_ms=1600,
    kept_floor_ms=3000,
    cut_off_cost_s=1.0,
    partial_interval_ms=600,
    max_turn_s=25,
    speculation=SpeculationConfig(enabled=False),
)
DONE = Reading(words=10, complete=0.99)
OPEN = Reading(words=3, complete=0.02)
MM_HM = Reading(words=2, complete=0.5, is_backchannel=True)
VOICE_DBFS = -25.0
Script = list[tuple[float, Event]]
T = TypeVar("T", bound=Action)
Played = list[tuple[float, Action]]


def taker(**temperament: object) -> TurnTaker:
    return TurnTaker(CONFIG, TurnTemperament.model_validate(temperament), "en")


def speculating(**options: object) -> TurnTaker:
    speculation = SpeculationConfig.model_validate(options)
    config = CONFIG.model_copy(update={"speculation": speculation})
    return TurnTaker(config, TurnTemperament(), "en")


def play(
    it: TurnTaker,
    *script: tuple[float, Event],
    since: float = 0.0,
    until: float = 0.0,
    agent: tuple[float, float] = (0.0, 0.0),
) -> Played:
    """Feed events at their times with a heartbeat every 20 ms in between.

    `agent`: from when to when the agent's voice sounds.
    """
    out: Played = []
    pending = sorted(script, key=lambda step: step[0])
    voice = _voice(pending)
    last_voice_s = since
    last_s = max([until, *(at for at, _ in pending)])
    for tick in range(round(since * 50), round(last_s * 50) + 1):
        now_s = round(tick * 0.02, 3)
        while pending and pending[0][0] <= now_s + 1e-9:
            out += [(now_s, action) for action in it.step(pending.pop(0)[1], now_s)]
        began_s = next((start for start, stop in voice if start < now_s <= stop + 1e-9), None)
        last_voice_s = last_voice_s if began_s is None else now_s
        beat = Heartbeat(
            last_voice_s,
            run_s=0.0 if began_s is None else now_s - began_s,
            level_dbfs=-70.0 if began_s is None else VOICE_DBFS,
            agent_dbfs=-25.0 if agent[0] <= now_s < agent[1] else -90.0,
        )
        out += [(now_s, action) for action in it.step(beat, now_s)]
    return out


def _voice(script: Script) -> list[tuple[float, float]]:
    stretches: list[tuple[float, float]] = []
    for _, event in script:
        if isinstance(event, SpeechStarted):
            stretches.append((event.at_s, float("inf")))
        elif isinstance(event, SpeechStopped) and stretches:
            stretches[-1] = (stretches[-1][0], event.at_s)
    return stretches


def spoken(
    start_s: float,
    stop_s: float,
    pause: int,
    text: str,
    score: float | None = 0.99,
    reading: Reading = DONE,
    words_after_s: float = 0.16,
) -> Script:
    """One stretch of speech, its transcript and its score, with plausible delays."""
    if not text:
        reading = Reading(complete=0.0)
    return [
        (start_s + 0.1, SpeechStarted(start_s)),
        (stop_s + 0.08, SpeechStopped(stop_s)),
        (stop_s + 0.12, TurnScored(pause, score, 0.08)),
        (stop_s + words_after_s, TranscriptReady(pause, text, reading)),
    ]


def of(kind: type[T], actions: Played) -> list[tuple[float, T]]:
    return [(at, action) for at, action in actions if isinstance(action, kind)]


def ends(actions: Played) -> list[tuple[float, str]]:
    return [(at, action.text) for at, action in of(EndTurn, actions)]


# When a turn ends.


def test_a_complete_turn_ends_after_the_shortest_silence() -> None:
    actions = play(taker(), *spoken(0.0, 1.0, 1, "hello there"), until=4)
    kinds = [type(action) for _, action in actions]
    assert kinds == [BeginTurn, TranscribePartial, Judge, Weighed, Weighed, EndTurn]
    at_s, end = of(EndTurn, actions)[0]
    assert at_s == 1.24
    assert (end.text, end.stopped_s, end.waited_for_words_s, end.draft) == (
        "hello there", 1.0, 0.0, None,
    )  # fmt: skip
    assert end.probability is not None and end.probability > 0.8


def test_an_incomplete_turn_is_waited_for_but_not_for_ever() -> None:
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN)
    [(at_s, _)] = ends(play(taker(), *script, until=6))
    assert 2.0 < at_s <= 2.62


def test_a_caller_who_asks_for_time_gets_more_of_it() -> None:
    holds = Reading(words=4, complete=0.02, holds=True)
    [(at_s, _)] = ends(play(taker(), *spoken(0.0, 1.0, 1, "um let me see", 0.01, holds), until=6))
    assert 2.62 < at_s <= 4.02


def test_a_failed_or_silent_turn_model_does_not_hold_the_turn_for_ever() -> None:
    waited = []
    for score in ([], [(1.12, TurnScored(1, None))]):
        events = [step for step in spoken(0.0, 1.0, 1, "yes") if type(step[1]) is not TurnScored]
        actions = play(taker(), *events, *score, until=5)
        assert of(Rescore, actions) == []
        [(at_s, _)] = ends(actions)
        waited.append(at_s)
    assert waited[0] == waited[1] <= 2.62


def test_without_words_to_read_the_sound_decides() -> None:
    """Languages that the text reader does not know."""
    sure, unsure = (
        ends(play(taker(), *spoken(0.0, 1.0, 1, "oui", score, Reading(words=1)), until=5))[0][0]
        for score in (0.99, 0.01)
    )
    assert sure < 1.5 < unsure


def test_a_late_transcript_ends_the_turn_when_it_comes_and_accounts_for_the_wait() -> None:
    script = spoken(0.0, 1.0, 1, "late", words_after_s=1.5)
    [(at_s, end)] = of(EndTurn, play(taker(), *script, until=4))
    assert at_s == 2.5
    assert end.waited_for_words_s == pytest.approx(1.5 - 0.24)


def test_only_the_wait_for_words_is_called_so() -> None:
    """Here they came late and still before the silence was long enough."""
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN, words_after_s=0.6)
    [(_, end)] = of(EndTurn, play(taker(), *script, until=4))
    assert end.waited_for_words_s == 0.0


def test_a_better_score_ends_a_doubtful_pause() -> None:
    script = spoken(0.0, 1.0, 1, "and the other one", 0.05, Reading(words=4, complete=0.7))
    [(doubtful_s, _)] = ends(play(taker(), *script, until=4))
    script.append((1.34, TurnScored(1, 0.9999, 0.2)))
    [(sure_s, _)] = ends(play(taker(), *script, until=4))
    assert 1.34 <= sure_s < doubtful_s


def test_going_on_after_a_pause_makes_one_turn_and_the_first_answers_stale() -> None:
    actions = play(
        taker(),
        *spoken(0.0, 1.0, 1, "my number is", 0.1, words_after_s=0.5),
        *spoken(1.3, 2.0, 2, "my number is five"),
        (2.16, TurnScored(1, 0.0)),
        until=5,
    )
    assert len(of(BeginTurn, actions)) == 1
    assert ends(actions) == [(2.24, "my number is five")]


def test_a_turn_does_not_end_into_what_may_be_the_next_word() -> None:
    """Voice runs from 1.2 s on, and is believed at 1.3 s."""
    script = [*spoken(0.0, 1.0, 1, "my number"), (1.3, SpeechStarted(1.2))]
    assert ends(play(taker(), *script, until=2)) == []


def test_noise_without_words_is_dropped_and_the_next_turn_is_heard() -> None:
    it = taker()
    actions = play(it, *spoken(0.0, 0.5, 1, ""), until=3)
    assert of(DropTurn, actions) == [(0.74, DropTurn("no words", False))]
    assert it.floor is Floor.QUIET
    later = play(it, *spoken(3.2, 3.7, 2, "yes"), since=3.02, until=6)
    assert [text for _, text in ends(later)] == ["yes"]


def test_a_very_long_turn_is_transcribed_in_parts_and_joined() -> None:
    actions = play(
        taker(),
        (26.0, PrefixReady("first part")),
        *spoken(0.0, 30.0, 1, "second part"),
        until=33,
    )
    assert [at for at, _ in of(CutPrefix, actions)] == [25.0]
    assert ends(actions) == [(30.24, "first part second part")]


def test_a_turn_waits_for_its_prefix() -> None:
    actions = play(taker(), *spoken(0.0, 26.0, 1, "end"), (28.0, PrefixReady("start")), until=30)
    [(at_s, end)] = of(EndTurn, actions)
    assert (at_s, end.text) == (28.0, "start end")
    assert end.waited_for_words_s == pytest.approx(2.0 - 0.24)


# Persona and caller.


def test_a_patient_persona_waits_twice_as_long() -> None:
    script = spoken(0.0, 1.0, 1, "hello")
    assert ends(play(taker(patience=2.0), *script, until=4)) == [(1.48, "hello")]


DOUBTFUL = Reading(words=3, complete=0.3)


def wait_for_a_doubtful_pause(it: TurnTaker, at_s: float, pause: int) -> float:
    """Silence after which a turn ends of which nobody can tell whether it is over."""
    script = spoken(at_s + 0.1, at_s + 1.0, pause, "the other one", 0.3, DOUBTFUL)
    [(ended_s, _)] = ends(play(it, *script, since=at_s, until=at_s + 5))
    return ended_s - (at_s + 1.0)


def test_a_caller_who_pauses_for_long_is_waited_for_longer_later_in_the_call() -> None:
    it = taker()
    first_s = wait_for_a_doubtful_pause(it, 0.0, 1)
    text = "it is"
    script: Script = []
    for number in range(4):
        text += f" word{number}"
        start_s = 10.0 + 2.0 * number
        script += spoken(start_s, start_s + 1.0, number + 2, text, 0.01, OPEN)
    play(it, *script, since=9.0, until=20.0)
    assert wait_for_a_doubtful_pause(it, 20.02, 6) > first_s + 0.05


def test_a_cough_in_a_pause_is_no_sign_of_a_slow_caller() -> None:
    """Speech was heard again, but the words stayed the same."""
    waits = []
    for second in ("is it open", "is it open today"):
        it = taker()
        play(
            it,
            *spoken(0.0, 1.0, 1, "is it open", 0.01, OPEN),
            *spoken(2.2, 2.4, 2, second),
            until=6,
        )
        waits.append(wait_for_a_doubtful_pause(it, 6.02, 3))
    assert waits[0] < waits[1]


# What is asked for, and what is told.


def test_a_pause_is_scored_again_every_100_ms_while_it_can_matter() -> None:
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN)
    script += [(1.22 + 0.1 * step, TurnScored(1, 0.01, 0.18)) for step in range(20)]
    at = [at for at, _ in of(Rescore, play(taker(), *script, until=4))]
    assert at == pytest.approx([1.18, 1.28])
    assert at[-1] <= 1.0 + RESCORE_UNTIL_S


def test_a_pause_is_not_scored_again_before_its_words_are_there() -> None:
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN, words_after_s=0.25)
    assert of(Rescore, play(taker(), *script, until=4))[0][0] == pytest.approx(1.26)


def test_the_turn_model_is_asked_one_thing_at_a_time() -> None:
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN)
    assert len(of(Rescore, play(taker(), *script, until=4))) == 1


def test_a_turn_that_is_about_to_end_is_not_scored_again() -> None:
    assert of(Rescore, play(taker(), *spoken(0.0, 1.0, 1, "hello"), until=4)) == []


def test_every_judgement_is_told_with_what_it_was_made_of() -> None:
    actions = play(taker(), *spoken(0.0, 1.0, 1, "hello", 0.8), until=4)
    (_, first), (_, second) = of(Weighed, actions)
    assert (first.pause, first.words, second.words) == (1, None, DONE.complete)
    assert first.sound == second.sound == pytest.approx(0.8, abs=0.06)
    assert second.needed_s <= first.needed_s
    assert second.silence_s == pytest.approx(0.16)


# The agent has the floor.


def test_speech_over_the_agent_is_ducked_held_and_interrupts() -> None:
    script = spoken(1.0, 2.5, 1, "stop it now")
    actions = play(taker(), (0.0, AgentBusy(True)), *script, until=4, agent=(0.0, 4.0))
    kinds = [type(a) for _, a in actions if isinstance(a, Duck | Hold | Interrupt | Restore)]
    assert kinds == [Duck, Hold, Interrupt]


def test_words_are_asked_for_soon_after_the_agent_is_held() -> None:
    script = [(1.1, SpeechStarted(1.0))]
    actions = play(taker(), (0.0, AgentBusy(True)), *script, until=2, agent=(0.0, 4.0))
    [(held_s, _), *_] = of(Hold, actions)
    assert held_s + 0.25 <= of(TranscribePartial, actions)[0][0] <= held_s + 0.3


def test_a_stop_that_is_heard_while_it_is_said_interrupts_at_once() -> None:
    stop = WordsHeard("stop", Reading(words=1, objects=True))
    script: Script = [(1.1, SpeechStarted(1.0)), (1.3, stop)]
    actions = play(taker(), (0.0, AgentBusy(True)), *script, until=2, agent=(0.0, 4.0))
    assert of(Interrupt, actions)[0][0] == 1.3


def test_a_backchannel_is_no_turn() -> None:
    script = spoken(1.0, 1.4, 1, "mm hm", reading=MM_HM)
    actions = play(taker(), (0.0, AgentBusy(True)), *script, until=4, agent=(0.0, 4.0))
    assert of(Interrupt, actions) == of(EndTurn, actions) == []
    assert [drop.interrupted for _, drop in of(DropTurn, actions)] == [False]


def test_a_backchannel_whose_words_come_after_the_reply_is_none_either() -> None:
    script = spoken(1.0, 1.4, 1, "mm hm", reading=MM_HM, words_after_s=0.4)
    script.append((1.6, AgentBusy(False)))
    actions = play(taker(), (0.0, AgentBusy(True)), *script, until=4, agent=(0.0, 1.6))
    assert of(EndTurn, actions) == []
    assert of(DropTurn, actions)[0][1] == DropTurn("backchannel", False)


def test_a_persona_may_not_be_interruptible() -> None:
    script = spoken(1.0, 3.0, 1, "stop it")
    actions = play(
        taker(interruption="never"), (0.0, AgentBusy(True)), *script, until=5, agent=(0.0, 5.0)
    )
    assert of(Interrupt, actions) == of(EndTurn, actions) == []


def test_speech_while_the_agent_thinks_is_the_turn_going_on() -> None:
    it = taker()
    play(it, *spoken(0.0, 1.0, 1, "my number is"), until=1.3)
    actions = play(it, (1.3, AgentBusy(True)), *spoken(1.5, 3.0, 2, "five five two"), until=4)
    assert [action.reason for _, action in of(Interrupt, actions)] == ["goes on"]


def test_a_caller_who_was_cut_off_is_waited_for_longer() -> None:
    waits = []
    for went_on in (False, True):
        it = taker()
        script = [*spoken(0.0, 1.0, 1, "my number is"), (1.3, AgentBusy(True))]
        if went_on:
            script += [*spoken(2.2, 3.4, 2, "five five two"), (2.6, AgentBusy(False))]
        play(it, *script, (4.9, AgentBusy(False)), until=6)
        waits.append(wait_for_a_doubtful_pause(it, 6.02, 3 if went_on else 2))
    assert waits[0] < waits[1]


# The talk key.


def test_the_talk_key_interrupts_holds_the_floor_and_ends_the_turn() -> None:
    actions = play(
        taker(interruption="push-to-talk"),
        (0.0, AgentBusy(True)),
        (0.9, TalkKey(True)),
        (1.0, AgentBusy(False)),
        *spoken(1.2, 2.0, 1, "first"),
        *spoken(4.5, 5.0, 2, "first second"),
        (5.06, TalkKey(False)),
        until=8,
        agent=(0.0, 1.0),
    )
    assert [action.reason for _, action in of(Interrupt, actions)] == ["talk key"]
    assert ends(actions) == [(5.16, "first second")]


def test_without_the_key_nobody_interrupts() -> None:
    actions = play(
        taker(interruption="push-to-talk"),
        (0.0, AgentBusy(True)),
        *spoken(1.0, 2.5, 1, "stop it now"),
        until=4,
        agent=(0.0, 4.0),
    )
    assert of(Interrupt, actions) == of(EndTurn, actions) == []


def test_a_key_pressed_by_mistake_lets_the_agent_go_on() -> None:
    actions = play(
        taker(interruption="push-to-talk"),
        (0.0, AgentBusy(True)),
        (1.0, TalkKey(True)),
        (1.1, AgentBusy(False)),
        (2.0, TalkKey(False)),
        until=3,
        agent=(0.0, 1.0),
    )
    assert of(DropTurn, actions) == [(2.0, DropTurn("no words", True))]


# Answers begun early.


def test_an_answer_is_begun_when_the_words_are_there_and_adopted_when_the_turn_ends() -> None:
    doubtful = Reading(words=3, complete=0.8)
    actions = play(speculating(), *spoken(0.0, 1.0, 1, "is it open", 0.6, doubtful), until=4)
    [(begun_s, draft)] = of(Speculate, actions)
    [(ended_s, end)] = of(EndTurn, actions)
    assert 1.16 <= begun_s < ended_s
    assert (draft.text, end.draft) == ("is it open", draft.draft)
    assert of(Discard, actions) == []


def test_a_draft_survives_a_cough() -> None:
    doubtful = Reading(words=3, complete=0.8)
    actions = play(
        speculating(),
        *spoken(0.0, 1.0, 1, "is it open", 0.3, doubtful),
        *spoken(1.4, 1.6, 2, "Is it open?", 0.97),
        until=4,
    )
    assert [draft.draft for _, draft in of(Speculate, actions)] == [1]
    assert [end.draft for _, end in of(EndTurn, actions)] == [1]


def test_a_draft_for_half_a_turn_is_discarded() -> None:
    doubtful = Reading(words=3, complete=0.8)
    actions = play(
        speculating(),
        *spoken(0.0, 1.0, 1, "is it open", 0.3, doubtful),
        *spoken(1.4, 2.2, 2, "is it open on Sunday", 0.3, doubtful),
        until=5,
    )
    assert [draft.draft for _, draft in of(Discard, actions)] == [1]
    assert [end.draft for _, end in of(EndTurn, actions)] == [2]


def test_an_unlikely_end_is_not_speculated_on() -> None:
    script = spoken(0.0, 1.0, 1, "I want to", 0.01, OPEN)
    speculated = of(Speculate, play(speculating(), *script, until=1.5))
    assert speculated == []


def test_no_answer_is_begun_without_room_for_it() -> None:
    doubtful = Reading(words=3, complete=0.8)
    script = spoken(0.0, 1.0, 1, "is it open", 0.6, doubtful)
    actions = play(speculating(), (0.0, MaySpeculate(False)), *script, until=4)
    assert of(Speculate, actions) == []
    assert [end.draft for _, end in of(EndTurn, actions)] == [None]


def test_nothing_is_begun_for_what_is_said_over_the_agent() -> None:
    script = spoken(1.0, 1.4, 1, "mm hm", reading=MM_HM)
    busy = (0.0, AgentBusy(True))
    actions = play(speculating(), busy, *script, until=4, agent=(0.0, 4.0))
    assert of(Speculate, actions) == []


# Murmurs.


def test_a_long_turn_gets_a_murmur_where_it_surely_goes_on() -> None:
    script = spoken(0.0, 5.0, 1, "so the thing is that", 0.02, OPEN)
    assert len(of(Murmur, play(taker(murmurs=True), *script, until=8))) == 1
    assert of(Murmur, play(taker(), *script, until=8)) == []
