"""Cantonese text to phones, as the GPT-SoVITS models were trained on it.

In: text.  Out: what is said, its phones (initial and final with the tone, each after a "Y") and
how many belong to each character.  Numbers and the like are read by the rules for Chinese; the
readings come from ToJyutping.  Pure once loaded, any thread.
"""

import re

from tts.carriers import missing
from tts.text.symbols import PUNCTUATION, UNKNOWN
from tts.text.zh import normal

try:
    import ToJyutping
except ImportError as error:
    raise missing("ToJyutping", needed_for="Cantonese speech") from error

_MARKS = {
    **dict(zip("：；，·、", ",,,,,", strict=True)),
    **dict(zip("。！？\n$—～~", ".!?..---", strict=True)),
    "...": "…",
    **dict.fromkeys('“”"‘’（）()《》【】[]「」', "'"),
}
_SYLLABLE = re.compile(r"([a-z]+)([1-6])")
# What a syllable may begin with, tried in this order; vowels among them are split too.
_BEGINNINGS = (
    "aa aai aak aap aat aau ai au ap at ak a p b e ts t dz d kw k gw g f h l m ng n s y w c z j "
    "ong on ou oi ok o uk ung sp spl spn sil"
).split()


def normalise(text: str) -> str:
    """What is said for a text."""
    return normal.normalise(text, _MARKS, collapse=False)


def phones(norm_text: str) -> tuple[list[str], list[int]]:
    """Phones of a normalised text, and the number of them for each character.

    A character without a reading becomes one `UNK`; of one that is read as two syllables the
    models know how it begins, and `UNK`.
    """
    found: list[str] = []
    counts: list[int] = []
    for chars, reading in ToJyutping.get_jyutping_list(norm_text):
        syllables = _SYLLABLE.findall(reading or "")
        if len(syllables) == len(chars):
            for sound, tone in syllables:
                found += _split(sound, tone)
                counts.append(2)
        elif syllables and len(chars) == 1:
            found += [_split(*syllables[0])[0], UNKNOWN]
            counts.append(2)
        else:
            # Marks, which may come several at once, and characters nobody can read.
            found += [char if char in PUNCTUATION else UNKNOWN for char in chars]
            counts += [1] * len(chars)
    return found, counts


def _split(sound: str, tone: str) -> list[str]:
    beginning = next(part for part in _BEGINNINGS if sound.startswith(part))
    if sound.startswith("nga"):
        beginning = "ng"
    final = sound[len(beginning) :] or beginning[-1]
    return [f"Y{beginning}", f"Y{final}{tone}"]
