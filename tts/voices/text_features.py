"""What a model is told of a text besides its phones: the meaning of Mandarin, nothing of the rest.

In: runs of a text as `tts.text.frontend` gives them, and what knows the meaning of those in
Mandarin.  Out: one vector a phone, zero for phones of other languages, as the models were trained.
One thread at a time.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tts.text.frontend import Spoken

Meaning = Callable[[str, Sequence[int]], Tensor]
"""`tts.models.bert.Bert.features`: text, phones of each character -> [width, phones]."""

LANGUAGE = "zh"
"""The one language that has text features."""


def needs_bert(spoken: Sequence[Spoken]) -> bool:
    """Whether any of the runs has text features."""
    return any(run.language == LANGUAGE and run.phones for run in spoken)


def text_features(
    spoken: Sequence[Spoken], meaning: Meaning | None, *, width: int, device: torch.device
) -> Tensor:
    """Runs with T phones in all -> features [width, T].

    Raises `ValueError` when there is no `meaning` and a run needs it, when its vectors have another
    width, or when a run has more characters than it takes.
    """
    parts = [torch.zeros(width, 0, device=device)]
    for run in spoken:
        if not needs_bert([run]):
            parts.append(torch.zeros(width, len(run.phones), device=device))
            continue
        if meaning is None or run.word2ph is None:
            raise ValueError(f"the features of {run.text!r} need the Chinese RoBERTa")
        features = meaning(run.norm_text, run.word2ph).to(device).float()
        if features.shape != (width, len(run.phones)):
            raise ValueError(
                f"the Chinese RoBERTa gives features {list(features.shape)}, the model needs"
                f" {[width, len(run.phones)]}"
            )
        parts.append(features)
    return torch.cat(parts, dim=1)
