"""The simulated world: the same calls as a real session's, the same ones each time, and fair."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import session
from agent.config import TurnsConfig, VadConfig
from agent.persona import TurnTemperament
from agent.stt.types import SAMPLE_RATE_HZ, Transcript
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    SILENT_DBFS,
    Action,
    AgentBusy,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Judge,
    Rescore,
    SpeechStarted,
    SpeechStopped,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    Weighed,
)
from agent.turns.reading import NO_WORDS
from agent.turns.record import rounded
from agent.turns.vad import VoiceGate
from bench import turns
from bench.turns_world.acoustics import FRAME_S, Acoustics, Microphone
from bench.turns_world.agent_model import BREAK_WITHIN_S, AgentModel, speech
from bench.turns_world.baselines import (
    Pauses,
    PipecatTaker,
    SmartTurnTaker,
    VadTaker,
    acoustics_seed,
    sweep_smart_turn,
    sweep_vad,
)
from bench.turns_world.callers import scripts
from bench.turns_world.ears_model import EarsModel, Source, heartbeat
from bench.turns_world.latencies import PROFILES, Latencies, Spread
from bench.turns_world.scripts import (
    Caller,
    Cue,
    Exchange,
    Hold,
    Script,
    Sound,
    TurnKind,
    Utterance,
    Word,
)
from bench.turns_world.world import SimulatedCall, Taker, play
from tests.conversations.harness import PERSONA, Call, Senses
from tests.fakes.llm import FakeLlm, Say
from tts.types import Mark, SpeechChunk, SynthesisRequest

SEED = 7
REPLIES = {
    "en": "We can bring the new one to your house on Monday morning before ten o'clock",
    "zh": "我们星期一上午十点之前可以把新的送到您家里来",
}
LONG_REPLY = " ".join([REPLIES["en"]] * 4)
RATE_HZ = 48_000
LATE_S = 0.1
"""How late the detector may be in telling when a voice ended: it trails on; windows are long."""
EXACT = Latencies(
    "exact",
    stt=Spread(103, 0),
    partial=Spread(103, 0),
    score=Spread(41, 0),
    llm=Spread(207, 0),
    tts=Spread(63, 0),
    tokens_per_s=80,
    audio_x_realtime=20,
    up_ms=0,
    down_ms=0,
)


def parley(script: Script) -> TurnTaker:
    return TurnTaker(TurnsConfig(), TurnTemperament(), script.language)


# The real session hears what the simulated ears hear.


class Hearing:
    """The senses of a real session on the line of a simulated call."""

    def __init__(self, script: Script, sources: Sequence[Source]) -> None:
        self._acoustics = Acoustics(script.caller, acoustics_seed(script, SEED))
        self._microphone = Microphone(script.caller, acoustics_seed(script, SEED))
        self._gate = VoiceGate(VadConfig())
        self._sources = list(sources)
        self._frames = 0
        self._ears = EarsModel(self._acoustics, EXACT, script.language, None)  # type: ignore[arg-type]
        self.level_dbfs = SILENT_DBFS
        self.said = [source for source in sources]

    # A voice detector.

    def process(self, pcm: NDArray[np.int16]) -> Sequence[SpeechStarted | SpeechStopped]:
        began_s = self._frames * FRAME_S
        while self._sources and self._sources[0].start_s < began_s + FRAME_S / 2:
            source = self._sources.pop(0)
            self._microphone.begin(self._acoustics.frames(source.what), source.start_s)
            self._ears.sources.append(source)
        heard = self._microphone.step(SILENT_DBFS)
        self._frames += 1
        self.level_dbfs = heard.level_dbfs
        event = self._gate.step(heard.fast, heard.sure)
        if event is None:
            return []
        self._ears.notice(event)
        return [event]

    @property
    def last_voice_s(self) -> float:
        return self._gate.last_voice_s

    @property
    def run_s(self) -> float:
        return self._gate.run_s

    # A recogniser.

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        to_s = self._frames * FRAME_S
        text = self._ears.text_between(to_s - len(audio) / SAMPLE_RATE_HZ, to_s)
        took_s = EXACT.stt.median_ms / 1000
        await asyncio.sleep(took_s)
        return Transcript(text, language, len(audio) / SAMPLE_RATE_HZ, took_s, "short")

    # A turn model.

    async def probability(self, audio: NDArray[np.float32]) -> float:
        probability = self._ears.score_at(self._frames * FRAME_S)
        await asyncio.sleep(EXACT.score.median_ms / 1000)
        return probability


@dataclass
class Voice:
    """A voice that speaks as the simulated agent does."""

    language: str

    async def ready(self) -> bool:
        return True

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        await asyncio.sleep(EXACT.tts.median_ms / 1000)
        spoken = speech(request.text, self.language)
        loud = [round(32768 * 10 ** (level / 20)) for level in spoken.levels_dbfs]
        pcm = np.repeat(np.array(loud, "<i2"), round(FRAME_S * RATE_HZ))
        pcm = pcm[: round(spoken.length_s * RATE_HZ)]
        marks = tuple(
            Mark(*span, word.start_s, word.end_s)
            for span, word in zip(spoken.spans, spoken.words, strict=True)
        )
        yield SpeechChunk(pcm.tobytes(), RATE_HZ, 0, marks, is_final=False)
        yield SpeechChunk(b"", RATE_HZ, len(pcm), (), is_final=True)

    def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk, None]:
        raise AssertionError("this voice takes pieces")


Decision = tuple[float, str]


def noted(decisions: list[Decision], now_s: float, actions: Sequence[Action]) -> None:
    """Keep what the caller or the models would notice."""
    for action in actions:
        if not isinstance(action, Weighed | Rescore | TranscribePartial):
            decisions.append((now_s, type(action).__name__))


def plain(script: Script) -> Script:
    """A script that the fakes can follow: one sentence for every answer, no tool, no echo."""
    reply = REPLIES[script.language]
    exchanges = tuple(
        replace(
            exchange,
            reply=reply,
            said=reply,
            uses_tool=False,
            sounds=tuple(replace(sound, reply=reply) for sound in exchange.sounds),
        )
        for exchange in script.exchanges[:2]
    )
    return replace(
        script, exchanges=exchanges, caller=replace(script.caller, echo_db=None, noise_dbfs=-60)
    )


def in_the_world(script: Script) -> tuple[list[Decision], SimulatedCall]:
    decisions: list[Decision] = []
    call = SimulatedCall(
        script,
        parley(script),
        EXACT,
        SEED,
        trace=lambda now_s, event, actions: noted(decisions, now_s, actions),
    )
    call.play()
    return decisions, call


def in_a_session(
    script: Script, sources: Sequence[Source], monkeypatch: pytest.MonkeyPatch
) -> list[Decision]:
    decisions: list[Decision] = []

    class Noting(TurnTaker):
        def step(self, event: Event, now_s: float) -> list[Action]:
            actions = super().step(event, now_s)
            noted(decisions, now_s, actions)
            return actions

    monkeypatch.setattr(session, "TurnTaker", Noting)
    hearing = Hearing(script, sources)
    call = Call(
        llm=FakeLlm(
            [Say(REPLIES[script.language]) for _ in range(99)],
            first_token_s=EXACT.llm.median_ms / 1000,
            per_token_s=0.0,
        ),
        tts=Voice(script.language),  # type: ignore[arg-type]
        persona=PERSONA.model_copy(update={"language": script.language}),
        senses=Senses(hearing, hearing, hearing),
    )
    call.run(until=sources[-1].end_s + 8)
    return decisions


@pytest.mark.parametrize("number", (2, 3, 9))
def test_a_simulated_call_and_a_real_session_decide_the_same(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulated shell cannot drift from the real one."""
    script = plain(scripts(SEED, half="calibrate", count=12)[number])
    simulated, call = in_the_world(script)
    real = in_a_session(script, call.sources, monkeypatch)
    simulated = [(at, name) for at, name in simulated if at < call.sources[-1].end_s]
    assert [name for _, name in real[: len(simulated)]] == [name for _, name in simulated]
    for (real_s, name), (simulated_s, _) in zip(real, simulated, strict=False):
        assert abs(real_s - simulated_s) <= FRAME_S + 1e-6, name
    assert {"Duck", "EndTurn"} <= {name for _, name in simulated}


def test_heartbeats_are_told_as_the_record_keeps_them() -> None:
    gate = VoiceGate(VadConfig())
    for index in range(40):
        gate.step(True, 0.9 if index % 2 else None)
        beat = heartbeat(gate, -33.33 - index / 7, -21.04)
        assert rounded(beat) == beat


def test_the_same_seed_plays_the_same_call_and_another_one_another() -> None:
    script = scripts(SEED, half="held_out", count=1)[0]
    script = replace(script, exchanges=script.exchanges[:1])
    outcomes = [play(script, parley, PROFILES["cpu"], seed) for seed in (1, 1, 2)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != outcomes[2]


# Callers of a few words, whose times are known.


def utterance(text: str, hold_s: float = 0.0, kind: TurnKind = "statement") -> Utterance:
    """Words of 0.3 s each; the hold stands behind the fourth."""
    words, holds, at_s = [], [], 0.0
    for index, text_of_word in enumerate(text.split()):
        words.append(Word(text_of_word, at_s, at_s + 0.3))
        at_s += 0.3
        if hold_s and index == 3:
            holds.append(Hold(index, at_s, at_s + hold_s, "clause", True))
            at_s += hold_s
    return Utterance(text, "en", kind, tuple(words), tuple(holds))


def call(turn: Utterance, *sounds: Sound, reply: str = REPLIES["en"]) -> Script:
    exchange = Exchange("How can I help?", 0.3, turn, reply, uses_tool=False, sounds=sounds)
    caller = Caller(1.0, 1.0, 1.0, -25.0, -65.0, None, 0.1)
    return Script(turn.text, "en", "calibrate", "test", caller, (exchange,))


def cut_in(text: str, share: float) -> Sound:
    speech = utterance(text, kind="interruption")
    cue = Cue("reply share", share)
    return Sound(f"cut in {share}", "interruption", cue, speech.duration_s, 0.0, speech, "Fine.")


def vad(timeout_s: float) -> Callable[[Script], Taker]:
    return lambda _: VadTaker(timeout_s)


class Deaf:
    """Ends turns by silence, and never lets itself be interrupted."""

    def __init__(self) -> None:
        self._taker = VadTaker(0.4)
        self._busy = False

    def step(self, event: Event, now_s: float) -> list[Action]:
        if isinstance(event, AgentBusy):
            self._busy = event.busy
        return [] if self._busy else self._taker.step(event, now_s)


def test_a_turn_ends_when_its_silence_is_long_enough_and_no_sooner() -> None:
    script = call(utterance("I lost my card last week", 0.35))
    for timeout_s, cut in ((0.3, True), (0.5, False)):
        [turn] = play(script, vad(timeout_s), EXACT, SEED).turns
        hold, end = turn.pauses
        assert (hold.ended_after_s is not None) is cut
        assert end.ended_after_s == pytest.approx(timeout_s + LATE_S / 2, abs=LATE_S / 2 + FRAME_S)


def test_a_caller_who_is_cut_off_says_the_rest_and_is_answered_once() -> None:
    script = call(utterance("I lost my card last week and need a new one", 0.9))
    [turn] = play(script, vad(0.3), EXACT, SEED).turns
    assert turn.pauses[0].ended_after_s == pytest.approx(0.3 + LATE_S / 2, abs=LATE_S)
    assert len(turn.overlaps_ms) == 1
    assert turn.answered_s is not None and turn.answered_s > turn.ended_s


def test_the_line_lies_between_the_caller_and_the_agent_both_ways() -> None:
    script = call(utterance("I lost my card"))
    far = replace(EXACT, up_ms=100, down_ms=40)
    [near_turn] = play(script, vad(0.4), EXACT, SEED).turns
    [far_turn] = play(script, vad(0.4), far, SEED).turns
    waits_s = [t.answered_s - t.ended_s for t in (near_turn, far_turn) if t.answered_s]
    # 0.4 s of silence, 0.207 of thought, 0.063 of voice, and frames.
    assert waits_s[0] == pytest.approx(0.67 + LATE_S / 2, abs=LATE_S)
    assert waits_s[1] - waits_s[0] == pytest.approx(0.14, abs=1e-6)


def test_an_interruption_is_yielded_to_and_its_time_is_taken_at_the_caller() -> None:
    script = call(utterance("I lost my card"), cut_in("no wait a second please", 0.4))
    first, second = play(script, vad(0.4), EXACT, SEED).turns
    assert second.kind == "interruption"
    # 96 ms of voice in windows of 32, a frame, and up to 50 ms to the next phone.
    assert second.yield_ms == pytest.approx(180, abs=50)
    assert second.heard_error_words is not None and second.heard_error_words <= 1
    assert second.answered_s is not None
    assert first.yield_ms is None


def test_an_agent_that_speaks_on_is_told_twice_and_never_yielded() -> None:
    script = call(
        utterance("I lost my card"), cut_in("no wait a second please", 0.1), reply=LONG_REPLY
    )
    simulated = SimulatedCall(script, Deaf(), EXACT, SEED)
    turns = simulated.play().turns
    said = [source.what.id for source in simulated.sources]
    assert said == ["I lost my card", "cut in 0.1", "cut in 0.1"]
    assert turns[1].yield_ms == math.inf
    assert turns[1].ended_s == simulated.sources[2].end_s


def test_any_voice_stops_the_baselines() -> None:
    speech = utterance("mm-hm okay")
    sound = Sound("yes", "backchannel", Cue("reply share", 0.3), 0.6, 0.0, speech)
    for make in (vad(0.4), lambda _: SmartTurnTaker(1.0), lambda _: PipecatTaker()):
        outcome = play(call(utterance("I lost my card"), sound), make, EXACT, SEED)
        assert [s.stopped for s in outcome.sounds] == [True]


def test_a_taker_that_never_ends_a_turn_leaves_its_caller_without_an_answer() -> None:
    [turn] = play(call(utterance("I lost my card")), vad(60), EXACT, SEED).turns
    assert turn.answered_s is None
    assert turn.pauses[-1].ended_after_s is None


# The baselines' decisions.


def smart_turn_ends_s(taker: Taker, probability: float) -> float:
    """Silence after which a taker ends a turn of 1 s that smart-turn gives this probability."""
    now_s, due = 1.0, list[tuple[float, Event]]()
    taker.step(SpeechStarted(0.0), 0.1)
    for _ in range(400):
        now_s += 0.02
        events: list[Event] = [SpeechStopped(1.0)] if abs(now_s - 1.06) < 0.01 else []
        events += [event for at_s, event in due if at_s <= now_s]
        due = [(at_s, event) for at_s, event in due if at_s > now_s]
        for event in (*events, Heartbeat(1.0, 0.0)):
            for action in taker.step(event, now_s):
                if isinstance(action, EndTurn):
                    return now_s - 1.0
                if isinstance(action, Judge):
                    due.append((now_s + 0.1, TranscriptReady(action.pause, "yes", NO_WORDS)))
                if isinstance(action, Judge | Rescore):
                    due.append((now_s + 0.03, TurnScored(action.pause, probability)))
    raise AssertionError("the turn never ended")


def test_smart_turn_acts_on_its_score_after_the_delay_and_else_on_the_timeout() -> None:
    def taker() -> Taker:
        return SmartTurnTaker(1.5, threshold=0.3, action_delay_s=0.4)

    assert smart_turn_ends_s(taker(), 0.31) == pytest.approx(0.4, abs=0.02)
    assert smart_turn_ends_s(taker(), 0.29) == pytest.approx(1.5, abs=0.02)


def heard_by_pipecat(taker: PipecatTaker) -> PipecatTaker:
    """Let a second of voice be heard."""
    for frame in range(1, 51):
        taker.step(Heartbeat(0.02 * frame, 0.02 * frame), 0.02 * frame)
    return taker


def test_pipecat_waits_for_words_and_three_seconds_when_the_turn_sounds_unfinished() -> None:
    assert smart_turn_ends_s(heard_by_pipecat(PipecatTaker()), 0.9) == pytest.approx(0.3, abs=0.03)
    assert smart_turn_ends_s(heard_by_pipecat(PipecatTaker()), 0.1) == pytest.approx(3.2, abs=0.03)


def test_pipecat_is_stuck_for_five_seconds_by_a_sound_without_words() -> None:
    taker = heard_by_pipecat(PipecatTaker())
    now_s, dropped_s = 1.0, None
    while dropped_s is None and now_s < 9:
        now_s += 0.02
        for action in taker.step(Heartbeat(1.0, 0.0), now_s):
            if isinstance(action, Judge):
                taker.step(TranscriptReady(action.pause, "", NO_WORDS), now_s)
            if isinstance(action, DropTurn):
                dropped_s = now_s
    assert dropped_s == pytest.approx(6.0, abs=0.03)


def test_sweeps_count_holds_and_delays_as_eot_bench_does() -> None:
    pauses = Pauses(
        hold_s=[0.25, 0.45, 0.9, 2.5], hold_score=[0.9, 0.1, 0.6, 0.2], end_score=[0.8, 0.3]
    )
    silent = {point.setting: point for point in sweep_vad(pauses)}
    assert silent[(0.4,)].false_cutoffs == 0.75
    assert silent[(0.4,)].mean_delay_s == 0.4
    scored = {point.setting: point for point in sweep_smart_turn(pauses)}
    # One hold fires and outlasts the delay, another outlasts the timeout; one of two ends fires.
    assert scored[(0.5, 0.3, 2.0)].false_cutoffs == 0.5
    assert scored[(0.5, 0.3, 2.0)].mean_delay_s == pytest.approx(0.5 * 0.3 + 0.5 * 2.0)


# The agent's mouth.


def speaking_agent(text: str = REPLIES["en"]) -> tuple[AgentModel, float]:
    """An agent half a second into a reply; returns it with the time of its next frame."""
    agent = AgentModel(EXACT, "en", Random(1), duck_db=12.0)
    agent.answer(text, 0.0, draft=None, tool=False)
    now_s = 0.0
    while agent.reply is not None and agent.reply.position_s < 0.5:
        now_s += FRAME_S
        agent.frame(now_s)
    return agent, now_s + FRAME_S


def test_a_lowered_voice_is_lower_from_the_next_frame_on_and_comes_back() -> None:
    (loud, now_s), (low, _) = speaking_agent(), speaking_agent()
    low.duck()
    assert low.frame(now_s) == pytest.approx(loud.frame(now_s) - 12)
    low.restore()
    assert low.frame(now_s + FRAME_S) == loud.frame(now_s + FRAME_S)


def test_a_held_voice_is_silent_within_50_ms_and_loses_nothing() -> None:
    agent, now_s = speaking_agent()
    reply = agent.reply
    assert reply
    agent.hold()
    levels = [agent.frame(now_s + FRAME_S * frame) for frame in range(20)]
    assert set(levels[3:]) == {SILENT_DBFS}
    held_at_s = reply.position_s
    agent.restore()
    now_s += 20 * FRAME_S
    agent.frame(now_s)
    assert reply.position_s == pytest.approx(held_at_s + FRAME_S)
    while agent.reply:
        now_s += FRAME_S
        agent.frame(now_s)
    assert reply.position_s == pytest.approx(reply.speech.length_s)


def test_a_voice_that_is_held_falls_silent_then_and_not_when_it_is_broken_off() -> None:
    for frames in range(25):
        agent, now_s = speaking_agent()
        reply = agent.reply
        assert reply
        for _ in range(frames):
            agent.frame(now_s)
            now_s += FRAME_S
        agent.hold()
        for frame in range(10):
            agent.frame(now_s + FRAME_S * frame)
        agent.stop(now_s + 0.5)
        assert reply.last_voice_s <= now_s + BREAK_WITHIN_S + 1e-6


def test_what_is_broken_off_is_resumed_at_its_last_phrase() -> None:
    agent, now_s = speaking_agent("Yes, of course. The shop is open until eight today.")
    cut = agent.stop(now_s)
    assert cut and cut.reply.cut and abs(cut.heard_words - cut.played_words) <= 1
    agent.resume(cut, now_s)
    assert agent.reply and agent.reply.speech.text.startswith("of course. The shop")


def test_an_answer_from_a_draft_comes_as_soon_as_both_are_ready() -> None:
    agent = AgentModel(EXACT, "en", Random(1), duck_db=12.0)
    agent.speculate(1, "Yes.", 1.0, tool=False)
    agent.answer("Yes.", 1.1, draft=1, tool=False)
    assert agent.reply and agent.reply.ready_s == pytest.approx(1.0 + 0.207 + 0.063)
    agent.answer("Yes.", 5.0, draft=None, tool=False)
    assert agent.reply.ready_s == pytest.approx(5.0 + 0.207 + 0.063)


def test_a_tool_waits_for_the_end_of_the_turn_and_leaves_no_audio_behind() -> None:
    agent = AgentModel(EXACT, "en", Random(1), duck_db=12.0)
    agent.speculate(1, REPLIES["en"], 1.0, tool=True)
    agent.discard(1, 3.0)
    tokens, audio_s = agent.work(agent.drafts[1], 9.0)
    assert tokens > 0 and audio_s == 0.0
    agent.speculate(2, REPLIES["en"], 4.0, tool=True)
    agent.answer(REPLIES["en"], 6.0, draft=2, tool=True)
    assert agent.reply and agent.reply.ready_s > 6.0 + 0.063


def test_the_bench_reports_its_metrics_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    report = turns.main(
        ["--turns", "3", "--taker", "vad", "--processes", "1", "--profile", "gpu", "cpu"]
    )
    metrics = report["metrics"]
    for name in turns.TARGETS:
        assert f"{name}_vad" in metrics
    assert metrics["v2v_ms_p50_vad_cpu"] > metrics["v2v_ms_p50_vad"]
    assert set(report["targets"]) == set(turns.TARGETS)
    assert "eva_turn_taking" in capsys.readouterr().out
