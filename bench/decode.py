"""How fast the two models of a cloned voice are: tokens a second, and sound against real time.

    python -m bench decode [--quick] [--versions v2 v2Pro v2ProPlus] [--threads 2]

One utterance after a reference of 5 s, in single precision, at full size with random weights
(`bench.random_voice`): arithmetic takes as long as with trained ones.  The ceiling of T2S is what
memory allows: every step reads all weights of its layers once, and `memory_gb_per_s` is measured by
summing an array larger than any cache.  One run of everything warms up and is not counted.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from bench import random_voice
from bench.report import percentiles, result, table
from tts.engine.sampling import Sampling
from tts.engine.synthesis import Manner, Models, Reference, decode_codes, tokens
from tts.engine.t2s_decode import Limits
from tts.models.sovits import Sovits
from tts.models.t2s import T2s

CPU = torch.device("cpu")
PHONES, REFERENCE_PHONES, REFERENCE_CODES = 14, 60, 125
"""A clause of five English words, after 5 s of reference."""
CODES = 50
"""Two seconds of sound."""
TOKENS_PER_S = 25
_MEMORY_BYTES = 1 << 29


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench decode")
    parser.add_argument("--quick", action="store_true", help="one version, few repeats")
    parser.add_argument("--versions", nargs="+", choices=random_voice.NAMES)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    versions = options.versions or (["v2"] if options.quick else ["v2", "v2Pro", "v2ProPlus"])
    repeats = 2 if options.quick else 8
    memory = memory_gb_per_s()
    metrics: dict[str, Any] = {"memory_gb_per_s": round(memory, 1)}
    for version in versions:
        metrics |= measure(version, repeats, memory)
    table(list(metrics.items()))
    return result(
        "decode",
        settings={"versions": versions, "repeats": repeats, "weights": "random", "dtype": "fp32"},
        metrics=metrics,
        targets={},
        threads=options.threads,
    )


def measure(version: str, repeats: int, memory: float) -> dict[str, Any]:
    """The metrics of one version."""
    models, reference = loaded(version)
    generator = torch.Generator().manual_seed(1)
    phones = torch.randint(300, (1, PHONES), generator=generator)
    features = torch.zeros(1, models.t2s.spec.bert, PHONES)
    codes = torch.randint(1024, (CODES,), generator=generator).tolist()
    manner = Manner(Sampling())
    first_s: list[float] = []
    step_s: list[float] = []
    sound_s: list[float] = []
    for repeat in range(repeats + 1):
        run = tokens(models.t2s, reference, phones, features, manner, Limits(early_stop=CODES))
        spent = steps_s(run)
        sounding = elapsed_s(lambda: decode_codes(models.sovits, reference, codes, phones, manner))
        if repeat:
            first_s.append(spent[0])
            step_s += spent[1:]
            sound_s.append(sounding)
    name = version.lower()
    weights = sum(p.numel() * p.element_size() for p in models.t2s.layers.parameters())
    heard_s = CODES / TOKENS_PER_S
    return {
        **percentiles(f"t2s_{name}_first_token_ms", [1000 * s for s in first_s]),
        **percentiles(f"t2s_{name}_step_ms", [1000 * s for s in step_s], digits=1),
        f"t2s_{name}_tokens_per_s": round(1 / float(np.median(step_s)), 1),
        f"t2s_{name}_limit_tokens_per_s": round(memory * 1e9 / weights, 1),
        f"decoder_{name}_x_realtime": round(heard_s / float(np.median(sound_s)), 2),
        f"clause_{name}_s_p50": round(
            float(np.median(first_s))
            + (CODES - 1) * float(np.median(step_s))
            + float(np.median(sound_s)),
            2,
        ),
    }


def loaded(version: str) -> tuple[Models, Reference]:
    """Full-size models of random weights, and a reference for them."""
    place: dict[str, Any] = {"dtype": torch.float32, "device": CPU}
    t2s_spec, sovits_spec = random_voice.t2s_spec(version), random_voice.sovits_spec(version)
    t2s = T2s.load(t2s_spec, random_voice.tensors(t2s_spec), **place)
    sovits = Sovits.load(sovits_spec, random_voice.tensors(sovits_spec), **place)
    generator = torch.Generator().manual_seed(0)
    return Models(t2s, sovits), Reference(
        codes=torch.randint(1024, (1, REFERENCE_CODES), generator=generator),
        phones=torch.randint(300, (1, REFERENCE_PHONES), generator=generator),
        features=torch.zeros(1, t2s_spec.bert, REFERENCE_PHONES),
        ge=0.1 * torch.randn(1, sovits_spec.gin, 1, generator=generator),
    )


def steps_s(run: Iterator[int]) -> list[float]:
    """Seconds of each token of a run, from the first, which reads all that came before it."""
    spent: list[float] = []
    while True:
        began_s = time.perf_counter()
        if next(run, None) is None:
            return spent
        spent.append(time.perf_counter() - began_s)


def elapsed_s(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def memory_gb_per_s() -> float:
    """What the memory gives to this many threads, reading."""
    array = torch.ones(_MEMORY_BYTES // 4)
    best_s = min(elapsed_s(array.sum) for _ in range(5))
    return _MEMORY_BYTES / best_s / 1e9
