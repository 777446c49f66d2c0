"""A sound that passes for a person reading: syllables of a buzzing voice with formants, pauses."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SYLLABLES_PER_S = 4.0
PITCH_HZ = 120.0
FORMANTS_HZ = ((700, 1200, 2600), (300, 2300, 3000), (500, 900, 2500), (350, 800, 2400))


@cache
def babble(seconds: float, rate_hz: int = 24000, *, seed: int = 0) -> NDArray[np.float32]:
    """Samples [N], peak 0.5, with a pause after every fourth syllable."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    syllable = (times * SYLLABLES_PER_S).astype(int)
    random = np.random.default_rng(seed)
    vowels = random.integers(0, len(FORMANTS_HZ), syllable[-1] + 1)[syllable]
    pitch_hz = PITCH_HZ * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * times))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    sound = np.zeros(len(times))
    for harmonic in range(1, int(min(5000, rate_hz / 2.1) / PITCH_HZ)):
        near = harmonic * PITCH_HZ - np.array(FORMANTS_HZ, float)
        loudness = (1 / (1 + (near / 120) ** 2)).sum(axis=1)
        sound += loudness[vowels] * np.sin(harmonic * phase)
    sound *= np.sin(np.pi * (times * SYLLABLES_PER_S % 1)) ** 0.5 * (syllable % 5 != 4)
    sound += random.standard_normal(len(times)) * 1e-3 * np.abs(sound).max()
    samples = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    samples.flags.writeable = False
    return samples
