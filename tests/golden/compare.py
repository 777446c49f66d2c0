"""How far an array is from what upstream computed, in the measures of the reference data."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MODULE = 1e-5
"""Largest error of one module in single precision, as a share of the greatest magnitude."""
CHAIN = 1e-4
"""The same for a chain of modules, such as a whole decode."""


def error(ours: ArrayLike, expected: ArrayLike) -> float:
    """max |ours - expected| / max |expected|; the shapes must agree."""
    a, b = _double(ours), _double(expected)
    assert a.shape == b.shape, f"shape {a.shape} instead of {b.shape}"
    return float(np.abs(a - b).max() / np.abs(b).max())


def snr_db(ours: ArrayLike, expected: ArrayLike) -> float:
    """Signal-to-noise ratio, the difference being the noise."""
    a, b = _double(ours), _double(expected)
    return float(10 * np.log10((b**2).sum() / ((a - b) ** 2).sum()))


def _double(array: ArrayLike) -> NDArray[Any]:
    return np.asarray(array, np.float64)
