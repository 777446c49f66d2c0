"""When a T2S model with random weights ends its utterances: never, or after so long a text takes.

In: the tensors that `bench.random_voice` makes.  Out: the same, a few of them changed in place.

`end_never` makes the end token one that is never drawn.

`end_as_spoken` lets an utterance end when there are so many codes for each phone, the reference's
included: a five-word clause takes about a second and a half, a long one longer, as people do.  The
model is made to know it in three of its channels, where nothing else writes:

- MARK is 1 for a phone and -1 for a code;
- the first head of the first layer looks at all places alike, and writes their mean mark, which
  falls with every code, to RATIO;
- ONE is 1 for a code;
- the end token's logit is a weighted difference of RATIO and ONE: low until the ratio is reached,
  above all others soon after.

What else is written has its mean over the channels taken out, and codes are read without their
positions, so that the norms scale the three channels alike and shift none.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tts.spec import T2sSpec

Tensors = dict[str, NDArray[np.float16]]

CODES_PER_PHONE = 2.5
"""Of calm speech: 10 phones a second, 25 codes a second."""
ONE, RATIO, MARK = -1, -2, -4
"""Channels of the phones' slowest waves: as good as 1, 0 and 0 at all positions."""
_AT_END = 30.0
"""What the last norm multiplies RATIO and ONE by, for the end token to be sure of."""
_SURE = 9.0
"""A logit that only the best of the other tokens have."""
_STEEP = 60.0
"""How fast the end token's logit rises: by about 1 for each code."""


def end_never(made: Tensors, spec: T2sSpec) -> None:
    """The logit of the end token is 0, which some hundred others exceed at every step."""
    made["ar_predict_layer.weight"][spec.eos] = 0


def end_as_spoken(
    made: Tensors, spec: T2sSpec, *, codes_per_phone: float = CODES_PER_PHONE
) -> None:
    """See above.  The reference must have `codes_per_phone` codes for each phone as well."""
    channels = [ONE, RATIO, MARK]
    for name in ("ar_text_embedding", "ar_audio_embedding"):
        rows = made[f"{name}.word_embeddings.weight"]
        _centre(rows, axis=1)
        rows[:, channels] = 0
        rows[:, ONE] = 1
        rows[:, MARK] = 1 if name == "ar_text_embedding" else -1
    made["ar_audio_position.alpha"][:] = 0
    for part in ("weight", "bias"):
        made[f"bert_proj.{part}"][channels] = 0
    for layer in range(spec.layers):
        for name in ("self_attn.out_proj", "linear2"):
            for part in ("weight", "bias"):
                array = made[f"h.layers.{layer}.{name}.{part}"]
                array[channels] = 0
                _centre(array, axis=0, but=channels)
        for name in ("norm1", "norm2"):
            made[f"h.layers.{layer}.{name}.bias"][channels] = 0
    size = spec.hidden // spec.heads
    qkv, bias = "h.layers.0.self_attn.in_proj_weight", "h.layers.0.self_attn.in_proj_bias"
    value = 2 * spec.hidden  # the first head's first value
    made[qkv][:size] = made[bias][:size] = 0  # its queries: it looks at all places alike
    made[qkv][value] = made[bias][value] = 0
    made[qkv][value, MARK] = 1
    out = made["h.layers.0.self_attn.out_proj.weight"]
    out[:, 0] = 0
    out[RATIO, 0] = 1
    made[f"h.layers.{spec.layers - 1}.norm2.weight"][[RATIO, ONE]] = _AT_END
    end = made["ar_predict_layer.weight"]
    end[:, [RATIO, ONE]] = 0
    end[spec.eos] = 0
    ratio = (1 - codes_per_phone) / (1 + codes_per_phone)
    end[spec.eos, RATIO] = -_STEEP
    end[spec.eos, ONE] = _STEEP * ratio


def _centre(array: NDArray[np.float16], *, axis: int, but: Sequence[int] = ()) -> None:
    """Take the mean over `axis` out, the places `but` left alone."""
    places = np.setdiff1d(np.arange(array.shape[axis]), np.asarray(but) % array.shape[axis])
    part = np.take(array, places, axis).astype(np.float32)
    part -= part.mean(axis=axis, keepdims=True)
    if axis:
        array[:, places] = part
    else:
        array[places] = part
