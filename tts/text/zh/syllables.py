"""A Chinese syllable as the two phones the models know: how it begins, and its final with the tone.

In: pypinyin's initial and final ("" and "ian4", "sh" and "i4").  Out: phones ("y" and "En4", "sh"
and "ir4").  Pure.
"""

from tts.text.symbols import UNKNOWN, symbols

# Syllables without a consonant, spelt with one: "uei" is "wei".
_WITHOUT_INITIAL = {"ing": "ying", "i": "yi", "in": "yin", "u": "wu"}
_FIRST_LETTER = {"v": "yu", "i": "y", "u": "w"}
_SHORT = {"uei": "ui", "iou": "iu", "uen": "un"}
_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_ROUNDED = {"u": "v", "uan": "van", "ue": "ve", "un": "vn"}


def phones(initial: str, final: str) -> list[str]:
    """Two phones, or `UNKNOWN` for what is no syllable of Mandarin."""
    sound, tone = final[:-1], final[-1:]
    if tone not in ("1", "2", "3", "4", "5") or not sound:
        return [UNKNOWN]
    begin, end = _split(_spelling(initial, sound))
    found = [begin, end + tone]
    return found if all(phone in symbols(322) for phone in found) else [UNKNOWN]


def _spelling(initial: str, sound: str) -> str:
    if initial:
        return initial + _SHORT.get(sound, sound)
    if sound in _WITHOUT_INITIAL:
        return _WITHOUT_INITIAL[sound]
    return _FIRST_LETTER.get(sound[0], sound[0]) + sound[1:]


def _split(syllable: str) -> tuple[str, str]:
    initial = next((begin for begin in _INITIALS if syllable.startswith(begin)), "")
    final = syllable[len(initial) :]
    if not initial:
        return syllable[0].upper() * 2, final
    if initial in ("zh", "ch", "sh", "r") and final == "i":
        return initial, "ir"
    if initial in ("z", "c", "s") and final == "i":
        return initial, "i0"
    if initial in ("j", "q", "x", "y"):
        final = _ROUNDED.get(final, final)
    if initial == "y":
        final = {"an": "En", "e": "E"}.get(final, final)
    return initial, final
