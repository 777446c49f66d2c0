"""Who is let in."""

import pytest

from tests.tts.engine.test_scheduler import arrives, heard, scheduler, token, work
from tts.engine.admission import ENOUGH, LATE, Admission, Admitted, Refused
from tts.engine.scheduler import Job, Scheduler
from tts.engine.types import Kind

FIRST_S = 0.2 + 3 * 0.010 + 0.1
"""What a first packet takes alone: a prefill, three tokens, a sound."""


def knowing(**settings: float) -> Scheduler:
    """One that has served a request: a first packet, then audio at a tenth of the time it plays."""
    made = scheduler(**settings)
    job = arrives(made, None)
    for what in (work(Kind.PREFILL, 100), token(), token(), token(), work(Kind.SOUND, 10)):
        made.gave_work(job, what)
        made.ran([job], {Kind.PREFILL: 0.2, Kind.TOKEN: 0.01, Kind.SOUND: 0.1}[what.kind])
    made.gave_audio(job, 3.3, 0.0)
    made.remove(job)
    return made


def refused(answer: Admitted | Refused) -> Refused:
    assert isinstance(answer, Refused)
    return answer


def test_whoever_finds_the_engine_idle_is_admitted_however_slow_it_is() -> None:
    admission = Admission(knowing(), first_packet_ms=1)
    assert admission.admit(0.0) == Admitted(pytest.approx(FIRST_S))


def test_everybody_is_admitted_while_nothing_is_known() -> None:
    made = scheduler()
    for _ in range(5):
        assert isinstance(Admission(made, first_packet_ms=1).admit(0.0), Admitted)
        arrives(made, work(Kind.PREFILL, 100))


def test_an_engine_that_gives_no_works_admits_everybody() -> None:
    made = Scheduler(rest_s=1, most_together=1)
    job = arrives(made, None)
    made.stepped(job, 10.0)
    made.gave_audio(job, 1.0, 10.0)
    assert isinstance(Admission(made, first_packet_ms=1).admit(10.0), Admitted)


def test_those_ahead_and_the_turn_under_way_are_waited_for() -> None:
    made = knowing()
    admission = Admission(made, first_packet_ms=10_000)
    arrives(made, work(Kind.PREFILL, 100))
    assert admission.first_audio_s(0.0) == pytest.approx(2 * FIRST_S)
    made.choose(0.0)
    assert admission.first_audio_s(0.05) == pytest.approx(0.15 + 2 * FIRST_S)


def test_one_that_would_come_too_late_is_refused_with_what_is_predicted_and_allowed() -> None:
    made = knowing()
    admission = Admission(made, first_packet_ms=1000)
    answers = []
    while isinstance(answer := admission.admit(0.0), Admitted):
        answers.append(answer)
        arrives(made, work(Kind.PREFILL, 100))
    assert [one.predicted_s for one in answers] == pytest.approx([FIRST_S, 2 * FIRST_S])
    assert answer.predicted_ms == pytest.approx(3 * FIRST_S * LATE * 1000)
    assert str(answer).startswith("the first audio might take 1238 ms, allowed are 1000 ms;")


def test_one_that_would_take_time_from_those_who_play_is_refused() -> None:
    made = knowing()
    admission = Admission(made, first_packet_ms=60_000)
    # Each second of audio takes 0.3 / 3.3 of a second apart, besides shared tokens: so nine fit.
    for _ in range(9):
        assert isinstance(admission.admit(0.0), Admitted)
        heard(made, token(), 5.0)
    # One far ahead of its playback does not hold up a first packet, but all need their share.
    assert refused(admission.admit(0.0)).load > 0.9
    assert refused(admission.admit(0.0)).predicted_ms < 60_000


def test_audio_that_is_not_played_takes_no_share() -> None:
    made = knowing()
    admission = Admission(made, first_packet_ms=60_000)
    for _ in range(30):
        heard(made, token(), 5.0, played=False)
    assert isinstance(admission.admit(0.0), Admitted)


def test_streams_that_run_dry_meanwhile_are_served_first_and_all_before_them() -> None:
    made = knowing()
    admission = Admission(made, first_packet_ms=60_000)
    heard(made, work(Kind.SOUND, 10), 5.0)
    assert admission.first_audio_s(0.0) == pytest.approx(FIRST_S)
    heard(made, work(Kind.SOUND, 10), 0.5)
    assert admission.first_audio_s(0.0) == pytest.approx(FIRST_S)
    # Two sounds of 0.1 s after the first packet's 0.33 s: too late for the second.
    heard(made, work(Kind.SOUND, 10), 0.51)
    assert admission.first_audio_s(0.0) == pytest.approx(FIRST_S + 0.2)


def test_a_request_that_waits_for_its_text_is_not_waited_for() -> None:
    made = knowing()
    arrives(made, None).waits = True
    assert Admission(made, first_packet_ms=1000).first_audio_s(0.0) == pytest.approx(FIRST_S)


def test_how_wrong_predictions_were_is_learnt_without_the_time_spent_waiting() -> None:
    admission = Admission(knowing(), first_packet_ms=1000)
    assert admission.late() == LATE
    for number in range(ENOUGH):
        job = Job(1.0, predicted_s=0.5, waited_s=10.0)
        admission.came(job, 1.0 + 10.0 + 0.5 * (1 + number / ENOUGH))
    admission.came(Job(0.0), 99.0)
    assert admission.late() == pytest.approx(1.95)
