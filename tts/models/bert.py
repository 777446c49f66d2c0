"""Chinese RoBERTa: what the characters of a sentence mean, as features of its phones.

In: normalised Chinese text and how many phones each character has.  Out: one vector a phone.  The
network is `transformers`' own, read from a local folder; nothing is downloaded.  One thread at a
time.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

try:
    from transformers import AutoTokenizer, BertConfig, BertModel

    from tts.models.local import load
except ImportError as missing:
    raise ImportError(
        "Chinese RoBERTa needs the package transformers: pip install 'parley-voice[gpt-sovits]'"
    ) from missing

UNUSED_LAYERS = 2
"""The features are the output of the third layer from the end; the two after it are not loaded."""


class Bert:
    """A BERT model of a local folder (config.json, tokenizer and weights)."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, device: torch.device) -> None:
        """Load it; raises what `tts.models.local.load` raises."""
        config = BertConfig.from_pretrained(folder, local_files_only=True)
        config.num_hidden_layers -= UNUSED_LAYERS
        self._model = load(
            BertModel, folder, config=config, dtype=dtype, device=device, add_pooling_layer=False
        )
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._device = device
        # Two positions are taken by the marks of beginning and end.
        self.longest_text = config.max_position_embeddings - 2

    def features(self, text: str, word2ph: Sequence[int]) -> Tensor:
        """Text of C characters, phones of each -> features [hidden, sum(word2ph)].

        Raises `ValueError` when there is not one count a character, or too many characters.
        """
        if len(word2ph) != len(text):
            raise ValueError(f"{len(word2ph)} phone counts given for {len(text)} characters")
        if len(text) > self.longest_text:
            raise ValueError(
                f"the text has {len(text)} characters, the model takes {self.longest_text}"
            )
        tokens = [self._tokenizer.cls_token_id, *map(self._token, text)]
        ids = torch.tensor([[*tokens, self._tokenizer.sep_token_id]], device=self._device)
        by_character: Tensor = self._model(input_ids=ids).last_hidden_state[0, 1:-1]  # [C, hidden]
        counts = torch.tensor(word2ph, device=self._device)
        return by_character.repeat_interleave(counts, dim=0).mT

    def _token(self, character: str) -> int:
        """The token of one character; Chinese text has no others, so a word is never lost."""
        ids = self._tokenizer(character, add_special_tokens=False).input_ids
        return int(ids[0]) if ids else int(self._tokenizer.unk_token_id)
