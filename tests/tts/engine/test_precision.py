"""Number types: as asked, or as the device has them fast."""

import pytest
import torch

from tts.engine import precision
from tts.engine.precision import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_on_a_gpu_everything_is_half_precision() -> None:
    found = Precision.of(GPU, dtype="auto", t2s_dtype="auto")
    assert found == Precision(torch.float16, False, torch.float16)


@pytest.mark.parametrize(("half_s", "sovits"), [(0.5, torch.bfloat16), (0.9, torch.float32)])
def test_on_a_cpu_sound_takes_half_precision_where_a_trial_shows_that_it_pays(
    monkeypatch: pytest.MonkeyPatch, half_s: float, sovits: torch.dtype
) -> None:
    times = {torch.float32: 1.0, torch.bfloat16: half_s}
    monkeypatch.setattr(precision, "_convolution_s", times.__getitem__)
    found = Precision.of(CPU, dtype="auto", t2s_dtype="auto")
    assert found == Precision(torch.float32, True, sovits)


def test_the_trial_runs() -> None:
    assert all(precision._convolution_s(t) > 0 for t in (torch.float32, torch.bfloat16))


def test_what_is_asked_for_is_taken() -> None:
    found = Precision.of(CPU, dtype="float32", t2s_dtype="bfloat16")
    assert found == Precision(torch.bfloat16, False, torch.float32)
    assert Precision.of(CPU, dtype="float32", t2s_dtype="int8").t2s_int8
    assert Precision.of(GPU, dtype="bfloat16", t2s_dtype="float32").t2s is torch.float32


def test_int8_is_for_cpus() -> None:
    with pytest.raises(ValueError, match="on a CPU only"):
        Precision.of(GPU, dtype="auto", t2s_dtype="int8")
