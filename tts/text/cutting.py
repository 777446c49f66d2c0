"""A text cut into the sentences a model speaks one at a time, by upstream's methods cut0 to cut5.

In: text and the name of a method.  Out: pieces in order, each ending in a mark; text that only
marks were in is gone.  `tts.text.split` cuts for speed and keeps positions; this one cuts as the
models' own project does, for results that can be compared.  Pure, any thread.
"""

import re
from collections.abc import Callable

_END_MARKS = "，。？！,.?!~:：—…"
_CLAUSE_MARKS = ",.;?!、，。？！;：…"
_SILENT = frozenset("!?…,.- ")
_REPEATED = re.compile(r"([!?…,.\-])[!?…,.\-]+")
_SHORTEST = 5  # characters; shorter pieces join the next
_LONGEST = 510  # characters the text encoder takes
_SHORT_START = 4  # characters; a first clause below this gets a mark before it
_SENTENCES, _CHARACTERS = 4, 50


def collapse(text: str) -> str:
    """One of several marks in a row."""
    return _REPEATED.sub(r"\1", text)


def cut(text: str, *, language: str, method: str = "cut5") -> list[str]:
    """Pieces of a text in order; none for a text without words.

    Raises `ValueError` for an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} is unknown; allowed: {', '.join(METHODS)}")
    text = text.strip("\n")
    if not text:
        return []
    if text[0] not in _END_MARKS and len(_first_clause(text)) < _SHORT_START:
        text = _stop(language) + text
    pieces = [piece for piece in re.split(r"\n+", METHODS[method](text)) if piece not in ("", " ")]
    found: list[str] = []
    for piece in _merged(pieces):
        if not re.sub(r"\W+", "", piece):
            continue
        found += _shortened(ended(piece, language=language))
    return found


def ended(text: str, *, language: str) -> str:
    """A text, not empty, with a mark at its end; references are to have one too."""
    return text if text[-1] in _END_MARKS else text + _stop(language)


def _stop(language: str) -> str:
    return "." if language == "en" else "。"


def _first_clause(text: str) -> str:
    return re.split(f"[{re.escape(_END_MARKS)}]", text)[0].strip()


def _merged(pieces: list[str]) -> list[str]:
    """Pieces of at least five characters, as far as there are enough."""
    if len(pieces) < 2:
        return pieces
    found: list[str] = []
    held = ""
    for piece in pieces:
        held += piece
        if len(held) >= _SHORTEST:
            found.append(held)
            held = ""
    if held and found:
        found[-1] += held
    elif held:
        found.append(held)
    return found


def _shortened(piece: str) -> list[str]:
    if len(piece) <= _LONGEST:
        return [piece]
    found: list[str] = []
    held = ""
    for part in re.split(f"([{re.escape(_END_MARKS)}])", piece):
        if held and len(held) + len(part) > _LONGEST:
            found.append(held)
            held = ""
        held += part
    return [*found, held] if held else found


def _sentences(text: str) -> list[str]:
    """Sentences with the mark each ends in."""
    text = text.replace("……", "。").replace("——", "，")
    if text[-1] not in _END_MARKS:
        text += "。"
    return re.findall(f"[^{re.escape(_END_MARKS)}]*[{re.escape(_END_MARKS)}]", text)


def _spoken(pieces: list[str], silent: frozenset[str] = _SILENT) -> str:
    return "\n".join(piece for piece in pieces if not set(piece) <= silent)


def _whole(text: str) -> str:
    return _spoken([text])


def _by_fours(text: str) -> str:
    sentences = _sentences(text)
    if len(sentences) <= _SENTENCES:
        return _spoken([text])
    # What is left over after the last four joins them, and so do the last four.
    starts = range(0, len(sentences), _SENTENCES)[:-1]
    ends = [*starts[1:], len(sentences)]
    return _spoken(["".join(sentences[a:b]) for a, b in zip(starts, ends, strict=True)])


def _by_fifties(text: str) -> str:
    sentences = _sentences(text)
    if len(sentences) < 2:
        return text
    found = [""]
    for sentence in sentences:
        if len(found[-1]) > _CHARACTERS:
            found.append("")
        found[-1] += sentence
    if len(found) > 1 and len(found[-1]) < _CHARACTERS:
        last = found.pop()
        found[-1] += last
    return _spoken(found)


def _by_chinese_stops(text: str) -> str:
    return _spoken(text.strip("。").split("。"))


def _by_stops(text: str) -> str:
    return _spoken(re.split(r"(?<!\d)\.(?!\d)", text.strip(".")))


def _by_clauses(text: str) -> str:
    marks = re.escape(_CLAUSE_MARKS)
    # A point between digits is no mark.
    clauses = re.findall(rf"(?:[^{marks}]|(?<=\d)\.(?=\d))*(?:[{marks}]|$)", text)
    return _spoken(clauses, frozenset(_CLAUSE_MARKS))


METHODS: dict[str, Callable[[str], str]] = {
    "cut0": _whole,
    "cut1": _by_fours,
    "cut2": _by_fifties,
    "cut3": _by_chinese_stops,
    "cut4": _by_stops,
    "cut5": _by_clauses,
}
