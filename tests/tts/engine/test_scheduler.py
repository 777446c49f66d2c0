"""Whose turn it is."""

from collections.abc import Sequence

import pytest

from tts.engine.scheduler import Job, Scheduler
from tts.engine.types import Kind, Work

MODEL = object()


def work(kind: Kind, size: int = 1, together: object = None) -> Work:
    return Work(kind, size, lambda works: None, together or object())


def scheduler(step_s: Sequence[float] = (0.010,) * 8, *, rest_s: float = 1.0) -> Scheduler:
    """One that has measured: a prefill takes 0.2 s, a sound 10 ms a frame, and a token of a batch
    what `step_s` says."""
    made = Scheduler(rest_s=rest_s, most_together=8)
    made.costs.observe(Kind.PREFILL, 100, 1, 0.2)
    made.costs.observe(Kind.SOUND, 10, 1, 0.1)
    for batch, seconds in enumerate(step_s, 1):
        made.costs.observe(Kind.TOKEN, 1, batch, seconds)
    return made


def arrives(
    into: Scheduler, what: Work | None, *, dry_s: float | None = None, played: bool = True
) -> Job:
    job = Job(0.0, played=played, dry_s=dry_s)
    into.add(job)
    if what is not None:
        into.gave_work(job, what)
    return job


def heard(into: Scheduler, what: Work | None, dry_s: float, *, played: bool = True) -> Job:
    """A request whose audio lasts until `dry_s`."""
    return arrives(into, what, dry_s=dry_s, played=played)


def token() -> Work:
    return work(Kind.TOKEN, together=MODEL)


def test_nobody_has_a_turn_while_there_is_nobody() -> None:
    made = scheduler()
    assert (made.choose(0.0), made.wake_s()) == ([], None)


def test_requests_without_audio_go_in_order_of_arrival() -> None:
    made = scheduler()
    one = arrives(made, work(Kind.SOUND, 50))
    two = arrives(made, work(Kind.PREFILL, 100))
    assert made.choose(0.0) == [one]
    made.ran([one], 0.5)
    made.remove(one)
    assert made.choose(0.5) == [two]


def test_a_first_packet_goes_before_streams_that_can_wait() -> None:
    made = scheduler()
    old = heard(made, work(Kind.SOUND, 10), 0.6)
    new = arrives(made, work(Kind.PREFILL, 100))
    assert made.choose(0.0) == [new]
    made.remove(new)
    assert made.choose(0.0) == [old]


def test_a_stream_that_would_run_dry_meanwhile_goes_before_a_first_packet() -> None:
    made = scheduler()
    old = heard(made, work(Kind.SOUND, 10), 0.29)
    arrives(made, work(Kind.PREFILL, 100))
    # A prefill of 0.2 s and a sound of 0.1 s do not fit into 0.29 s.
    assert made.choose(0.0) == [old]


def test_streams_that_can_wait_each_but_not_all_go_before_a_first_packet() -> None:
    made = scheduler()
    streams = [heard(made, work(Kind.SOUND, 10), 0.5 + 0.001 * i) for i in range(4)]
    arrives(made, work(Kind.PREFILL, 100))
    assert made.choose(0.0) == [streams[0]]


def test_streams_go_in_the_order_in_which_they_run_dry() -> None:
    made = scheduler()
    long = heard(made, work(Kind.SOUND, 50), 0.6)
    early = heard(made, work(Kind.SOUND, 10), 0.5)
    # In this order both are in time, though the longer work must begin earlier.
    assert made.choose(0.0) == [early]
    made.remove(early)
    assert made.choose(0.1) == [long]


def test_a_stream_far_ahead_rests_and_is_woken_in_time() -> None:
    made = scheduler()
    job = heard(made, work(Kind.SOUND, 10), 3.0)
    assert made.choose(0.0) == []
    wake_s = made.wake_s()
    # One second before the work of 0.1 s has to begin.
    assert wake_s == pytest.approx(3.0 - 0.1 - 1.0, abs=0.01)
    assert made.choose(wake_s) == [job]


@pytest.mark.parametrize("why", ["waits", "full"])
def test_a_request_that_waits_or_has_too_much_unread_audio_has_no_turn(why: str) -> None:
    made = scheduler()
    job = heard(made, token(), 0.1)
    setattr(job, why, True)
    assert (made.choose(0.0), made.wake_s()) == ([], None)


def test_audio_that_is_not_played_while_it_is_made_never_rests_and_never_presses() -> None:
    made = scheduler()
    whole = heard(made, work(Kind.SOUND, 10), 30.0, played=False)
    assert made.choose(0.0) == [whole]
    late = heard(made, work(Kind.SOUND, 10), 0.1, played=False)
    new = arrives(made, work(Kind.PREFILL, 100))
    assert made.choose(0.0) == [new]
    made.remove(new)
    assert made.choose(0.0) == [late]


def test_a_request_that_wants_all_at_once_never_rests_and_presses_as_the_others_do() -> None:
    made = scheduler()
    eager = heard(made, token(), 50.0)
    eager.eager = True
    assert made.choose(0.0) == [eager]
    first = arrives(made, work(Kind.PREFILL, 100))
    assert made.choose(0.0) == [first]
    eager.dry_s = 0.1
    assert made.choose(0.0) == [eager]


def test_an_engine_that_takes_its_own_steps_never_rests() -> None:
    made = scheduler()
    job = heard(made, None, 30.0)
    assert made.choose(0.0) == [job]


def test_tokens_of_one_model_are_drawn_together_first_packets_first() -> None:
    made = scheduler()
    late, soon = heard(made, token(), 0.9), heard(made, token(), 0.8)
    heard(made, work(Kind.TOKEN), 0.85)
    heard(made, work(Kind.SOUND, 1), 0.85)
    new = arrives(made, token())
    assert made.choose(0.0) == [new, soon, late]


def test_a_batch_is_no_larger_than_allowed() -> None:
    made = scheduler()
    jobs = [arrives(made, token()) for _ in range(10)]
    assert made.choose(0.0) == jobs[:8]


def test_nobody_joins_a_batch_that_it_makes_much_slower() -> None:
    made = scheduler([0.010, 0.011, 0.030, 0.040])
    jobs = [heard(made, token(), 0.9 + 0.01 * i) for i in range(4)]
    assert made.choose(0.0) == jobs[:2]


def test_a_resting_stream_joins_a_batch_only_if_that_is_all_but_free() -> None:
    for third_s, joins in ((0.0101, True), (0.013, False)):
        made = scheduler([0.010, 0.010, third_s])
        due = [heard(made, token(), 0.9), heard(made, token(), 0.95)]
        resting = heard(made, token(), 5.0)
        assert (resting in made.choose(0.0)) is joins
        assert made.choose(0.0)[:2] == due


def test_after_a_request_without_audio_gave_way_one_with_audio_has_its_turn_once() -> None:
    made = scheduler()
    new, old = arrives(made, None), heard(made, None, 0.9)
    assert made.choose(0.0) == [new]
    made.gave_way(new)
    assert made.choose(0.0) == [old]
    assert made.choose(0.0) == [new]


def test_playing_starts_anew_with_audio_that_comes_too_late() -> None:
    made = scheduler()
    job = heard(made, None, 0.5)
    made.gave_audio(job, 0.5, 0.2)
    assert job.dry_s == 1.0
    made.gave_audio(job, 0.5, 4.0)
    assert job.dry_s == 4.5


def test_a_piece_without_a_sample_is_no_first_packet() -> None:
    made = scheduler()
    new, old = arrives(made, None), heard(made, work(Kind.SOUND, 10), 0.9)
    made.gave_audio(new, 0.0, 0.1)
    assert made.choose(0.1) == [new]
    assert (new.dry_s, made.knows) == (None, False)
    made.gave_audio(new, 0.95, 0.1)
    assert made.choose(0.1) == [old]


def test_what_an_engine_may_count_on_is_less_the_longer_others_take() -> None:
    made = scheduler()
    one = heard(made, work(Kind.SOUND, 10), 2.0)
    made.choose(0.0)
    assert made.ahead_s(one, 0.5) == 1.5
    assert made.ahead_s(arrives(made, None), 0.5) is None
    two = heard(made, work(Kind.SOUND, 10), 2.0)
    made.ran([two], 0.1)
    made.gave_audio(two, 100.0, 0.1)
    made.choose(0.1)
    # A sound of 0.1 s may be under way when it is due.
    assert made.ahead_s(one, 0.5) == pytest.approx(1.4, abs=0.001)


def test_the_way_to_the_next_audio_is_what_it_usually_is_less_what_is_done() -> None:
    made = scheduler()
    job = arrives(made, work(Kind.PREFILL, 100))
    for what in (work(Kind.PREFILL, 100), token(), token(), token(), work(Kind.SOUND, 10)):
        made.gave_work(job, what)
        made.ran([job], {Kind.PREFILL: 0.2, Kind.TOKEN: 0.01, Kind.SOUND: 0.1}[what.kind])
    made.gave_audio(job, 0.2, 0.0)
    assert made.knows
    assert made.first_audio_s() == pytest.approx(0.2 + 3 * 0.010 + 0.1)
    new = arrives(made, work(Kind.PREFILL, 100))
    assert made.to_audio_s(new) == pytest.approx(0.33)
    made.ran([new], 0.2)
    made.gave_work(new, token())
    assert made.to_audio_s(new) == pytest.approx(0.13)
    made.ran([new], 0.01)
    made.gave_work(new, token())
    assert made.to_audio_s(new) == pytest.approx(0.12)
    apart_s, tokens_s = made.second_s(2)
    assert apart_s == pytest.approx(2 * (0.2 + 0.1) / 0.2)
    assert tokens_s == pytest.approx(3 * 0.010 / 0.2)
