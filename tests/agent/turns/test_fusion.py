"""What speaks for the end of a turn and what against it, one clue at a time."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.config import TurnsConfig
from agent.turns.fusion import STEP_S, WEIGHTS, Fusion, Judgement
from agent.turns.habits import PauseHabits
from agent.turns.reading import Reading

CONFIG = TurnsConfig()
DONE = Reading(words=12, complete=0.99)
OPEN = Reading(words=5, complete=0.1)

shares = st.floats(0, 1)
maybe_shares = st.none() | shares
readings = st.builds(
    Reading, words=st.integers(0, 40), complete=shares, slot_open=st.booleans(), holds=st.booleans()
)
silences = st.floats(0, 5)


def judge(
    sound: float | None = 0.5,
    reading: Reading | None = None,
    silence_s: float = 0.0,
    *,
    config: TurnsConfig = CONFIG,
    patience: float = 1.0,
    holds_s: tuple[float, ...] = (),
) -> Judgement:
    habits = PauseHabits()
    for hold_s in holds_s:
        habits.held(hold_s)
    return Fusion(config, patience).judge(sound, reading, habits, silence_s)


def test_sure_on_all_counts_is_the_shortest_silence() -> None:
    assert judge(0.99, DONE, 0.0).needed_s == CONFIG.min_silence_ms / 1000


def test_unsure_on_all_counts_is_a_long_one() -> None:
    assert judge(0.02, OPEN).needed_s > 1.2


def test_a_request_for_time_keeps_the_floor_longer_but_not_for_ever() -> None:
    holds = Reading(words=2, complete=0.02, holds=True)
    kept_s = judge(0.01, holds).needed_s
    assert judge(0.01, replace(holds, holds=False)).needed_s < kept_s
    assert CONFIG.max_silence_ms / 1000 < kept_s <= CONFIG.kept_floor_ms / 1000


def test_an_open_slot_keeps_the_floor_longer_but_not_for_ever() -> None:
    slot = Reading(words=2, complete=0.02, slot="digits", slot_open=True)
    kept_s = judge(0.01, slot).needed_s
    assert judge(0.01, replace(slot, slot_open=False)).needed_s < kept_s
    assert CONFIG.max_silence_ms / 1000 < kept_s <= CONFIG.kept_floor_ms / 1000


@given(maybe_shares, st.none() | readings, st.floats(0.5, 3.0))
def test_every_pause_ends_within_its_bounds(
    sound: float | None, reading: Reading | None, patience: float
) -> None:
    needed_s = judge(sound, reading, patience=patience).needed_s
    keeps_floor = reading is not None and (reading.holds or reading.slot_open)
    longest_ms = CONFIG.kept_floor_ms if keeps_floor else CONFIG.max_silence_ms
    assert CONFIG.min_silence_ms / 1000 * patience - 1e-9 <= needed_s
    assert needed_s <= longest_ms / 1000 * patience + 1e-9


@given(readings, silences, shares, shares)
def test_a_better_sound_is_never_waited_for_longer(
    reading: Reading, silence_s: float, one: float, other: float
) -> None:
    worse, better = (judge(sound, reading, silence_s) for sound in sorted((one, other)))
    assert better.probability >= worse.probability
    assert better.needed_s <= worse.needed_s + STEP_S


@given(maybe_shares, readings, silences, shares)
def test_words_that_look_more_complete_are_never_waited_for_longer(
    sound: float | None, reading: Reading, silence_s: float, complete: float
) -> None:
    low, high = sorted((reading.complete, complete))
    worse = judge(sound, replace(reading, complete=low), silence_s)
    better = judge(sound, replace(reading, complete=high), silence_s)
    assert better.probability >= worse.probability
    assert better.needed_s <= worse.needed_s + STEP_S


@given(maybe_shares, readings, silences)
def test_an_open_slot_and_a_request_for_time_never_shorten_the_wait(
    sound: float | None, reading: Reading, silence_s: float
) -> None:
    plain = judge(sound, replace(reading, slot_open=False, holds=False), silence_s)
    for kept in (replace(reading, slot_open=True), replace(reading, holds=True)):
        assert judge(sound, kept, silence_s).probability <= plain.probability
        assert judge(sound, kept, silence_s).needed_s >= plain.needed_s - STEP_S


@given(maybe_shares, readings, silences, silences)
def test_silence_speaks_for_the_end(
    sound: float | None, reading: Reading, one_s: float, other_s: float
) -> None:
    early, late = (judge(sound, reading, silence_s) for silence_s in sorted((one_s, other_s)))
    assert late.probability >= early.probability
    assert late.habit >= early.habit


@given(maybe_shares, readings, silences)
def test_what_is_needed_is_never_less_than_what_has_passed_but_for_the_bound(
    sound: float | None, reading: Reading, silence_s: float
) -> None:
    needed_s = judge(sound, reading, silence_s).needed_s
    bound_s = (
        CONFIG.kept_floor_ms if reading.holds or reading.slot_open else CONFIG.max_silence_ms
    ) / 1000
    assert needed_s >= min(silence_s, bound_s) - 1e-9
    assert needed_s >= judge(sound, reading, 0.0).needed_s - STEP_S


@given(maybe_shares, readings, silences, st.integers(1, 8))
def test_the_pauses_of_a_slow_caller_are_less_likely_ends(
    sound: float | None, reading: Reading, silence_s: float, count: int
) -> None:
    slow = judge(sound, reading, silence_s, holds_s=(1.5,) * count)
    assert slow.probability <= judge(sound, reading, silence_s).probability


def test_a_slow_caller_is_waited_for_longer_where_it_is_in_doubt() -> None:
    doubtful = Reading(words=4, complete=0.5)
    waits = [judge(0.3, doubtful, holds_s=(1.0,) * count).needed_s for count in range(6)]
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] + 0.2


def test_a_voice_that_always_sounds_finished_is_believed_less() -> None:
    habits, others = PauseHabits(), PauseHabits()
    for _ in range(4):
        habits.held(0.4, 3.0)
        others.held(0.4, -4.0)
    fusion = Fusion(CONFIG, 1.0)
    sung, flat = (fusion.judge(0.9, DONE, each, 0.3) for each in (habits, others))
    assert sung.probability < flat.probability
    assert fusion.judge(None, DONE, habits, 0.3) == fusion.judge(None, DONE, others, 0.3)


@given(maybe_shares, readings, silences, st.integers(0, 40))
def test_a_longer_turn_is_likelier_to_be_over(
    sound: float | None, reading: Reading, silence_s: float, words: int
) -> None:
    few, many = sorted((reading.words, words))
    shorter = judge(sound, replace(reading, words=few), silence_s)
    assert judge(sound, replace(reading, words=many), silence_s).probability >= shorter.probability


@given(maybe_shares, readings, st.floats(0.5, 3.0), st.floats(0.5, 3.0))
def test_patience_lengthens_the_wait(
    sound: float | None, reading: Reading, one: float, other: float
) -> None:
    less, more = (judge(sound, reading, patience=p) for p in sorted((one, other)))
    assert more.needed_s >= less.needed_s - STEP_S


@given(maybe_shares, readings, st.floats(0.05, 50), st.floats(0.05, 50))
def test_a_higher_cost_of_cutting_off_lengthens_the_wait(
    sound: float | None, reading: Reading, one_s: float, other_s: float
) -> None:
    low, high = (
        judge(sound, reading, config=CONFIG.model_copy(update={"cut_off_cost_s": cost_s}))
        for cost_s in sorted((one_s, other_s))
    )
    assert high.needed_s >= low.needed_s - STEP_S


def test_what_is_not_known_speaks_neither_for_nor_against() -> None:
    assert judge(None, DONE) == replace(judge(0.5, DONE), sound=None)
    assert judge(0.9, None) == replace(judge(0.9, Reading(complete=0.5)), words=None)
    nothing = judge(None, None)
    assert CONFIG.min_silence_ms / 1000 < nothing.needed_s < CONFIG.max_silence_ms / 1000


def test_a_model_that_is_sure_and_wrong_is_outvoted_in_time() -> None:
    assert judge(0.0, DONE).needed_s < CONFIG.max_silence_ms / 1000
    assert judge(0.99, OPEN).needed_s > CONFIG.min_silence_ms / 1000


def test_the_evidence_is_named() -> None:
    judged = judge(0.7, DONE, 0.3)
    assert (judged.sound, judged.words) == (0.7, DONE.complete)
    assert 0.0 < judged.habit < 1.0
    assert WEIGHTS.sound > 0 and WEIGHTS.words > 0
    assert WEIGHTS.slot_open <= 0 and WEIGHTS.holds <= 0
