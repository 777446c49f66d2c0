"""What the bench of calls puts into its questions and reads off its counters."""

import argparse

import numpy as np
import pytest

from bench import conversation, hesitant, simulated_calls

RATE_HZ = hesitant.RATE_HZ


def sentence() -> np.ndarray:
    """Two stretches of sound with a short dip between them, at 0.5 s of 1 s."""
    pcm = np.full(RATE_HZ, 8000, np.int16)
    pcm[round(0.46 * RATE_HZ) : round(0.54 * RATE_HZ)] = 10
    return pcm


def test_a_pause_is_put_where_it_is_quiet_and_is_as_long_as_asked_for() -> None:
    spoken = hesitant.hesitate(("one two", "tri for"), sentence(), [0.4])
    [(from_s, to_s)] = spoken.pauses_s
    assert to_s - from_s == pytest.approx(0.4)
    assert from_s == pytest.approx(0.5, abs=0.04)
    assert not spoken.pcm[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)].any()
    assert len(spoken.pcm) == RATE_HZ + round(0.4 * RATE_HZ)
    assert spoken.text == "one two tri for"


def test_every_pause_of_a_sentence_gets_its_own_length() -> None:
    parts = ("one two", "tri", "for five six")
    spoken = hesitant.hesitate(parts, np.full(2 * RATE_HZ, 5000, np.int16), [0.2, 0.7])
    lengths = [to_s - from_s for from_s, to_s in spoken.pauses_s]
    assert lengths == pytest.approx([0.2, 0.7])


def test_pauses_are_as_long_as_those_that_a_silence_timer_was_measured_on() -> None:
    lengths = hesitant.PAUSES_S
    for timer_s, cut in ((0.3, 0.556), (0.6, 0.217), (1.0, 0.10)):
        assert sum(length > timer_s for length in lengths) / len(lengths) == pytest.approx(
            cut, abs=0.05
        )


def test_the_share_thrown_away_is_of_answers_begun_early() -> None:
    counted = {"parley_drafts_begun_total": 8.0, "parley_drafts_dropped_total": 2.0}
    assert conversation.drafts(counted)["wasted_work_share"] == 0.25
    assert conversation.drafts({})["wasted_work_share"] is None


def test_simulated_times_are_named() -> None:
    times = simulated_calls.latencies("stt=50,llm=100,tts=40")
    assert (times.stt, times.llm, times.tts) == (50.0, 100.0, 40.0)
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--simulate", type=simulated_calls.latencies)
    for wrong in ("stt=50", "stt=50,llm=100,tts=40,x=1", "stt=a,llm=100,tts=40", "50,100,40"):
        with pytest.raises(argparse.ArgumentError):
            parser.parse_args(["--simulate", wrong])
