"""The bench `precision`, on small models."""

from pathlib import Path

import pytest
import torch

from bench.precision import main, snr_db

CKPT = Path(__file__).parents[1] / "golden" / "ckpt"


def test_the_ratio_of_signal_to_noise_is_in_decibels() -> None:
    signal = torch.tensor([3.0, -4.0])
    assert snr_db(signal, signal * 1.1) == pytest.approx(20.0, abs=1e-4)


@pytest.mark.golden
def test_less_precision_loses_more() -> None:
    files = ["--t2s", str(CKPT / "t2s_v2.ckpt"), "--sovits", str(CKPT / "sovits_v2.pth")]
    report = main([*files, "--quick"])
    found = report["metrics"]
    assert report["settings"]["t2s_weights"] == "t2s_v2.ckpt"
    assert found["t2s_file_steps"] == 8
    assert 0 < found["t2s_file_kl_mean_fp16"] < found["t2s_file_kl_mean_bf16"] < 0.1
    assert found["t2s_file_kl_mean_fp16"] < found["t2s_file_kl_mean_int8"]
    assert 10 < found["sovits_file_snr_db_bf16"] < found["sovits_file_snr_db_fp16"]
    assert found["sovits_file_latent_snr_db_bf16"] > 10
