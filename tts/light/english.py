"""English text to phonemes of the misaki alphabet, word by word, with hibari's G2P.

In: a clause of any text.  Out: `Token`s whose phonemes are those of the whole clause.  Signs that
are not English come out without phonemes.  On the engine's thread.
"""

from functools import cache

from hibari.g2p import G2P
from hibari.g2p.normalize import normalize

from tts.light.phonemes import Token


@cache
def _g2p() -> G2P:
    """One lexicon for the process; it is read-only once loaded."""
    return G2P()


def phonemise(clause: str) -> list[Token]:
    """Raises nothing for any text."""
    g2p = _g2p()
    # Square brackets before round ones are phoneme markup to this G2P, which nobody here writes.
    tokens = g2p.phonemize_tokens(g2p.tokenize(normalize(clause.replace("](", "] ("))))
    spoken: list[Token] = []
    for token in tokens:
        spoken.append(Token(token.text, token.phonemes or ""))
        if token.whitespace:
            spoken.append(Token("", " "))
    return spoken
