"""The bench `decode`: what it counts."""

import pytest
import torch

from bench import decode
from bench.random_models import random_models


@pytest.mark.golden
def test_full_size_models_are_timed_in_all_their_steps() -> None:
    torch.manual_seed(0)
    spoken = random_models(
        "v2", torch.device("cpu"), rows=2, reference_codes=25, reference_phones=10
    )
    found = decode.measure(spoken, "v2", [1, 2], 1, 10.0)
    assert found["t2s_v2_tokens_per_s"] > 0
    assert found["t2s_v2_tokens_per_s_rows2"] > 0
    assert found["decoder_v2_x_realtime"] > 0
    # Ten gigabytes a second, read as 24 layers of 512, a byte a weight.
    assert found["t2s_v2_limit_tokens_per_s"] == pytest.approx(10e9 / 75.5e6, rel=0.01)
    parts_s = (found["t2s_v2_first_token_ms_p50"] + 49 * found["t2s_v2_step_ms_p50"]) / 1000
    assert found["clause_v2_s_p50"] > parts_s * 0.9
