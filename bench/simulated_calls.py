"""Calls in virtual time: the real ears and session, services that take as long as they are told.

In: spoken questions, and how long a transcript, the model's first token and the voice's first
packet take.  Out: what `bench.conversation` reports of real calls, as far as it applies.  Real are
silero, smart-turn, the turn taker, the replier, the playback and its clock; scripted are the
transcripts (the words whose sound has come, which is what a perfect recogniser would hear), the
answers and the voice.  Latencies spread as `bench.turns_world.latencies` has them.  The clock is
virtual, so the machine's speed does not matter.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import weights
from agent.config import VadConfig
from agent.silero import Silero
from agent.stt.types import Transcript
from agent.turns.turn_model import TurnModel
from agent.turns.vad import VoiceActivity
from bench import calls, hesitant, report
from bench.turns_world.latencies import Spread
from tests.conversations.harness import Call, Senses
from tests.fakes.llm import FakeLlm, Say
from tests.fakes.tts import FakeTts

RATE_HZ = 16_000
PLAYOUT_S = 0.06
"""Of the caller's own jitter buffer, as in the bench of real calls."""
NOISE_DBFS = -60.0
"""Of the line, so that silence is not digital."""
QUESTIONS_PER_CALL = 8
ANSWER_S = 6.0
"""From the end of one question to the next."""
ANSWERS = (
    "Paris, which is also its largest city.",
    "It is mild in spring, with some rain in the evening.",
    "I would try a simple soup with bread.",
    "Going to bed at the same time every day helps most people.",
)
KNOWN_BEFORE_END_S = 0.06
NEAR_PAUSE_S = 0.12
"""A word that seems to end so little after a pause began ended before it."""
SEED = 6
TARGETS = {"v2v_ms_p50": 450, "false_cutoff_percent": 5}


@dataclass(frozen=True)
class Times:
    """How long the services take, in milliseconds (medians)."""

    stt: float
    llm: float
    tts: float
    score: float = 15.0


def latencies(text: str) -> Times:
    """Read "stt=50,llm=100,tts=40"; raises ValueError."""
    values = dict(part.split("=", 1) for part in text.split(","))
    if set(values) != {"stt", "llm", "tts"}:
        raise ValueError(f"{text!r} must name stt, llm and tts, as in stt=50,llm=100,tts=40")
    return Times(**{name: float(ms) for name, ms in values.items()})


@dataclass(frozen=True)
class _Asked:
    """A question at its place in a call."""

    at_s: float
    pcm: NDArray[np.int16]
    words: tuple[tuple[str, float], ...]
    """Each with the time at which it has been said, in the call."""
    pauses: int

    @property
    def end_s(self) -> float:
        voice_s = calls.last_voice_s(self.pcm, 0.0, len(self.pcm) / RATE_HZ)
        return self.at_s + (voice_s or 0.0)


@dataclass
class _Found:
    v2v_ms: list[float] = field(default_factory=list)
    v2v_hesitant_ms: list[float] = field(default_factory=list)
    hesitant_turns: int = 0
    holds: int = 0
    false_cutoffs: int = 0
    unanswered: int = 0
    ends_ms: list[float] = field(default_factory=list)
    """Silence up to the decision."""
    drafts: list[tuple[bool, int, float]] = field(default_factory=list)
    """(wasted, tokens, seconds of speech)."""


def bench(
    spoken: dict[str, NDArray[np.int16]], questions: Sequence[str], times: Times, *, count: int
) -> dict[str, Any]:
    """Hold `count` calls; returns the report of `bench.conversation`."""
    random, found = Random(SEED), _Found()
    scorer = TurnModel()
    # Without a lane: threads have no place on a virtual clock.
    scorer._session = scorer._load()
    silero = Silero(weights.find(weights.SILERO_VAD))
    for number in range(count):
        asked = _script(spoken, questions, number, random)
        _hold(asked, times, random, scorer, silero, found)
    wasted = [draft for draft in found.drafts if draft[0]]
    metrics = {
        "answers": len(found.v2v_ms) + len(found.v2v_hesitant_ms),
        "unanswered": found.unanswered,
        **report.percentiles("v2v_ms", found.v2v_ms),
        "hesitant_turns": found.hesitant_turns,
        **report.percentiles("v2v_hesitant_ms", found.v2v_hesitant_ms),
        "holds": found.holds,
        "false_cutoff_percent": round(100 * found.false_cutoffs / max(1, found.holds), 1),
        **report.percentiles("endpoint_ms", found.ends_ms),
        "drafts_begun": len(found.drafts),
        "wasted_work_share": round(len(wasted) / max(1, len(found.drafts)), 3),
        "wasted_tokens": sum(tokens for _, tokens, _ in wasted),
        "wasted_audio_s": round(sum(audio_s for _, _, audio_s in wasted), 1),
    }
    report.table([*metrics.items()])
    return report.result(
        "conversation",
        settings={
            "simulate": {"stt_ms": times.stt, "llm_ms": times.llm, "tts_ms": times.tts},
            "calls": count,
            "questions": QUESTIONS_PER_CALL,
            "playout_ms": PLAYOUT_S * 1000,
        },
        metrics=metrics,
        targets=TARGETS,
    )


def _script(
    spoken: dict[str, NDArray[np.int16]], questions: Sequence[str], number: int, random: Random
) -> list[_Asked]:
    """Questions of one call: every second one with pauses in it."""
    at_s, asked = 1.5, []
    for index in range(QUESTIONS_PER_CALL):
        turn = number * QUESTIONS_PER_CALL + index
        if index % 2:
            parts = hesitant.QUESTIONS[turn // 2 % len(hesitant.QUESTIONS)]
            lengths_s = [random.choice(hesitant.PAUSES_S) for _ in parts]
            question = hesitant.hesitate(parts, spoken[hesitant.whole(parts)], lengths_s)
            text, pcm, pauses = question.text, question.pcm, question.pauses_s
        else:
            text = questions[turn // 2 % len(questions)]
            pcm, pauses = spoken[text], ()
        asked.append(_Asked(at_s, pcm, _timed(text, pcm, pauses, at_s), len(pauses)))
        at_s += len(pcm) / RATE_HZ + ANSWER_S + random.uniform(0.0, 0.02)
    return asked


def _timed(
    text: str, pcm: NDArray[np.int16], pauses: Sequence[tuple[float, float]], at_s: float
) -> tuple[tuple[str, float], ...]:
    """Each word with the time at which it can be understood: letters take equal shares of the
    sound, and a word is known a little before its end."""
    whole_s = len(pcm) / RATE_HZ
    first_s = calls.first_voice_s(pcm, 0.0, whole_s) or 0.0
    last_s = (calls.last_voice_s(pcm, 0.0, whole_s) or whole_s) - KNOWN_BEFORE_END_S
    voiced_s = last_s - first_s - sum(end - start for start, end in pauses)
    words, letters = text.split(), sum(map(str.isalnum, text))
    timed, said = [], 0
    for word in words:
        said += sum(map(str.isalnum, word))
        end_s = first_s + voiced_s * said / letters
        for start, end in pauses:
            if end_s > start + NEAR_PAUSE_S:
                end_s += end - start
        timed.append((word, at_s + end_s))
    return tuple(timed)


@dataclass
class _Services:
    """Ears' helpers that take their time."""

    asked: Sequence[_Asked]
    times: Times
    random: Random
    scorer: TurnModel

    async def probability(self, audio: NDArray[np.float32]) -> float:
        score = self.scorer._infer(audio)
        await asyncio.sleep(Spread(self.times.score).draw_s(self.random))
        return score

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        now_s = asyncio.get_running_loop().time()
        audio_s = len(audio) / RATE_HZ
        words = [
            word
            for question in self.asked
            for word, end_s in question.words
            if now_s - audio_s - 0.05 <= end_s <= now_s
        ]
        compute_s = Spread(self.times.stt).draw_s(self.random)
        await asyncio.sleep(compute_s)
        return Transcript(" ".join(words), language, audio_s, compute_s, "short")


def _hold(
    asked: list[_Asked],
    times: Times,
    random: Random,
    scorer: TurnModel,
    silero: Silero,
    found: _Found,
) -> None:
    services = _Services(asked, times, random, scorer)
    senses = Senses(VoiceActivity(VadConfig(), silero), services, services)
    answers: list[Any] = [Say(random.choice(ANSWERS)) for _ in range(4 * len(asked))]
    call = Call(
        llm=FakeLlm(answers, first_token_s=times.llm / 1000, per_token_s=0.01),
        tts=FakeTts(first_chunk_s=times.tts / 1000),
        senses=senses,
    )
    noise = np.random.default_rng(SEED)
    for question in asked:
        level = 32767 * 10 ** (NOISE_DBFS / 20)
        hiss = noise.normal(0.0, level, len(question.pcm)).round().astype(np.int16)
        call.line.speech.append((question.at_s, question.pcm + hiss))
    call.run(until=asked[-1].end_s + ANSWER_S)
    _read_off(call, asked, found)


def _read_off(call: Call, asked: list[_Asked], found: _Found) -> None:
    sounds = [at_s + PLAYOUT_S for at_s, frame in call.line.heard if np.any(frame)]
    for index, question in enumerate(asked):
        until_s = asked[index + 1].at_s if index + 1 < len(asked) else question.end_s + ANSWER_S
        first_s = next((at_s for at_s in sounds if question.end_s <= at_s < until_s), None)
        early = any(question.at_s < at_s < question.end_s for at_s in sounds)
        found.false_cutoffs += early
        found.hesitant_turns += question.pauses > 0
        found.holds += question.pauses
        if first_s is None:
            found.unanswered += 1
            continue
        v2v_ms = found.v2v_hesitant_ms if question.pauses else found.v2v_ms
        v2v_ms.append(1000 * (first_s - question.end_s))
    for _, latency in call.log.named("turn_latency"):
        found.ends_ms.append(latency["endpoint_ms"] + latency["stt_ms"])
    found.drafts += [
        (name == "draft_dropped", fields["tokens"], fields["audio_s"])
        for _, name, fields in call.log.events
        if name in ("draft_adopted", "draft_dropped")
    ]
