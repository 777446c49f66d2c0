"""A voice as the arguments of `tts.engine.utterance`, for compiling and for speaking alike.

In: a prompt of a compiled voice, or the manner of its manifest.  Out: the same for the models, on
their device.  Any thread.
"""

import torch

from tts.engine.sampling import Sampling
from tts.engine.voice import Manner, Reference
from tts.voices.compiled import Prompt
from tts.voices.manifest import MannerTable


def reference_of(prompt: Prompt, *, device: torch.device, dtype: torch.dtype) -> Reference:
    """The prompt as a batch of one; `dtype` is that of the models."""
    codes, phones, features, ge = (
        torch.from_numpy(array)[None].to(device)
        for array in (prompt.codes, prompt.phones, prompt.features, prompt.ge)
    )
    return Reference(codes, phones, features, ge.to(dtype)[..., None])


def manner_of(table: MannerTable) -> Manner:
    """How the voice speaks unless a request says otherwise."""
    sampling = Sampling(
        top_k=table.top_k,
        top_p=table.top_p,
        temperature=table.temperature,
        repetition_penalty=table.repetition_penalty,
    )
    return Manner(sampling, speed=table.speed, noise_scale=table.noise_scale, seed=table.seed)
