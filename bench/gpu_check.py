"""Whether a GPU says what the CPU says, and its graphs what the same steps say without graphs.

    python -m bench gpu_check [--device cuda] [--versions v2 v2Pro v2ProPlus] [--quick]

Full-size models with random weights, in single precision.  T2S: a few utterances are drawn together
four ways: by graphs; by the same steps, not captured; by the steps that a CPU takes; and on the CPU
one by one, as `tts.engine.t2s_decode` does.  The first two must draw the same tokens; of the
others the share of tokens up to the first that differs is said: sums in another order differ in the
last bits, and a choice between two tokens may fall the other way.  SoVITS: the sound of one
utterance against the CPU's, as its greatest difference over the greatest sample, and in half
precision as signal-to-noise ratio.  Ends with an error when tokens or sound are wrong.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bench import endings, random_voice
from bench.decode import device_name
from bench.report import result, table
from tts.engine import t2s_runtime
from tts.engine.sampling import ExponentialNoise, Sampling
from tts.engine.t2s_decode import Limits, decode
from tts.engine.t2s_runtime import T2sRuntime
from tts.models.sovits import Sovits
from tts.models.t2s import T2s, T2sInput

CPU = torch.device("cpu")
ROWS, PHONES, CODES = 3, 20, 75
TOKENS, QUICK_TOKENS = 60, 10
SOUND_CODES, QUICK_SOUND_CODES = 50, 5
_CAPACITY = 256
ALLOWED_ERROR = 1e-3


class Eager:
    """A function called as it is, where a graph of it would be."""

    def __init__(self, fn: Callable[..., Tensor], *_: Tensor) -> None:
        self._fn = fn

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensor:
        """The function of these inputs."""
        return self._fn(*inputs)


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the check; see `bench.__main__`."""
    parser = argparse.ArgumentParser(prog="python -m bench gpu_check")
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--versions",
        nargs="+",
        choices=random_voice.NAMES,
        default=["v2", "v2Pro", "v2ProPlus"],
    )
    parser.add_argument("--quick", action="store_true", help="fewer tokens")
    options = parser.parse_args(argv)
    device = torch.device(options.device)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    metrics: dict[str, Any] = {}
    tokens = QUICK_TOKENS if options.quick else TOKENS
    # v2 and its successors have T2S models of one size.
    metrics |= t2s_metrics(options.versions[0], device, tokens)
    codes = QUICK_SOUND_CODES if options.quick else SOUND_CODES
    for version in options.versions:
        metrics |= sovits_metrics(version, device, codes)
    table(list(metrics.items()))
    wrong = [
        name
        for name, value in metrics.items()
        if (name.startswith("error") and not value <= ALLOWED_ERROR)
        or (name.startswith("equal_graphed") and value < 1)
    ]
    if wrong:
        raise SystemExit(f"wrong: {', '.join(wrong)}")
    return result(
        "gpu_check",
        settings={"versions": options.versions, "tokens": tokens, "codes": codes},
        metrics=metrics,
        targets={},
        device=device_name(device),
        threads=torch.get_num_threads(),
    )


def t2s_metrics(version: str, device: torch.device, count: int) -> dict[str, Any]:
    """Shares of equal tokens: of graphs against none, of either against the CPU."""
    spec = random_voice.t2s_spec(version)
    made = random_voice.tensors(spec)
    endings.end_never(made, spec)
    model = T2s.load(spec, made, dtype=torch.float32, device=device)
    graphed = together(T2sRuntime(model, rows=ROWS, capacity=_CAPACITY, windowed=True), count)
    with mock.patch.object(t2s_runtime, "Graphed", Eager):
        eager = together(T2sRuntime(model, rows=ROWS, capacity=_CAPACITY, windowed=True), count)
    apart = together(T2sRuntime(model, rows=ROWS, capacity=_CAPACITY, windowed=False), count)
    plain = one_by_one(T2s.load(spec, made, dtype=torch.float32, device=CPU), count)
    return {
        "equal_graphed_eager": equal(graphed, eager),
        "equal_apart": equal(graphed, apart),
        "equal_cpu": equal(graphed, plain),
    }


def together(runtime: T2sRuntime, count: int) -> list[list[int]]:
    """The tokens of some utterances that are stepped together."""
    device = runtime.model.device
    limits = Limits(early_stop=count - 1)
    runs = [
        runtime.join(_inputs(row, runtime.model, device), Sampling(), row, limits)
        for row in range(ROWS)
    ]
    for run in runs:
        work = run.prefill()
        work.run([work])
    while any(run.end is None for run in runs):
        works = [run.step() for run in runs]
        works[0].run(works)
    for run in runs:
        run.leave()
    return [run.tokens for run in runs]


def one_by_one(model: T2s, count: int) -> list[list[int]]:
    """The same, the plain way."""
    return [
        list(
            decode(
                model,
                _inputs(row, model, CPU),
                sampling=Sampling(),
                noise=ExponentialNoise(row, model.spec.vocabulary, CPU),
                limits=Limits(early_stop=count - 1),
            )
        )
        for row in range(ROWS)
    ]


def equal(one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    """The share of the tokens before the first of their utterance that differs."""
    same = total = 0
    for mine, theirs in zip(one, other, strict=True):
        total += max(len(mine), len(theirs))
        for a, b in zip(mine, theirs, strict=False):
            if a != b:
                break
            same += 1
    return round(same / total, 4)


@torch.inference_mode()
def sovits_metrics(version: str, device: torch.device, codes: int) -> dict[str, Any]:
    """The sound against the CPU's."""
    spec = random_voice.sovits_spec(version)
    made = random_voice.tensors(spec)
    draw = torch.Generator().manual_seed(0)
    inputs = (
        torch.randint(1024, (1, codes), generator=draw),
        torch.randint(300, (1, PHONES), generator=draw),
        0.1 * torch.randn(1, spec.gin, 1, generator=draw),
        torch.randn(1, spec.latent, 2 * codes, generator=draw),
    )

    def sound(device: torch.device, dtype: torch.dtype) -> Tensor:
        model = Sovits.load(spec, made, dtype=dtype, device=device)
        moved = [
            one.to(device, dtype) if one.is_floating_point() else one.to(device) for one in inputs
        ]
        return model.decode(*moved).float().cpu()

    right = sound(CPU, torch.float32)
    error = (sound(device, torch.float32) - right).abs().max() / right.abs().max()
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    noise = sound(device, half) - right
    snr_db = 10 * torch.log10(right.square().mean() / noise.square().mean())
    name = version.lower()
    return {f"error_{name}": float(error), f"half_snr_db_{name}": round(float(snr_db), 1)}


def _inputs(row: int, model: T2s, device: torch.device) -> T2sInput:
    draw = torch.Generator().manual_seed(row)
    phones = torch.randint(300, (PHONES + row,), generator=draw)
    features = torch.zeros(model.spec.bert, PHONES + row)
    codes = torch.randint(1024, (CODES,), generator=draw)
    return T2sInput.of(phones.to(device), features.to(device), codes.to(device))
