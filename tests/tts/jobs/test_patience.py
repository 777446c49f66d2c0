"""When work on a job is tried again."""

from tts.errors import BadRequest, EngineFailed, Overloaded, TtsError, Unavailable
from tts.jobs.patience import GIVE_UP_S, Patience


def test_what_is_busy_or_away_is_waited_for_longer_and_longer_up_to_a_bound() -> None:
    patience = Patience()
    waits = [patience.wait_s(Unavailable("x"), 0.0) for _ in range(8)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_wait_is_as_long_as_the_error_asks_for() -> None:
    assert Patience().wait_s(Overloaded("x", retry_after_s=45.0), 0.0) == 45.0


def test_waiting_ends_after_a_day() -> None:
    patience = Patience()
    assert patience.wait_s(Overloaded("x"), 100.0) is not None
    assert patience.wait_s(Overloaded("x"), 100.0 + GIVE_UP_S - 1) is not None
    assert patience.wait_s(Overloaded("x"), 100.0 + GIVE_UP_S) is None


def test_an_engine_that_fails_is_asked_three_times() -> None:
    patience = Patience()
    assert [patience.wait_s(EngineFailed("x"), 0.0) for _ in range(3)] == [1.0, 2.0, None]


def test_what_cannot_be_spoken_is_not_tried_again() -> None:
    assert Patience().wait_s(BadRequest("x"), 0.0) is None
    assert Patience().wait_s(TtsError("x"), 0.0) is None
