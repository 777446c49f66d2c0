"""When an engine is left alone, as a machine of states on a clock that the tests turn."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tts.breaker import LONGEST_REST_S, TRIAL_S, Attempt, Breaker
from tts.config import BreakerConfig
from tts.errors import BadRequest, CannotSpeak, EngineFailed
from tts.types import SpeechChunk

CONFIG = BreakerConfig(failures=3, rest_s=5)
CHUNK = SpeechChunk(b"", 1000, 0, (), is_final=False)


def fail(breaker: Breaker, now_s: float) -> None:
    assert breaker.check(now_s) == 0
    breaker.failed(breaker.begin(), now_s)


def opened(now_s: float = 0.0) -> Breaker:
    breaker = Breaker(CONFIG)
    for _ in range(3):
        fail(breaker, now_s)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(CONFIG)
    for _ in range(2):
        fail(breaker, 0)
    assert not breaker.is_open
    fail(breaker, 0)
    assert breaker.is_open
    assert [breaker.check(now_s) for now_s in (0, 1, 4.5)] == [5, 4, 0.5]


def test_a_request_that_ends_well_begins_a_new_row() -> None:
    breaker = Breaker(CONFIG)
    for _ in range(10):
        fail(breaker, 0)
        fail(breaker, 0)
        breaker.begin()
        breaker.worked()
    assert not breaker.is_open


def test_what_says_nothing_of_the_engine_neither_adds_to_a_row_nor_ends_it() -> None:
    breaker = Breaker(CONFIG)
    for _ in range(2):
        fail(breaker, 0)
    for _ in range(10):
        breaker.undecided(breaker.begin())
    assert not breaker.is_open
    fail(breaker, 0)
    assert breaker.is_open


def test_after_the_rest_one_request_tries_and_the_others_wait_for_it() -> None:
    breaker = opened()
    assert breaker.check(5) == 0
    assert breaker.begin()
    assert breaker.check(5) == TRIAL_S
    breaker.sounded(trial=True)
    assert breaker.check(5) == 0
    breaker.worked()
    # As good as new.
    for _ in range(2):
        fail(breaker, 6)
    assert not breaker.is_open


def test_each_trial_that_fails_doubles_the_rest_up_to_a_minute() -> None:
    breaker, now_s, rests = opened(), 0.0, []
    for _ in range(6):
        rests.append(breaker.check(now_s))
        now_s += rests[-1]
        fail(breaker, now_s)
    assert rests == [5, 10, 20, 40, LONGEST_REST_S, LONGEST_REST_S]
    now_s += LONGEST_REST_S
    breaker.begin()
    breaker.worked()
    for _ in range(3):
        fail(breaker, now_s)
    assert breaker.check(now_s) == 5


def test_a_rest_that_is_longer_than_a_minute_stays_as_long() -> None:
    breaker = Breaker(BreakerConfig(failures=1, rest_s=100))
    fail(breaker, 0)
    assert breaker.check(0) == 100
    fail(breaker, 100)
    assert breaker.check(100) == 100


def test_a_trial_that_gave_audio_and_then_failed_is_a_longer_rest() -> None:
    breaker = opened()
    trial = breaker.check(5) == 0 and breaker.begin()
    breaker.sounded(trial)
    breaker.failed(trial, 7)
    assert breaker.check(7) == 10


def test_a_trial_that_was_given_up_leaves_the_next_request_to_try() -> None:
    breaker = opened()
    breaker.undecided(breaker.begin())
    assert breaker.check(5) == 0
    assert breaker.begin()


def test_requests_from_before_the_rest_do_not_make_it_longer_and_may_end_it() -> None:
    breaker = opened()
    breaker.failed(False, 4)
    breaker.undecided(False)
    assert breaker.check(4) == 1
    breaker.worked()
    assert not breaker.is_open


@pytest.mark.parametrize(
    ("error", "opens"),
    [
        (EngineFailed("it broke"), True),
        (CannotSpeak("nothing in it can be said"), False),
        (BadRequest("nothing to say"), False),
        (asyncio.CancelledError(), False),
        (GeneratorExit(), False),
        (None, False),
    ],
)
def test_only_a_failure_of_the_engines_own_counts(error: BaseException | None, opens: bool) -> None:
    breaker = Breaker(BreakerConfig(failures=1))
    if error is None:
        with Attempt(breaker, lambda: 0.0):
            pass
    else:
        with pytest.raises(type(error)), Attempt(breaker, lambda: 0.0):
            raise error
    assert breaker.is_open is opens


def test_an_attempt_tells_of_its_first_audio_once() -> None:
    breaker = opened()
    with pytest.raises(EngineFailed), Attempt(breaker, lambda: 5.0) as first:
        first.gave(CHUNK)
        for _ in range(3):
            breaker.failed(False, 5)
        # What comes of it now was asked for before this rest.
        first.gave(CHUNK)
        assert breaker.is_open
        raise EngineFailed


def test_whoever_leaves_after_the_final_chunk_had_all_of_it() -> None:
    breaker = opened()
    with pytest.raises(GeneratorExit), Attempt(breaker, lambda: 5.0) as attempt:
        attempt.gave(CHUNK)
        attempt.gave(replace(CHUNK, is_final=True))
        raise GeneratorExit
    for _ in range(2):
        fail(breaker, 6)
    assert not breaker.is_open


class Machine(RuleBasedStateMachine):
    """Requests of all kinds, many at once, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(BreakerConfig(failures=3, rest_s=5))
        self.now_s = 0.0
        self.running: list[bool] = []
        """For each, whether it is a trial."""
        self.in_a_row = 0

    @rule(seconds=st.floats(0, 100))
    def passes(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: self.breaker.check(self.now_s) == 0)
    @rule()
    def begins(self) -> None:
        was_open = self.breaker.is_open
        self.running.append(self.breaker.begin())
        assert self.running[-1] is was_open
        if was_open:
            assert self.breaker.check(self.now_s) > 0

    def ends(self, data: st.DataObject, tell: Callable[[bool], None]) -> None:
        tell(self.running.pop(data.draw(st.integers(0, len(self.running) - 1))))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def works(self, data: st.DataObject) -> None:
        self.ends(data, lambda trial: self.breaker.worked())
        self.in_a_row = 0
        assert self.breaker.check(self.now_s) == 0

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fails(self, data: st.DataObject) -> None:
        self.ends(data, lambda trial: self.breaker.failed(trial, self.now_s))
        self.in_a_row += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def is_given_up(self, data: st.DataObject) -> None:
        self.ends(data, self.breaker.undecided)

    @invariant()
    def rests_are_never_longer_than_a_minute_and_need_failures(self) -> None:
        assert 0 <= self.breaker.check(self.now_s) <= LONGEST_REST_S
        if self.breaker.is_open:
            assert self.in_a_row >= 3

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """While no trial runs, a rest ends by itself."""
        if not any(self.running):
            assert self.breaker.check(self.now_s + LONGEST_REST_S) == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30)
