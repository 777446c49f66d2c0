"""The law of everything that works in pieces, stated once; each module's tests hold it to it.

Fed in pieces it gives what it gives whole, for every split.  Where a module looks ahead, what it
knows of a stream's middle comes that much later, and the sum is still the whole.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Split = list[tuple[int, int]]
"""Consecutive pieces (start, end) that cover a stream from 0 on; some may be empty."""

law = settings(max_examples=40, deadline=None)
"""How many splits a module is tried with."""


def splits(length: int, *, shortest: int = 0) -> st.SearchStrategy[Split]:
    """Every way to cut a stream of this length into pieces no shorter than `shortest`."""

    def pieces(cuts: list[int]) -> Split:
        kept = [0]
        for cut in sorted(cuts):
            if cut - kept[-1] >= shortest and length - cut >= shortest:
                kept.append(cut)
        return list(pairwise([*kept, length]))

    return st.lists(st.integers(0, length), max_size=12).map(pieces)


def holds(
    speak: Callable[[Split], NDArray[Any]], split: Split, *, within: float = 0.0
) -> NDArray[Any]:
    """The law: fed in the pieces of `split`, `speak` gives what it gives for one piece.

    Samples or steps are on the last axis; `within` is the difference allowed, as a share of the
    whole's maximum.  Gives the whole back.
    """
    whole = speak([(0, split[-1][1])])
    pieces = speak(split)
    assert pieces.shape == whole.shape
    worst = np.abs(pieces - whole).max(initial=0.0)
    assert worst <= within * np.abs(whole).max(initial=0.0), f"pieces {split} differ by {worst}"
    return whole
