"""A reference clip made ready for each of the three networks that listen to it.

In: mono samples of a clip at its own rate.  Out: samples at the rate, length and level that each
network expects, exactly as upstream prepares them.  Pure, any thread; knows nothing of files.
"""

import numpy as np

from tts.audio.resample import Samples, sinc, soxr

CONTENT_RATE_HZ = 16000
# Upstream means 0.3 s but counts them at 32 kHz; prompt codes depend on it.
CONTENT_TAIL_SAMPLES = 9600
_LOUDEST = 2.0


def for_content(samples: Samples, rate_hz: int) -> Samples:
    """What HuBERT hears: 16 kHz by soxr, silence appended."""
    return np.pad(soxr(samples, rate_hz, CONTENT_RATE_HZ), (0, CONTENT_TAIL_SAMPLES))


def for_spectrogram(samples: Samples, rate_hz: int, to_hz: int) -> Samples:
    """What the reference encoder sees: the model's rate by sinc, peaks above 1 scaled down.

    A peak above 2 is halved and no more, as upstream does.
    """
    converted = sinc(samples, rate_hz, to_hz)
    peak = float(np.abs(converted).max(initial=0.0))
    return converted / np.float32(min(peak, _LOUDEST)) if peak > 1.0 else converted


def for_speaker(samples: Samples, rate_hz: int, to_hz: int) -> Samples:
    """What the speaker network hears: `for_spectrogram`'s samples taken down to 16 kHz."""
    return sinc(for_spectrogram(samples, rate_hz, to_hz), to_hz, CONTENT_RATE_HZ)
