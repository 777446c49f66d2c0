"""The turn model's answers to one pause, as one."""

import pytest

from agent.turns.sound import SoundOfPause


def heard(*answers: tuple[float, float]) -> SoundOfPause:
    sound = SoundOfPause()
    for probability, silence_s in answers:
        sound.take(probability, silence_s)
    return sound


def test_before_the_first_answer_nothing_is_known() -> None:
    assert (SoundOfPause().probability, SoundOfPause().log_odds) == (None, None)


def test_an_answer_after_200_ms_counts_as_it_is() -> None:
    assert heard((0.8, 0.2)).probability == pytest.approx(0.8)


def test_what_only_the_silence_adds_is_taken_off() -> None:
    early, usual, late = (heard((0.8, silence_s)).log_odds for silence_s in (0.05, 0.2, 1.5))
    assert early is not None and usual is not None and late is not None
    assert early > usual > late


def test_answers_to_the_same_pause_are_averaged() -> None:
    assert heard((0.2, 0.2), (0.8, 0.2)).probability == pytest.approx(0.5)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_no_single_answer_is_beyond_doubt(probability: float) -> None:
    assert 0.0 < (heard((probability, 0.2)).probability or 0.0) < 1.0
