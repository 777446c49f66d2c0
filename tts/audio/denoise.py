"""Noise taken out of a reference clip by RNNoise, before a voice is compiled from it.

In and out: mono float samples [N] at any rate; the result is as long as the clip and in step with
it.  RNNoise (Valin, arXiv 1709.08243; BSD licence) is the C library inside the pyrnnoise package,
called directly: the package itself imports plotting and decoding libraries.  Any thread; the work
is done outside Python's global lock.
"""

import ctypes
import platform
from functools import lru_cache

import numpy as np

from tts.audio.resample import Samples, soxr
from tts.carriers import folder

RATE_HZ = 48000
FRAME_SAMPLES = 480
DELAY_SAMPLES = 2 * FRAME_SAMPLES
"""How much later RNNoise gives back what it heard: a window's overlap and a frame of look-ahead."""
_FULL_SCALE = np.float32(32768)
_FILES = {"Darwin": "librnnoise.dylib", "Windows": "rnnoise.dll"}
_Floats = ctypes.POINTER(ctypes.c_float)


def denoise(samples: Samples, rate_hz: int) -> Samples:
    """The clip with the noise between and behind the words taken down: [N] -> [N].

    RNNoise works at 48 kHz; other rates are converted there and back.  Raises `ValueError` for
    samples that are not mono or not finite, and `ImportError` where RNNoise is not installed.
    """
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(
            f"denoising needs finite mono samples; these have the shape {samples.shape}"
        )
    heard = soxr(samples, rate_hz, RATE_HZ)
    frames = -(-(len(heard) + DELAY_SAMPLES) // FRAME_SAMPLES)
    buffer = np.zeros((frames, FRAME_SAMPLES), np.float32)
    buffer.reshape(-1)[: len(heard)] = heard * _FULL_SCALE
    _process(buffer)
    cleaned = buffer.reshape(-1)[DELAY_SAMPLES : DELAY_SAMPLES + len(heard)] / _FULL_SCALE
    return soxr(cleaned, RATE_HZ, rate_hz)[: len(samples)]


def _process(frames: Samples) -> None:
    """Denoise consecutive frames [F, 480], in place."""
    library = _library()
    state = library.rnnoise_create(None)
    try:
        for frame in frames:
            pointer = frame.ctypes.data_as(_Floats)
            library.rnnoise_process_frame(state, pointer, pointer)
    finally:
        library.rnnoise_destroy(state)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """RNNoise's C functions."""
    name = _FILES.get(platform.system(), "librnnoise.so")
    library = ctypes.CDLL(str(folder("pyrnnoise", needed_for="denoising") / name))
    library.rnnoise_create.argtypes = [ctypes.c_void_p]  # weights; None: those compiled in
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.restype = None
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, _Floats, _Floats]
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library
