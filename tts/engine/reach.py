"""How far each side the waveform decoder of a model listens, by its own weights.

In: a model and a speaker vector.  Out: a number of frames.  By their sizes its layers could hear
`HifiGan.reach_frames` each side, but of the frames far away next to nothing arrives, and how much
depends on the weights.  Runs once when a model is loaded, on any thread; the same model and vector
give the same number.
"""

import copy

import torch
from torch import Tensor, nn

from tts.models.sovits import Sovits

ALLOWED_ERROR = 1e-5
"""What a window may differ from the whole, as a share of the whole's greatest sample."""

MARGIN = 10.0
"""The measure hears few latents at few places; others may differ by so much more."""

_SEED = 0
_HEARD_FRAMES = 2


@torch.inference_mode()
def measured_reach_frames(sovits: Sovits, ge: Tensor) -> int:
    """The fewest frames each side with which windows stay within `ALLOWED_ERROR` of the whole.

    `ge` [1, gin, 1] is the speaker vector of a voice that the model will speak in.  The answer is
    that of single precision at least, whatever the model's: rounding is no reason to listen
    further.  Costs a few decodes of two frames.
    """
    decoder = _at_least_single(sovits.dec)
    dtype = next(decoder.parameters()).dtype
    full = sovits.dec.reach_frames
    frames = 2 * full + _HEARD_FRAMES
    noise = torch.Generator().manual_seed(_SEED)
    # The flow was trained to make normal numbers of about this size.
    latent = torch.randn(1, sovits.spec.latent, frames, generator=noise).to(ge.device, dtype)
    ge = ge.to(dtype)

    def heard(reach: int) -> Tensor:
        window = latent[..., full - reach : frames - (full - reach)]
        audio: Tensor = decoder(window, ge, reach, reach + _HEARD_FRAMES)
        return audio

    whole = heard(full)
    allowed = ALLOWED_ERROR / MARGIN * float(whole.abs().max())
    reach = full
    while reach and float((heard(reach - 1) - whole).abs().max()) <= allowed:
        reach -= 1
    return reach


def _at_least_single(module: nn.Module) -> nn.Module:
    dtype = next(module.parameters()).dtype
    return module if dtype.itemsize >= torch.float32.itemsize else copy.deepcopy(module).float()
