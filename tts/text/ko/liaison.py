"""How Korean syllables sound next to each other.

In: Hangul taken apart into conjoining jamo, with marks after syllables that end a verb's stem
("/P"), an ending ("/E") or a counted noun ("/B").  Out: the jamo as they are pronounced.  The rules
are those of the Standard Pronunciation as g2pK (Apache 2.0) applies them, one after the other.
Pure.
"""

import re
from functools import cache
from unicodedata import normalize

_ONSETS = "ᄒᄀᄁᄂᄃᄄᄅᄆᄇᄈᄉᄊᄌᄍᄎᄏᄐᄑ"
_TENSE = dict(zip("ᄀᄃᄇᄉᄌ", "ᄁᄄᄈᄊᄍ", strict=True))
_AFTER_H = dict(zip("ᄀᄃᄉᄌ", "ᄏᄐᄊᄎ", strict=True))
_NASAL = {"ᆨ": "ᆼ", "ᆮ": "ᆫ", "ᆸ": "ᆷ"}

# Codas by what is left of them before a consonant and at an end, and what they make of a ᄒ.
_STOPS = {
    "ᆨ": ("ᆨ", "ᄏ"),
    "ᆩ": ("ᆨ", "ᄏ"),
    "ᆪ": ("ᆨ", "ᄏ"),
    "ᆮ": ("ᆮ", "ᄐ"),
    "ᆰ": ("ᆨ", "ᆯᄏ"),
    "ᆵ": ("ᆸ", "ᆸᄑ"),
    "ᆸ": ("ᆸ", "ᄑ"),
    "ᆹ": ("ᆸ", "ᆸᄑ"),
    "ᆺ": ("ᆮ", "ᄐ"),
    "ᆻ": ("ᆮ", "ᄐ"),
    "ᆽ": ("ᆮ", "ᄎ"),
    "ᆾ": ("ᆮ", "ᄐ"),
    "ᆿ": ("ᆨ", "ᄏ"),
    "ᇀ": ("ᆮ", "ᄐ"),
    "ᇁ": ("ᆸ", "ᄑ"),
}
_CLUSTERS = {
    "ᆬ": ("ᆫ", "ᆫᄎ"),
    "ᆭ": ("ᆫ", "ᆫᄒ"),
    "ᆱ": ("ᆷ", "ᆷᄒ"),
    "ᆲ": ("ᆯ", "ᆯᄑ"),
    "ᆳ": ("ᆯ", "ᆯᄒ"),
    "ᆴ": ("ᆯ", "ᆯᄒ"),
    "ᆶ": ("ᆯ", "ᆯᄒ"),
}
_SONORANTS = {"ᆫ": ("ᄅ", "ᆯᄅ"), "ᆯ": ("ᄂ", "ᆯᄅ"), "ᆷ": ("ᄅ", "ᆷᄂ"), "ᆼ": ("ᄅ", "ᆼᄂ")}
# Where the applied rules are not those of the book: the models learnt these.  None: no rule.
_EXCEPTIONS: dict[str, str | None] = {
    "ᆰᄏ": "ᆯᄏ",
    "ᆰᄐ": "ᆨᄑ",
    "ᆰᄑ": None,
    "ᆲᄐ": None,
    "ᆲᄑ": None,
    "ᆳᄐ": None,
    "ᆳᄑ": None,
    "ᆵᄅ": "ᆷᄅ",
    "ᆵᄏ": "ᆸ ᆸᄑ",
    "ᆵᄐ": None,
    "ᆵᄑ": None,
    "ᆹᄏ": "ᆸᄑ",
    "ᆹᄐ": None,
    "ᆹᄑ": None,
    "ᇁᄅ": "ᆫᄂ",
}

_VOWEL_RULES = (
    (re.compile("([ᄌᄍᄎ])ᅧ"), r"\1ᅥ"),
    (re.compile("([ᄀ-ᄊᄌ-ᄒ])ᅴ"), r"\1ᅵ"),
)
_WORD_RULES = tuple(
    (re.compile(normalize("NFD", pattern)), normalize("NFD", said))
    for pattern, said in (
        # names of letters
        ("([그])ᆮᄋ", r"\1ᄉ"),
        ("([으])[ᆽᆾᇀᇂ]ᄋ", r"\1ᄉ"),
        ("([으])ᆿᄋ", r"\1ᄀ"),
        ("([으])ᇁᄋ", r"\1ᄇ"),
        # stems of verbs
        ("ᆰ/P[ᄀᄁ]", "ᆯᄁ"),
        *((f"([ᆲᆴ])/P{lax}", rf"\1{_TENSE[lax]}") for lax in "ᄀᄃᄉᄌ"),
        *((f"([ᆫᆷ])/P{lax}", rf"\1{_TENSE[lax]}") for lax in "ᄀᄃᄉᄌ"),
        *((f"ᆬ/P{lax}", f"ᆫ{_TENSE[lax]}") for lax in "ᄀᄃᄉᄌ"),
        *((f"ᆱ/P{lax}", f"ᆷ{_TENSE[lax]}") for lax in "ᄀᄃᄉᄌ"),
        ("(바)ᆲ($|[^ᄋᄒ])", r"\1ᆸ\2"),
        ("(너)ᆲ([ᄌᄍᄃᄄ]ᅮ)", r"\1ᆸ\2"),
        # before i
        ("ᆮᄋ([ᅵᅧ])", r"ᄌ\1"),
        ("ᇀᄋ([ᅵᅧ])", r"ᄎ\1"),
        ("ᆴᄋ([ᅵᅧ])", r"ᆯᄎ\1"),
        ("ᆮᄒ(ᅵ)", r"ᄎ\1"),
        # after an ending in l
        *((f"ᆯ/E {lax}", f"ᆯ {_TENSE[lax]}") for lax in "ᄀᄃᄇᄉᄌ"),
        ("ᆯ걸", "ᆯ껄"),
        ("ᆯ밖에", "ᆯ빠께"),
        ("ᆯ세라", "ᆯ쎄라"),
        ("ᆯ수록", "ᆯ쑤록"),
        ("ᆯ지라도", "ᆯ찌라도"),
        ("ᆯ지언정", "ᆯ찌언정"),
        ("ᆯ진대", "ᆯ찐대"),
    )
)
# A coda moves to a syllable that begins with a vowel; of two, the second.
_MOVED = (
    *zip("ᆨᆩᆫᆮᆯᆷᆸᆺᆻᆽᆾᆿᇀᇁ", "ᄀᄁᄂᄃᄅᄆᄇᄉᄊᄌᄎᄏᄐᄑ", strict=True),
    *zip("ᆪᆬᆰᆱᆲᆳᆴᆵᆹ", "ᆨᄊ ᆫᄌ ᆯᄀ ᆯᄆ ᆯᄇ ᆯᄊ ᆯᄐ ᆯᄑ ᆸᄊ".split(), strict=True),
    ("ᇂ", "ᄋ"),
    ("ᆭ", "ᄂ"),
    ("ᆶ", "ᄅ"),
)


def pronounced(jamo: str) -> str:
    """The jamo as they sound; the marks are gone."""
    for pattern, said in _VOWEL_RULES:
        jamo = pattern.sub(said, jamo)
    jamo = jamo.replace("/J", "")
    for pattern, said in _WORD_RULES:
        jamo = pattern.sub(said, jamo)
    jamo = re.sub("/[PJEB]", "", jamo)
    for pattern, said in meetings():
        jamo = pattern.sub(said, jamo)
    for coda, said in _MOVED:
        jamo = jamo.replace(f"{coda}ᄋ", said)
    return jamo


@cache
def meetings() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What a coda and the consonant after it, or the end of a word, become; a space may part them.

    In the order in which they are applied.
    """
    found = []
    for coda in ["ᇂ", *map(chr, range(ord("ᆨ"), ord("ᇂ")))]:
        for onset in _ONSETS:
            said = _meeting(coda, onset)
            if said is not None:
                before, after = said[:-1], said[-1]
                gap = before.replace(" ", r"\1")
                found.append((re.compile(f"{coda}( ?){onset}"), rf"{gap}\1{after}"))
        at_end = _at_end(coda)
        if at_end is not None:
            found.append((re.compile(rf"{coda}(\W|$)"), at_end))
    return tuple(found)


def _meeting(coda: str, onset: str) -> str | None:
    if coda + onset in _EXCEPTIONS:
        return _EXCEPTIONS[coda + onset]
    if coda == "ᇂ":
        return "ᆫᄂ" if onset == "ᄂ" else _AFTER_H.get(onset, onset)
    if coda in _SONORANTS:
        before, said = _SONORANTS[coda]
        return said if onset == before else None
    if coda in _STOPS:
        return _after_stop(coda, onset)
    return _after_cluster(coda, onset)


def _after_stop(coda: str, onset: str) -> str | None:
    left, with_h = _STOPS[coda]
    if onset == "ᄒ":
        return with_h
    if onset in "ᄂᄆ":
        return _NASAL[left] + onset
    if onset == "ᄅ":
        return _NASAL[left] + "ᄂ"
    if onset in _TENSE:
        return left + _TENSE[onset]
    return None if coda == left else left + onset


def _after_cluster(coda: str, onset: str) -> str:
    left, with_h = _CLUSTERS[coda]
    if onset == "ᄒ":
        return with_h
    if onset == "ᄅ" and left == "ᆫ":
        return "ᆯᄅ"
    if coda == "ᆲ" and onset in "ᄂᄆ":
        return "ᆷ" + onset
    if onset == "ᄂ" and left == "ᆯ":
        return "ᆯᄅ"
    if coda in "ᆭᆶ":
        return left + _AFTER_H.get(onset, onset)
    if coda in "ᆲᆳ":
        return left + _TENSE.get(onset, onset)
    return left + onset


def _at_end(coda: str) -> str | None:
    if coda == "ᇂ":
        return r"ᆮ\1"
    if coda == "ᆶ":
        return "ᆯ"
    left = (_STOPS.get(coda) or _CLUSTERS.get(coda) or (coda,))[0]
    return None if left == coda else rf"{left}\1"
