"""The phones a model knows, as ids: 322 for v1, 732 for v2 and everything after it.

In: phones as text ("AH0", "zh", "ir4").  Out: their rows in the model's embedding.  The table is
data (data/symbols.json, in upstream's order) and its first 322 rows are the table of v1.  Pure,
any thread.
"""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

# What a phone that a table lacks becomes.
UNKNOWN = "UNK"
# Marks that are phones themselves, in every language.
PUNCTUATION = ("!", "?", "…", ",", ".", "-")
# Phones without a sound of their own: marks, pauses, marks of pitch, spaces, what no table knows.
SILENT = frozenset((*PUNCTUATION, "SP", "SP2", "SP3", "_", "[", "]", "空", "停", UNKNOWN))
SIZES = (322, 732)


class Symbols:
    """One of the two tables.  Raises `ValueError` for a size that no version has."""

    def __init__(self, size: int) -> None:
        if size not in SIZES:
            raise ValueError(f"symbols: {size} is not the size of a phone table; allowed: {SIZES}")
        self._ids = {phone: row for row, phone in enumerate(_table()[:size])}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, phone: object) -> bool:
        return phone in self._ids

    def known(self, phones: Iterable[str]) -> list[str]:
        """The phones, with `UNKNOWN` in place of those this table lacks."""
        return [phone if phone in self._ids else UNKNOWN for phone in phones]

    def ids(self, phones: Iterable[str]) -> list[int]:
        """Rows of the phones; those this table lacks get the row of `UNKNOWN`."""
        unknown = self._ids[UNKNOWN]
        return [self._ids.get(phone, unknown) for phone in phones]


@cache
def symbols(size: int) -> Symbols:
    """The table with so many rows, one for the process."""
    return Symbols(size)


@cache
def _table() -> tuple[str, ...]:
    text = (files("tts.text") / "data" / "symbols.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))
