"""Engine time, and what of it was for nothing."""

import pytest

from tts.engine.spending import Spending


def spent() -> Spending:
    """3 s for the first 2 s of audio, 1 s for the next 4 s, and 2 s more."""
    spending = Spending()
    for seconds, audio_s in ((1.0, 0.0), (2.0, 2.0), (1.0, 4.0)):
        spending.spend(seconds)
        if audio_s:
            spending.gave(audio_s)
    spending.spend(2.0)
    return spending


@pytest.mark.parametrize(
    ("taken_s", "wasted_s"), [(0, 6), (1, 4.5), (2, 3), (4, 2.5), (6, 2), (7, 2)]
)
def test_what_went_into_audio_beyond_what_was_taken_is_wasted(
    taken_s: float, wasted_s: float
) -> None:
    assert spent().wasted_s(taken_s) == pytest.approx(wasted_s)


def test_an_empty_piece_costs_those_after_it() -> None:
    spending = Spending()
    spending.spend(1.0)
    spending.gave(0.0)
    spending.spend(1.0)
    spending.gave(1.0)
    assert (spending.wasted_s(0.0), spending.wasted_s(1.0)) == (1.0, 0.0)
