"""The fit of the evidence on pauses."""

import numpy as np
import pytest

from agent.turns import habits
from agent.turns.fusion import LONG_WORDS
from agent.turns.reading import Reading
from agent.turns.sound import SoundOfPause
from bench import turns_fit
from bench.turns_fit import EVIDENCE, Looks, Pause, look


def looks_of(weights: list[float], count: int = 20_000) -> Looks:
    rng = np.random.default_rng(1)
    evidence = np.column_stack([np.ones(count), *rng.normal(size=(len(EVIDENCE) - 1, count))])
    silence_s = rng.uniform(0.2, 1.0, count)
    none = np.zeros(count)
    looks = Looks(evidence, none, silence_s, none, none)
    total = evidence @ np.array(weights) + looks.of_silence(0.4, 2.5)
    over = (rng.random(count) < 1 / (1 + np.exp(-total))).astype(float)
    return Looks(evidence, over, silence_s, none, none)


def test_weights_that_made_the_data_are_found_again() -> None:
    true = [-1.0, 0.4, 0.3, 0.2, 0.5, -0.4, 0.0]
    looks = looks_of(true)
    found, lost = turns_fit.fit(looks, looks.of_silence(0.4, 2.5))
    assert found == pytest.approx(true, abs=0.08)
    assert lost < turns_fit.loss(looks, np.zeros(len(true)), looks.of_silence(0.4, 2.5))
    assert 0.5 < turns_fit.ranked_right(looks, found, looks.of_silence(0.4, 2.5)) < 1.0


def test_a_pause_is_looked_at_as_long_as_it_lasts_and_with_what_is_known_then() -> None:
    first, later = [0.0] * len(EVIDENCE), [1.0] * len(EVIDENCE)
    hold = Pause(0.0, known=[(0.12, first), (0.28, later)], lasted_s=0.45)
    looks = look([hold])
    assert list(looks.silence_s) == [0.16, 0.2, 0.25, 0.3, 0.4]
    assert list(looks.evidence[:, 0]) == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert not looks.over.any()


def test_the_law_of_silence_is_that_of_the_habits() -> None:
    known = habits.PauseHabits()
    pause = Pause(0.0, known=[(0.0, [0.0] * len(EVIDENCE))])
    for hold_s in (0.9, 0.7):
        known.held(hold_s)
        pause.weight = habits.FADE * pause.weight + 1.0
        pause.log_sum = habits.FADE * pause.log_sum + float(np.log(hold_s))
    looks = look([pause])
    expected = [-np.log(known.lasts(silence_s)) for silence_s in turns_fit.LOOKS_S]
    assert looks.of_silence(habits.MEDIAN_S, habits.SHAPE) == pytest.approx(np.array(expected))


def test_long_turns_count_as_long_and_no_longer() -> None:
    sound = SoundOfPause()
    evidence = [
        turns_fit.evidence_of(sound, Reading(words=words), habits.PauseHabits())
        for words in (0, LONG_WORDS, 5 * LONG_WORDS)
    ]
    assert [row[EVIDENCE.index("length")] for row in evidence] == [0.0, 1.0, 1.0]
