"""Whether somebody speaks in a recording, by Silero's model: music and noise are told from a voice.

In: mono samples [N] and their rate.  Out: a share.  webrtcvad, which `tts.audio.quality` asks where
the pauses are, takes a melody for speech.  The model is a file of the package pipecat-ai, which is
not imported.  About 3 ms a second of sound on one core; any thread.
"""

from functools import cache

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from tts import carriers
from tts.audio.resample import soxr

RATE_HZ = 16_000
WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64
"""What the model hears again of the window before."""
_LIKELY = 0.5
_PACKAGE, _FILE = "pipecat", "audio/vad/data/silero_vad.onnx"


def voice_share(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Windows of 32 ms that hold a voice, of all; about 0.9 for read speech, 0.1 for music.

    Raises `ImportError` without the model.
    """
    heard = soxr(samples, rate_hz, RATE_HZ)
    count = len(heard) // WINDOW_SAMPLES
    if count == 0:
        return 0.0
    session, rate = _session(), np.array(RATE_HZ, np.int64)
    state = np.zeros((2, 1, 128), np.float32)
    context = np.zeros((1, _CONTEXT_SAMPLES), np.float32)
    likely = 0
    for window in heard[: count * WINDOW_SAMPLES].reshape(count, 1, WINDOW_SAMPLES):
        sound = np.concatenate((context, window), axis=1)
        probability, state = session.run(None, {"input": sound, "state": state, "sr": rate})
        context = sound[:, -_CONTEXT_SAMPLES:]
        likely += bool(probability[0, 0] >= _LIKELY)
    return likely / count


@cache
def _session() -> ort.InferenceSession:
    path = carriers.folder(_PACKAGE, needed_for="judging recordings") / _FILE
    if not path.is_file():
        raise ImportError(f"judging recordings needs {_FILE} of the package pipecat-ai")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
