"""TurnTaker, one behaviour at a time, on hand-made events."""

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.endpointing import Floor, TurnTaker
from agent.turns.events import (
    Action,
    AgentBusy,
    BeginTurn,
    CutPrefix,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Interrupt,
    Judge,
    PrefixReady,
    SpeechStarted,
    SpeechStopped,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
)
from agent.turns.reading import Reading

CONFIG = TurnsConfig(
    min_silence_ms=240,
    max_silence_ms=1600,
    turn_threshold=0.5,
    barge_in_ms=200,
    partial_interval_ms=600,
    max_turn_s=25,
)


def taker(**temperament: object) -> TurnTaker:
    return TurnTaker(CONFIG, TurnTemperament.model_validate(temperament))


def play(
    it: TurnTaker, *script: tuple[float, Event], until: float = 0.0
) -> list[tuple[float, Action]]:
    """Feed events at their times with a heartbeat every 20 ms in between."""
    out: list[tuple[float, Action]] = []
    pending = list(script)
    stopped_s = 0.0
    for tick in range(round(max(until, *(at for at, _ in script)) * 50) + 1):
        now_s = tick * 0.02
        while pending and pending[0][0] <= now_s + 1e-9:
            event = pending.pop(0)[1]
            out += [(now_s, action) for action in it.step(event, now_s)]
            if isinstance(event, SpeechStopped):
                stopped_s = event.at_s
            elif isinstance(event, SpeechStarted):
                stopped_s = float("inf")
        out += [(now_s, action) for action in it.step(Heartbeat(min(now_s, stopped_s)), now_s)]
    return out


def spoken(
    start_s: float, stop_s: float, pause: int, text: str, score: float = 0.9
) -> list[tuple[float, Event]]:
    """One stretch of speech, its transcript and its score, with plausible delays."""
    return [
        (start_s + 0.1, SpeechStarted(start_s)),
        (stop_s + 0.1, SpeechStopped(stop_s)),
        (stop_s + 0.14, TurnScored(pause, score)),
        (stop_s + 0.2, TranscriptReady(pause, text, Reading())),
    ]


def of(kind: type, actions: list[tuple[float, Action]]) -> list[tuple[float, Action]]:
    return [(at, action) for at, action in actions if isinstance(action, kind)]


def test_a_complete_turn_ends_after_the_shortest_silence() -> None:
    actions = play(taker(), *spoken(0.0, 1.0, 1, "hello there"), until=4)
    assert [type(action) for _, action in actions] == [BeginTurn, TranscribePartial, Judge, EndTurn]
    assert actions[-1] == (1.24, EndTurn("hello there", 1.0, 0.9))


def test_an_incomplete_turn_is_waited_for() -> None:
    actions = play(taker(), *spoken(0.0, 1.0, 1, "I want to", score=0.0), until=4)
    assert of(EndTurn, actions) == [(2.6, EndTurn("I want to", 1.0, 0.0))]


def test_doubt_makes_the_wait_longer_step_by_step() -> None:
    it = taker()
    waits = [it.silence_needed_s(p) for p in (1.0, 0.5, 0.4, 0.25, 0.1, 0.0)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (0.24, 0.24, 1.6)


def test_patience_scales_the_wait() -> None:
    assert taker(patience=2.0).silence_needed_s(0.9) == 0.48


def test_a_failed_or_silent_turn_model_does_not_hold_the_turn_for_ever() -> None:
    events = [event for event in spoken(0.0, 1.0, 1, "yes") if not isinstance(event[1], TurnScored)]
    assert of(EndTurn, play(taker(), *events, until=5)) == [(2.6, EndTurn("yes", 1.0, None))]
    events.insert(2, (1.14, TurnScored(1, None)))
    assert of(EndTurn, play(taker(), *events, until=5)) == [(1.92, EndTurn("yes", 1.0, None))]


def test_going_on_after_a_pause_makes_one_turn_and_the_first_transcript_stale() -> None:
    actions = play(
        taker(),
        (0.1, SpeechStarted(0.0)),
        (1.1, SpeechStopped(1.0)),
        (1.14, TurnScored(1, 0.1)),
        (1.4, SpeechStarted(1.3)),
        (1.5, TranscriptReady(1, "my number is", Reading())),
        (2.1, SpeechStopped(2.0)),
        (2.14, TurnScored(2, 0.9)),
        (2.2, TranscriptReady(2, "my number is five", Reading())),
        until=5,
    )
    assert len(of(BeginTurn, actions)) == 1
    assert of(EndTurn, actions) == [(2.24, EndTurn("my number is five", 2.0, 0.9))]


def test_a_late_transcript_ends_the_turn_when_it_comes() -> None:
    events = spoken(0.0, 1.0, 1, "late")[:-1]
    actions = play(taker(), *events, (2.5, TranscriptReady(1, "late", Reading())), until=4)
    assert of(EndTurn, actions) == [(2.5, EndTurn("late", 1.0, 0.9))]


def test_noise_without_words_is_dropped_and_the_next_turn_is_heard() -> None:
    it = taker()
    actions = play(it, *spoken(0.0, 0.5, 1, ""), until=3)
    assert of(DropTurn, actions) == [(0.74, DropTurn("no words", False))]
    assert it.floor is Floor.QUIET
    later = [(at + 3.0, event) for at, event in spoken(0.0, 0.5, 2, "yes")]
    assert [action.text for _, action in of(EndTurn, play(it, *later, until=6))] == ["yes"]


def test_speech_during_a_reply_interrupts_once_it_is_long_enough() -> None:
    actions = play(taker(), (0.0, AgentBusy(True)), (1.1, SpeechStarted(1.0)), until=3)
    assert [at for at, _ in of(Interrupt, actions)] == [1.2]


def test_a_cough_during_a_reply_does_not_interrupt() -> None:
    actions = play(
        taker(),
        (0.0, AgentBusy(True)),
        (1.12, SpeechStarted(1.0)),
        (1.14, SpeechStopped(1.1)),
        until=3,
    )
    assert of(Interrupt, actions) == []
    assert of(DropTurn, actions) == [(1.34, DropTurn("talked over the agent", False))]


def test_a_persona_may_not_be_interruptible() -> None:
    actions = play(
        taker(interruption="never"),
        (0.0, AgentBusy(True)),
        *spoken(1.0, 3.0, 1, "stop it"),
        until=5,
    )
    assert of(Interrupt, actions) == of(EndTurn, actions) == []


def test_an_interruption_without_words_says_so() -> None:
    actions = play(taker(), (0.0, AgentBusy(True)), *spoken(1.0, 1.5, 1, ""), until=4)
    assert of(DropTurn, actions)[0][1] == DropTurn("no words", True)


def test_a_very_long_turn_is_transcribed_in_parts_and_joined() -> None:
    actions = play(
        taker(),
        (0.1, SpeechStarted(0.0)),
        (26.0, PrefixReady("first part")),
        *spoken(0.0, 30.0, 1, "second part")[1:],
        until=33,
    )
    assert [at for at, _ in of(CutPrefix, actions)] == [25.0]
    assert of(EndTurn, actions)[0][1] == EndTurn("first part second part", 30.0, 0.9)


def test_a_turn_waits_for_its_prefix() -> None:
    actions = play(
        taker(),
        *spoken(0.0, 26.0, 1, "end")[:4],
        (28.0, PrefixReady("start")),
        until=30,
    )
    assert of(EndTurn, actions) == [(28.0, EndTurn("start end", 26.0, 0.9))]
