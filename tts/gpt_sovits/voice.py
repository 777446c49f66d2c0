"""A voice in memory: text in, what the models take of it out.

Its parts may be other voices' too.  On the engine's thread, which owns the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tts.engine.voice import Manner, Models, Reference
from tts.text.cutting import ended
from tts.text.frontend import Frontend, Spoken
from tts.voices.text_features import Meaning, text_features


@dataclass(frozen=True, slots=True)
class LoadedVoice:
    """All that is needed to speak in one voice."""

    models: Models
    references: Mapping[str, Reference]
    """By emotion; the first is the default."""
    manner: Manner
    """How it speaks unless a request says otherwise."""
    frontend: Frontend
    meaning: Meaning | None
    """What knows the meaning of Chinese; None where none is spoken."""
    gain_db: float
    """What brings it to the service's loudness."""

    def reference(self, emotion: str) -> Reference:
        """The reference of an emotion; of the first, if it is empty."""
        return self.references[emotion or next(iter(self.references))]

    @torch.inference_mode()
    def read(self, text: str, language: str) -> tuple[list[Spoken], Tensor, Tensor]:
        """A clause -> how it is said, its phones [1, T] and their text features [1, bert, T]."""
        spoken = self.frontend.speak(ended(text, language=language), language)
        model = self.models.t2s.model
        features = text_features(spoken, self.meaning, width=model.spec.bert, device=model.device)
        phones = torch.tensor([self.frontend.ids(spoken)], device=model.device)
        return spoken, phones, features[None]
