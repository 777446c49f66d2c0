"""The ear's memory is addressed by time and forgets the oldest."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.turns.memory import AudioMemory


@given(st.lists(st.integers(1, 40_000), max_size=8), st.floats(0, 6), st.floats(0, 3))
def test_it_returns_exactly_the_samples_of_the_time_asked_for(
    sizes: list[int], from_s: float, length_s: float
) -> None:
    memory = AudioMemory(2.0)
    whole = np.arange(sum(sizes), dtype=np.int64).astype(np.int16)
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        memory.append(whole[start : start + size])
    got = memory.between(from_s, from_s + length_s)
    first = max(int(from_s * 16_000), len(whole) - 32_000, 0)
    expected = whole[first : max(int((from_s + length_s) * 16_000), first)]
    assert np.array_equal((got * 32768).astype(np.int16), expected)
    assert memory.now_s == len(whole) / 16_000


def test_silence_before_the_call_is_not_invented() -> None:
    memory = AudioMemory(1.0)
    memory.append(np.ones(160, dtype=np.int16))
    assert len(memory.between(-1.0, 5.0)) == 160
