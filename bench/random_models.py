"""A voice's models in memory, as the engine loads them, of random weights or of two files.

In: a version or checkpoint files, a device, how many utterances at once.  Out: what the engine
speaks with (`tts.engine.voice`).  The precision is what the service takes by itself on that device,
unless another is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bench import endings, random_voice
from tts.engine.precision import AUTO, INT8, Precision
from tts.engine.t2s_runtime import T2sRuntime
from tts.engine.voice import Models, Reference
from tts.models.sovits import Sovits
from tts.models.t2s import T2s
from tts.spec import SovitsSpec, T2sSpec

Tensors = Mapping[str, NDArray[np.generic]]
CAPACITY = 1024
"""Places of an utterance: a reference, and half a minute of speech."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an utterance is made of, and in which precision."""

    models: Models
    reference: Reference
    precision: Precision

    @property
    def precision_name(self) -> str:
        """As "int8 + float32": T2S and SoVITS."""
        t2s = INT8 if self.precision.t2s_int8 else _name(self.precision.t2s)
        return f"{t2s} + {_name(self.precision.sovits)}"

    @property
    def t2s_bytes(self) -> int:
        """What a step reads of the layers' weights."""
        spec = self.models.t2s.model.spec
        weights = spec.layers * (4 * spec.hidden**2 + 2 * spec.hidden * spec.ffn)
        return weights * (1 if self.precision.t2s_int8 else self.precision.t2s.itemsize)


def random_models(
    version: str,
    device: torch.device,
    *,
    rows: int = 1,
    reference_codes: int,
    reference_phones: int,
    dtype: str = AUTO,
    t2s_dtype: str = AUTO,
) -> Spoken:
    """Models of full size with random weights, whose utterances never end by themselves."""
    t2s, sovits = random_voice.t2s_spec(version), random_voice.sovits_spec(version)
    made = random_voice.tensors(t2s)
    endings.end_never(made, t2s)
    return loaded(
        (t2s, made),
        (sovits, random_voice.tensors(sovits)),
        device,
        rows=rows,
        reference_codes=reference_codes,
        reference_phones=reference_phones,
        dtype=dtype,
        t2s_dtype=t2s_dtype,
    )


def loaded(
    t2s: tuple[T2sSpec, Tensors],
    sovits: tuple[SovitsSpec, Tensors],
    device: torch.device,
    *,
    rows: int = 1,
    reference_codes: int,
    reference_phones: int,
    dtype: str = AUTO,
    t2s_dtype: str = AUTO,
) -> Spoken:
    """Models of these tensors, warm, and a reference of random codes and phones."""
    precision = Precision.of(device, dtype=dtype, t2s_dtype=t2s_dtype)
    decoder = Sovits.load(*sovits, dtype=precision.sovits, device=device)
    model = T2s.load(*t2s, dtype=precision.t2s, device=device, int8=precision.t2s_int8)
    runtime = T2sRuntime(model, rows=rows, capacity=CAPACITY)
    runtime.warm()
    draw = torch.Generator().manual_seed(0)
    features = torch.zeros(1, t2s[0].bert, reference_phones)
    ge = 0.1 * torch.randn(1, sovits[0].gin, 1, generator=draw)
    reference = Reference(
        codes=torch.randint(1024, (1, reference_codes), generator=draw).to(device),
        phones=torch.randint(300, (1, reference_phones), generator=draw).to(device),
        features=features.to(device, precision.t2s),
        ge=ge.to(device, precision.sovits),
    )
    return Spoken(Models(runtime, decoder), reference, precision)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
