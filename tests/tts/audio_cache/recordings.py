"""Recordings for tests, and strategies that draw them."""

import numpy as np
from hypothesis import strategies as st

from tts.audio_cache.recording import KnownMark, Recording
from tts.types import MARK_KINDS, Mark

KEYS = tuple(f"{number:064x}" for number in range(6))
TIMES_S = st.floats(0, 1e6, allow_nan=False)

MARKS = st.builds(
    Mark,
    text_start=st.integers(0, 2**31),
    text_end=st.integers(0, 2**31),
    start_s=TIMES_S,
    end_s=TIMES_S,
    kind=st.sampled_from(MARK_KINDS),
    estimated=st.booleans(),
    label=st.text(max_size=5),
)
RECORDINGS = st.builds(
    Recording,
    pcm=st.binary(max_size=300).map(lambda data: data[: len(data) // 2 * 2]),
    sample_rate_hz=st.integers(8000, 48_000),
    voice=st.text(max_size=10),
    marks=st.lists(st.builds(KnownMark, st.integers(0, 200), MARKS), max_size=4).map(tuple),
)


def recording(samples: int, *, seed: int = 0, marks: int = 0) -> Recording:
    """Known noise with marks spread over it."""
    noise = np.random.default_rng(seed).integers(-32_768, 32_767, samples, np.int16)
    return Recording(
        pcm=noise.astype("<i2").tobytes(),
        sample_rate_hz=8000,
        voice="ann",
        marks=tuple(
            KnownMark(samples * i // marks, Mark(i, i + 1, i / 10, (i + 1) / 10))
            for i in range(marks)
        ),
    )
