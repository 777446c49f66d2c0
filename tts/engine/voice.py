"""What a voice speaks with, and how.

Plain values on the models' device; what they mean to the models is theirs.  Any thread.
"""

from dataclasses import dataclass

from torch import Tensor

from tts.engine.sampling import Sampling, check_seed
from tts.engine.t2s_runtime import T2sRuntime
from tts.errors import BadRequest
from tts.models.sovits import Sovits


@dataclass(frozen=True, slots=True)
class Models:
    """What a voice speaks with; several voices may share either."""

    t2s: T2sRuntime
    sovits: Sovits


@dataclass(frozen=True, slots=True)
class Reference:
    """How a voice sounds in one emotion, on the models' device."""

    codes: Tensor
    """[1, S] int64: semantic tokens of the reference clip."""
    phones: Tensor
    """[1, T] int64: what is said in it, rows of the phone table."""
    features: Tensor
    """[1, bert, T]: text features of those phones."""
    ge: Tensor
    """[1, gin, 1]: the speaker vector."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an utterance is spoken.  Raises BadRequest for a value out of range."""

    sampling: Sampling
    speed: float = 1.0
    """Rate relative to the voice's own; above 1 is faster.  Above 0."""
    noise_scale: float = 0.5
    """How much of the latent's spread is heard; 0 or more."""
    seed: int = 0
    """The same seed gives the same samples; 0 to 2^64 - 1."""

    def __post_init__(self) -> None:
        if not 0 < self.speed < float("inf"):
            raise BadRequest(f"speed is {self.speed}: a number above 0 is allowed")
        if not 0 <= self.noise_scale < float("inf"):
            raise BadRequest(f"noise_scale is {self.noise_scale}: 0 or more is allowed")
        check_seed(self.seed)
