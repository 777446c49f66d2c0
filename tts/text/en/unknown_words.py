"""Phones guessed for a word that no table knows: the small recurrent network of g2p_en.

In: a word in lower case.  Out: ARPAbet phones with stress.  The weights are a file of the package
`g2p_en` (Apache 2.0), of which nothing is imported.  Pure once loaded, any thread.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.carriers import folder

_Array = NDArray[np.float32]

_LETTERS = {letter: row for row, letter in enumerate("abcdefghijklmnopqrstuvwxyz", start=3)}
_UNKNOWN_LETTER, _END_OF_WORD = 1, 2
_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
_START, _STOP = 2, 3
_LONGEST = 20  # phones


def _phones() -> list[str]:
    """Names of the network's outputs in order."""
    stressed = [f"{vowel}{stress}" for vowel in _VOWELS for stress in "012"]
    return ["<pad>", "UNK", "<s>", "</s>", *sorted([*_CONSONANTS, *stressed, "UW"])]


class UnknownWords:
    """The network.  Raises `ImportError` naming the extra when its weights are missing."""

    def __init__(self, weights: Path | None = None) -> None:
        path = weights or folder("g2p_en", needed_for="English speech") / "checkpoint20.npz"
        with np.load(path, allow_pickle=False) as stored:
            self._weights: dict[str, _Array] = {name: stored[name] for name in stored.files}
        self._phones = _phones()

    def phones(self, word: str) -> list[str]:
        """Up to 20 phones for a word."""
        w = self._weights
        state = np.zeros(w["enc_w_hh"].shape[1], np.float32)
        for row in [*(_LETTERS.get(letter, _UNKNOWN_LETTER) for letter in word), _END_OF_WORD]:
            state = self._step("enc", w["enc_emb"][row], state)
        said, row = [], _START
        for _ in range(_LONGEST):
            state = self._step("dec", w["dec_emb"][row], state)
            row = int(np.argmax(w["fc_w"] @ state + w["fc_b"]))
            if row == _STOP:
                break
            said.append(self._phones[row])
        return [phone for phone in said if phone not in ("<pad>", "<s>", "UW")]

    def _step(self, side: str, x: _Array, state: _Array) -> _Array:
        """One step of a gated recurrent unit: gates in the order reset, update, new."""
        w = self._weights
        of_input = w[f"{side}_w_ih"] @ x + w[f"{side}_b_ih"]
        of_state = w[f"{side}_w_hh"] @ state + w[f"{side}_b_hh"]
        size = len(state)
        reset, update = np.split(
            1 / (1 + np.exp(-(of_input[: 2 * size] + of_state[: 2 * size]))), 2
        )
        new = np.tanh(of_input[2 * size :] + reset * of_state[2 * size :])
        return np.asarray((1 - update) * new + update * state, np.float32)
