"""Silence around clauses that are still arriving."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import Split, holds, law, splits
from tts.audio.live_trim import LiveTrim
from tts.audio.trim import trim

RATE_HZ = 8000
FRAME = 40
LEAD = 80
FADE = 24
VOICE_DB = -20.0


def tone(samples: int, level_db: float = VOICE_DB) -> np.ndarray:
    at = np.arange(samples)
    return (10 ** (level_db / 20) * 2**0.5 * np.sin(0.7 * at)).astype(np.float32)


def silence(samples: int) -> np.ndarray:
    return tone(samples, -70.0)


def clause(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts)


def trimmed(samples: np.ndarray, pause_s: float = 0.1, split: Split | None = None) -> np.ndarray:
    stream = LiveTrim(RATE_HZ)
    split = split or [(0, len(samples))]
    return np.concatenate([*(stream.feed(samples[a:b]) for a, b in split), stream.end(pause_s)])


@law
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 900)), min_size=1, max_size=5).flatmap(
        lambda runs: st.tuples(st.just(runs), splits(sum(length for _, length in runs)))
    )
)
def test_what_comes_out_does_not_depend_on_the_pieces(
    case: tuple[list[tuple[bool, int]], Split],
) -> None:
    runs, split = case
    samples = clause(*(tone(n) if loud else silence(n) for loud, n in runs))
    holds(lambda pieces: trimmed(samples, split=pieces), split)


def test_a_clause_is_trimmed_as_one_that_is_complete() -> None:
    samples = clause(silence(1200), tone(2400), silence(800), tone(1600), silence(2000))
    whole, _, _ = trim(samples, RATE_HZ, pause_s=0.1)
    live = trimmed(samples)
    assert len(live) == len(whole) == LEAD + 2400 + 800 + 1600 + 800
    assert np.array_equal(live[FADE:-FADE], whole[FADE:-FADE])


def test_voice_up_to_the_end_is_faded_out_and_the_pause_is_silence() -> None:
    live = trimmed(tone(800), pause_s=0.05)
    assert len(live) == 800 + 400
    assert np.abs(live[800 - FADE : 800]).max() < np.abs(live[400:800]).max()
    assert not live[800:].any()
    assert live[0] == 0


def test_silence_inside_is_kept_and_given_only_when_voice_follows() -> None:
    stream = LiveTrim(RATE_HZ)
    assert len(stream.feed(tone(800))) == 800 - FRAME
    assert len(stream.feed(silence(1000))) == 0
    assert len(stream.feed(tone(80))) == FRAME + 1000 + 80 - FRAME


def test_a_clause_without_voice_gives_nothing_and_the_next_is_as_if_alone() -> None:
    stream = LiveTrim(RATE_HZ)
    assert len(stream.feed(silence(1234))) == 0
    assert len(stream.end(0.2)) == 0
    heard = np.concatenate([stream.feed(tone(800)), stream.end(0.1)])
    assert np.array_equal(heard, trimmed(tone(800)))
    assert stream.gave == len(heard)


def test_the_gain_that_comes_later_counts_in_what_is_silent() -> None:
    quiet = tone(800, -60.0)
    assert len(LiveTrim(RATE_HZ).feed(quiet)) == 0
    assert len(LiveTrim(RATE_HZ, gain_db=10.0).feed(quiet)) == 800 - FRAME


@pytest.mark.parametrize("second_pause_s", [0.0, 0.1])
def test_samples_are_found_where_they_went(second_pause_s: float) -> None:
    stream = LiveTrim(RATE_HZ)
    first = clause(silence(400), tone(800), silence(2000))
    second = clause(silence(200), tone(400))
    heard = [stream.feed(first), stream.end(0.1), stream.feed(second), stream.end(second_pause_s)]
    total = sum(map(len, heard))
    assert stream.gave == total
    assert stream.placed(0) == 0  # cut: where the first that was kept begins
    assert stream.placed(400) == LEAD
    assert stream.placed(1000) == LEAD + 600
    assert stream.placed(3000) == LEAD + 800 + 800  # cut off the first clause's end
    assert stream.placed(3200 + 200) == LEAD + 800 + 800 + LEAD
    assert stream.placed(3200 + 600) <= total
    places = [stream.placed(at) for at in range(0, 3800, 7)]
    assert places == sorted(places)
