"""What work costs, learnt from what was measured."""

import random

import pytest

from tts.engine.costs import GROWTH, OUTLIER, STALE, Costs, Tally
from tts.engine.types import Kind


def measured(*observations: tuple[Kind, float, int, float]) -> Costs:
    costs = Costs()
    for one in observations:
        costs.observe(*one)
    return costs


@pytest.mark.parametrize("kind", Kind)
def test_what_was_never_measured_costs_nothing(kind: Kind) -> None:
    costs = Costs()
    assert (costs.predict(kind, 10, 4), costs.late(kind)) == (0, 1)
    assert (costs.prefills_s(Tally()), costs.sounds_s(Tally())) == (0, 0)


def test_one_measurement_is_taken_to_grow_with_the_size() -> None:
    costs = measured((Kind.SOUND, 10, 1, 0.07))
    assert costs.predict(Kind.SOUND, 20) == pytest.approx(0.14)


def test_a_fixed_part_and_a_part_that_grows_are_told_apart() -> None:
    costs = measured(*((Kind.SOUND, size, 1, 0.02 + 0.007 * size) for size in (6, 50, 20, 12, 35)))
    assert costs.predict(Kind.SOUND, 6) == pytest.approx(0.062)
    assert costs.predict(Kind.SOUND, 100) == pytest.approx(0.72)


def test_nothing_gets_cheaper_by_growing_and_nothing_is_free() -> None:
    falling = measured(*((Kind.PREFILL, size, 1, 1 / size) for size in (100, 200, 300)))
    assert falling.predict(Kind.PREFILL, 1000) == falling.predict(Kind.PREFILL, 10) > 0
    steep = measured((Kind.SOUND, 10, 1, 0.01), (Kind.SOUND, 20, 1, 0.09))
    assert steep.predict(Kind.SOUND, 1) > 0


def test_a_batch_that_was_not_measured_lies_between_its_neighbours() -> None:
    costs = measured((Kind.TOKEN, 1, 2, 0.010), (Kind.TOKEN, 1, 6, 0.018))
    assert costs.predict(Kind.TOKEN, 1, 4) == pytest.approx(0.014)
    assert costs.predict(Kind.TOKEN, 1, 1) == pytest.approx(0.010)
    assert costs.predict(Kind.TOKEN, 1, 12) == pytest.approx(0.018 * (1 + GROWTH))


def test_what_a_batch_once_cost_is_forgotten_when_it_is_not_run_again() -> None:
    costs = measured((Kind.TOKEN, 1, 4, 9.0))
    for _ in range(STALE + 1):
        costs.observe(Kind.TOKEN, 1, 2, 0.010)
    assert costs.predict(Kind.TOKEN, 1, 4) == pytest.approx(0.010 * (1 + GROWTH))


def test_a_stall_moves_the_prediction_little_and_a_lasting_change_wins() -> None:
    costs = measured(*((Kind.TOKEN, 1, 1, 0.010) for _ in range(50)))
    costs.observe(Kind.TOKEN, 1, 1, 60.0)
    assert costs.predict(Kind.TOKEN, 1) <= 0.010 * (1 + 0.06 * OUTLIER)
    for _ in range(100):
        costs.observe(Kind.TOKEN, 1, 1, 0.050)
    assert costs.predict(Kind.TOKEN, 1) == pytest.approx(0.050, rel=0.05)


def test_a_late_work_is_later_than_nearly_all_that_were_measured() -> None:
    draw = random.Random(1)
    costs, late = Costs(), 0
    for number in range(2000):
        seconds = 0.1 * draw.lognormvariate(0, 0.2)
        late += number >= 1000 and seconds > costs.late(Kind.SOUND) * costs.predict(Kind.SOUND, 10)
        costs.observe(Kind.SOUND, 10, 1, seconds)
    assert 10 <= late <= 100


def test_a_tally_is_added_up_by_kind() -> None:
    tally = Tally()
    for kind, size in ((Kind.PREFILL, 300), (Kind.TOKEN, 1), (Kind.TOKEN, 1), (Kind.SOUND, 8)):
        tally.add(kind, size)
    assert tally == Tally(prefills=1, places=300, tokens=2, sounds=1, frames=8)
    assert tally.plus(tally, -1) == Tally()
    assert tally.times(2) == Tally(prefills=2, places=600, tokens=4, sounds=2, frames=16)
    costs = measured((Kind.PREFILL, 300, 1, 0.3), (Kind.SOUND, 8, 1, 0.1))
    assert costs.prefills_s(tally) == pytest.approx(0.3)
    assert costs.sounds_s(tally.times(0.5)) == pytest.approx(0.05)
