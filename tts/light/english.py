"""English text to phonemes of the misaki alphabet, word by word, with hibari's G2P.

In: a clause of any text.  Out: `Token`s whose phonemes are those of the whole clause.  Signs that
are not English come out without phonemes.  On the engine's thread.
"""

import re
import unicodedata
from functools import cache

from hibari.g2p import G2P
from hibari.g2p.normalize import normalize

from tts.light.phonemes import Token
from tts.text.spans import words

# More digits than a number anybody reads as one: they are read one by one.
_LONG_NUMBER = re.compile(r"\d{13,}")
# Square brackets before round ones are phoneme markup to this G2P, which nobody here writes.
_MARKUP = re.compile(r"\]\(")


@cache
def _g2p() -> G2P:
    """One lexicon for the process; it is read-only once loaded."""
    return G2P()


def phonemise(clause: str) -> list[Token]:
    """Raises nothing for any text; a word this G2P fails on has no phonemes."""
    plain = _MARKUP.sub("] (", unicodedata.normalize("NFKC", clause))
    plain = _LONG_NUMBER.sub(lambda match: " ".join(match.group()), plain)
    try:
        return _tokens(plain)
    except Exception:  # it raises many kinds, for signs such as digits of rare scripts
        return [token for span in words(plain) for token in _one_word(span.of(plain))]


def _tokens(text: str) -> list[Token]:
    g2p = _g2p()
    spoken: list[Token] = []
    for token in g2p.phonemize_tokens(g2p.tokenize(normalize(text))):
        spoken.append(Token(token.text, token.phonemes or ""))
        if token.whitespace:
            spoken.append(Token("", " "))
    return spoken


def _one_word(word: str) -> list[Token]:
    try:
        return [*_tokens(word), Token("", " ")]
    except Exception:
        return [Token(word, "")]
