"""The bench `decode`: what it counts."""

import pytest

from bench import decode


def test_each_token_of_a_run_is_timed_and_its_end_is_not() -> None:
    assert len(decode.steps_s(iter(range(1, 8)))) == 7
    assert decode.steps_s(iter(())) == []


@pytest.mark.golden
def test_full_size_models_are_timed_in_all_their_steps() -> None:
    found = decode.measure("v2", 1, 10.0)
    assert found["t2s_v2_tokens_per_s"] > 0
    assert found["decoder_v2_x_realtime"] > 0
    # Ten gigabytes a second, read as 24 layers of 512 in single precision.
    assert found["t2s_v2_limit_tokens_per_s"] == pytest.approx(10e9 / (75.66e6 * 4), rel=0.01)
    parts_s = (found["t2s_v2_first_token_ms_p50"] + 49 * found["t2s_v2_step_ms_p50"]) / 1000
    assert found["clause_v2_s_p50"] > parts_s * 0.9
