"""Turn taking on real sound: the second mode of `python -m bench turns`, chosen with --audio.

Recorded and synthetic turns (`bench.turns_audio_data`) are played frame by frame into the real
voice detector; the real `TurnTaker` asks for transcripts and scores, which the real Whisper and
smart-turn make of the very stretch of sound that `agent.turns.processor` would give them.  The
clock is that of samples: an answer comes so long after the question as its model computed, behind
what it was computing before.  Answers are kept, so the curve, for which the taker is run again and
again with other settings, costs little.

A second part plays sounds over the agent's own voice, which leaves through the real
`transports.pacing.Playback` and may come back as an echo: coughs, "mm-hm", side talk, and
interruptions.

Printed besides the scores: what smart-turn says at holds and ends by the silence it is shown, with
the shares above eot-bench's thresholds that `bench.turns_world.acoustics` assumes, and how late and
how wrong the voice detector is.  Partial transcripts are made over the agent's voice only, where
they decide something.
"""

import asyncio
import heapq
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import weights
from agent.config import SttConfig, TurnsConfig, VadConfig, cache_dir
from agent.persona import TurnTemperament
from agent.silero import Silero
from agent.stt.whisper import WhisperStt
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    Action,
    BeginTurn,
    EndTurn,
    Event,
    Heartbeat,
    Judge,
    Rescore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    TranscriptReady,
    TurnScored,
)
from agent.turns.reading import read
from agent.turns.recognition import LEAD_S
from agent.turns.turn_model import TurnModel
from agent.turns.vad import FRAME_S, FRAME_SAMPLES, VoiceActivity
from bench import turns_audio_data
from bench.report import percentiles, result
from bench.stt_data import RATE_HZ, Audio
from bench.turns_audio_data import Clip, Hold
from bench.turns_audio_over import Ask, Over, over_the_agent
from bench.turns_world import acoustics, scores
from bench.turns_world.baselines import Pauses, sweep_smart_turn, sweep_vad
from bench.turns_world.scores import Outcome, PauseOutcome, Point, TurnOutcome

SILENCES_S = (0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
"""Silence that smart-turn is shown for the table of its scores."""
RESUMES_S = 0.15
"""As `bench.turns_world.ledger`: the caller speaks on; so long it takes to be noticed."""
KNOB_S = (0.15, 0.25, 0.4, 0.6, 0.85, 1.2, 1.7, 2.4, 3.4, 5.0, 8.0, 14.0)
"""Values of `cut_off_cost_s` for the curve."""
_FIRST_CLAUSE = "Sure, let me check that for you."
TARGETS = {"false_cutoffs": "<= 0.05", "false_cutoffs_at_300ms": "<= 0.10"}


@dataclass(frozen=True, slots=True)
class Beat:
    """What the ear observes in one frame, whoever takes the turns."""

    now_s: float
    change: SpeechStarted | SpeechStopped | None
    beat: Heartbeat


class Models:
    """The real models, asked one question at a time; what they answered once they know."""

    def __init__(self, stt: SttConfig) -> None:
        self._loop = asyncio.new_event_loop()
        self._stt = WhisperStt(stt, cache_dir=cache_dir(os.environ))
        self._turn = TurnModel()
        self._texts: dict[tuple[str, int, int], tuple[str, float]] = {}
        self._scores: dict[tuple[str, int, int], tuple[float, float]] = {}
        self.silero = Silero(weights.find(weights.SILERO_VAD))

    def start(self) -> None:
        """Load them.  Raises `agent.weights.WeightsMissing`."""
        self._loop.run_until_complete(self._stt.start())
        self._loop.run_until_complete(self._turn.start())

    def close(self) -> None:
        """End their lanes."""
        self._loop.run_until_complete(self._stt.close())
        self._loop.run_until_complete(self._turn.close())
        self._loop.close()

    @property
    def text_times_s(self) -> list[float]:
        """How long each transcript took."""
        return [took_s for _, took_s in self._texts.values()]

    @property
    def score_times_s(self) -> list[float]:
        """How long each score took."""
        return [took_s for _, took_s in self._scores.values()]

    def text(
        self, name: str, sound: Audio, from_s: float, to_s: float, language: str
    ) -> tuple[str, float]:
        """Whisper's words between two times of a clip, and how long it took."""
        key = (name, int(from_s * RATE_HZ), int(to_s * RATE_HZ))
        if key not in self._texts:
            began_s = time.perf_counter()
            job = self._stt.transcribe(
                sound[max(0, key[1]) : key[2]], language=language, final=True
            )
            heard = self._loop.run_until_complete(job)
            self._texts[key] = heard.text, time.perf_counter() - began_s
        return self._texts[key]

    def score(self, name: str, sound: Audio, from_s: float, to_s: float) -> tuple[float, float]:
        """smart-turn's probability for that stretch, and how long it took."""
        key = (name, int(from_s * RATE_HZ), int(to_s * RATE_HZ))
        if key not in self._scores:
            began_s = time.perf_counter()
            job = self._turn.probability(sound[max(0, key[1]) : key[2]])
            probability = self._loop.run_until_complete(job)
            self._scores[key] = probability, time.perf_counter() - began_s
        return self._scores[key]


# Turns


@dataclass(slots=True)
class Listening:
    """One run of a taker over a clip."""

    ends: dict[int, float] = field(default_factory=dict)
    """Silence after which a turn ended, by the pause it ended in; holds first, then the end."""
    drafted_s: dict[int, float] = field(default_factory=dict)
    """When each draft was asked for."""
    head_start_s: float | None = None
    """How long before the end of the turn the draft that answers it was begun."""
    drafts: int = 0


def beats(clip: Clip, models: Models) -> list[Beat]:
    """The clip as the voice detector hears it."""
    voice = VoiceActivity(VadConfig(), models.silero)
    heard = []
    for index, pcm in enumerate(_frames(clip.audio), 1):
        changes = voice.process(pcm)
        beat = Heartbeat(voice.last_voice_s, voice.run_s, voice.level_dbfs)
        heard.append(Beat(index * FRAME_S, changes[0] if changes else None, beat))
    return heard


def _frames(audio: Audio) -> Iterator[NDArray[np.int16]]:
    pcm = np.clip(np.rint(audio * 32767), -32768, 32767).astype(np.int16)
    for first in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        yield pcm[first : first + FRAME_SAMPLES]


class _Ears:
    """The shell around a taker, without pipecat, on the clock of the clip."""

    def __init__(self, clip: Clip, taker: TurnTaker, models: Ask, workers: int) -> None:
        self._clip = clip
        self._taker = taker
        self._models = models
        self._turn_from_s = 0.0
        self._last_voice_s = 0.0
        self._due: list[tuple[float, int, Event]] = []
        self._asked = 0
        self._stt_free_s = [0.0] * workers
        self._score_free_s = 0.0
        self.found = Listening()
        self.over = False

    def hear(self, frame: Beat) -> None:
        """Take one frame, and the answers that have come before it."""
        while self._due and self._due[0][0] <= frame.now_s:
            at_s, _, event = heapq.heappop(self._due)
            self._observe(event, at_s)
        self._last_voice_s = frame.beat.last_voice_s
        if frame.change:
            self._observe(frame.change, frame.now_s)
        self._observe(frame.beat, frame.now_s)

    def _observe(self, event: Event, now_s: float) -> None:
        if isinstance(event, SpeechStarted):
            self._due.clear()
        for action in self._taker.step(event, now_s):
            self._act(action, now_s)

    def _act(self, action: Action, now_s: float) -> None:
        match action:
            case BeginTurn(from_s):
                self._turn_from_s = from_s - LEAD_S
            case Judge(pause):
                self._transcribe(pause, now_s)
                self._score(pause, now_s)
            case Rescore(pause):
                self._score(pause, now_s)
            case Speculate(draft):
                self.found.drafted_s[draft] = now_s
                self.found.drafts += 1
            case EndTurn():
                self._end(action, now_s)

    def _transcribe(self, pause: int, now_s: float) -> None:
        clip = self._clip
        text, took_s = self._models.text(
            clip.name, clip.audio, self._turn_from_s, now_s, clip.language
        )
        free_s = heapq.heappop(self._stt_free_s)
        ready_s = max(free_s, now_s) + took_s
        heapq.heappush(self._stt_free_s, ready_s)
        self._put(ready_s, TranscriptReady(pause, text, read(text, clip.language, said=clip.said)))

    def _score(self, pause: int, now_s: float) -> None:
        score, took_s = self._models.score(
            self._clip.name, self._clip.audio, self._turn_from_s, now_s
        )
        self._score_free_s = max(self._score_free_s, now_s) + took_s
        silence_s = now_s - self._last_voice_s
        self._put(self._score_free_s, TurnScored(pause, score, silence_s))

    def _put(self, at_s: float, event: Event) -> None:
        self._asked += 1
        heapq.heappush(self._due, (at_s, self._asked, event))

    def _end(self, turn: EndTurn, now_s: float) -> None:
        clip = self._clip
        if now_s >= clip.end_s and turn.stopped_s >= clip.end_s - 2 * RESUMES_S:
            self.found.ends.setdefault(len(clip.holds), now_s - clip.end_s)
            if turn.draft is not None:
                self.found.head_start_s = now_s - self.found.drafted_s[turn.draft]
            self.over = True
            return
        begun = [index for index, hold in enumerate(clip.holds) if hold.start_s <= now_s]
        if begun:
            self.found.ends.setdefault(begun[-1], now_s - clip.holds[begun[-1]].start_s)


def listen(
    clip: Clip, heard: Sequence[Beat], models: Ask, turns: TurnsConfig, workers: int
) -> Listening:
    """Show a clip to a taker of its own."""
    ears = _Ears(clip, TurnTaker(turns, TurnTemperament(), clip.language), models, workers)
    for frame in heard:
        ears.hear(frame)
        if ears.over:
            break
    return ears.found


def outcome(clip: Clip, found: Listening) -> Outcome:
    """As the scores take it."""
    pauses = [
        PauseOutcome("mid-phrase", hold.end_s - hold.start_s, found.ends.get(index), False)
        for index, hold in enumerate(clip.holds)
    ]
    pauses.append(PauseOutcome("end", 0.0, found.ends.get(len(clip.holds)), True))
    language: Any = clip.language
    turn = TurnOutcome(
        script=clip.name,
        language=language,
        kind="statement",
        pauses=tuple(pauses),
        began_s=clip.start_s,
        ended_s=clip.end_s,
        answered_s=None,
        uses_tool=False,
    )
    return Outcome((turn,), ())


# What the models really do


@dataclass(frozen=True, slots=True)
class Scored:
    """A pause and smart-turn's scores after each of `SILENCES_S`; None after its end."""

    clip: Clip
    length_s: float | None
    """Of a hold; None for the end of a turn."""
    scores: tuple[float | None, ...]


def smart_turn_scores(clip: Clip, models: Models) -> list[Scored]:
    """At each pause of a clip, shown all of the turn so far."""
    pauses: list[tuple[float, float | None]] = [
        (hold.start_s, hold.end_s - hold.start_s) for hold in clip.holds
    ]
    found = []
    for start_s, length_s in [*pauses, (clip.end_s, None)]:
        row = [
            models.score(clip.name, clip.audio, clip.start_s - LEAD_S, start_s + silence_s)[0]
            if length_s is None or silence_s <= length_s
            else None
            for silence_s in SILENCES_S
        ]
        found.append(Scored(clip, length_s, tuple(row)))
    return found


@dataclass(slots=True)
class VadErrors:
    """How late and how wrong the voice detector is; milliseconds."""

    onset_delay_ms: list[float] = field(default_factory=list)
    """True onset to its being believed."""
    onset_error_ms: list[float] = field(default_factory=list)
    """Estimated less true onset."""
    stop_delay_ms: list[float] = field(default_factory=list)
    stop_error_ms: list[float] = field(default_factory=list)
    holds: int = 0
    holds_missed: int = 0
    """Holds of 0.2 s and more in which no end of voice was seen."""
    false_starts: int = 0
    """Voice that was believed where there was none."""

    def take(self, clip: Clip, heard: Sequence[Beat]) -> None:
        """Compare a clip with what was heard of it."""
        begins = [clip.start_s, *(hold.end_s for hold in clip.holds)]
        ends = [*(hold.start_s for hold in clip.holds), clip.end_s]
        for frame in heard:
            match frame.change:
                case SpeechStarted(at_s):
                    true_s = min(begins, key=lambda begin_s: abs(begin_s - at_s))
                    inside = any(
                        begin_s <= at_s <= end_s
                        for begin_s, end_s in zip(begins, ends, strict=True)
                    )
                    if abs(true_s - at_s) < 0.25:
                        self.onset_delay_ms.append(1000 * (frame.now_s - true_s))
                        self.onset_error_ms.append(1000 * (at_s - true_s))
                    elif not inside:
                        self.false_starts += 1
                case SpeechStopped(at_s):
                    true_s = min(ends, key=lambda end_s: abs(end_s - at_s))
                    if abs(true_s - at_s) < 0.25:
                        self.stop_delay_ms.append(1000 * (frame.now_s - true_s))
                        self.stop_error_ms.append(1000 * (at_s - true_s))
        stops_s = [frame.now_s for frame in heard if isinstance(frame.change, SpeechStopped)]
        for hold in clip.holds:
            if hold.end_s - hold.start_s >= 0.2:
                self.holds += 1
                self.holds_missed += not _any_within(stops_s, hold)


def _any_within(times_s: Sequence[float], hold: Hold) -> bool:
    return any(hold.start_s <= time_s <= hold.end_s + RESUMES_S for time_s in times_s)


# The bench


def run(*, half: str, quick: bool) -> dict[str, Any]:
    """Run the bench on a half ("calibrate" or "held_out") and return its JSON object."""
    half = "dev" if half == "calibrate" else half  # as `bench.stt_data` calls it
    stt = SttConfig()
    models = Models(stt)
    models.start()
    try:
        return _run(models, stt, half=half, quick=quick)
    finally:
        models.close()


def _run(models: Models, stt: SttConfig, *, half: str, quick: bool) -> dict[str, Any]:
    clips = turns_audio_data.clips(half, quick=quick)
    print(f"{len(clips)} turns, {sum(len(clip.audio) for clip in clips) / RATE_HZ:.0f} s of sound")
    heard = [beats(clip, models) for clip in clips]
    vad = VadErrors()
    for clip, frames in zip(clips, heard, strict=True):
        vad.take(clip, frames)
    by_knob: list[list[Listening]] = []
    own = [
        listen(clip, frames, models, TurnsConfig(), stt.workers)
        for clip, frames in zip(clips, heard, strict=True)
    ]
    for knob_s in KNOB_S[::4] if quick else KNOB_S:
        turns = TurnsConfig(cut_off_cost_s=knob_s)
        by_knob.append(
            [
                listen(clip, frames, models, turns, stt.workers)
                for clip, frames in zip(clips, heard, strict=True)
            ]
        )
    scored = [scored for clip in clips for scored in smart_turn_scores(clip, models)]
    over = over_the_agent(models, half, quick=quick)
    metrics = _turn_metrics(clips, own, by_knob, scored)
    metrics |= _vad_metrics(vad) | _over_metrics(over) | _model_metrics(models)
    _print_scores(scored)
    for name, value in metrics.items():
        print(f"{name:<34} {value}")
    return result(
        "turns_audio",
        settings={
            "half": half,
            "quick": quick,
            "turns": len(clips),
            "holds": sum(len(clip.holds) for clip in clips),
            "speakers": sorted({clip.speaker for clip in clips}),
            "stt": stt.model,
            "stt_threads": stt.threads,
        },
        metrics=metrics,
        targets=TARGETS,
        threads=stt.threads,
    )


def _turn_metrics(
    clips: Sequence[Clip],
    own: Sequence[Listening],
    by_knob: Sequence[Sequence[Listening]],
    scored: Sequence[Scored],
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for language in ("", *sorted({clip.language for clip in clips})):
        chosen = [i for i, clip in enumerate(clips) if clip.language == language or not language]
        suffix = f"_{language}" if language else ""
        at = scores.point([outcome(clips[i], own[i]) for i in chosen], ())
        points = [
            scores.point([outcome(clips[i], listened[i]) for i in chosen], ())
            for listened in by_knob
        ]
        pauses = _pauses([s for s in scored if s.clip.language == language or not language])
        found: dict[str, float | None] = {
            "false_cutoffs": at.false_cutoffs,
            "endpoint_delay_ms_mean": 1e3 * at.mean_delay_s,
        }
        found |= _operating(points, "")
        found |= _operating(sweep_vad(pauses), "_vad")
        found |= _operating(sweep_smart_turn(pauses), "_smart_turn")
        metrics |= {f"{name}{suffix}": _rounded(name, value) for name, value in found.items()}
    return metrics | _answer_metrics(clips, own)


def _operating(points: Sequence[Point], suffix: str) -> dict[str, float | None]:
    return {f"{name}{suffix}": v for name, v in scores.operating_points(points).items()}


def _rounded(name: str, value: float | None) -> float | None:
    return None if value is None else round(value, 1 if "_ms" in name else 4)


def _answer_metrics(clips: Sequence[Clip], own: Sequence[Listening]) -> dict[str, Any]:
    """Voice to voice without the language model: the decision, and the voice's first clause, begun
    with the draft where there was one."""
    tts_s = _first_clause_s()
    decided, answered, unused, drafts = [], [], 0, 0
    for clip, found in zip(clips, own, strict=True):
        drafts += found.drafts
        unused += found.drafts - (found.head_start_s is not None)
        if (end_s := found.ends.get(len(clip.holds))) is not None:
            decided.append(1000 * end_s)
            answered.append(1000 * (end_s + max(0.0, tts_s - (found.head_start_s or 0.0))))
    return {
        **percentiles("endpoint_delay_ms", decided),
        **percentiles("v2v_without_llm_ms", answered),
        "unended_turns": len(clips) - len(decided),
        "tts_first_clause_ms": round(1000 * tts_s),
        "drafts_per_turn": round(drafts / len(clips), 3),
        "wasted_work_share": round(unused / drafts, 3) if drafts else None,
    }


def _first_clause_s() -> float:
    times_s = []
    for seed in range(4):  # which only keeps it from being remembered
        began_s = time.perf_counter()
        turns_audio_data.synthesise("hibari", "en", _FIRST_CLAUSE, seed=seed)
        times_s.append(time.perf_counter() - began_s)
    return sorted(times_s[1:])[1]


def _pauses(scored: Sequence[Scored]) -> Pauses:
    """Holds between 0.2 and 5 s, as eot-bench counts them, with the scores after 0.2 s."""
    at = SILENCES_S.index(0.2)
    holds = [(s.length_s, s.scores[at]) for s in scored if s.length_s is not None]
    counted = [(length_s, score) for length_s, score in holds if score is not None]
    ends = [s.scores[at] for s in scored if s.length_s is None]
    return Pauses(
        [length_s for length_s, _ in counted],
        [score for _, score in counted],
        [score for score in ends if score is not None],
    )


def _vad_metrics(vad: VadErrors) -> dict[str, Any]:
    return {
        **percentiles("vad_onset_delay_ms", vad.onset_delay_ms),
        **percentiles("vad_onset_error_ms", vad.onset_error_ms),
        **percentiles("vad_stop_delay_ms", vad.stop_delay_ms),
        **percentiles("vad_stop_error_ms", vad.stop_error_ms),
        "vad_holds_missed_share": round(vad.holds_missed / max(1, vad.holds), 4),
        "vad_false_starts": vad.false_starts,
    }


def _over_metrics(over: Sequence[Over]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for kind in sorted({sound.kind for sound in over}):
        of_kind = [sound for sound in over if sound.kind == kind]
        name = kind.replace(" ", "_")
        if kind.startswith("interruption"):
            metrics |= percentiles(f"yield_ms_{name}", [s.yield_ms for s in of_kind if s.yield_ms])
            missed = sum(sound.yield_ms is None for sound in of_kind)
            metrics[f"unyielded_share_{name}"] = round(missed / len(of_kind), 3)
        else:
            kept = sum(not sound.interrupted for sound in of_kind)
            metrics[f"selectivity_{name}"] = round(kept / len(of_kind), 3)
            held_ms = [sound.held_ms for sound in of_kind]
            metrics[f"held_ms_mean_{name}"] = round(float(np.mean(held_ms)))
        metrics[f"n_{name}"] = len(of_kind)
    ducks = [s.duck_ms for s in over if s.kind.startswith("interruption") and s.duck_ms]
    return metrics | percentiles("duck_ms", ducks)


def _model_metrics(models: Models) -> dict[str, Any]:
    return {
        **percentiles("stt_ms", [1000 * s for s in models.text_times_s]),
        **percentiles("score_ms", [1000 * s for s in models.score_times_s]),
    }


def _print_scores(scored: Sequence[Scored]) -> None:
    """smart-turn's scores at holds and ends, beside what the simulated world assumes."""
    for language in sorted({s.clip.language for s in scored}):
        of_language = [s for s in scored if s.clip.language == language]
        ends = [s for s in of_language if s.length_s is None]
        holds = [s for s in of_language if s.length_s is not None]
        assumed: Any = language
        _print_table(f"ends, {language}", ends, acoustics.ENDS[assumed])
        _print_table(f"holds, {language}", holds, acoustics.HOLDS[assumed])
    for title, group in (("speaker", "speaker"), ("room", "condition")):
        for name in sorted({getattr(s.clip, group) for s in scored}):
            inside = [s for s in scored if getattr(s.clip, group) == name]
            ends = [s for s in inside if s.length_s is None]
            holds = [s for s in inside if s.length_s is not None]
            print(
                f"smart-turn above 0.5 after 0.2 s, {title} {name}: "
                f"{_share_above(ends)} of ends, {_share_above(holds)} of holds"
            )


def _share_above(scored: Sequence[Scored]) -> str:
    values = [v for s in scored if (v := s.scores[SILENCES_S.index(0.2)]) is not None]
    return f"{np.mean(np.array(values) > 0.5):.2f}" if values else "none"


def _print_table(title: str, rows: Sequence[Scored], knots: acoustics.Knots) -> None:
    print(f"smart-turn at {title} ({len(rows)}): quartiles | share above")
    columns = " ".join(f"{bound:6.2f}" for bound, _ in knots[1:-1])
    print(f"{'silence':>10} {'25 %':>7} {'50 %':>7} {'75 %':>7}  | {columns}")
    for index, silence_s in enumerate(SILENCES_S):
        values = np.array([v for s in rows if (v := s.scores[index]) is not None])
        if len(values):
            quartiles = " ".join(f"{q:7.3f}" for q in np.percentile(values, (25, 50, 75)))
            shares = " ".join(f"{np.mean(values > bound):6.3f}" for bound, _ in knots[1:-1])
            print(f"{silence_s:>8.1f} s {quartiles}  | {shares}")
    assumed = " ".join(f"{share:6.3f}" for _, share in knots[1:-1])
    print(f"{'simulated, 0.2 s':>34}  | {assumed}")
