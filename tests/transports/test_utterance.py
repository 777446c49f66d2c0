"""An utterance breaks off where it should, and nothing of it is lost or said twice."""

import numpy as np
import pytest

from transports.utterance import BREAK_WITHIN_SAMPLES, Utterance

FADE = 960


def flat(count: int) -> np.ndarray:
    return np.full(count, 10_000, np.int16)


def speaking(pcm: np.ndarray, sent: int = 4_800) -> Utterance:
    """An utterance of which `sent` samples have left."""
    utterance = Utterance(1)
    utterance.put(pcm)
    utterance.take(sent)
    return utterance


def test_it_breaks_off_at_the_next_phone_boundary_that_a_fade_can_reach() -> None:
    utterance = speaking(flat(48_000))
    utterance.add_phone_ends([0.29, 0.115, 0.13, 0.2, 0.05])
    utterance.break_off(FADE)
    assert utterance.break_at == round(0.13 * 48_000)


def test_boundaries_of_what_was_said_do_not_count() -> None:
    utterance = speaking(flat(48_000))
    utterance.add_phone_ends([0.02, 0.09, 0.1])
    utterance.break_off(FADE)
    assert utterance.break_at == 4_800 + FADE


def test_without_boundaries_it_breaks_off_in_the_closure_nearby() -> None:
    pcm = flat(48_000)
    closure = slice(4_800 + 1_500, 4_800 + 1_900)
    pcm[closure] = 10
    utterance = speaking(pcm)
    utterance.break_off(FADE)
    assert utterance.break_at is not None
    assert closure.start + 240 <= utterance.break_at <= closure.stop


def test_a_boundary_beyond_the_budget_is_not_waited_for() -> None:
    utterance = speaking(flat(48_000))
    utterance.add_phone_ends([(4_800 + BREAK_WITHIN_SAMPLES + 1) / 48_000])
    utterance.break_off(FADE)
    assert utterance.break_at == 4_800 + FADE


def test_it_fades_out_before_the_break_and_gives_nothing_after_it() -> None:
    utterance = speaking(flat(48_000))
    utterance.break_off(FADE)
    out = utterance.take(2_000)
    assert len(out) == FADE and utterance.broken
    assert out[0] == 10_000 and out[-1] == 0
    assert (np.diff(out.astype(int)) <= 0).all()
    assert len(utterance.take(2_000)) == 0
    assert utterance.sent_samples == 4_800 + FADE


def test_it_goes_on_with_the_very_next_sample_and_is_soon_as_loud_as_before() -> None:
    pcm = (np.arange(48_000) % 20_000 + 1).astype(np.int16)
    utterance = speaking(pcm)
    utterance.break_off(FADE)
    utterance.take(2_000)
    utterance.restore()
    out = utterance.take(4_000)
    assert np.array_equal(out[240:], pcm[4_800 + FADE :][240:4_000])
    assert 0 < out[100] < pcm[4_800 + FADE + 100]


def test_restoring_before_the_break_came_rises_again_without_a_step() -> None:
    utterance = speaking(flat(48_000))
    utterance.break_off(FADE)
    falling = utterance.take(FADE // 2)
    utterance.restore()
    rising = utterance.take(2_000)
    joined = np.concatenate((falling, rising)).astype(int)
    assert np.abs(np.diff(joined)).max() < 10_000 / 240 + 15
    assert rising[-1] == 10_000 and not utterance.broken


def test_a_lower_voice_is_in_force_within_a_frame_and_rises_slowly() -> None:
    utterance = speaking(flat(48_000))
    utterance.duck(12)
    out = utterance.take(960)
    assert out[0] == pytest.approx(10_000, abs=20) and (np.diff(out.astype(int)) <= 0).all()
    assert out[480:] == pytest.approx(np.full(480, 10_000 * 10 ** (-12 / 20)), abs=1)
    utterance.restore()
    out = utterance.take(3_000)
    assert out[1_200] < 7_000 and (np.diff(out.astype(int)) >= 0).all()
    assert (out[2_400:] == 10_000).all()


def test_less_audio_than_a_fade_is_faded_whole() -> None:
    utterance = speaking(flat(5_000))
    utterance.break_off(FADE)
    assert utterance.break_at == 5_000
    assert utterance.take(960)[-1] == 0


def test_with_nothing_waiting_it_breaks_off_where_it_is() -> None:
    utterance = speaking(flat(4_800))
    utterance.break_off(FADE)
    assert utterance.broken
    utterance.put(flat(960))
    assert len(utterance.take(960)) == 0
