"""The table of sinusoidal positions."""

import numpy as np
import torch

from tts.modules.positions import sine_table


def test_even_columns_are_sines_and_odd_ones_cosines_of_falling_rates() -> None:
    table = sine_table(50, 8)
    angles = np.arange(50)[:, None] * 10000.0 ** (-np.arange(0, 8, 2) / 8)
    assert table.dtype == torch.float32
    np.testing.assert_allclose(table[:, 0::2], np.sin(angles), atol=5e-6)
    np.testing.assert_allclose(table[:, 1::2], np.cos(angles), atol=5e-6)


def test_a_longer_table_begins_like_a_shorter_one() -> None:
    assert torch.equal(sine_table(100, 16)[:30], sine_table(30, 16))
