"""The bench of turns on real sound: what it plays, and how it judges what was decided."""

import numpy as np
import pytest

from agent.config import TurnsConfig
from agent.turns.events import Heartbeat, SpeechStarted, SpeechStopped
from bench import turns_audio
from bench.stt_data import RATE_HZ, Audio
from bench.turns_audio import Beat, Listening, VadErrors, listen, outcome
from bench.turns_audio_data import Clip, Hold, laid_out

FRAME_S = 0.02


def voice(seconds: float) -> Audio:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return np.asarray(0.2 * np.sin(2 * np.pi * 220 * time_s), np.float32)


def clip(*holds: tuple[float, float], end_s: float = 3.0) -> Clip:
    found = tuple(Hold(*hold) for hold in holds)
    audio = np.zeros(int((end_s + 4) * RATE_HZ), np.float32)
    return Clip("clip", "en", "nobody", "clean", "Yes?", "words", audio, 0.6, found, end_s)


def beats(heard: Clip) -> list[Beat]:
    """What a detector without delays or errors would say."""
    begins = [heard.start_s, *(hold.end_s for hold in heard.holds)]
    ends = [*(hold.start_s for hold in heard.holds), heard.end_s]
    found = []
    for index in range(1, int(len(heard.audio) / RATE_HZ / FRAME_S)):
        now_s = index * FRAME_S
        change: SpeechStarted | SpeechStopped | None = None
        begun = [at_s for at_s in begins if now_s - FRAME_S < at_s + 0.1 <= now_s]
        stopped = [at_s for at_s in ends if now_s - FRAME_S < at_s + 0.06 <= now_s]
        if begun:
            change = SpeechStarted(begun[0])
        elif stopped:
            change = SpeechStopped(stopped[0])
        last_s = max(
            (min(now_s, e) for b, e in zip(begins, ends, strict=True) if b < now_s), default=0
        )
        speaks = any(b < now_s <= e for b, e in zip(begins, ends, strict=True))
        beat = Heartbeat(last_s, 0.2 if speaks else 0.0, -20.0 if speaks else -70.0)
        found.append(Beat(now_s, change, beat))
    return found


class Answers:
    """Models that say the same of everything, each after a time of its own."""

    def __init__(self, text: str, score: float, *, text_s: float = 0.1) -> None:
        self._text, self._score, self._text_s = text, score, text_s
        self.asked: list[tuple[float, float]] = []

    def text(
        self, name: str, sound: Audio, from_s: float, to_s: float, language: str
    ) -> tuple[str, float]:
        self.asked.append((from_s, to_s))
        return self._text, self._text_s

    def score(self, name: str, sound: Audio, from_s: float, to_s: float) -> tuple[float, float]:
        return self._score, 0.02


def heard_by_taker(heard: Clip, answers: Answers) -> Listening:
    return listen(heard, beats(heard), answers, TurnsConfig(), workers=2)


def test_a_clip_is_silent_in_its_holds_and_voiced_beside_them() -> None:
    made = laid_out(
        "name", "en", "nobody", "clean", "", "words", voice(2.0), [RATE_HZ // 2, RATE_HZ]
    )
    assert len(made.holds) == 2
    edges = [made.start_s, *(t for h in made.holds for t in (h.start_s, h.end_s)), made.end_s]
    assert edges == sorted(edges)
    spoken = sum(edges[index + 1] - edges[index] for index in range(0, len(edges), 2))
    assert spoken == pytest.approx(2.0, abs=0.06)
    for hold in made.holds:
        assert hold.end_s - hold.start_s >= 0.2
        inside = made.audio[int(hold.start_s * RATE_HZ) + 200 : int(hold.end_s * RATE_HZ) - 200]
        beside = made.audio[int(hold.start_s * RATE_HZ) - 1000 : int(hold.start_s * RATE_HZ) - 200]
        assert np.abs(inside).max() < 0.01 < np.abs(beside).max()


def test_the_same_clip_is_made_on_every_run() -> None:
    first, second = (
        laid_out("name", "en", "nobody", "noise_20db", "", "w", voice(1.0), [8000])
        for _ in range(2)
    )
    assert np.array_equal(first.audio, second.audio)
    assert first.holds == second.holds


def test_a_turn_that_sounds_and_reads_complete_ends_soon_after_its_end() -> None:
    heard = clip()
    found = heard_by_taker(heard, Answers("No, that's all, thank you.", 0.98))
    assert list(found.ends) == [0]
    assert 0.1 < found.ends[0] < 0.6


def test_the_clock_counts_what_the_models_take() -> None:
    heard = clip()
    fast = heard_by_taker(heard, Answers("No, that's all, thank you.", 0.98))
    slow = heard_by_taker(heard, Answers("No, that's all, thank you.", 0.98, text_s=1.0))
    assert slow.ends[0] == pytest.approx(1.06, abs=0.05)
    assert slow.ends[0] > fast.ends[0]


def test_a_turn_ended_in_a_hold_is_a_false_cutoff_and_its_end_counts_still() -> None:
    heard = clip((1.5, 3.0), end_s=5.0)
    found = heard_by_taker(heard, Answers("No, that's all, thank you.", 0.98))
    assert set(found.ends) == {0, 1}
    turn = outcome(heard, found).turns[0]
    assert [pause.ended_after_s is not None for pause in turn.pauses] == [True, True]
    assert turn.pauses[0].length_s == pytest.approx(1.5)


def test_a_hold_that_is_waited_out_is_none() -> None:
    heard = clip((1.5, 2.0), end_s=4.0)
    found = heard_by_taker(heard, Answers("I would like to book a", 0.02))
    assert 0 not in found.ends


def test_whisper_is_given_the_turn_from_shortly_before_its_onset() -> None:
    answers = Answers("Yes.", 0.9)
    heard_by_taker(clip(), answers)
    from_s, to_s = answers.asked[0]
    assert from_s == pytest.approx(0.6 - turns_audio.LEAD_S)
    assert to_s == pytest.approx(3.06, abs=0.02)


def test_the_detectors_errors_are_measured_against_the_true_edges() -> None:
    heard = clip((1.5, 2.5), end_s=4.0)
    errors = VadErrors()
    errors.take(heard, beats(heard))
    assert len(errors.onset_delay_ms) == len(errors.stop_delay_ms) == 2
    assert all(delay_ms == pytest.approx(110, abs=21) for delay_ms in errors.onset_delay_ms)
    assert errors.stop_error_ms == pytest.approx([0, 0])
    assert (errors.holds, errors.holds_missed, errors.false_starts) == (1, 0, 0)


def test_a_hold_that_the_detector_does_not_see_is_counted() -> None:
    heard = clip((1.5, 2.5), end_s=4.0)
    errors = VadErrors()
    errors.take(heard, [frame for frame in beats(heard) if not 1.4 < frame.now_s < 2.7])
    assert errors.holds_missed == 1
